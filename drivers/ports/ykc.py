"""How does the daemon charge through a YKC pile? One `YkcPile` for each, a `drivers.port_board.PortBoard`.

The pile calls and logs in; this box is its platform (ykc_switchboard.py takes the call). It tells its state by itself,
settles each charge with a bill of its own, and repeats the bill until it is told that it is stored. It starts nothing
without a price model. What it lets flow is limited by money alone, so time, energy and power of an order are watched
here, and it is stopped when they are used up.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, NoReturn, TypeVar

import structlog

from drivers.api import Link, Point, Quality, Reading
from drivers.errors import DeviceError, DeviceFault, LineDown, Misconfigured, Transient, Unsupported
from drivers.port_board import PortOrder, PortStatus, PortTraits, Settlement
from drivers.ports.ykc_bills import Bills, Came, ticket_of
from drivers.ports.ykc_config import PileConfig
from drivers.ports.ykc_gun import Gun
from drivers.ports.ykc_link import YkcLink, now_ms
from drivers.ports.ykc_points import gun_point, pile_points
from drivers.ports.ykc_prices import Given
from drivers.ports.ykc_says import (
    gun_byte,
    order_of,
    pile_time,
    port_of,
    reason_of,
    refusal_of,
    settlement_of,
    word_of,
)
from drivers.ports.ykc_talk import Talk, answer_of
from protocols.fieldbus import ykc_money as money
from protocols.fieldbus import ykc_session as session
from protocols.fieldbus import ykc_upkeep as upkeep
from protocols.fieldbus.ykc import Heard

log = structlog.get_logger()

T = TypeVar("T")

OnCard = Callable[[str, int, str], Awaitable[PortOrder | str]]
"""`on_card(board_id, port, uid_text)`: what a customer who shows a card (16 digits) or, as `VIN ...`, a vehicle at the
pile gets: an order, already durable, or why not: a `NoStart` such as `no-account` or `balance`, or other words."""

Prices = Callable[[], money.PriceModel | None]
"""What piles are to reckon by now (`protocols.trade.pile_prices`). None: nothing can be sold. It does not raise."""

CLOCK_EVERY_MS: Final = 86_400_000
CLOCK_OFF_MAX: Final = timedelta(seconds=60)
STOP_AGAIN_MS: Final = 10_000  # what must not run is told to stop this often


async def _refuse(_board: str, _port: int, _uid: str) -> str:
    return "no-account"


class YkcPile:
    """One pile. Keep `run()` in a task; it is on line while a connection is attached.

    prices, on_card: what the site says; until they are set nothing is sold and every card refused.
    """

    profile_id = "ykc"

    def __init__(self, config: PileConfig, where: str, unix_ms: Callable[[], int | None]) -> None:
        """where: its listener's id, for errors. unix_ms: what time it is; None: not known well enough to tell it."""
        self.id = config.id
        self.code = config.code
        self.config = config
        self.prices: Prices = lambda: None
        self.on_card: OnCard = _refuse
        self.login: session.Login | None = None  # what it said of itself
        self.clock_off: timedelta | None = None  # how far its clock was off when it was last set
        self._unix_ms = unix_ms
        self._where = f"{where}:{config.id}"
        self._link = YkcLink()
        self._guns = {port: Gun(port, config) for port in config.numbers}
        self._turns = {port: asyncio.Lock() for port in config.numbers}
        self._unanswered: dict[money.Bill, Heard] = {}  # as they came last on this connection
        self._bills = Bills(config.utc_offset_min)
        self._talk: Talk | None = None
        self._greeted: Talk | None = None
        self._woken = asyncio.Event()
        self._given = Given()
        self._clock_ms: int | None = None
        self._polled_ms: int | None = None
        self._requests: dict[int, asyncio.Task[None]] = {}  # by gun
        self._traits = PortTraits(
            ports=config.numbers,
            doors=False,
            feels_plug=True,
            counts_energy=True,
            energy_step_wh=1,
            power_w_max=config.power_w_max,
            time_max_s=config.time_max_s,
        )

    # What a till asks.

    @property
    def traits(self) -> PortTraits:
        return self._traits

    def link(self) -> Link:
        return self._link.seen()

    def status(self) -> Mapping[int, Reading[PortStatus]]:
        now = now_ms()
        return {port: gun.reading(now) for port, gun in self._guns.items()}

    async def read_status(self, port: int) -> Reading[PortStatus]:
        gun = self._gun(port)
        await self._look(gun)
        return gun.reading(now_ms())

    def settlements(self) -> Sequence[Settlement]:
        return self._bills.waiting()

    async def acknowledge(self, settlement: Settlement) -> None:
        """A pile that is not there is told when it sends the bill again."""
        bill = settlement.ticket
        assert isinstance(bill, money.Bill), "a settlement of this pile has its bill as ticket"
        self._bills.store(bill)
        if (talk := self._talk) is not None:
            answer = money.BillAnswer(bill.order, stored=True)
            if (heard := self._unanswered.pop(bill, None)) is not None:
                talk.answer(heard, answer)
            else:
                self._tell(talk, answer)

    async def open_door(self, port: int) -> None:
        raise Unsupported("a pile has no doors", where=self._where)

    def points(self) -> list[Point]:
        said = pile_points(self.login, self._given.model, self.clock_off, len(self._bills.waiting()))
        told_ms = self._link.seen().last_good_ms
        quality = Quality.NONE if told_ms is None else Quality.GOOD if self._talk is not None else Quality.STALE
        about = [Point(name, value, quality, told_ms, self._link.took_ms, "login") for name, value in said]
        return [*about, *(gun_point(port, reading) for port, reading in self.status().items())]

    # What a till tells.

    async def start(self, port: int, order: PortOrder) -> None:
        """Needs `prepaid_fen`: it is what the pile itself stops at."""
        gun = self._gun(port)
        wire = self._wire(order.number, port)
        if order.prepaid_fen <= 0:
            raise Misconfigured("expected an order with prepaid_fen above 0: a pile counts money", where=self._where)
        async with self._turns[port]:
            talk = self._linked()
            if self._bills.has(wire):
                return  # it has run, and its settlement waits or is stored
            state = await self._look(gun)
            if gun.runs(wire):
                gun.told(order, wire, now_ms())
                gun.heard(state, now_ms())
                return
            if gun.charging:
                raise DeviceFault(f"gun {port} charges for another order, {state.order}", where=self._where)
            if self._given.model is None:
                raise Transient("the pile has no prices yet", where=self._where)
            if state.status != session.GunStatus.IDLE:
                raise DeviceFault(f"gun {port} cannot charge: {reason_of(state)}", where=self._where)
            if not state.plugged:
                raise DeviceFault(f"gun {port} is not plugged in", where=self._where)
            gun.told(order, wire, now_ms())
            asked = session.Start(wire, self.code, gun_byte(port), session.NO_CARD, session.NO_CARD, order.prepaid_fen)
            result = await self._ask(talk, asked, lambda said: _result(said, wire))
            if result.started:
                return
            if result.reason == session.StartFault.CHARGING:
                await self._look(gun)
                if gun.runs(wire) or not gun.charging:
                    return  # told before, by a call that got no answer or by a process that died: it is about to begin
            gun.refuse(wire)
            raise DeviceFault(f"gun {port} does not start: {word_of(result.reason)}", where=self._where)

    async def stop(self, port: int, number: bytes) -> None:
        gun = self._gun(port)
        wire = self._wire(number, port)
        async with self._turns[port]:
            talk = self._linked()
            await self._look(gun)
            if self._bills.has(wire) or gun.wire not in (None, wire) or (gun.charging and not gun.runs(wire)):
                return  # it is over, or the gun is another's
            if not gun.charging:  # it may have it, told by a process that died, and begin yet
                gun.refuse(wire)
            await self._stop(talk, gun)

    async def set_balance(self, port: int, number: bytes, prepaid_fen: int) -> None:
        """Of a running order: the customer has paid more. Raises DeviceFault where it does not run."""
        gun = self._gun(port)
        wire = self._wire(number, port)
        async with self._turns[port]:
            talk = self._linked()
            if not gun.runs(wire):
                raise DeviceFault(f"gun {port} does not charge for {number.hex()}", where=self._where)
            asked = session.SetBalance(self.code, gun_byte(port), session.NO_CARD, prepaid_fen)
            answer = await self._ask(talk, asked, answer_of(session.SetBalanceAnswer))
            if answer.result != session.BalanceResult.DONE:
                raise DeviceFault(f"gun {port} refuses the balance: {word_of(answer.result)}", where=self._where)
            gun.paid(prepaid_fen)

    async def reboot(self, *, now: bool = False) -> None:
        """now: in mid-charge, too; else when no gun charges."""
        when = upkeep.When.NOW if now else upkeep.When.IDLE
        answer = await self._ask(self._linked(), upkeep.Reboot(self.code, when), answer_of(upkeep.RebootAnswer))
        if not answer.done:
            raise DeviceFault("the pile refuses to start again", where=self._where)

    # What its switchboard tells.

    def came(self, talk: Talk, login: session.Login) -> None:
        """It has logged in on this connection. The newest wins; an older one is hung up."""
        older = self._talk
        self._talk, self._greeted, self.login = talk, None, login
        self._unanswered.clear()
        self._given.logged_in()
        talk.where = self._where
        self._link.up()
        if older is not None and older is not talk:
            if self._well(older) and older.host != talk.host:
                said = f"{talk.host} logged in while {older.host} was alive and well"
                self._link.wrong("impostors", f"{said}. Look for a second pile with the number {self.code}.")
            older.close("the pile has logged in anew")
        self._woken.set()
        if login.guns != len(self._guns):
            self._link.wrong("guns", f"it has {login.guns} guns, its config {len(self._guns)}. Correct `guns`.")

    def gone(self, talk: Talk, why: str) -> None:
        """This connection has ended. What it said last stands until its time is up."""
        talk.close(why)
        if self._talk is talk:
            self._talk = None
            self._link.down(f"{why}. Check the pile's network and supply, and the address of its platform.")

    def heard(self, talk: Talk, heard: Heard) -> None:
        """It said something sound. Answers what is to be answered at once."""
        message = heard.message
        spoken_for = message.bill if isinstance(message, money.SealedBill) else message
        if getattr(spoken_for, "pile", self.code) != self.code:
            self._link.count("foreign")
            return
        self._link.good()
        talk.heard(message)
        if isinstance(message, session.Heartbeat):
            if (gun := self._guns.get(port_of(message.gun))) is not None:
                gun.beat(sound=message.sound, now_ms=now_ms())
            talk.answer(heard, session.HeartbeatAnswer(self.code, message.gun))
        elif isinstance(message, session.State):
            self._heard_state(talk, message)
        elif isinstance(message, money.Bill):
            self._heard_bill(talk, heard, message)
        elif isinstance(message, money.SealedBill):
            self._heard_bill(talk, heard, message.bill)
        elif isinstance(message, money.PriceCheck):
            self._heard_check(talk, heard, message)
        elif isinstance(message, money.PriceRequest):
            if (model := self.prices()) is not None:
                talk.answer(heard, money.PriceAnswer(self.code, model))
                self._given.fetched(model)
        elif isinstance(message, session.StartRequest):
            self._requested(talk, heard, message)
        elif isinstance(message, session.StartResult) and message.started:
            self._started(talk, message)

    def unread(self, kind: str, size: int = 1) -> None:
        """What came could not be read. kind: for the counts."""
        self._link.count(kind, size)

    async def run(self) -> NoReturn:
        """Greet it, poll it, and see to it that nothing runs longer than it may, until cancelled."""
        try:
            while True:
                if (talk := self._talk) is not None:
                    try:
                        await self._tend(talk)
                    except LineDown as error:
                        self.gone(talk, error.what)
                    except DeviceError as error:
                        self._link.wrong("failed", f"{error}. {error.remedy}")
                self._woken.clear()
                try:
                    async with asyncio.timeout(self.config.tick_s):
                        await self._woken.wait()
                except TimeoutError:
                    pass  # nobody logged in, and it is time to look again
        finally:
            for task in self._requests.values():
                task.cancel()
            await asyncio.gather(*self._requests.values(), return_exceptions=True)

    # Below: how.

    async def _tend(self, talk: Talk) -> None:
        now = now_ms()
        if time.monotonic() - talk.heard_at > self.config.silent_s:
            self.gone(talk, f"no word for {self.config.silent_s:g} s")
            return
        for gun in self._guns.values():
            if gun.unshown(now) and gun.wire is not None:
                self._link.wrong("unshown", f"gun {gun.port} took an order and did not begin. Look at the pile.")
                gun.refuse(gun.wire)
                if not gun.charging:  # else for another order
                    await self._stop(talk, gun)
            self._end_overdue(talk, gun)
        if self._greeted is not talk:
            self._clock_ms = self._polled_ms = None
            if self.config.qr_prefix is not None:
                prefix = upkeep.SetQrPrefix(self.code, upkeep.QrForm.PILE, self.config.qr_prefix)
                talk.tell(prefix)
            self._greeted = talk
        if _due(self._polled_ms, now, self.config.poll_s):
            self._polled_ms = now
            for gun in self._guns.values():
                if not gun.charging or gun.at_ms is None or _due(gun.at_ms, now, self.config.poll_s):
                    talk.tell(session.ReadState(self.code, gun_byte(gun.port)))
        if _due(self._clock_ms, now, CLOCK_EVERY_MS / 1000):
            await self._set_clock(talk, now)
        await self._set_prices(talk, now)

    async def _set_clock(self, talk: Talk, now: int) -> None:
        unix_ms = self._unix_ms()
        if unix_ms is None:
            return
        self._clock_ms = now - CLOCK_EVERY_MS + int(self.config.again_s * 1000)
        moment = pile_time(unix_ms, self.config.utc_offset_min)
        answer = await self._ask(talk, session.SetTime(self.code, moment), answer_of(session.SetTimeAnswer))
        self._clock_ms = now
        self.clock_off = None if answer.time is None else answer.time - moment
        if self.clock_off is None or abs(self.clock_off) > CLOCK_OFF_MAX:
            self._link.wrong("clock", f"its clock said {answer.time:%F %T}, right was {moment:%F %T}. It has been set.")

    async def _set_prices(self, talk: Talk, now: int) -> None:
        """While nothing charges, so that a charge has one model from its start to its bill."""
        model = self.prices()
        if any(gun.charging for gun in self._guns.values()) or not self._given.due(model, now, self.config.again_s):
            return
        assert model is not None
        answer = await self._ask(talk, money.SetPrices(self.code, model), answer_of(money.SetPricesAnswer))
        self._given.answered(model, done=answer.done)
        if not answer.done:
            raise DeviceFault(f"the pile refuses the prices {model.model}", where=self._where)

    def _end_overdue(self, talk: Talk, gun: Gun) -> None:
        now = now_ms()
        why = gun.overdue(now)
        if why is None or not _due(gun.stopped_ms, now, STOP_AGAIN_MS / 1000):
            return
        gun.stopped_ms = now
        self._link.wrong("stopped-here", f"gun {gun.port} was stopped: {why}")
        self._tell(talk, session.Stop(self.code, gun_byte(gun.port)))

    async def _stop(self, talk: Talk, gun: Gun) -> None:
        gun.stopped_ms = now_ms()
        byte = gun_byte(gun.port)
        answer = await self._ask(talk, session.Stop(self.code, byte), answer_of(session.StopResult, byte))
        if not answer.stopped and answer.reason != session.StopFault.NOT_CHARGING and gun.charging:
            raise DeviceFault(f"gun {gun.port} does not stop: {word_of(answer.reason)}", where=self._where)

    async def _look(self, gun: Gun) -> session.State:
        byte = gun_byte(gun.port)
        return await self._ask(self._linked(), session.ReadState(self.code, byte), answer_of(session.State, byte))

    def _tell(self, talk: Talk, message: Any) -> None:
        """Where nobody waits for it."""
        try:
            talk.tell(message)
        except LineDown as error:
            self.gone(talk, error.what)

    async def _ask(self, talk: Talk, message: Any, read: Callable[[Any], T | None]) -> T:
        started = time.monotonic()
        try:
            answer = await talk.ask(message, read, self.config.answer_s)
        except LineDown as error:
            self.gone(talk, error.what)
            raise
        except DeviceError:
            self._link.count("timeouts")
            raise
        self._link.took((time.monotonic() - started) * 1000)
        return answer

    def _heard_state(self, talk: Talk, state: session.State) -> None:
        gun = self._guns.get(port_of(state.gun))
        if gun is None:
            self._link.count("unknown-gun")
            return
        gun.heard(state, now_ms())
        self._end_overdue(talk, gun)

    def _heard_check(self, talk: Talk, heard: Heard, check: money.PriceCheck) -> None:
        same = self._given.says(check.model, self.prices())
        talk.answer(heard, money.PriceCheckAnswer(self.code, check.model, same=same))

    def _heard_bill(self, talk: Talk, heard: Heard, bill: money.Bill) -> None:
        gun = self._guns.get(port_of(bill.gun))
        came = self._bills.take(bill, None if gun is None else gun.peak_w(bill.order))
        self._link.count(f"bills-{came.value.replace(' ', '-')}")
        if came is Came.STORED:
            talk.answer(heard, money.BillAnswer(bill.order, stored=True))
        elif came is not Came.TOO_MANY:
            self._unanswered[ticket_of(bill)] = heard
        if came is Came.NEW:
            settled = settlement_of(bill, self.config.utc_offset_min)
            if settled.doubts:
                words = "; ".join(settled.doubts)
                self._link.wrong("bills-faulty", f"its bill {bill.order}: {words}. Compare it with the meter.")
            if gun is not None:
                gun.billed(bill, settled.end)

    def _started(self, talk: Talk, result: session.StartResult) -> None:
        """A plug that came late for an order that has been given up, or is nobody's: it must not go on."""
        gun = self._guns.get(port_of(result.gun))
        if gun is not None and gun.is_refused(result.order):
            self._link.count("stopped-here")
            self._tell(talk, session.Stop(self.code, result.gun))

    def _requested(self, talk: Talk, heard: Heard, request: session.StartRequest) -> None:
        """Whoever asks again while the till decides waits for that."""
        if request.gun in self._requests:
            self._link.count("requests-turned-away")
            return
        task = asyncio.create_task(self._serve_request(talk, heard, request))
        self._requests[request.gun] = task
        task.add_done_callback(lambda _: self._requests.pop(request.gun))

    async def _serve_request(self, talk: Talk, heard: Heard, request: session.StartRequest) -> None:
        gun = self._guns.get(port_of(request.gun))
        vin = request.by == session.StartBy.VIN
        order = session.NO_ORDER
        granted: PortOrder | str
        if gun is None:
            granted = "not-here"
        elif request.with_password:
            granted = "password"  # nobody here knows any
        elif self._given.model is None:
            granted = "pile-stopped"
        else:
            granted = await self._verdict(gun.port, f"VIN {request.vin}" if vin else request.card)
        if isinstance(granted, PortOrder) and gun is not None:
            order = self._wire(granted.number, gun.port)
            gun.told(granted, order, now_ms())
        answer = session.StartAnswer(
            order=order,
            pile=self.code,
            gun=request.gun,
            shown_card=session.NO_CARD if vin else request.card,
            balance_fen=granted.prepaid_fen if isinstance(granted, PortOrder) else 0,
            granted=isinstance(granted, PortOrder),
            reason=session.NoStart.NONE if isinstance(granted, PortOrder) else refusal_of(granted),
        )
        talk.answer(heard, answer)

    async def _verdict(self, port: int, uid: str) -> PortOrder | str:
        try:
            granted = await self.on_card(self.id, port, uid)
            if isinstance(granted, PortOrder):
                self._wire(granted.number, port)
            return granted
        except Exception as error:  # a fault of ours: the customer at the pile must still hear something
            log.error("card not looked up", board=self.id, error=repr(error))
            return "pile-stopped"

    def _well(self, talk: Talk) -> bool:
        return not talk.closed and time.monotonic() - talk.heard_at < self.config.silent_s

    def _linked(self) -> Talk:
        if self._talk is None:
            raise LineDown("the pile is not logged in", where=self._where, remedy="Check its network and its supply.")
        return self._talk

    def _gun(self, port: int) -> Gun:
        if port not in self._guns:
            raise Misconfigured(f"expected a gun from 1 to {len(self._guns)}, got {port}", where=self._where)
        return self._guns[port]

    def _wire(self, number: bytes, port: int) -> str:
        try:
            return order_of(number, self.code, port)
        except ValueError as error:
            raise Misconfigured(str(error), where=self._where) from None


def _due(last_ms: int | None, now: int, every_s: float) -> bool:
    return last_ms is None or now - last_ms >= every_s * 1000


def _result(said: Any, wire: str) -> session.StartResult | None:
    return said if isinstance(said, session.StartResult) and said.order == wire else None
