"""A pump that speaks Sanki (Sanying), as the daemon's pump kind.

One fuelling point is one nozzle. A sale goes: preset -> authorise -> 33 authorised, 44 busy -> 00 or 11 hung up -> last
sale and totals read -> stored by the till. The pump keeps its sale, and waits for no confirmation.

Its status does not tell an idle pump from one that has just sold: that is what this driver remembers. After a restart
such a pump is IDLE, and its totals tell.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import Enum
from typing import Annotated, Final, NoReturn

import msgspec

from drivers.api import Link, Point, Reading
from drivers.errors import DeviceError, DeviceFault, Garbled, Misconfigured, Silent, Transient, Unsupported
from drivers.line import DevicePolicy, Line, Priority
from drivers.polling import Poller
from drivers.pump import NozzleTotal, Order, PumpState, PumpStatus, PumpTraits, Sale
from drivers.pumps.config import PumpConfig
from drivers.pumps.probe import Sign, probing
from drivers.pumps.seen import Seen
from protocols.door import Fault, Refused
from protocols.fieldbus.sanki import SankiExpect, request_frame
from protocols.fieldbus.sanki_app import (
    Command,
    LastSale,
    Outcome,
    Question,
    State,
    Status,
    Totals,
    authorise,
    next_chain,
    outcome,
    preset,
    price,
)

__all__ = ["SankiOptions", "SankiPump", "probe"]

POLL_S: Final = 0.25
LATE_S: Final = 0.2  # after the time-out; an answer that comes later still is none
RETRIES: Final = 2  # the source tries 5 times; the next poll does that too
SHOWS_WITHIN_S: Final = 3.0
LOOK_AGAIN_S: Final = 0.1
HOST_MODE_AFTER_FAILS: Final = 2  # so many polls missed, and the pump may have gone over to selling by itself
DIGITS_MAX: Final = 999_999  # of volume and amount
PRICE_DIGITS_MAX: Final = 9_999
TOTAL_DIGITS: Final = 10

_HUNG_UP: Final = (State.HUNG_UP, State.LIMIT, State.RESET)
_SELLS: Final = (State.AUTHORISED, State.BUSY)


class SankiOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How heads differ.

    host_mode: the pump is told that a host controls it, whenever it is back; newer heads are set by hand, and refuse or
    ignore that. delete_sale: `release` deletes the pump's sale record; the one driver in the field never does. gap_ms:
    rest of the pump between two questions. timeout_ms: from the end of a question to the first byte of the answer.
    """

    host_mode: bool = True
    delete_sale: bool = False
    timeout_ms: Annotated[int, msgspec.Meta(ge=50, le=5000)] = 500
    gap_ms: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 100


class _Course(Enum):
    """How far the last sale that we saw has come."""

    NONE = "none"
    UNDER_WAY = "under way"
    OVER = "over"  # until the next authorisation, or the release


class SankiPump:
    """A `drivers.pump.Pump`. Nothing is sent until `run` or a method that asks."""

    profile_id = "sanki"

    def __init__(self, line: Line, config: PumpConfig) -> None:
        """Raises door.Refused."""
        self.id = config.id
        self._options = options = config.options_as(SankiOptions)
        if len(config.nozzles) != 1:
            fault = Fault(
                "nozzles", "one: a fuelling point is one nozzle", f"{len(config.nozzles)}", "Make more pumps."
            )
            raise Refused(f"pump {config.id}", [fault])
        self._nozzle = config.nozzle_numbers[0]
        self._point = config.address
        self._scales = config.scales
        self._flow_ml_s_max = config.flow_ml_s_max
        self._poll_s = config.poll_s or POLL_S
        policy = DevicePolicy(
            timeout_s=options.timeout_ms / 1000,
            retries=RETRIES,
            late_s=LATE_S,
            request_gap_s=options.gap_ms / 1000,
        )
        self._device = line.attach(config.id, policy)
        self._seen = Seen(self._poll_s)
        self._acting = asyncio.Lock()
        self._error: DeviceError | None = None  # of the last poll
        self._course = _Course.NONE
        self._flowed = False  # in that sale; before, the display may show the one before it
        self._chain = 0
        self._chained = False  # the pump has had a chain byte of ours
        self._preset_stands = True  # a preset that nobody used may stand in the pump; from before our time, too

    # What is known. No I/O.

    @property
    def traits(self) -> PumpTraits:
        scales = self._scales
        return PumpTraits(
            nozzles=(self._nozzle,),
            volume_step_ml=scales.volume_ml(1),
            amount_step_fen=scales.amount_fen(1),
            price_step_e3=scales.price_e3(1),
            total_step_ml=scales.total_ml(1),
            total_ml_wraps=scales.total_ml(10**TOTAL_DIGITS),
            amount_max_fen=scales.amount_fen(DIGITS_MAX),
            volume_max_ml=scales.volume_ml(DIGITS_MAX),
            price_max_e3=scales.price_e3(PRICE_DIGITS_MAX),
            lift_first=False,
            can_suspend=False,
            flow_ml_s_max=self._flow_ml_s_max,
        )

    def link(self) -> Link:
        link = self._device.link()
        if link.error is None and self._error is not None:
            return replace(link, error=f"{self._error}. {self._error.remedy}")
        return link

    def points(self) -> list[Point]:
        return self._seen.points(f"sanki {self._point}")

    def status(self) -> Reading[PumpStatus]:
        return self._seen.status()

    # What is read.

    async def run(self) -> NoReturn:
        poller, fails = Poller({"status": self._poll_s}), 0
        while True:
            await poller.next()
            try:
                await self._look(Priority.POLL)
                if self._device.on_return.is_set() or fails >= HOST_MODE_AFTER_FAILS:
                    self._device.on_return.clear()
                    await self._take_over()
                fails, self._error = 0, None
            except DeviceError as error:  # shown in the link; the next poll tries again
                fails, self._error = fails + 1, error

    async def read_status(self) -> Reading[PumpStatus]:
        await self._look()
        return self._seen.status()

    async def read_totals(self) -> Mapping[int, NozzleTotal]:
        if (await self._look()).state in _SELLS:
            raise Transient("it counts no totals while a sale is under way", where=self._where)
        data = await self._ask(Question(Command.TOTALS))
        totals = Totals.decode(data)
        if totals is None:
            raise self._garbled(data)
        scales = self._scales
        read = {self._nozzle: NozzleTotal(scales.total_ml(totals.volume), scales.total_fen(totals.amount))}
        self._seen.heard_totals(read)
        return read

    async def read_sale(self) -> Sale | None:
        if (await self._look()).state in _SELLS:
            return None
        data = await self._ask(Question(Command.SALE))
        if outcome(data) is Outcome.REFUSED:
            return None
        sale = LastSale.decode(data)
        if sale is None:
            raise self._garbled(data)
        scales = self._scales
        return Sale(
            nozzle=self._nozzle,
            volume_ml=scales.volume_ml(sale.volume),
            amount_fen=scales.amount_fen(sale.amount),
            price_e3=scales.price_e3(sale.price) or None,
        )

    async def read_prices(self) -> Mapping[int, int]:
        price_e3 = self._scales.price_e3((await self._look()).price)
        return {self._nozzle: price_e3} if price_e3 else {}

    # What is done.

    async def set_prices(self, price_e3: Mapping[int, int]) -> None:
        question, wanted = self._price(price_e3), price_e3[self._nozzle]
        async with self._acting:
            status = await self._look()
            if status.state not in _HUNG_UP or self._course is not _Course.NONE:
                raise Transient(f"it takes prices when idle, and is in state {status.state:02X}", where=self._where)
            if self._scales.price_e3(status.price) == wanted:
                return
            await self._act(question)
            if not await self._shows(lambda status: self._scales.price_e3(status.price) == wanted):
                raise DeviceFault(f"it was given the price {wanted}, and does not show it", where=self._where)

    async def authorise(self, order: Order) -> None:
        limit = self._limit(order)
        async with self._acting:
            status = await self._look()
            if status.state in _SELLS:
                raise Transient(f"a sale is under way, state {status.state:02X}", where=self._where)
            shown, wanted = self._scales.price_e3(status.price), order.price_e3[self._nozzle]
            if shown != wanted:
                raise Transient(f"it shows the price {shown}, ordered is {wanted}", where=self._where)
            self._course, self._flowed = _Course.NONE, False
            if limit is not None and not self._chained:
                await self._begin_chain(*limit)
            if self._preset_stands:
                await self._cancel()
            if limit is not None:
                await self._preset(*limit)
            failed = await self._authorise()
            if not await self._shows(lambda status: status.state in _SELLS):
                raise failed or Transient("it took the authorisation, and does not show it", where=self._where)

    async def stop(self) -> None:
        async with self._acting:
            state = (await self._look()).state
            if state == State.AUTHORISED:
                await self._cancel()
                state = (await self._look()).state
            if state in _SELLS:
                await self._try(Command.STOP)
                if not await self._shows(lambda status: status.state not in _SELLS):
                    raise DeviceFault("it was told to stop, and goes on", where=self._where)

    async def suspend(self) -> None:
        raise Unsupported("Sanki cannot pause a sale", where=self._where)

    async def resume(self) -> None:
        raise Unsupported("Sanki cannot pause a sale", where=self._where)

    async def release(self) -> None:
        async with self._acting:
            if (await self._look()).state in _SELLS or self._course is not _Course.OVER:
                return
            if self._options.delete_sale:
                await self._act(Question(Command.DELETE_SALE))
            self._course = _Course.NONE
            await self._look()

    # Below: how.

    @property
    def _where(self) -> str:
        return self._device.where

    async def _take_over(self) -> None:
        """It is back: say that a host controls it. Heads that are set by hand refuse that, or do not answer."""
        self._preset_stands = True
        if self._options.host_mode:
            await self._try(Command.HOST_MODE)

    async def _look(self, priority: Priority = Priority.COMMAND) -> Status:
        """Ask for the status, and see from it how the sale goes."""
        data = await self._ask(Question(Command.STATUS), priority)
        status = Status.decode(data)
        if status is None:
            raise self._garbled(data)
        if status.state in _SELLS:
            self._flowed = self._flowed or (status.state == State.BUSY and status.volume > 0)
            self._course, self._preset_stands = _Course.UNDER_WAY, False
        elif status.state in _HUNG_UP and self._course is _Course.UNDER_WAY:
            self._course = _Course.OVER
        state = self._state(status)
        told = state is PumpState.DELIVERING or (self._flowed and state in (PumpState.REACHED, PumpState.ENDED))
        out = status.state == State.LIFTED
        self._seen.heard(
            PumpStatus(
                state=state,
                reason=_words(status),
                nozzle=None if state is PumpState.IDLE else self._nozzle,
                nozzle_out=True if out else False if status.state in (State.HUNG_UP, State.LIMIT) else None,
                volume_ml=self._scales.volume_ml(status.volume) if told else None,
                amount_fen=self._scales.amount_fen(status.amount) if told else None,
                price_e3=self._scales.price_e3(status.price) or None,
            ),
            self._device.last_took_ms,
        )
        return status

    def _state(self, status: Status) -> PumpState:
        if status.state == State.AUTHORISED:
            return PumpState.AUTHORISED
        if status.state == State.BUSY:  # it says so before anything has flowed
            return PumpState.DELIVERING if status.volume else PumpState.AUTHORISED
        if status.state == State.LIFTED and self._course is _Course.UNDER_WAY:
            return PumpState.REACHED
        if status.state not in (*_HUNG_UP, State.LIFTED):
            return PumpState.OUT
        if self._course is _Course.OVER:
            return PumpState.ENDED
        if not status.price:
            return PumpState.UNPRICED
        return PumpState.CALLING if status.state == State.LIFTED else PumpState.IDLE

    async def _begin_chain(self, command: Command, digits: int) -> None:
        """A preset that is cancelled at once, so that the pump's last chain byte is one of ours.

        If the first that counts had by chance the byte that the pump heard last, before our restart, it might take it
        for a repetition, and deliver without a limit.
        """
        self._preset_stands = True
        await self._ask(preset(command, digits, self._next_chain()))
        self._chained = True

    async def _preset(self, command: Command, digits: int) -> None:
        """A refusal may mean that another preset stands: that one is cancelled, once."""
        self._preset_stands = True
        data = await self._ask(preset(command, digits, self._next_chain()))
        if outcome(data) is not Outcome.DONE:
            await self._cancel()
            await self._act(preset(command, digits, self._next_chain()))

    async def _authorise(self) -> DeviceError | None:
        """Sent once. The error, if no answer came: whether it was heard after all, the status tells."""
        if (await self._look()).state in _SELLS:  # the preset was enough for this head
            return None
        try:
            await self._act(authorise(self._next_chain()), retries=0)
        except Transient as error:
            return error
        return None

    async def _cancel(self) -> None:
        """Take back an authorisation or a preset. A pump that has none may refuse that."""
        await self._try(Command.CANCEL)
        self._preset_stands = False

    def _next_chain(self) -> int:
        self._chain = next_chain(self._chain)
        return self._chain

    async def _shows(self, condition: Callable[[Status], bool]) -> bool:
        """Whether the pump comes to show it in time. Raises DeviceError when it says nothing."""
        loop = asyncio.get_running_loop()
        until = loop.time() + SHOWS_WITHIN_S
        while not condition(await self._look()):
            if loop.time() >= until:
                return False
            await asyncio.sleep(LOOK_AGAIN_S)
        return True

    async def _try(self, command: Command) -> None:
        """What may be refused or not answered, and is seen in the status if it matters."""
        try:
            await self._ask(Question(command), retries=0)
        except (Silent, Garbled):
            pass

    async def _act(self, question: Question, *, retries: int | None = None) -> None:
        data = await self._ask(question, retries=retries)
        if outcome(data) is not Outcome.DONE:
            words = f"{question.command.name.lower().replace('_', ' ')} ({question.command.value:02X})"
            raise DeviceFault(f"it refuses {words}", where=self._where, remedy="Look at its state and its mode.")

    async def _ask(
        self, question: Question, priority: Priority = Priority.COMMAND, *, retries: int | None = None
    ) -> bytes:
        frame = request_frame(self._point, question)
        return await self._device.exchange(
            frame, SankiExpect(self._point, question), priority=priority, retries=retries
        )

    def _garbled(self, data: bytes) -> Garbled:
        return Garbled(f"{data.hex(' ')} is no answer to what it was asked", where=self._where)

    def _limit(self, order: Order) -> tuple[Command, int] | None:
        """None: none. Raises Misconfigured for what the pump has no digits for."""
        if tuple(order.nozzles) != (self._nozzle,) or not order.price_e3.get(self._nozzle):
            raise Misconfigured(f"ordered is {order}, it has nozzle {self._nozzle} only", where=self._where)
        if order.kind == "full":
            return None
        if order.kind == "amount":
            command, digits = Command.PRESET_AMOUNT, self._scales.amount_digits(order.limit)
        else:
            command, digits = Command.PRESET_VOLUME, self._scales.volume_digits(order.limit)
        if not 0 < digits <= DIGITS_MAX:
            raise Misconfigured(f"ordered is {order}: it takes 1 to {DIGITS_MAX} of its digits", where=self._where)
        return command, digits

    def _price(self, price_e3: Mapping[int, int]) -> Question:
        """Raises Misconfigured for a price that the pump cannot show."""
        if set(price_e3) != {self._nozzle}:
            what = f"the prices {dict(price_e3)}: it has nozzle {self._nozzle} only"
            raise Misconfigured(what, where=self._where)
        try:
            return price(self._scales.price_digits(price_e3[self._nozzle]))
        except ValueError as error:
            raise Misconfigured(f"the prices {dict(price_e3)}: {error}", where=self._where) from None


async def probe(line: Line, address: int, *, timeout_s: float) -> Sign | None:
    """Ask one fuelling point for its status. None: nobody answers."""
    question = Question(Command.STATUS)
    async with probing(line, address, timeout_s) as device:
        try:
            data = await device.exchange(request_frame(address, question), SankiExpect(address, question))
        except Silent:
            return None
        took_ms = device.last_took_ms
    status = Status.decode(data)
    if status is None:
        return Sign(address, data.hex(" "), took_ms=took_ms)
    return Sign(address, _words(status), (f"price digits {status.price}",), took_ms)


def _words(status: Status) -> str:
    """Such as `44 busy`."""
    known = status.state in set(State)
    return f"{status.state:02X} {State(status.state).name.lower().replace('_', ' ') if known else 'unknown'}"
