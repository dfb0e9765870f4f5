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
from typing import Final, NoReturn

from drivers.api import Link, Point, Reading
from drivers.errors import DeviceError, DeviceFault, Misconfigured, Silent, Transient, Unsupported
from drivers.line import Line, Priority
from drivers.polling import Poller
from drivers.pump import NozzleTotal, Order, PumpState, PumpStatus, PumpTraits, Sale
from drivers.pumps.config import PumpConfig
from drivers.pumps.probe import Sign, probing
from drivers.pumps.sanki_options import SankiOptions
from drivers.pumps.sanki_talk import SankiTalk, words
from drivers.pumps.seen import Seen
from protocols.door import Fault, Refused
from protocols.fieldbus.sanki import SankiExpect, request_frame
from protocols.fieldbus.sanki_app import (
    Command,
    Question,
    State,
    Status,
    price,
)

__all__ = ["SankiOptions", "SankiPump", "probe"]

POLL_S: Final = 0.25
SHOWS_WITHIN_S: Final = 3.0
LOOK_AGAIN_S: Final = 0.1
HOST_MODE_AFTER_FAILS: Final = 2  # so many polls missed, and the pump may have gone over to selling by itself
DIGITS_MAX: Final = 999_999  # of volume and amount
PRICE_DIGITS_MAX: Final = 9_999
TOTAL_DIGITS: Final = 10

_HUNG_UP: Final = (State.HUNG_UP, State.LIMIT, State.RESET)
_SELLS: Final = (State.AUTHORISED, State.BUSY)


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
        self._talk = SankiTalk(line, config.id, config.address, options)
        self._seen = Seen(self._poll_s)
        self._acting = asyncio.Lock()
        self._error: DeviceError | None = None  # of the last poll
        self._course = _Course.NONE
        self._read = False  # that sale, once it was over
        self._flowed = False  # in that sale; before, the display may show the one before it
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
        link = self._talk.device.link()
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
                if self._talk.device.on_return.is_set() or fails >= HOST_MODE_AFTER_FAILS:
                    self._talk.device.on_return.clear()
                    await self._take_over()
                fails, self._error = 0, None
            except DeviceError as error:  # shown in the link; the next poll tries again
                fails, self._error = fails + 1, error

    async def read_status(self) -> Reading[PumpStatus]:
        await self._look()
        return self._seen.status()

    async def read_totals(self) -> Mapping[int, NozzleTotal]:
        if (await self._look()).state in _SELLS:
            raise Transient("it counts no totals while a sale is under way", where=self._talk.where)
        totals = await self._talk.totals()
        scales = self._scales
        read = {self._nozzle: NozzleTotal(scales.total_ml(totals.volume), scales.total_fen(totals.amount))}
        self._seen.heard_totals(read)
        return read

    async def read_sale(self) -> Sale | None:
        if (await self._look()).state in _SELLS:
            return None
        sale = await self._talk.last_sale()
        self._read = True
        if sale is None:
            return None
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
                what = f"it takes prices when idle, and is in state {status.state:02X}"
                raise Transient(what, where=self._talk.where)
            if self._scales.price_e3(status.price) == wanted:
                return
            await self._talk.act(question)
            if not await self._shows(lambda status: self._scales.price_e3(status.price) == wanted):
                raise DeviceFault(f"it was given the price {wanted}, and does not show it", where=self._talk.where)

    async def authorise(self, order: Order) -> None:
        limit = self._limit(order)
        async with self._acting:
            status = await self._look()
            if status.state in _SELLS:
                raise Transient(f"a sale is under way, state {status.state:02X}", where=self._talk.where)
            shown, wanted = self._scales.price_e3(status.price), order.price_e3[self._nozzle]
            if shown != wanted:
                raise Misconfigured(f"it shows the price {shown}, ordered is {wanted}", where=self._talk.where)
            if self._course is _Course.OVER and not self._read:
                raise Transient("its last sale has not been read, and may be lost", where=self._talk.where)
            self._course, self._flowed = _Course.NONE, False
            if limit is not None and not self._talk.chained and await self._begin_chain(*limit):
                return
            if self._preset_stands:
                await self._cancel()
            if limit is not None:
                await self._preset(*limit)
            failed = await self._authorise()
            if not await self._shows(lambda status: status.state in _SELLS):
                raise failed or Transient("it took the authorisation, and does not show it", where=self._talk.where)

    async def stop(self) -> None:
        async with self._acting:
            state = (await self._look()).state
            if state == State.AUTHORISED:
                await self._cancel()
                state = (await self._look()).state
            if state in _SELLS:
                await self._talk.attempt(Command.STOP)
                if not await self._shows(lambda status: status.state not in _SELLS):
                    raise DeviceFault("it was told to stop, and goes on", where=self._talk.where)

    async def suspend(self) -> None:
        raise Unsupported("Sanki cannot pause a sale", where=self._talk.where)

    async def resume(self) -> None:
        raise Unsupported("Sanki cannot pause a sale", where=self._talk.where)

    async def release(self) -> None:
        async with self._acting:
            if (await self._look()).state in _SELLS or self._course is not _Course.OVER:
                return
            if self._options.delete_sale:
                await self._talk.act(Question(Command.DELETE_SALE))
            self._course = _Course.NONE
            await self._look()

    # Below: how.

    async def _take_over(self) -> None:
        """It is back: say that a host controls it. Heads that are set by hand refuse that, or do not answer."""
        self._preset_stands = True
        if self._options.host_mode:
            await self._talk.attempt(Command.HOST_MODE)

    async def _look(self, priority: Priority = Priority.COMMAND) -> Status:
        """Ask for the status, and see from it how the sale goes."""
        status = await self._talk.status(priority)
        if status.state in _SELLS:
            self._flowed = self._flowed or (status.state == State.BUSY and status.volume > 0)
            self._course, self._preset_stands, self._read = _Course.UNDER_WAY, False, False
        elif status.state in _HUNG_UP and self._course is _Course.UNDER_WAY:
            self._course = _Course.OVER
        state = self._state(status)
        told = state is PumpState.DELIVERING or (self._flowed and state in (PumpState.REACHED, PumpState.ENDED))
        out = status.state == State.LIFTED
        self._seen.heard(
            PumpStatus(
                state=state,
                reason=words(status),
                nozzle=None if state is PumpState.IDLE else self._nozzle,
                nozzle_out=True if out else False if status.state in (State.HUNG_UP, State.LIMIT) else None,
                volume_ml=self._scales.volume_ml(status.volume) if told else None,
                amount_fen=self._scales.amount_fen(status.amount) if told else None,
                price_e3=self._scales.price_e3(status.price) or None,
            ),
            self._talk.device.last_took_ms,
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

    async def _begin_chain(self, command: Command, digits: int) -> bool:
        """A preset that is cancelled at once, so that the pump's last chain byte is one of ours. Whether it sells.

        If the first that counts had by chance the byte that the pump heard last, before our restart, it might take it
        for a repetition, and deliver without a limit. A head whose presets authorise sells now, with the right limit.
        """
        self._preset_stands = True
        await self._talk.preset(command, digits)
        return (await self._look()).state in _SELLS

    async def _preset(self, command: Command, digits: int) -> None:
        """A refusal may mean that another preset stands: that one is cancelled, once.

        Or that the pump has been dark for so short a time that nobody saw it, and has forgotten its host.
        """
        self._preset_stands = True
        if not await self._talk.preset(command, digits):
            await self._take_over()
            await self._cancel()
            if not await self._talk.preset(command, digits):
                raise DeviceFault("it refuses a preset", where=self._talk.where)
            self._preset_stands = True

    async def _authorise(self) -> DeviceError | None:
        """Sent once. The error, if no answer came: whether it was heard after all, the status tells."""
        if (await self._look()).state in _SELLS:  # the preset was enough for this head
            return None
        try:
            await self._talk.authorise()
        except Transient as error:
            return error
        return None

    async def _cancel(self) -> None:
        """Take back an authorisation or a preset. A pump that has none may refuse that."""
        await self._talk.attempt(Command.CANCEL)
        self._preset_stands = False

    async def _shows(self, condition: Callable[[Status], bool]) -> bool:
        """Whether the pump comes to show it in time. Raises DeviceError when it says nothing."""
        loop = asyncio.get_running_loop()
        until = loop.time() + SHOWS_WITHIN_S
        while not condition(await self._look()):
            if loop.time() >= until:
                return False
            await asyncio.sleep(LOOK_AGAIN_S)
        return True

    def _limit(self, order: Order) -> tuple[Command, int] | None:
        """None: none. Raises Misconfigured for what the pump has no digits for."""
        if tuple(order.nozzles) != (self._nozzle,) or not order.price_e3.get(self._nozzle):
            raise Misconfigured(f"ordered is {order}, it has nozzle {self._nozzle} only", where=self._talk.where)
        if order.kind == "full":
            return None
        if order.kind == "amount":
            command, digits = Command.PRESET_AMOUNT, self._scales.amount_digits(order.limit)
        else:
            command, digits = Command.PRESET_VOLUME, self._scales.volume_digits(order.limit)
        if not 0 < digits <= DIGITS_MAX:
            raise Misconfigured(f"ordered is {order}: it takes 1 to {DIGITS_MAX} of its digits", where=self._talk.where)
        return command, digits

    def _price(self, price_e3: Mapping[int, int]) -> Question:
        """Raises Misconfigured for a price that the pump cannot show."""
        if set(price_e3) != {self._nozzle}:
            what = f"the prices {dict(price_e3)}: it has nozzle {self._nozzle} only"
            raise Misconfigured(what, where=self._talk.where)
        try:
            return price(self._scales.price_digits(price_e3[self._nozzle]))
        except ValueError as error:
            raise Misconfigured(f"the prices {dict(price_e3)}: {error}", where=self._talk.where) from None


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
    return Sign(address, words(status), (f"price digits {status.price}",), took_ms)
