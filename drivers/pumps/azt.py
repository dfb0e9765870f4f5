"""A pump that speaks AZT 2.0 (Topaz and others), as the daemon's pump kind.

One address is one nozzle. A sale goes: dose -> read the dose back -> authorise -> state 2, 3 -> state 4 -> full sale
read -> stored by the till -> `release` confirms it -> state 0 or 1. A pump whose power or gateway went meanwhile waits
in state 4 until it is confirmed: nothing is lost, and nothing new is sold before.

An ACK is believed once the status shows it. An authorisation is sent once; when its answer is lost, the status tells.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Final, NoReturn

from drivers.api import Link, Point, Reading
from drivers.errors import DeviceError, DeviceFault, Misconfigured, Silent, Transient, Unsupported
from drivers.line import Line, Priority
from drivers.polling import Poller
from drivers.pump import NozzleTotal, Order, PumpState, PumpStatus, PumpTraits, Sale
from drivers.pumps.azt_options import AztOptions
from drivers.pumps.azt_talk import AztTalk, NotNow, words
from drivers.pumps.config import PumpConfig
from drivers.pumps.probe import Sign, probing
from drivers.pumps.seen import Seen
from protocols.door import Fault, Refused
from protocols.fieldbus.azt import AztExpect, request_frame
from protocols.fieldbus.azt_app import Command, FullSale, Question, State, Status, dose_money, dose_volume, price
from protocols.fieldbus.azt_frames import Above15

__all__ = ["AztOptions", "AztPump", "probe"]

POLL_S: Final = 0.25
SHOWS_WITHIN_S: Final = 3.0  # a state changes at once or not at all; relays and displays take their time
LOOK_AGAIN_S: Final = 0.1
DOSE_MAX: Final = 99_999  # five digits

_STATES: Final = {
    State.IDLE: PumpState.IDLE,
    State.LIFTED: PumpState.CALLING,
    State.AUTHORISED: PumpState.AUTHORISED,
    State.DISPENSING: PumpState.DELIVERING,
    State.ENDED: PumpState.ENDED,
    State.LOCAL_DOSE: PumpState.CALLING,  # somebody stands there; an authorisation takes that dose back
}
_NOZZLE_OUT: Final = {State.IDLE: False, State.LIFTED: True}
_OFF: Final = (State.IDLE, State.LIFTED)
_SELLS: Final = (State.AUTHORISED, State.DISPENSING)


class AztPump:
    """A `drivers.pump.Pump`. Nothing is sent until `run` or a method that asks."""

    profile_id = "azt"

    def __init__(self, line: Line, config: PumpConfig) -> None:
        """Raises door.Refused."""
        self.id = config.id
        self._options = config.options_as(AztOptions)
        _check(config, self._options)
        self._nozzle = config.nozzle_numbers[0]
        self._address = config.address
        self._scales = config.scales
        self._flow_ml_s_max = config.flow_ml_s_max
        self._poll_s = config.poll_s or POLL_S
        self._talk = AztTalk(line, config.id, config.address, self._options)
        self._seen = Seen(self._poll_s)
        self._acting = asyncio.Lock()
        self._error: DeviceError | None = None  # of the last poll
        self._total_digits = self._options.total_digits
        self._price_e3: int | None = None  # as the pump last showed it; 0: it has lost it
        self._given: FullSale | None = None  # what `read_sale` gave of the sale that waits: `release` confirms no other

    # What is known. No I/O.

    @property
    def traits(self) -> PumpTraits:
        scales, options = self._scales, self._options
        return PumpTraits(
            nozzles=(self._nozzle,),
            volume_step_ml=scales.volume_ml(1),
            amount_step_fen=scales.amount_fen(1),
            price_step_e3=scales.price_e3(1),
            total_step_ml=scales.total_ml(1),
            total_ml_wraps=scales.total_ml(10**self._total_digits),
            amount_max_fen=scales.amount_fen(10**options.money_digits - 1),
            volume_max_ml=scales.volume_ml(DOSE_MAX),
            price_max_e3=scales.price_e3(10**options.price_digits - 1),
            lift_first=False,
            can_suspend=False,
            flow_ml_s_max=self._flow_ml_s_max,
        )

    def link(self) -> Link:
        link = self._talk.device.link()
        if link.error is None and self._error is not None:
            return replace(link, error=f"{self._error}. {self._error.remedy}")
        return link

    def points(self) -> list[Point]:
        return self._seen.points(f"azt {self._address}")

    def status(self) -> Reading[PumpStatus]:
        return self._seen.status()

    # What is read.

    async def run(self) -> NoReturn:
        poller = Poller({"status": self._poll_s})
        while True:
            await poller.next()
            try:
                if self._talk.device.on_return.is_set():
                    await self._settle_in()
                await self._look(Priority.POLL)
                self._error = None
            except DeviceError as error:  # shown in the link; the next poll tries again
                self._error = error

    async def read_status(self) -> Reading[PumpStatus]:
        await self._look()
        return self._seen.status()

    async def read_totals(self) -> Mapping[int, NozzleTotal]:
        if (await self._look()).state in _SELLS:
            raise Transient("it counts no totals while a sale is under way", where=self._talk.where)
        totals = await self._talk.totals()
        self._total_digits = totals.width
        scales = self._scales
        read = {self._nozzle: NozzleTotal(scales.total_ml(totals.volume), scales.total_fen(totals.amount))}
        self._seen.heard_totals(read)
        return read

    async def read_sale(self) -> Sale | None:
        state = (await self._look()).state
        if state in _SELLS:
            return None
        sale = await self._full_sale(state)
        if state is State.ENDED:
            self._given = sale
        elif sale is None or not (sale.volume or sale.amount):
            return None  # erased by a new price
        assert sale is not None, "a sale that waits is told, or the pump has raised"
        scales = self._scales
        return Sale(
            nozzle=self._nozzle,
            volume_ml=scales.volume_ml(sale.volume),
            amount_fen=scales.amount_fen(sale.amount),
            price_e3=self._price_e3 or None,
        )

    async def read_prices(self) -> Mapping[int, int]:
        await self._full_sale((await self._look()).state)
        return {self._nozzle: self._price_e3} if self._price_e3 else {}

    # What is done.

    async def set_prices(self, price_e3: Mapping[int, int]) -> None:
        question, wanted = self._price(price_e3), price_e3[self._nozzle]
        async with self._acting:
            state = (await self._look()).state
            if state is State.ENDED:
                raise Transient("a new price would erase the sale that waits to be confirmed", where=self._talk.where)
            if state is not State.IDLE:
                raise Transient(f"it takes prices in state 0, and is in {state.value}", where=self._talk.where)
            await self._full_sale(state)
            if self._price_e3 == wanted:
                return
            await self._talk.act(question)
            told = await self._full_sale(state)
            if told is not None and self._price_e3 != wanted:
                raise DeviceFault(
                    f"it was given the price {wanted}, and shows {self._price_e3}", where=self._talk.where
                )

    async def authorise(self, order: Order) -> None:
        """From state 4 only once `read_sale` has given the sale that waits: it is confirmed first."""
        dose = self._dose(order)
        async with self._acting:
            await self._make_way()
            await self._check_price(order.price_e3[self._nozzle])
            await self._talk.act(dose)
            await self._check_dose(dose)
            failed: DeviceError | None = None
            try:
                await self._talk.act(Question(Command.AUTHORISE), retries=0)
            except NotNow:
                raise
            except Transient as error:
                failed = error
            if not await self._shows(*_SELLS, State.ENDED):
                raise failed or Transient("it took the authorisation, and does not show it", where=self._talk.where)

    async def stop(self) -> None:
        async with self._acting:
            if (await self._look()).state in (*_SELLS, State.LOCAL_DOSE):
                await self._do(Command.STOP)
                if not await self._shows(State.ENDED, *_OFF):
                    raise DeviceFault("it was told to stop, and goes on", where=self._talk.where)

    async def suspend(self) -> None:
        raise Unsupported("AZT cannot pause a sale", where=self._talk.where)

    async def resume(self) -> None:
        raise Unsupported("AZT cannot pause a sale", where=self._talk.where)

    async def release(self) -> None:
        async with self._acting:
            if (await self._look()).state is State.ENDED:
                await self._confirm()

    # Below: how.

    async def _settle_in(self) -> None:
        """It is back, or another one is: ask anew what never changes."""
        returned = self._talk.device.on_return
        returned.clear()
        try:
            self._price_e3 = None
            self._talk.forget()
            await self._talk.widths(Priority.POLL)
            await self._full_sale((await self._look(Priority.POLL)).state, Priority.POLL)
            returned.clear()  # the first answer after a break has set it: that return is the one being handled
        except DeviceError:
            returned.set()
            raise

    async def _look(self, priority: Priority = Priority.COMMAND) -> Status:
        """Ask for the status, and for what goes with it."""
        status = await self._talk.status(priority)
        took_ms = self._talk.device.last_took_ms
        volume: int | None = None
        amount: int | None = None
        if status.state is State.DISPENSING:
            volume = await self._talk.volume(priority)
        elif status.state is State.ENDED and (sale := await self._full_sale(status.state, priority)) is not None:
            volume, amount = sale.volume, sale.amount
        self._seen.heard(
            PumpStatus(
                state=PumpState.UNPRICED if status.state in _OFF and self._price_e3 == 0 else _STATES[status.state],
                reason=words(status),
                nozzle=None if status.state is State.IDLE else self._nozzle,
                nozzle_out=_NOZZLE_OUT.get(status.state),
                volume_ml=None if volume is None else self._scales.volume_ml(volume),
                amount_fen=None if amount is None else self._scales.amount_fen(amount),
                price_e3=self._price_e3 or None,
                alarm=await self._talk.error(priority) if status.flags & 1 else None,
            ),
            took_ms,
        )
        return status

    async def _full_sale(self, state: State, priority: Priority = Priority.COMMAND) -> FullSale | None:
        """The register of the last sale, and the price with it. None: not told, as some do outside of state 4."""
        try:
            sale = await self._talk.full_sale(priority)
        except NotNow:
            if state is State.ENDED:
                raise
            self._price_e3 = None
            return None
        self._price_e3 = self._scales.price_e3(sale.price)
        return sale

    async def _make_way(self) -> None:
        """To state 0 or 1: confirm a sale that was read, take back a dose of the pump's own panel."""
        state = (await self._look()).state
        if state in _SELLS:
            raise Transient(f"a sale is under way, state {state.value}", where=self._talk.where)
        if state is State.ENDED and self._given is None:
            raise Transient("its last sale has not been read, and would be lost", where=self._talk.where)
        if state is State.ENDED:
            await self._confirm()
        elif state is State.LOCAL_DOSE:
            await self._do(Command.STOP)
            if not await self._shows(*_OFF):
                raise Transient("the dose set at its panel does not go away", where=self._talk.where)
        self._given = None

    async def _confirm(self) -> None:
        """Confirm the sale that the till has stored, and no other."""
        sale = await self._full_sale(State.ENDED)  # without this, the pump would not take the confirmation
        if self._given is not None and sale != self._given:
            self._given = None
            raise Transient("its sale has changed since it was read", where=self._talk.where, remedy="Read it again.")
        await self._do(Command.CONFIRM)
        if not await self._shows(*_OFF, State.LOCAL_DOSE):
            raise Transient("it does not take the confirmation of its sale", where=self._talk.where)
        self._given = None

    async def _check_price(self, wanted: int) -> None:
        """What the pump would charge, where it tells."""
        await self._full_sale(State.IDLE)
        if self._price_e3 not in (None, wanted):
            raise Misconfigured(f"it shows the price {self._price_e3}, ordered is {wanted}", where=self._talk.where)

    async def _check_dose(self, dose: Question) -> None:
        """What the pump says it was told. No source says how it tells a dose of money."""
        if not self._options.read_dose_back or dose.command is not Command.DOSE_VOLUME:
            return
        try:
            told = await self._talk.dose()
        except Unsupported:  # an older pump
            return
        given = int(dose.data[:5])
        if told != given:
            raise Transient(f"it was given the dose {given}, and shows {told}", where=self._talk.where)

    async def _do(self, command: Command) -> None:
        """What may be repeated, and is refused once it is done; so the status tells whether it was."""
        try:
            await self._talk.act(Question(command))
        except Transient:
            pass

    async def _shows(self, *states: State) -> bool:
        """Whether it comes to show one of `states` in time. Raises DeviceError when it says nothing."""
        loop = asyncio.get_running_loop()
        until = loop.time() + SHOWS_WITHIN_S
        while (await self._look()).state not in states:
            if loop.time() >= until:
                return False
            await asyncio.sleep(LOOK_AGAIN_S)
        return True

    def _dose(self, order: Order) -> Question:
        """Raises Misconfigured for what the pump has no digits for."""
        options, scales = self._options, self._scales
        price_e3 = order.price_e3.get(self._nozzle)
        if tuple(order.nozzles) != (self._nozzle,) or not price_e3:
            raise Misconfigured(f"ordered is {order}, it has nozzle {self._nozzle} only", where=self._talk.where)
        money = order.kind == "amount" and options.money_dose
        if money:
            digits = scales.amount_digits(order.limit)
        elif order.kind == "full":
            digits = DOSE_MAX
        else:
            limit_ml = order.limit if order.kind == "volume" else order.limit * 1_000_000 // price_e3
            digits = scales.volume_digits(limit_ml)
        try:
            if digits <= 0:
                raise ValueError("a dose of nothing may be taken for no limit at all")
            if money:
                return dose_money(digits, options.money_digits)
            return dose_volume(digits, full=order.kind == "full" if options.full_flag else None)
        except ValueError as error:
            raise Misconfigured(f"ordered is {order}: {error}", where=self._talk.where) from None

    def _price(self, price_e3: Mapping[int, int]) -> Question:
        """Raises Misconfigured for a price that the pump cannot show."""
        if set(price_e3) != {self._nozzle} or price_e3[self._nozzle] <= 0:
            what = f"the prices {dict(price_e3)}: it has nozzle {self._nozzle} only, and prices above 0"
            raise Misconfigured(what, where=self._talk.where)
        try:
            return price(self._scales.price_digits(price_e3[self._nozzle]), self._options.price_digits)
        except ValueError as error:
            raise Misconfigured(f"the prices {dict(price_e3)}: {error}", where=self._talk.where) from None


async def probe(line: Line, address: int, *, timeout_s: float) -> Sign | None:
    """Ask one address for its status. None: nobody answers."""
    question = Question(Command.STATUS)
    frame = request_frame(address, question)
    async with probing(line, address, timeout_s) as device:
        try:
            data = await device.exchange(frame, AztExpect(question, frame))
        except Silent:
            return None
        took_ms = device.last_took_ms
    status = Status.decode(data) if isinstance(data, bytes) else None
    return Sign(address, repr(data) if status is None else words(status), took_ms=took_ms)


def _check(config: PumpConfig, options: AztOptions) -> None:
    """Raises door.Refused with all that this protocol refuses in a config."""
    faults = []
    if len(config.nozzles) != 1:
        got = f"{len(config.nozzles)} nozzles"
        faults.append(Fault("nozzles", "one: an AZT address is one nozzle", got, "Make a [[pump]] of each."))
    if Above15(options.above_15) is Above15.MODULO and config.address == 225:
        faults.append(Fault("address", "1 to 224 with `above_15 = modulo`", "225"))
    if faults:
        raise Refused(f"pump {config.id}", faults)
