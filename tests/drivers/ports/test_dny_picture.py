"""What is made of what a DNY board says, message by message: limits, repetitions, and things out of order."""

from __future__ import annotations

import pytest
from dny_rig import number

from drivers.api import Quality
from drivers.port_board import PortEnd, PortOrder, PortState
from drivers.ports import dny_words
from drivers.ports.dny_picture import ALARM_STANDS_MS, OVER_MAX, WAITING_MAX, DnyPicture, Ticket
from protocols.fieldbus.dny_board import Alarm, CabinetState, CardShown, Heartbeat, PowerReport, Settlement
from protocols.fieldbus.dny_codes import AlarmKind, CardKind, StopReason

SILENT_MS = 450_000
NO_CARD = bytes(4)


def picture(*, doors: bool = False) -> DnyPicture:
    return DnyPicture(2, doors=doors, silent_ms=SILENT_MS)


def settled(seq: int, port: int = 0, energy_wh: int = 100, reason: int = StopReason.FULL) -> Settlement:
    return Settlement(3600, 200_000, energy_wh, port, 1, NO_CARD, reason, number(seq))


def power(seq: int, energy_wh: int = 50, state: int = 1) -> PowerReport:
    return PowerReport(0, state, 900, energy_wh, 1, 200_000, 210_400, 0, 0, number(seq))


def test_a_settlement_that_overtakes_its_last_power_report() -> None:
    """The report is older than it came; the port does not run again."""
    seen = picture()
    seen.switched(1, number(1), 0)
    seen.hear(settled(1), 1, 1_000)
    seen.hear(power(1), 2, 2_000)
    seen.switched(1, number(1), 3_000)
    status = seen.status(1, 3_000).value
    assert status is not None
    assert (status.order, status.energy_wh) == (None, None)


def test_an_old_settlement_frees_no_port() -> None:
    """One that was kept since last week comes while another order runs there."""
    seen = picture()
    seen.hear(power(2), 1, 0)
    seen.hear(settled(1), 2, 1_000)
    status = seen.status(1, 1_000).value
    assert status is not None
    assert (status.state, status.order, status.peak_w) == (PortState.CHARGING, number(2), 211)
    assert [one.number for one in seen.waiting()] == [number(1)]


def test_the_newest_frame_of_a_settlement_is_answered() -> None:
    """Its message id is another each time it comes; the oldest settlement is offered first."""
    seen = picture()
    assert not seen.hear(settled(1), 7, 0)
    assert not seen.hear(settled(2, port=1), 8, 0)
    assert not seen.hear(settled(1), 9, 0)
    first, second = seen.waiting()
    assert (first.number, second.number) == (number(1), number(2))
    assert isinstance(first.ticket, Ticket)
    newest = seen.acknowledged(first.ticket)
    assert newest is not None
    assert newest.message_id == 9
    assert seen.acknowledged(first.ticket) is None
    assert seen.hear(settled(1), 10, 0)  # from now on it may be answered at once
    assert seen.waiting() == (second,)


def test_one_order_with_two_ends_is_two_settlements() -> None:
    """Whoever has the journal decides; and orders without a number, as of cards, do not hide each other."""
    seen = picture()
    seen.hear(settled(1), 1, 0)
    seen.hear(settled(1, energy_wh=110), 2, 0)
    assert [one.energy_wh for one in seen.waiting()] == [100, 110]


def test_memory_has_an_end() -> None:
    """What comes beyond is not answered, so it comes again; the oldest acknowledged ones are forgotten."""
    seen = picture()
    for seq in range(WAITING_MAX + 5):
        assert not seen.hear(settled(seq), 1, 0)
    assert len(seen.waiting()) == WAITING_MAX
    for seq in range(OVER_MAX + WAITING_MAX):
        for one in seen.waiting():
            assert isinstance(one.ticket, Ticket)
            seen.acknowledged(one.ticket)
        seen.hear(settled(10_000 + seq), 1, 0)
    assert not seen.is_over(number(0))
    assert seen.is_over(number(10_000 + OVER_MAX))


def test_two_missed_heartbeats() -> None:
    """Good until then; then out and stale, with what was known; the instant is that of the last word."""
    seen = picture()
    assert seen.status(1, 0).quality is Quality.NONE
    seen.hear(power(3), 1, 5_000)
    assert seen.status(1, 5_000 + SILENT_MS).quality is Quality.GOOD
    late = seen.status(1, 5_001 + SILENT_MS)
    assert (late.quality, late.at_ms) == (Quality.STALE, 5_000)
    assert late.value is not None
    assert (late.value.state, late.value.order, late.value.energy_wh) == (PortState.OUT, number(3), 50)


@pytest.mark.parametrize(("doors", "keeps"), [(False, False), (True, True)])
def test_plugged_means_waiting_in_a_cabinet(doors: bool, keeps: bool) -> None:
    """There the order stands while the charger is still to be plugged in; on a board it is over."""
    seen = picture(doors=doors)
    seen.switched(1, number(1), 0)
    seen.hear(Heartbeat(220_000, b"\2\0"), 1, 1_000)
    assert (seen.order(1) == number(1)) is keeps


def test_a_heartbeat_of_more_or_fewer_ports() -> None:
    """Ports that nobody configured are passed over; those it does not tell of stay unknown."""
    seen = picture()
    seen.hear(Heartbeat(220_000, b"\1"), 1, 0)
    assert (seen.runs(1), seen.runs(2)) == (True, None)
    seen.hear(Heartbeat(220_000, b"\0" * 16), 2, 0)
    assert (seen.runs(1), seen.runs(2)) == (False, False)
    seen.hear(PowerReport(9, 1, 0, 0, 1, 0, 0, 0, 0, number(1)), 3, 0)
    seen.hear(settled(5, port=9), 4, 0)
    assert seen.waiting()[0].port == 10


@pytest.mark.parametrize(
    ("reason", "end"),
    [(0x01, PortEnd.FULL), (0x02, PortEnd.LIMIT), (0x0D, PortEnd.UNPLUGGED), (0x0C, PortEnd.OVERLOAD),
     (0x1C, PortEnd.NO_LOAD), (0x10, PortEnd.HAZARD), (0x1B, PortEnd.POWER_LOSS), (0x16, PortEnd.OTHER),
     (0xEE, PortEnd.OTHER)],
)  # fmt: skip
def test_reasons(reason: int, end: PortEnd) -> None:
    """In a till's words, beside the protocol's own."""
    made = dny_words.settlement(settled(1, reason=reason), None)
    assert (made.end, made.reason[:2]) == (end, f"{reason:02X}")


@pytest.mark.parametrize(
    ("card", "text"),
    [
        (CardShown(bytes.fromhex("7A8D05DD"), 0, 1, 0), "7A8D05DD"),
        (CardShown(bytes.fromhex("7A8D05DD"), CardKind.LONG, 1, 0, 1, bytes.fromhex("04A1B2C3D4E5F6")),
         "04A1B2C3D4E5F6"),
        (CardShown(bytes.fromhex("08FFEEDD"), 3, 1, 0), None),
        (CardShown(bytes(4), 0, 1, 0), None),
    ],
)  # fmt: skip
def test_card_numbers(card: CardShown, text: str | None) -> None:
    """As every reader of the fleet says them; a made-up or missing number is nobody's."""
    assert dny_words.card_text(card) == text


def test_doors_are_not_known_after_a_break() -> None:
    """They are told of as they move: what moved while nobody listened is not taken for shut."""
    seen = picture(doors=True)
    seen.hear(Heartbeat(220_000, bytes(2)), 1, 1_000)
    seen.hear(CabinetState(2, 0b01, 0), 2, 1_000)
    told = seen.status(1, 2_000).value
    assert told is not None
    assert told.door_open is True
    seen.parted()
    told = seen.status(1, 3_000).value
    assert told is not None
    assert told.door_open is None


def test_more_energy_than_a_board_can_count_is_cut() -> None:
    """A big preset at a low price: it ends early, and what is left goes back."""
    told = dny_words.switch(1, PortOrder(bytes(16), "energy", 1_000_000), 36_000)
    assert told.limit == 0xFFFF


def test_an_alarm_has_an_end() -> None:
    """Repeated it goes on as one, with its beginning; not repeated for ten minutes it is over, and the next is new."""
    seen = picture()
    for at_ms in (0, 300_000, 600_000):
        seen.hear(Alarm(AlarmKind.SMOKE, 0), 1, at_ms)
    assert [(one.at_ms, one.said_ms, one.over) for one in seen.alarms(700_000)] == [(0, 600_000, "")]
    (over,) = seen.alarms(600_001 + ALARM_STANDS_MS)
    assert over.over == "it was not repeated"
    seen.hear(Alarm(AlarmKind.SMOKE, 0), 2, 2_000_000)
    assert [one.over for one in seen.alarms(2_000_000)] == ["it was not repeated", ""]


def test_a_door_that_was_sprung_is_shut_again() -> None:
    """That of this door, and of no other."""
    seen = picture(doors=True)
    seen.hear(CabinetState(2, 0, 0), 1, 0)
    for port in (0, 1):
        seen.hear(Alarm(AlarmKind.DOOR_SPRUNG, port), 2, 1_000)
    seen.hear(CabinetState(2, 0b10, 0), 3, 2_000)
    assert [(one.port, one.over) for one in seen.alarms(2_000)] == [(1, "its door is shut"), (2, "")]
