"""A simulated YKC pile: the pile's end of the protocol, with a world of its own. No I/O; time is told.

    twin = YkcTwin("32010200000001", guns=2)
    twin.plug(1, Car(), now_ms=0)
    for data in twin.connected(0): ...          # its login
    for data in twin.receive(received, now_ms): ...
    for data in twin.advance(now_ms): ...       # at least once a second of the world

`charges` is the truth of every charge that ended; `bills` are those that it keeps until they are acknowledged. They
survive a restart, as in a pile's memory.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from drivers.twins.car import Car
from drivers.twins.ports.ykc_faults import PileFault, PileFaultKind, PileFaults
from drivers.twins.ports.ykc_gun import SLOTS, Charge, Running, TwinGun
from drivers.twins.ports.ykc_kept import Kept, bill_in, stamped
from protocols.fieldbus import ykc
from protocols.fieldbus import ykc_money as money
from protocols.fieldbus import ykc_session as session
from protocols.fieldbus import ykc_upkeep as upkeep
from protocols.fieldbus.expect import NEED_MORE

STEP_MS: Final = 1_000
BOOT_MS: Final = 5_000
BEGIN_MS: Final = 1_000  # from the order to the contactor
AGAIN_S: Final = (*(ykc.BILL_RETRY_S,) * ykc.BILL_RETRIES, ykc.BILL_LAST_RETRY_S, 0)  # a bill, after each time
_NOON: Final = datetime(2026, 11, 21, 12, 0)


@dataclass(slots=True)
class _Beginning:
    """An order that was taken, and begins at this instant."""

    start: session.Start
    at_ms: int
    by: money.StartedBy
    heard: ykc.Heard | None = None  # to be answered when it begins


class YkcTwin:
    """One pile."""

    def __init__(
        self,
        code: str = "32010200000001",
        *,
        guns: int = 1,
        current_ma: int = 32_000,
        local: datetime = _NOON,
        version: int = 16,
        begin_ms: int = BEGIN_MS,
        faults: Iterable[PileFault] = (),
        seed: int = 0,
    ) -> None:
        """local: what its clock shows at now_ms 0. current_ma: what each gun offers, at 230 V on one phase.
        begin_ms: from an order to the contactor."""
        self.code = code
        self.faults = PileFaults(seed, faults)
        self.charges: list[Charge] = []
        self.bills: list[Kept] = []
        self.model: money.PriceModel | None = None
        self.guns = {
            number: TwinGun(number, current_ma=current_ma, meter_dwh=10_000_000 * number, slot_at=self._slot_at)
            for number in range(1, guns + 1)
        }
        self.asked: list[Any] = []  # what the platform said, newest last
        self.welcome: bool | None = None  # the platform's answer to the newest login
        self.qr_prefix: str | None = None
        self.off_until_ms: int | None = None  # it starts again, and is dark until then
        self._local = local
        self._version = version
        self._begin_ms = begin_ms
        self._now_ms = 0
        self._talk: ykc.Connection | None = None
        self._out: list[bytes] = []
        self._beating_ms = 0
        self._told_ms: dict[int, int] = {}
        self._shown: dict[int, tuple[int, bool]] = {}
        self._beginnings: dict[int, _Beginning] = {}
        self._cards: dict[int, str] = {}
        self._counter = 0
        self._drops = False

    # The world's.

    def plug(self, gun: int, car: Car, now_ms: int) -> None:
        self._advance(now_ms)
        self.guns[gun].plug(car, now_ms)

    def unplug(self, gun: int, now_ms: int) -> None:
        self._advance(now_ms)
        self.guns[gun].unplug(now_ms)

    def show_card(self, gun: int, card: str) -> None:
        """A customer asks to charge; it is said with the next `advance`."""
        request = session.StartRequest(self.code, _byte(gun), session.StartBy.CARD, False, card, bytes(16))
        self._cards[gun] = card
        self._say(request)

    def charge_offline(self, gun: int, card: str, now_ms: int) -> str:
        """A card that the pile knows by itself; its own order number."""
        self._advance(now_ms)
        self._counter += 1
        order = ykc.order_number(self.code, gun, self.clock(now_ms), self._counter)
        assert self.model is not None
        self.guns[gun].begins(order, self.model, 100_000, money.StartedBy.OFFLINE_CARD, card, now_ms)
        return order

    def stop_by_hand(self, gun: int, now_ms: int) -> None:
        """Its button."""
        self._advance(now_ms)
        self._end(self.guns[gun], 0x45, now_ms)

    def reboot(self, now_ms: int, for_ms: int = BOOT_MS) -> None:
        """The power goes: every charge ends, its bill is kept, the link drops."""
        for gun in self.guns.values():
            if gun.running is not None:
                self._end(gun, 0x83, now_ms)
        self.off_until_ms = now_ms + for_ms
        self._beginnings.clear()
        self._drops = True

    def clock(self, now_ms: int) -> datetime:
        """What its clock shows."""
        off = self.faults.has(PileFaultKind.CLOCK_OFF)
        return self._local + timedelta(milliseconds=now_ms, seconds=off.size if off else 0)

    # The link's.

    def connected(self, now_ms: int) -> list[bytes]:
        """A connection stands. What it says first."""
        self._now_ms = max(self._now_ms, now_ms)
        self._talk = ykc.Connection(ykc.End.PILE)
        self._drops, self.welcome = False, None
        self._out = []
        login = session.Login(
            self.code, session.Supply.AC, len(self.guns), self._version, "V4.1.50", session.Network.LAN, "01" * 10, 4
        )
        self._say(login)
        return self._flush()

    def disconnected(self) -> None:
        """It was hung up, or lost."""
        self._talk = None
        self.welcome = None
        self._out = []

    @property
    def drops(self) -> bool:
        """Whether it ends the connection now."""
        return self._drops

    def receive(self, data: bytes, now_ms: int) -> list[bytes]:
        """What the platform said, and what it says to that."""
        self._advance(now_ms)
        if self._talk is None or self._drops:
            return []
        self._talk.receive_data(data)
        while (event := self._talk.next_event()) is not NEED_MORE:
            if isinstance(event, ykc.Heard):
                self.asked.append(event.message)
                self._hear(event, now_ms)
        self._show(now_ms)
        return self._flush()

    def advance(self, now_ms: int) -> list[bytes]:
        """Time goes on. What it says by itself."""
        self._advance(now_ms)
        if self._talk is None or self._drops:
            return []
        if self.welcome:
            self._beat(now_ms)
            self._show(now_ms)
            self._send_bills(now_ms)
        return self._flush()

    # Below: how.

    def _advance(self, now_ms: int) -> None:
        while self._now_ms < now_ms:
            busy = self._beginnings or any(gun.running is not None for gun in self.guns.values())
            self._now_ms = min(now_ms, self._now_ms - self._now_ms % STEP_MS + STEP_MS) if busy else now_ms
            self._step(self._now_ms)

    def _step(self, now_ms: int) -> None:
        if self.off_until_ms is not None and now_ms >= self.off_until_ms:
            self.off_until_ms = None
        for number, beginning in list(self._beginnings.items()):
            gun = self.guns[number]
            if now_ms >= beginning.at_ms and gun.plugged:
                del self._beginnings[number]
                self._begin(gun, beginning, now_ms)
            elif now_ms - beginning.at_ms > ykc.PLUG_WAIT_S * 1000:
                del self._beginnings[number]
        for gun in self.guns.values():
            gun.advance(now_ms)
            if gun.running is None:
                continue
            reason = gun.over(now_ms, minds_balance=self.faults.has(PileFaultKind.OVERRUNS) is None)
            if reason is not None:
                self._end(gun, reason, now_ms)
                continue
            fault = self.faults.has(PileFaultKind.REBOOT)
            if fault and now_ms - gun.running.began_ms >= fault.size * 1000:
                self.faults.take(PileFaultKind.REBOOT)
                self.reboot(now_ms)

    def _begin(self, gun: TwinGun, beginning: _Beginning, now_ms: int) -> None:
        start = beginning.start
        assert self.model is not None
        gun.begins(start.order, self.model, start.balance_fen, beginning.by, start.card, now_ms)
        if beginning.heard is not None and self._talk is not None:
            self._answer(beginning.heard, session.StartResult(start.order, self.code, start.gun, True, 0))

    def _end(self, gun: TwinGun, reason: int, now_ms: int) -> None:
        running, charge = gun.end(reason, now_ms)
        self.charges.append(charge)
        self._keep(gun, running, charge, now_ms)

    def _keep(self, gun: TwinGun, running: Running, charge: Charge, now_ms: int) -> None:
        """Its bill, with the faults that are in it."""
        kinds = PileFaultKind
        if fault := self.faults.take(kinds.BILL_PRICE):
            dearer = [replace(one, service_price_e3=one.service_price_e3 + fault.size) for one in running.prices.prices]
            running.prices = replace(running.prices, prices=tuple(dearer))
        if fault := self.faults.take(kinds.BILL_ENERGY):
            running.slot_dwh[max(SLOTS, key=running.slot_dwh.__getitem__)] += fault.size * 10
        bill = self._reckon(gun, running, charge)
        if fault := self.faults.take(kinds.BILL_AMOUNT):
            bill = replace(bill, amount_e2=bill.amount_e2 + fault.size * 100)
        if self.faults.take(kinds.BILL_NO_ORDER):
            bill = replace(bill, order=session.NO_ORDER)
        if self.faults.take(kinds.BILL_LOST):
            return
        late = self.faults.take(kinds.BILL_LATE)
        message: money.Bill | money.SealedBill = bill
        if self.faults.take(kinds.BILL_SEALED):
            message = money.SealedBill(bill, money.MeterSeal("202600000017", bytes(range(34)), "0100", 1))
        self.bills.append(Kept(message, now_ms + (late.size * 1000 if late else 0)))

    def _reckon(self, gun: TwinGun, running: Running, charge: Charge) -> money.Bill:
        prices = running.prices.prices
        parts = tuple(
            money.BillPart(prices[slot].price_e3, running.slot_dwh[slot], running.slot_dwh[slot], running.part_e2(slot))
            for slot in SLOTS
        )
        return money.Bill(
            order=running.order,
            pile=self.code,
            gun=_byte(gun.number),
            started_at=self.clock(charge.began_ms),
            ended_at=self.clock(charge.ended_ms),
            parts=parts,
            meter_start_dwh=running.meter_start_dwh,
            meter_end_dwh=gun.meter_dwh,
            energy_dwh=running.energy_dwh,
            energy_loss_dwh=running.energy_dwh,
            amount_e2=running.amount_e2,
            vin="",
            started_by=running.started_by,
            billed_at=self.clock(charge.ended_ms),
            stop_reason=charge.stop_reason,
            card=running.card,
        )

    def _slot_at(self, now_ms: int, model: money.PriceModel) -> int:
        at = self.clock(now_ms)
        return model.half_hours[at.hour * 2 + at.minute // 30]

    def _hear(self, heard: ykc.Heard, now_ms: int) -> None:
        message = heard.message
        match message:
            case session.LoginAnswer():
                self._welcomed(message.welcome, now_ms)
            case money.PriceCheckAnswer(same=False):
                self._say(money.PriceRequest(self.code))
            case money.PriceAnswer():
                self.model = None if self.faults.has(PileFaultKind.PRICES_DEAF) else message.prices
            case money.SetPrices():
                deaf = self.faults.has(PileFaultKind.PRICES_DEAF) is not None
                self.model = self.model if deaf else message.prices
                self._answer(heard, money.SetPricesAnswer(self.code, done=not deaf))
            case session.SetTime():
                before = self.clock(now_ms)
                if message.time is not None:
                    self._local = message.time - timedelta(milliseconds=now_ms)
                self._answer(heard, session.SetTimeAnswer(self.code, before))
            case session.ReadState() if self._known(message.gun):
                self._answer(heard, self._state(self._gun(message.gun), now_ms))
            case session.Start():
                self._told_to_start(heard, message, now_ms)
            case session.StartAnswer() if self._known(message.gun):
                self._granted(message, now_ms)
            case session.Stop():
                self._told_to_stop(heard, message, now_ms)
            case session.SetBalance():
                self._answer(heard, self._paid(message))
            case money.BillAnswer(stored=True):
                self._stored(message.order, now_ms)
            case upkeep.Reboot():
                self._answer(heard, upkeep.RebootAnswer(self.code, done=True))
                if message.when == upkeep.When.NOW or not any(gun.running for gun in self.guns.values()):
                    self.reboot(now_ms)
            case upkeep.SetQrPrefix():
                self.qr_prefix = message.prefix
                self._answer(heard, upkeep.SetQrPrefixAnswer(self.code, done=True))
            case _:
                pass  # answers to what it said by itself

    def _welcomed(self, welcome: bool, now_ms: int) -> None:
        self.welcome = welcome
        if not welcome:
            return
        self._say(money.PriceCheck(self.code, "0000" if self.model is None else self.model.model))
        self._beating_ms = now_ms
        self._shown.clear()
        for kept in self.bills:
            if kept.tries:
                kept.tries, kept.due_ms = 0, now_ms

    def _told_to_start(self, heard: ykc.Heard, start: session.Start, now_ms: int) -> None:
        refusal = self._refusal(start)
        kinds = PileFaultKind
        late = None if refusal else self.faults.take(kinds.LATE_PLUG)
        if late is not None:
            refusal = session.StartFault.NOT_PLUGGED
        result = session.StartResult(start.order, self.code, start.gun, refusal is None, refusal or 0)
        self._answer(heard, result)
        waits = refusal == session.StartFault.NOT_PLUGGED
        if (refusal is None and not self.faults.take(kinds.NO_EFFECT)) or waits:
            begins_ms = now_ms + (late.size if late else 0 if waits else self._begin_ms)
            number = self._gun(start.gun).number
            again = heard if waits else None
            self._beginnings[number] = _Beginning(start, begins_ms, money.StartedBy.APP, again)

    def _refusal(self, start: session.Start) -> int | None:
        if fault := self.faults.take(PileFaultKind.REFUSE):
            return fault.size
        if start.pile != self.code or not self._known(start.gun):
            return session.StartFault.WRONG_PILE
        gun = self._gun(start.gun)
        if gun.running is not None or gun.number in self._beginnings:
            return session.StartFault.CHARGING
        if self.faults.has(PileFaultKind.ILL) or self.model is None or start.balance_fen <= 0:
            return session.StartFault.FAULT
        return None if gun.plugged else session.StartFault.NOT_PLUGGED

    def _granted(self, answer: session.StartAnswer, now_ms: int) -> None:
        card = self._cards.pop(self._gun(answer.gun).number, None)
        if card is not None and answer.granted and self.model is not None:
            start = session.Start(answer.order, self.code, answer.gun, answer.shown_card, card, answer.balance_fen)
            number = self._gun(answer.gun).number
            self._beginnings[number] = _Beginning(start, now_ms + self._begin_ms, money.StartedBy.CARD)

    def _told_to_stop(self, heard: ykc.Heard, stop: session.Stop, now_ms: int) -> None:
        if self.faults.take(PileFaultKind.STOP_DEAF):
            return
        gun = self._gun(stop.gun) if self._known(stop.gun) else None
        begins = gun is not None and self._beginnings.pop(gun.number, None) is not None
        runs = gun is not None and gun.running is not None
        reason = session.StopFault.NONE if runs or begins else session.StopFault.NOT_CHARGING
        self._answer(heard, session.StopResult(self.code, stop.gun, runs or begins, reason))
        if gun is not None and runs:
            self._end(gun, 0x40, now_ms)

    def _paid(self, told: session.SetBalance) -> session.SetBalanceAnswer:
        gun = self._gun(told.gun) if self._known(told.gun) else None
        if gun is None or gun.running is None:
            return session.SetBalanceAnswer(self.code, told.card, session.BalanceResult.WRONG_PILE)
        gun.running.balance_fen = told.balance_fen
        return session.SetBalanceAnswer(self.code, told.card, session.BalanceResult.DONE)

    def _stored(self, order: str, now_ms: int) -> None:
        if self.faults.take(PileFaultKind.BILL_DEAF):
            return
        for kept in [kept for kept in self.bills if kept.order == order]:
            if kept.repeats is None:
                fault = self.faults.take(PileFaultKind.BILL_REPEATED)
                kept.repeats = fault.size if fault else 0
                if other := self.faults.take(PileFaultKind.BILL_TWICE):
                    bill = bill_in(kept.message)
                    more = replace(
                        bill,
                        energy_dwh=bill.energy_dwh + other.size * 10,
                        energy_loss_dwh=bill.energy_loss_dwh + other.size * 10,
                    )
                    self.bills.append(Kept(more, now_ms))
            else:
                kept.repeats -= 1
            kept.due_ms, kept.tries = now_ms, 0
            if kept.repeats <= 0:
                self.bills.remove(kept)

    def _send_bills(self, now_ms: int) -> None:
        for kept in self.bills:
            if now_ms >= kept.due_ms and kept.tries < len(AGAIN_S):
                kept.due_ms = now_ms + AGAIN_S[kept.tries] * 1000
                kept.tries += 1
                self._say(stamped(kept.message, self.clock(now_ms)))

    def _beat(self, now_ms: int) -> None:
        if now_ms < self._beating_ms:
            return
        self._beating_ms = now_ms + ykc.HEARTBEAT_S * 1000
        quiet = max(self.guns) if self.faults.has(PileFaultKind.NO_HEARTBEAT) else None
        for number in self.guns:
            if number != quiet:
                ill = self.faults.has(PileFaultKind.ILL) is not None
                self._say(session.Heartbeat(self.code, _byte(number), sound=not ill))

    def _show(self, now_ms: int) -> None:
        """The state of each gun: when it changes, and now and then."""
        if not self.welcome:
            return
        for number, gun in self.guns.items():
            state = self._state(gun, now_ms)
            every_s = ykc.STATE_CHARGING_S if gun.running else ykc.STATE_IDLE_S
            told_ms = self._told_ms.get(number)
            due = told_ms is None or now_ms - told_ms >= every_s * 1000
            if due or self._shown.get(number) != (state.status, state.plugged):
                self._shown[number] = (state.status, state.plugged)
                self._told_ms[number] = now_ms
                self._say(state)

    def _state(self, gun: TwinGun, now_ms: int) -> session.State:
        running = None if self.faults.has(PileFaultKind.SHOWS_IDLE) else gun.running
        ill = self.faults.has(PileFaultKind.ILL) is not None
        status = session.GunStatus.CHARGING if running else session.GunStatus.IDLE
        return session.State(
            order=running.order if running else session.NO_ORDER,
            pile=self.code,
            gun=_byte(gun.number),
            status=session.GunStatus.FAULT if ill and not running else status,
            holder=session.Holder.OUT if gun.plugged else session.Holder.IN,
            plugged=gun.plugged,
            voltage_mv=gun.voltage_mv if running else 0,
            current_ma=gun.out_ma // 100 * 100 if running else 0,
            cable_temp_dc=280 if running else None,
            cable="0" * 16,
            soc_pct=0,
            battery_temp_dc=None,
            charged_min=(now_ms - running.began_ms) // 60_000 if running else 0,
            remaining_min=0,
            energy_dwh=running.energy_dwh if running else 0,
            energy_loss_dwh=running.energy_dwh if running else 0,
            amount_e2=running.amount_e2 if running else 0,
            faults=int(session.PileFault.EMERGENCY_STOP) if ill else 0,
        )

    def _known(self, gun: int) -> bool:
        return any(_byte(number) == gun for number in self.guns)

    def _gun(self, byte: int) -> TwinGun:
        return self.guns[int(f"{byte:x}")]

    def _say(self, message: Any) -> None:
        if self._talk is not None:
            self._out.append(self._talk.send(message))

    def _answer(self, heard: ykc.Heard, message: Any) -> None:
        if self._talk is not None:
            self._out.append(self._talk.answer(heard, message))

    def _flush(self) -> list[bytes]:
        said, self._out = self._out, []
        if self.faults.has(PileFaultKind.MUTE):
            return []
        return [self.faults.spoil(data) for data in said]


def _byte(gun: int) -> int:
    return int(str(gun), 16)
