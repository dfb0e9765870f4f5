"""DNY (AP3000 V8.6), message for message, in both roles."""

from __future__ import annotations

import pytest

from protocols.fieldbus import dny_board as board
from protocols.fieldbus import dny_platform as platform
from protocols.fieldbus.dny import (
    OPEN_MAX,
    UNANSWERED,
    Answered,
    BoardSays,
    DnyExpect,
    Noise,
    PlatformSays,
    PlatformSide,
    Reported,
    answer,
    board_ear,
    board_ear_tcp,
    report,
    request,
    said_by_board,
    said_by_platform,
)
from protocols.fieldbus.dny_board import (
    Alarm,
    AskTime,
    CabinetState,
    CardShown,
    Finished,
    Heartbeat,
    HostAskTime,
    HostState,
    PortNotice,
    PowerReport,
    Register,
    Result,
    Settlement,
    Stopped,
    Switched,
)
from protocols.fieldbus.dny_codes import (
    FORCE_OPEN,
    AlarmKind,
    ChangeMode,
    Command,
    Mode,
    PortState,
    StopReason,
    SwitchResult,
)
from protocols.fieldbus.dny_fields import decode, encode
from protocols.fieldbus.dny_frames import Frame, Iccid, KeepAlive, cut, encode_frame, poll
from protocols.fieldbus.dny_platform import (
    FLOATING_FACTORY,
    LOAD_FACTORY,
    CabinetOrder,
    CardAnswer,
    Change,
    Limits,
    Query,
    Reboot,
    StopKeepShut,
    Switch,
    Taken,
    Time,
    start,
    stop,
)
from protocols.fieldbus.expect import ECHO, FOREIGN, NEED_MORE
from protocols.fieldbus.hunt import Sound

DUAL, TENS, HOST = 0x04AB373B, 0x05AB373B, 0x09D62684
ORDER_1 = bytes.fromhex("12 34 56 78" * 4)
ORDER_2 = bytes.fromhex("20 19 09 01 18 00 00 13 00 30 38 01 02 03 04 05")
ORDER_3 = bytes.fromhex("20 23 05 03 23 42 23 41 41 93 99 13 12 68 41 05")
NO_CARD = bytes(4)

S = StopReason
# (bytes, device, message id, what is said). The first part is printed in the vendor's documents, the rest composed.
BOARD_SAYS: list[tuple[str, int, int, BoardSays]] = [
    ("44 4E 59 13 00 3B 37 AB 04 B9 00 20 7E 00 02 14 21 00 00 00 E4 00 91 04", DUAL, 0xB9,
     Register(126, 2, 20, 0x21, 0, 0)),
    ("44 4E 59 09 00 3B 37 AB 04 B9 00 22 F0 02", DUAL, 0xB9, AskTime()),
    ("44 4E 59 10 00 3B 37 AB 04 01 00 21 98 08 02 00 00 09 05 EE 02", DUAL, 1,
     Heartbeat(220_000, bytes(2), 9, -60)),
    ("44 4E 59 11 00 3B 37 AB 04 01 00 02 7A 8D 05 DD 00 01 00 00 0A 04", DUAL, 1,
     CardShown(bytes.fromhex("7A 8D 05 DD"), 0, 1, 0)),
    ("44 4E 59 28 00 3B 37 AB 04 01 00 03 10 0E E8 03 30 00 01 01 00 00 00 00 01"
     " 20 19 09 01 18 00 00 13 00 30 38 01 02 03 04 05 E8 03 44 05", DUAL, 1,
     Settlement(3600, 100_000, 480, 1, 1, NO_CARD, S.FULL, ORDER_2, 100_000)),
    ("44 4E 59 32 00 3B 37 AB 04 0A 00 06 01 01 10 0E 30 00 01 E8 03 B0 04 20 03 E8 03"
     " 20 19 09 01 18 00 00 13 00 30 38 01 02 03 04 05 01 00 E8 03 98 08 C7 01 55 00 DA 08", DUAL, 10,
     PowerReport(1, PortState.CHARGING, 3600, 480, 1, 100_000, 120_000, 80_000, 100_000, ORDER_2, 1, 100_000, 220_000,
                 455, 20)),
    ("44 4E 59 1D 00 3B 37 AB 04 02 00 82 00 12 34 56 78 12 34 56 78 12 34 56 78 12 34 56 78 01 00 00 FE 06", DUAL, 2,
     Switched(SwitchResult.OK, ORDER_1, 1, 0)),
    ("44 4E 59 0A 00 3B 37 AB 04 02 00 8A 00 A2 02", DUAL, 2, Result(0)),
    ("44 4E 59 0A 00 3B 37 AB 04 02 00 85 00 9D 02", DUAL, 2, Result(0)),
    ("44 4E 59 0A 00 3B 37 AB 04 01 00 87 00 9E 02", DUAL, 1, Result(0)),
    ("44 4E 59 29 00 84 26 D6 09 04 00 11 65 00 01 5C 5C A9 5F 1F 06 38 39 38 36 30 34 31 33 31 36 31 38 39 32 30 30"
     " 39 32 37 35 50 D8 01 3F 0A", HOST, 4,
     HostState(101, 1, 0x5FA95C5C, 31, 6, b"89860413161892009275", 0x50, 472)),
    ("44 4E 59 09 00 84 26 D6 09 05 00 12 94 02", HOST, 5, HostAskTime()),
    # composed
    ("44 4E 59 1D 00 3B 37 AB 05 03 00 82 01 20 23 05 03 23 42 23 41 41 93 99 13 12 68 41 05 00 00 00 04 06", TENS, 3,
     Switched(SwitchResult.NO_CHARGER, ORDER_3, 0, 0)),
    ("44 4E 59 18 00 3B 37 AB 05 09 00 21 A4 08 0A 00 01 02 03 04 05 08 09 0D 00 00 5A 8C 03", TENS, 9,
     Heartbeat(221_200, bytes.fromhex("00 01 02 03 04 05 08 09 0D 00"), 0, 25)),
    ("44 4E 59 28 00 3B 37 AB 05 0A 00 03 08 07 50 14 16 00 00 01 00 00 00 00 06"
     " 20 23 05 03 23 42 23 41 41 93 99 13 12 68 41 05 EC 13 25 07", TENS, 10,
     Settlement(1800, 520_000, 220, 0, 1, NO_CARD, S.OVERLOAD, ORDER_3, 510_000)),
    ("44 4E 59 28 00 3B 37 AB 05 0B 00 03 58 02 08 07 03 00 00 01 00 00 00 00 05"
     " 20 23 05 03 23 42 23 41 41 93 99 13 12 68 41 05 08 07 18 06", TENS, 11,
     Settlement(600, 180_000, 30, 0, 1, NO_CARD, S.UNPLUGGED, ORDER_3, 180_000)),
    ("44 4E 59 0C 00 3B 37 AB 05 0C 00 42 04 00 00 6B 02", TENS, 12, Alarm(AlarmKind.SMOKE, 0, 0)),
    ("44 4E 59 0C 00 3B 37 AB 05 0D 00 42 07 03 00 72 02", TENS, 13, Alarm(AlarmKind.DOOR_SPRUNG, 3, 0)),
    ("44 4E 59 12 00 3B 37 AB 05 0F 00 41 0A 05 00 00 00 01 00 00 00 7F 02", TENS, 15,
     CabinetState(10, 0b101, 0b1)),
]  # fmt: skip

PLATFORM_SAYS: list[tuple[str, int, int, PlatformSays]] = [
    ("44 4E 59 09 00 3B 37 AB 04 01 00 81 97 02", DUAL, 1, Query()),
    ("44 4E 59 0A 00 3B 37 AB 04 B9 00 20 00 EF 02", DUAL, 0xB9, Taken()),
    ("44 4E 59 0D 00 3B 37 AB 04 B9 00 22 09 0E A9 5F 13 04", DUAL, 0xB9, Time(0x5FA90E09)),
    ("44 4E 59 0A 00 3B 37 AB 04 01 00 21 00 38 02", DUAL, 1, Taken()),
    ("44 4E 59 14 00 3B 37 AB 04 01 00 02 7A 8D 05 DD 00 00 10 27 00 00 01 44 04", DUAL, 1,
     CardAnswer(bytes.fromhex("7A 8D 05 DD"), 0, 0, 10_000, 1)),
    ("44 4E 59 0A 00 3B 37 AB 04 01 00 03 00 1A 02", DUAL, 1, Taken()),
    ("44 4E 59 26 00 3B 37 AB 04 02 00 82 00 64 01 00 00 01 01 00 00 12 34 56 78 12 34 56 78 12 34 56 78 12 34 56 78"
     " 80 70 88 13 F8 08", DUAL, 2, start(1, ORDER_1, balance=356, time_max_s=28_800, overload_mw=500_000)),
    ("44 4E 59 0D 00 3B 37 AB 04 02 00 8A 00 01 80 70 96 03", DUAL, 2, Change(ChangeMode.TIME, 1, 28_800)),
    ("44 4E 59 0D 00 3B 37 AB 04 02 00 85 A0 8C 20 4E 3A 04", DUAL, 2, Limits(36_000, 2_000_000)),
    ("44 4E 59 09 00 3B 37 AB 04 01 00 87 9D 02", DUAL, 1, Reboot()),
    ("44 4E 59 0D 00 84 26 D6 09 05 00 12 DE 5C A9 5F DA 04", HOST, 5, Time(1_604_934_878)),
    # composed
    ("44 4E 59 26 00 3B 37 AB 05 03 00 82 00 E8 03 00 00 00 01 20 1C 20 23 05 03 23 42 23 41 41 93 99 13 12 68 41 05"
     " 80 70 88 13 BF 08", TENS, 3,
     start(0, ORDER_3, limit=7200, balance=1000, time_max_s=28_800, overload_mw=500_000)),
    ("44 4E 59 26 00 3B 37 AB 05 05 00 82 02 E8 03 00 00 09 01 32 00 20 23 05 03 23 42 23 41 41 93 99 13 12 68 41 05"
     " 00 00 00 00 37 07", TENS, 5, start(9, ORDER_3, mode=Mode.ENERGY, limit=50, balance=1000)),
    ("44 4E 59 26 00 3B 37 AB 05 04 00 82 00 00 00 00 00 00 00 00 00 20 23 05 03 23 42 23 41 41 93 99 13 12 68 41 05"
     " 00 00 00 00 0D 06", TENS, 4, stop(0, ORDER_3)),
]  # fmt: skip

BOARD_IDS, PLATFORM_IDS = (
    [f"{type(row[3]).__name__}-{n}" for n, row in enumerate(rows)] for rows in (BOARD_SAYS, PLATFORM_SAYS)
)

UNSAID = {
    Register: b"\xe4\0",  # no version explains them
    PowerReport: b"\0",  # a port without a sensor, in a frame that ends there
}


def framed(text: str) -> Frame:
    wire = bytearray.fromhex(text)
    found = cut(wire)
    assert isinstance(found, Sound), "the sum is right"
    assert encode_frame(found.frame) == wire
    return found.frame


@pytest.mark.parametrize(("text", "device", "message_id", "message"), BOARD_SAYS, ids=BOARD_IDS)
def test_what_boards_say(text: str, device: int, message_id: int, message: BoardSays) -> None:
    """Every frame is understood, and said with the same bytes, but for those in UNSAID."""
    frame = framed(text)
    assert (frame.device, frame.message_id) == (device, message_id)
    assert said_by_board(frame) == message
    data = encode(message)
    assert frame.data.startswith(data)
    assert frame.data[len(data) :] == UNSAID.get(type(message), b"")


@pytest.mark.parametrize(("text", "device", "message_id", "message"), PLATFORM_SAYS, ids=PLATFORM_IDS)
def test_what_platforms_say(text: str, device: int, message_id: int, message: PlatformSays) -> None:
    """Every frame is understood, and said with the same bytes."""
    frame = framed(text)
    assert (frame.device, frame.message_id) == (device, message_id)
    assert said_by_platform(frame) == message
    assert encode(message) == frame.data


MORE: list[tuple[object, str]] = [
    (Finished(1, 100, 10, 2, 1, NO_CARD, 1, ORDER_1), "01 00 01 00 01 00 02 01 00 00 00 00 01" + ORDER_1.hex()),
    (PortNotice(1, 4, ORDER_1), "01 04" + ORDER_1.hex()),
    (Stopped(0, ORDER_1), "00" + ORDER_1.hex()),
    (StopKeepShut(4, ORDER_1), "04" + ORDER_1.hex()),
    (CabinetOrder(FORCE_OPEN, 4), "00 04"),
    (FLOATING_FACTORY, "03 00 0A 00 14 08 07 10 0E B4 00"),
    (LOAD_FACTORY, "20 03 1E 00 08 07 0A 2C 01 30 2A 2C 01 2C 01 08 07 2C 01 50 50 00 01"),
    (Limits(36_000, 2_000_000, 270_000, 100_000), "A0 8C 20 4E 8C 0A E8 03"),
    (CardShown(b"\1\2\3\4", 4, 255, 0, 1, b"0123"), "01 02 03 04 04 FF 00 00 01 00 00 00 04 30 31 32 33"),
    (PowerReport(0, 1, 1, 10, 1, 0, 0, 0, 0, ORDER_1, 0, 0, 0, 0, None, None, 7),
     "00 01 01 00 01 00 01 00 00 00 00 00 00 00 00" + ORDER_1.hex() + "00 00 00 00 00 00 00 00 00 00 07 00 00 00"),
    (Switch(0, 0, 0, 1, 0, ORDER_1, 0, 0, 1, 0, 0xFFFF, 2, 1, 1, 30, 60),
     "00 00 00 00 00 00 01 00 00" + ORDER_1.hex() + "00 00 00 00 01 00 FF FF 02 01 01 1E 3C"),
]  # fmt: skip


@pytest.mark.parametrize(("message", "text"), MORE, ids=[type(row[0]).__name__ for row in MORE])
def test_messages_without_a_printed_frame(message: object, text: str) -> None:
    """As the documents lay them out; the settings with their factory values."""
    assert encode(message) == bytes.fromhex(text)
    assert decode(type(message), bytes.fromhex(text)) == message


def test_fields_were_added_over_the_years() -> None:
    """A message is read as far as it goes; half a field is none; what every version has must be there."""
    full = encode(Settlement(1, 100, 10, 0, 1, NO_CARD, 1, ORDER_1, 200, 3, 4))
    read = [decode(Settlement, full[:size]) for size in range(len(full) + 1)]
    assert read[:29] == [None] * 29
    assert [(one.power_early_mw, one.ended_at_s, one.occupied_min) for one in read[29:] if one is not None] == [
        (None, None, None), (None, None, None),
        (200, None, None), (200, None, None), (200, None, None), (200, None, None),
        (200, 3, None), (200, 3, None), (200, 3, 4),
    ]  # fmt: skip
    assert decode(Settlement, full + b"more") == read[-1]
    with pytest.raises(ValueError, match=r"power_early_mw cannot be left out before ended_at_s"):
        encode(Settlement(1, 100, 10, 0, 1, NO_CARD, 1, ORDER_1, None, 3))


@pytest.mark.parametrize(
    "message",
    [Settlement(1, 150, 10, 0, 1, NO_CARD, 1, ORDER_1), Settlement(1, 100, 5, 0, 1, NO_CARD, 1, ORDER_1),
     Settlement(65536, 100, 10, 0, 1, NO_CARD, 1, ORDER_1), stop(0, ORDER_1[1:]), stop(256, ORDER_1),
     Heartbeat(0, bytes(256)), Heartbeat(0, b"", 0, -65), Heartbeat(0, b"", 0, 191), CardAnswer(b"", 0, 0, 0, 0)],
)  # fmt: skip
def test_what_has_no_place_on_the_wire_is_refused(message: object) -> None:
    """Powers are tenths of a watt, energies 10 Wh, orders 16 bytes."""
    with pytest.raises(ValueError, match=r"number|bytes|temperature"):
        encode(message)


def test_every_command_has_its_place() -> None:
    """A report is answered or it is not; a request always is, but for Query."""
    assert set(board.REPORTS) == set(platform.ANSWERS) | UNANSWERED
    assert set(board.ANSWERS) == set(platform.REQUESTS) - {Command.QUERY}
    assert not set(board.REPORTS) & set(platform.REQUESTS)
    assert set(board.REPORTS) | set(platform.REQUESTS) == set(Command) - {Command.POLL}


def test_a_welded_relay_charges_nevertheless() -> None:
    """A result other than 0 may mean that the port is on: it has to be watched."""
    assert {result.name for result in SwitchResult if result.done} == {"OK", "PORT_FAULT", "RELAY_WELDED"}


def events(side: PlatformSide) -> list[object]:
    found: list[object] = []
    while (event := side.next_event()) is not NEED_MORE:
        found.append(event)
    return found


def test_a_connection() -> None:
    """A SIM card's number, a register; a settlement comes while a start is waited for; the start is done."""
    side, ear = PlatformSide(), board_ear_tcp(TENS)
    registered = report(TENS, 7, Register(126, 10, 0, 0x20, 0))
    side.receive_data(b"89860413161892009275" + encode_frame(registered) + b"link")
    assert events(side) == [
        Iccid("89860413161892009275"), Reported(registered, Register(126, 10, 0, 0x20, 0)), KeepAlive()
    ]  # fmt: skip
    asked = side.ask(TENS, start(3, ORDER_3))
    ear.receive_data(encode_frame(answer(registered, Taken())) + encode_frame(asked))
    taken, heard = ear.next_event(), ear.next_event()
    assert isinstance(taken, Frame)
    assert isinstance(heard, Frame)
    assert said_by_platform(taken) == Taken()
    assert said_by_platform(heard) == start(3, ORDER_3)
    settled = Settlement(600, 180_000, 30, 0, 1, NO_CARD, S.UNPLUGGED, ORDER_1)
    done = Switched(SwitchResult.OK, ORDER_3, 3, 0)
    late, replied = report(TENS, heard.message_id, settled), answer(heard, done)
    side.receive_data(encode_frame(late) + b"\0" + encode_frame(replied) + encode_frame(replied))
    assert events(side) == [
        Reported(late, settled), Noise(1), Answered(asked, replied, done), Answered(None, replied, done)
    ]  # fmt: skip


def test_requests_have_ids_of_their_own() -> None:
    """Up to the last one and around; a forgotten one's answer still tells what the board did; memory has an end."""
    side = PlatformSide()
    asked = [side.ask(TENS, Reboot()) for _ in range(0x10000)]
    assert [frame.message_id for frame in (asked[0], asked[0xFFFE], asked[0xFFFF])] == [1, 0xFFFF, 1]
    side.forget(asked[-1])
    for each in (asked[-1], asked[-2], asked[-1 - OPEN_MAX]):
        side.receive_data(encode_frame(answer(each, Result(0))))
    assert [event.asked for event in events(side) if isinstance(event, Answered)] == [None, asked[-2], None]
    query = side.ask(TENS, Query())
    assert said_by_platform(query) == Query()


def test_what_is_not_understood_is_still_told() -> None:
    """An old heartbeat (01), and a settlement too short to be one."""
    side = PlatformSide()
    old, short = Frame(TENS, 1, 0x01, bytes(20)), Frame(TENS, 2, Command.SETTLEMENT, bytes(20))
    side.receive_data(encode_frame(old) + encode_frame(short))
    assert events(side) == [Reported(old, None), Reported(short, None)]
    assert said_by_platform(old) is None


def test_a_polled_line() -> None:
    """The host asks board 20; what it says is the answer, an echo and another board's frame are not."""
    asked, beat = poll(20), report(DUAL, 1, Heartbeat(220_000, b"\0\1"))
    ear, other = board_ear(DUAL, 20), board_ear(TENS, 21)
    for hearer in (ear, other):
        hearer.receive_data(encode_frame(asked))
    assert ear.next_event() == asked
    assert other.next_event() is NEED_MORE
    for expect in (DnyExpect(asked), DnyExpect(asked, device=DUAL)):
        assert expect.feed(encode_frame(asked)) is NEED_MORE
        assert expect.feed(encode_frame(beat)) == beat
        assert expect.discarded == {ECHO: 15}
    expect = DnyExpect(asked, device=TENS)
    assert expect.feed(encode_frame(beat)) is NEED_MORE
    assert expect.discarded == {FOREIGN: len(encode_frame(beat))}


def test_a_request_on_a_line() -> None:
    """Its answer is found by device, id and command; what the board reports before it is kept."""
    asked = request(DUAL, 9, start(1, ORDER_1))
    ear = board_ear(DUAL)
    ear.receive_data(encode_frame(poll(20)) + encode_frame(request(TENS, 9, Reboot())) + encode_frame(asked))
    heard = ear.next_event()
    assert heard == asked
    replied = answer(asked, Switched(0, ORDER_1, 1, 0))
    settled = report(DUAL, 9, Settlement(600, 0, 0, 0, 1, NO_CARD, S.FULL, ORDER_2))
    expect = DnyExpect(asked)
    assert expect.feed(encode_frame(settled) + encode_frame(Frame(DUAL, 8, Command.SWITCH, b"\0"))) is NEED_MORE
    assert expect.feed(encode_frame(replied)) == replied
    assert expect.reports == [settled]
    for _ in range(30):
        expect.feed(encode_frame(settled))
    assert len(expect.reports) == DnyExpect.REPORTS_MAX
