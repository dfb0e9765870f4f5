"""The simulated YKC pile against a platform by hand, without a network: its world is exact and replays."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest

from drivers.twins.car import UJ_PER_WH, Car
from drivers.twins.ports.ykc import YkcTwin
from drivers.twins.ports.ykc_faults import PileFaultKind, PileFaults, parse_pile_faults
from protocols.fieldbus import ykc_money as money
from protocols.fieldbus import ykc_session as session
from protocols.fieldbus.expect import NEED_MORE
from protocols.fieldbus.ykc import BILL_LAST_RETRY_S, BILL_RETRY_S, Connection, End, Heard, order_number

CODE = "32010200000001"
ORDER = order_number(CODE, 1, datetime(2026, 11, 21, 10, 30), 1)
PRICES = (
    money.Price(100_000, 30_000), money.Price(90_000, 30_000), money.Price(60_000, 30_000), money.Price(30_000, 30_000),
)  # fmt: skip
MODEL = money.PriceModel("0100", PRICES, 0, (1,) * 25 + (2,) * 23)  # flat from 12:30 on
CAR = Car(capacity_wh=60_000, energy_wh=10_000, power_w_max=7_000, phases=1)


class Hand:
    """A platform that says what a test tells it to. now_ms: the world's time."""

    def __init__(self, *faults: str, seed: int = 0, **changes: Any) -> None:
        self.twin = YkcTwin(CODE, faults=parse_pile_faults(faults), seed=seed, **changes)
        self.speech = Connection(End.PLATFORM)
        self.now_ms = 0
        self.heard: list[tuple[int, Any]] = []
        self.raw = b""
        self._take(self.twin.connected(0))
        (login,) = self.events[-1:]
        self._say(self.speech.answer(login, session.LoginAnswer(CODE, welcome=True)))
        self.tell(money.SetPrices(CODE, MODEL))

    def tell(self, message: Any) -> None:
        self._say(self.speech.send(message))

    def start(self, order: str = ORDER, balance_fen: int = 100_000) -> None:
        self.tell(session.Start(order, CODE, 1, "0" * 16, "0" * 16, balance_fen))

    def wait(self, seconds: int) -> None:
        for _ in range(seconds):
            self.now_ms += 1_000
            self._take(self.twin.advance(self.now_ms))

    def of(self, kind: type) -> list[tuple[int, Any]]:
        """(second, message) of everything of this kind."""
        return [(at // 1_000, message) for at, message in self.heard if isinstance(message, kind)]

    def _say(self, data: bytes) -> None:
        self._take(self.twin.receive(data, self.now_ms))

    def _take(self, said: list[bytes]) -> None:
        self.events: list[Heard] = []
        for data in said:
            self.raw += data
            self.speech.receive_data(data)
            while (event := self.speech.next_event()) is not NEED_MORE:
                assert isinstance(event, Heard)
                self.events.append(event)
                self.heard.append((self.now_ms, event.message))


def test_a_charge_over_a_boundary() -> None:
    """Every Wh has the price of its half-hour, the parts are the whole, and the truth is the bill."""
    hand = Hand(local=datetime(2026, 11, 21, 12, 0))
    hand.twin.plug(1, CAR, 0)
    hand.start()
    hand.wait(3600)
    hand.tell(session.Stop(CODE, 1))
    hand.wait(1)
    (_, bill), *_ = hand.of(money.Bill)
    (truth,) = hand.twin.charges
    assert money.faults(bill, MODEL) == ()
    assert bill.energy_dwh // 10 == truth.energy_wh
    assert truth.energy_uj == pytest.approx(7_000 * UJ_PER_WH * 3_599 // 3_600, rel=0.001)
    assert bill.parts[1].energy_dwh == pytest.approx(35_000, rel=0.001)
    assert bill.parts[2].energy_dwh == pytest.approx(35_000, rel=0.001)
    assert bill.stop_reason == 0x40
    states = [state for _, state in hand.of(session.State) if state.status == session.GunStatus.CHARGING]
    assert [state.energy_dwh for state in states] == sorted(state.energy_dwh for state in states)
    assert len(states) == pytest.approx(240, abs=3)  # every 15 s


def test_bills_come_again_as_the_document_says() -> None:
    """At once, three times after 30 s, once after five minutes, and then with the next login, until they are stored."""
    hand = Hand()
    hand.twin.plug(1, CAR, 0)
    hand.start()
    hand.wait(60)
    hand.twin.unplug(1, hand.now_ms)
    hand.wait(1_200)
    seconds = [at for at, _ in hand.of(money.Bill)]
    gaps = [later - before for before, later in pairwise(seconds)]
    assert gaps == [BILL_RETRY_S] * 3 + [BILL_LAST_RETRY_S]
    hand.tell(money.BillAnswer(ORDER, stored=False))
    assert hand.twin.bills
    hand.tell(money.BillAnswer(ORDER, stored=True))
    assert not hand.twin.bills


def test_the_balance_is_minded_to_the_second() -> None:
    """It ends at what was paid, for the reason of the document."""
    hand = Hand()
    hand.twin.plug(1, CAR, 0)
    hand.start(balance_fen=60)
    hand.wait(600)
    ((_, bill), *_) = hand.of(money.Bill)
    assert bill.stop_reason == 0x43
    assert 6_000 <= bill.amount_e2 <= 6_030


def test_heartbeats_and_states_at_rest() -> None:
    """Every ten seconds, and every five minutes; a plug is told at once."""
    hand = Hand()
    hand.wait(601)
    assert len(hand.of(session.Heartbeat)) == pytest.approx(60, abs=1)
    assert len(hand.of(session.State)) == pytest.approx(3, abs=1)
    before = len(hand.of(session.State))
    hand.twin.plug(1, CAR, hand.now_ms)
    hand.wait(1)
    assert hand.of(session.State)[before][1].plugged


@pytest.mark.parametrize("chance_seed", [1, 2])
def test_a_run_replays(chance_seed: int) -> None:
    """The same seed says the same bytes."""

    def run() -> bytes:
        hand = Hand(seed=chance_seed)
        hand.twin.plug(1, CAR, 0)
        hand.start()
        hand.twin.faults.set(parse_pile_faults(["noise:*:3"])[0])
        hand.wait(120)
        return hand.raw

    assert run() == run()


def test_bills_outlive_a_restart() -> None:
    """And come with the next login."""
    hand = Hand()
    hand.twin.plug(1, CAR, 0)
    hand.start()
    hand.wait(60)
    hand.twin.reboot(hand.now_ms)
    assert hand.twin.drops
    hand.twin.disconnected()
    hand.wait(10)
    assert hand.twin.off_until_ms is None
    hand.speech = Connection(End.PLATFORM)
    hand._take(hand.twin.connected(hand.now_ms))
    hand._say(hand.speech.answer(hand.events[0], session.LoginAnswer(CODE, welcome=True)))
    hand.wait(1)
    assert hand.of(money.Bill)[-1][1].stop_reason == 0x83


def test_faults_by_name() -> None:
    """As a command line writes them; counted, and cleared."""
    (one, two) = parse_pile_faults(["bill-late:2:60", "mute"])
    assert (one.kind, one.count, one.size) == (PileFaultKind.BILL_LATE, 2, 60)
    faults = PileFaults(0, [one, two])
    assert [faults.take(PileFaultKind.BILL_LATE) is not None for _ in range(3)] == [True, True, False]
    faults.clear()
    assert faults.active() == ()
    for wrong in ("no-such", "mute:x", "mute:0"):
        with pytest.raises(ValueError, match="expected KIND"):
            parse_pile_faults([wrong])
