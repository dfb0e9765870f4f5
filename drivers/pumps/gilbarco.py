"""A Gilbarco pump on a two-wire line.

What it is at is a word of one byte without a check sum, so a word that begins or ends a sale is asked for twice. What
it sold is in its memory until the next sale begins; the totals before and after are what tells one sale from another.
(facts: Gilbarco 2.5 to 2.7.)
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Final, NoReturn

from drivers.api import Link, Point, Quality, Reading
from drivers.errors import DeviceError, DeviceFault, Garbled, Misconfigured, Silent, Transient, Unsupported
from drivers.line import Line, Priority
from drivers.polling import Poller
from drivers.pump import NozzleTotal, Order, PumpState, PumpStatus, PumpTraits, Sale
from drivers.pumps.config import PumpConfig
from drivers.pumps.gilbarco_options import GilbarcoOptions
from drivers.pumps.gilbarco_orders import grades_of, preset_of, price_blocks
from drivers.pumps.gilbarco_picture import Picture, points_of, state_of, traits_of
from drivers.pumps.gilbarco_talk import GilbarcoTalk
from drivers.pumps.probe import Sign, probing
from protocols.door import Fault, Refused
from protocols.fieldbus.gilbarco import Command, Level, Status
from protocols.fieldbus.gilbarco_host import BEFORE_AUTHORISE_S, TRIES, ask_sale, ask_status
from protocols.fieldbus.gilbarco_replies import EXTENDED, GRADES_MAX, NORMAL, GradeTotal, SaleReply
from protocols.fieldbus.gilbarco_special import EXTENDED_STATUS, ExtendedStatus, extended_status
from protocols.fieldbus.gilbarco_watch import ENDED, RUNNING, SaleWatch, Stage

PERIOD_S: Final = 0.25
STALE_MS: Final = 3_000
LOOK_AGAIN_S: Final = 0.1
MISSED_MAX: Final = 3  # details that did not come, in a row in one state; each may take the line for 1.5 s
OVERRUN_ML: Final = 100  # what a valve that closes slowly lets through
BEYOND_PRESET: Final = "delivered beyond its preset"
PRICES_SHOWN_S: Final = 0.5  # between two looks whether new prices are in force


class GilbarcoPump:
    """A `drivers.pump.Pump`. Nothing is sent until `run` or a read."""

    profile_id = "gilbarco"

    def __init__(self, line: Line, config: PumpConfig) -> None:
        self.id = config.id
        self.config = config
        self.options = config.options_as(GilbarcoOptions)
        _check(config)
        self.traits: PumpTraits = traits_of(config, self.options)
        self._period_s = config.poll_s or PERIOD_S
        self._scales = config.scales
        self._grades = grades_of(config)
        self._talk = GilbarcoTalk(line, config.id, config.address, self.options)
        self._picture = Picture()
        self._watch = SaleWatch(stop_ends=not self.options.can_resume)
        self._lock = asyncio.Lock()  # a poll within an act would take its half-way house for news
        self._order: Order | None = None  # of the sale under way; None: not given by us
        self._stops = 0
        self._suspended = False

    # What is known, without I/O.

    def link(self) -> Link:
        return self._talk.device.link()

    def status(self) -> Reading[PumpStatus]:
        """As last polled; stale after three seconds, or three polls. No I/O."""
        picture = self._picture
        if picture.raw is None or picture.at_ms is None:
            return Reading(None, Quality.NONE, None)
        state, out = state_of(picture.raw, self._watch.stage, suspended=self._suspended)
        shown = self._watch.flowed and state not in (PumpState.IDLE, PumpState.CALLING)
        nozzle = picture.nozzle
        if nozzle is None and len(self.traits.nozzles) == 1 and (out or state is PumpState.ENDED):
            nozzle = self.traits.nozzles[0]
        status = PumpStatus(
            state=state,
            reason=f"{picture.raw.value:X} {picture.raw.name}",
            nozzle=nozzle,
            nozzle_out=out,
            volume_ml=picture.volume_ml if shown else None,
            amount_fen=picture.amount_fen if shown else None,
            price_e3=None if nozzle is None else picture.prices_e3.get(nozzle),
            alarm=picture.alarm,
        )
        old = _now_ms() - picture.at_ms > max(STALE_MS, 3_000 * self._period_s)
        return Reading(status, Quality.STALE if old else Quality.GOOD, picture.at_ms)

    def points(self) -> list[Point]:
        return points_of(self.status(), self._picture, self._talk.device.last_took_ms)

    # Reading.

    async def run(self) -> NoReturn:
        poller = Poller({"status": self._period_s})
        device = self._talk.device
        while True:
            await poller.next()
            try:
                if device.on_return.is_set():
                    device.on_return.clear()
                    self._picture.forget()
                async with self._lock:
                    await self._look(Priority.POLL)
            except DeviceError:
                pass  # the link tells of it; the next poll tries again

    async def read_status(self) -> Reading[PumpStatus]:
        """Ask now, ahead of polls."""
        async with self._lock:
            await self._look(Priority.COMMAND)
        return self.status()

    async def read_totals(self) -> Mapping[int, NozzleTotal]:
        """Raises Silent while the pump gives none, DeviceFault where it has none for a nozzle that was configured."""
        async with self._lock:
            totals = {total.grade: total for total in await self._read_totals()}
        scales = self._scales
        return {
            number: NozzleTotal(scales.total_ml(totals[grade].volume), scales.total_fen(totals[grade].amount))
            for number, grade in self._grades.items()
        }

    async def read_prices(self) -> Mapping[int, int]:
        """At the level that is sold at; they come with the totals. A price of 0 is none."""
        async with self._lock:
            await self._read_totals()
        return dict(self._picture.prices_e3)

    async def read_sale(self) -> Sale | None:
        """The sale before, if the last one was of zero: the pump keeps no such sale. None while it delivers."""
        async with self._lock:
            if await self._look(Priority.COMMAND) in (Status.AUTHORISED, Status.BUSY):
                return None
            return self._sale(await self._talk.sale())

    # Acting.

    async def set_prices(self, price_e3: Mapping[int, int]) -> None:
        """At the level that is sold at, or both. Raises DeviceFault where the pump then shows others."""
        blocks = price_blocks(price_e3, self.config, self.options, where=self._where)
        async with self._lock:
            raw = await self._look(Priority.COMMAND)
            if raw is not Status.OFF:
                raise Transient(f"prices are set at an idle pump, and this one is at {raw.name}", where=self._where)
            for block in blocks:
                await self._talk.bring(block)
        shown: Mapping[int, int] = {}
        for _ in range(TRIES):
            shown = await self.read_prices()
            if all(shown.get(number) == price for number, price in price_e3.items()):
                return
            await asyncio.sleep(PRICES_SHOWN_S)
        raise DeviceFault(
            f"it was given the prices {dict(price_e3)} and shows {dict(shown)}",
            where=self._where,
            remedy="Compare price decimals, `level` and `extended` of this pump with its head.",
        )

    async def authorise(self, order: Order) -> None:
        """The nozzle is out: preset, a look whether it still is, authorise, and the status that shows it."""
        block = preset_of(order, self.config, self.options, where=self._where)
        stops = self._stops
        async with self._lock:
            await self._must_call()
            await self._check_nozzle(order)
            await self._check_prices(order)
            if block is not None:
                await self._talk.bring(block)
                await asyncio.sleep(BEFORE_AUTHORISE_S)
            await self._must_call(retries=0)  # dark for a moment, and it has forgotten the preset
            if stops != self._stops:
                raise Transient("it was stopped before it was authorised", where=self._where)
            self._order = order
            await self._authorise()

    async def stop(self) -> None:
        """Does not wait for an act under way, and an authorisation that is being given is not given."""
        self._stops += 1
        self._suspended = False
        raw = await self._say_stop()
        self._see(raw)
        if raw is Status.STOP:
            self._watch.ended()  # also on a head that could resume: we do not
        if raw in (Status.AUTHORISED, Status.BUSY):
            raise Transient(f"it was told to stop and is still at {raw.name}", where=self._where)

    async def suspend(self) -> None:
        """Heads that resume alone."""
        if not self.options.can_resume:
            raise Unsupported("a stop ends the sale on this head (`can_resume`)", where=self._where)
        async with self._lock:
            raw = await self._say_stop()
            self._see(raw)
            if raw is not Status.STOP:
                raise Transient(f"it was told to pause and is at {raw.name}", where=self._where)
            self._suspended = True

    async def resume(self) -> None:
        """After `suspend` alone: after a stop the same word would begin to deliver again."""
        if not self._suspended:
            raise Transient("it is not paused by us", where=self._where)
        stops = self._stops
        async with self._lock:
            raw = await self._look(Priority.COMMAND)
            if raw is not Status.STOP or stops != self._stops:
                raise Transient(f"it was paused and is at {raw.name}", where=self._where)
            await self._talk.say(Command.AUTHORISE)
            if await self._look(Priority.COMMAND) is Status.STOP:
                raise Transient("it does not go on", where=self._where)
            self._suspended = False

    async def release(self) -> None:
        """The sale that ended is stored: the pump is idle again. No I/O."""
        self._watch.released()
        if self._watch.stage is Stage.NONE:
            self._picture.clear_sale()
            self._picture.nozzle = None

    # One look.

    @property
    def _where(self) -> str:
        return self._talk.device.where

    async def _look(self, priority: Priority) -> Status:
        """The pump's status, and what there is to know in it."""
        raw = await self._talk.status(priority)
        running = self._watch.stage is Stage.RUNNING
        if (raw in RUNNING) != running:  # noise looks like any other word
            again = await self._talk.status(priority)
            if (again in RUNNING) != running:
                self._watch.saw(raw)
            raw = again
        self._see(raw)
        await self._details(raw)
        return raw

    def _see(self, raw: Status) -> None:
        """Believe it."""
        ran = self._watch.stage is Stage.RUNNING
        stage = self._watch.saw(raw)
        if stage is Stage.RUNNING and not ran:  # by another host, or before our time
            self._picture.clear_sale()
            self._order = None
        if raw is Status.OFF and stage is Stage.NONE:
            self._picture.nozzle = None
        if raw is not Status.STOP:
            self._suspended = False
        self._picture.see(raw, _now_ms())

    async def _details(self, raw: Status) -> None:
        """What only this state has: the nozzle that calls, the running money, the sale that is over."""
        try:
            if self._picture.missed >= MISSED_MAX:
                return
            if raw is Status.CALL and self._watch.stage is Stage.NONE and self._picture.nozzle is None:
                self._picture.missed += 1
                self._picture.nozzle = await self._nozzle_out()
            elif raw is Status.BUSY and self.options.live_amount:
                self._picture.missed += 1
                digits = await self._talk.live_amount(first=self._picture.amount_fen is None)
                self._picture.flows(self._scales.amount_fen(digits))
                await self._keep_to_order()
            elif (
                self._watch.flowed
                and not self._picture.final
                and (raw is Status.PEOT or self._watch.stage is Stage.OVER)
            ):
                self._picture.missed += 1
                self._picture.over(self._sale(await self._talk.sale_once()))
        except (Silent, Garbled):
            pass  # the state is known and counts; the next look asks for the rest again

    async def _keep_to_order(self) -> None:
        """A preset cannot be read back. A pump that has taken it and delivers beyond it is stopped by us."""
        if not self._beyond_order():
            return
        digits = await self._talk.live_amount(first=False)  # it has no check sum
        self._picture.flows(self._scales.amount_fen(digits))
        if self._beyond_order():
            self._picture.alarm = BEYOND_PRESET
            self._see(await self._say_stop())

    def _beyond_order(self) -> bool:
        """By the money alone, at the highest price that was ordered: it may not be known which nozzle delivers."""
        order, shown_fen = self._order, self._picture.amount_fen
        if order is None or order.kind == "full" or shown_fen is None:
            return False
        price_e3 = max(order.price_e3.values(), default=0)
        if order.kind == "amount":
            return shown_fen > order.limit + price_e3 * OVERRUN_ML // 1_000_000
        return shown_fen > price_e3 * (order.limit + OVERRUN_ML) // 1_000_000 and price_e3 > 0

    async def _nozzle_out(self) -> int | None:
        """By special function 010. None: it was not asked, or does not say."""
        if self.options.nozzle_from != "special":
            return None
        said = extended_status(await self._talk.special(EXTENDED_STATUS))
        if not isinstance(said, ExtendedStatus) or not said.nozzle_out:
            return None
        return said.nozzle if said.nozzle in self.traits.nozzles else None

    async def _read_totals(self) -> tuple[GradeTotal, ...]:
        totals = await self._talk.totals()
        known = {total.grade: total for total in totals}
        missing = [number for number, grade in self._grades.items() if grade not in known]
        if missing:
            raise DeviceFault(
                f"its totals are of the grades {sorted(known)}, and it has the nozzles {list(self.traits.nozzles)}",
                where=self._where,
                remedy="Compare the numbers of this pump's nozzles with its head.",
            )
        prices = {
            number: known[grade].price_cash if self.options.sold_at is Level.CASH else known[grade].price_credit
            for number, grade in self._grades.items()
        }
        self._picture.prices_e3 = {number: self._scales.price_e3(price) for number, price in prices.items() if price}
        return totals

    def _sale(self, reply: SaleReply) -> Sale | None:
        if not (reply.price or reply.volume or reply.amount):
            return None
        numbers = {grade: number for number, grade in self._grades.items()}
        return Sale(
            nozzle=numbers.get(reply.grade),
            volume_ml=self._scales.volume_ml(reply.volume),
            amount_fen=self._scales.amount_fen(reply.amount),
            price_e3=self._scales.price_e3(reply.price),
        )

    # Steps of an act.

    async def _must_call(self, *, retries: int | None = None) -> None:
        """Raises Transient unless a nozzle is out and waits."""
        raw = await self._talk.status(retries=retries)
        if raw is Status.CALL:
            self._picture.see(raw, _now_ms())
            return
        raise Transient(
            f"it is authorised once a nozzle is out, and it is at {raw.name}",
            where=self._where,
            remedy="Lift the nozzle, then authorise.",
        )

    async def _check_nozzle(self, order: Order) -> None:
        """The nozzle that is out must be one that may be used, by what the head lets us know of it."""
        allowed = set(order.nozzles)
        if not allowed or not allowed <= set(self.traits.nozzles):
            raise Misconfigured(f"nozzles {sorted(allowed)} are ordered at a pump with others", where=self._where)
        if self.options.nozzle_from == "special":
            self._picture.nozzle = nozzle = await self._nozzle_out()
            if nozzle not in allowed:
                raise Transient(
                    f"nozzle {nozzle or 'unknown'} is out, and {sorted(allowed)} may be used",
                    where=self._where,
                    remedy="Hang it up and take the one that was ordered.",
                )
        elif allowed != set(self.traits.nozzles):
            raise Misconfigured(
                f"only {sorted(allowed)} may be used, and this head is not asked which nozzle is out",
                where=self._where,
                remedy='Set `nozzle_from = "special"` if the head knows special function 010; else sell all nozzles.',
            )

    async def _check_prices(self, order: Order) -> None:
        """The pump charges what was ordered, by its own word of when its totals were last read."""
        if not self._picture.prices_e3:
            await self._read_totals()
        for number in order.nozzles:
            shown, wanted = self._picture.prices_e3.get(number), order.price_e3.get(number)
            if wanted is not None and shown != wanted:
                self._picture.prices_e3 = {}  # look again next time
                raise DeviceFault(
                    f"nozzle {number} charges {shown} thousandths of a fen per litre, and {wanted} is ordered",
                    where=self._where,
                    remedy="Set the prices while the pump is idle.",
                )

    async def _authorise(self) -> None:
        """Say it once, for whatever makes a pump miss it may wipe its preset. What is not shown in time is undone."""
        until = time.monotonic() + self.options.authorise_s
        self._picture.clear_sale()
        self._watch.authorising()
        await self._talk.say(Command.AUTHORISE)
        raw = await self._settled(Status.CALL)
        while raw is Status.CALL and time.monotonic() < until:
            await asyncio.sleep(LOOK_AGAIN_S)
            raw = await self._settled(Status.CALL)
        if raw is Status.CALL:
            raw = await self._say_stop()
            if raw is Status.CALL:
                self._watch.refused()
                raise Transient("it was authorised, still called, and was told to stop", where=self._where)
        self._see(raw)
        if raw not in RUNNING | ENDED:
            raise Transient(f"it was authorised, and is at {raw.name}", where=self._where)

    async def _say_stop(self) -> Status:
        """Until it neither delivers nor may. Harmless to a pump at rest."""
        for last in range(TRIES - 1, -1, -1):
            await self._talk.say(Command.STOP)
            try:
                raw = await self._settled(Status.AUTHORISED, Status.BUSY)
            except (Silent, Garbled):
                if not last:
                    raise
                continue
            if raw not in (Status.AUTHORISED, Status.BUSY):
                break
        return raw

    async def _settled(self, *before: Status) -> Status:
        """The status; one that is none of `before` counts once the next is none of them either."""
        raw = await self._talk.status(retries=1)
        return raw if raw in before else await self._talk.status(retries=1)


async def probe(line: Line, address: int, *, timeout_s: float) -> Sign | None:
    """Who is there, by the status word; and the digits of its last sale. None: nobody, or an adapter that echoes."""
    question = ask_status(address)
    async with probing(line, address, timeout_s) as device:
        try:
            status = await device.exchange(question.frame, question.expect, timeout_s=timeout_s)
        except Silent:
            return None
        if status is Status.DATA_ERROR:  # the echo of our own word looks the same
            return None
        notes: tuple[str, ...] = ()
        for width, mode in ((NORMAL, "normal"), (EXTENDED, "extended")):
            asked = ask_sale(address, width)
            try:
                sale = await device.exchange(asked.frame, asked.expect, timeout_s=max(timeout_s, asked.timeout_s))
            except (Silent, Garbled):
                continue
            digits = f"price {sale.price}, volume {sale.volume}, amount {sale.amount}"
            notes = (f"{mode} mode", f"digits of the last sale: {digits}")
            break
        return Sign(address, status.name, notes, device.last_took_ms)


def _check(config: PumpConfig) -> None:
    faults = []
    if len(config.nozzles) > GRADES_MAX:
        faults.append(Fault("nozzles", f"at most {GRADES_MAX}", str(len(config.nozzles)), "Its totals have no more."))
    if faults:
        raise Refused(f"pump {config.id}", faults)


def _now_ms() -> int:
    return int(time.monotonic() * 1000)
