"""YKC 1.6, byte for byte, at both ends of the connection."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import pytest

from protocols.fieldbus.expect import NEED_MORE
from protocols.fieldbus.ykc import ANSWERS, KINDS, Connection, End, Fork, Heard, Unread, Why, order_number
from protocols.fieldbus.ykc_bms import ChargeEnd
from protocols.fieldbus.ykc_fields import Flag, Gun, Pile, Uint
from protocols.fieldbus.ykc_frames import Frame, encode_frame
from protocols.fieldbus.ykc_money import (
    BillAnswer,
    Price,
    PriceAnswer,
    PriceCheck,
    PriceCheckAnswer,
    PriceModel,
    PriceRequest,
    Slot,
)
from protocols.fieldbus.ykc_session import (
    GunStatus,
    Heartbeat,
    HeartbeatAnswer,
    Holder,
    Login,
    LoginAnswer,
    Network,
    NoStart,
    PileFault,
    ReadState,
    SetTime,
    Start,
    StartAnswer,
    StartFault,
    StartResult,
    State,
    Stop,
    StopFault,
    StopResult,
    Supply,
)
from protocols.fieldbus.ykc_upkeep import QrForm, SetQrPrefix, SetQrPrefixAnswer

PILE, OTHER = "32010200000001", "55031412782305"
ORDER = order_number(PILE, 1, datetime(2026, 11, 21, 10, 30), 1)
OLD_ORDER = "32010200000001012018061219595785"

_SLOTS = {7: Slot.VALLEY, 8: Slot.FLAT, 11: Slot.PEAK, 13: Slot.FLAT, 18: Slot.PEAK, 20: Slot.SHARP, 22: Slot.FLAT}
MODEL = PriceModel(
    "0100",
    (Price(100_000, 30_000), Price(90_000, 30_000), Price(60_000, 30_000), Price(30_000, 30_000)),
    0,
    tuple(next((slot for end, slot in _SLOTS.items() if half < 2 * end), Slot.VALLEY) for half in range(48)),
)

# (what it is, sequence, message, bytes). The document's samples whose CRC is right.
SAMPLES: list[tuple[str, int, Any, str]] = [
    ("welcome", 0, LoginAnswer(OTHER, welcome=True), "68 0C 00 00 00 02 55 03 14 12 78 23 05 00 DA 4C"),
    ("model is the same", 0x04CE, PriceCheckAnswer(OTHER, "0000", same=True),
     "68 0E CE 04 00 06 55 03 14 12 78 23 05 00 00 00 8E 2F"),
    ("no such account", 0x0400, StartAnswer(OLD_ORDER, PILE, 1, "0000000000000000", 0, False, NoStart.NO_ACCOUNT),
     "68 2A 00 04 00 32 32 01 02 00 00 00 01 01 20 18 06 12 19 59 57 85 32 01 02 00 00 00 01 01 "
     "00 00 00 00 00 00 00 00 00 00 00 00 00 01 E8 29"),
    ("QR prefix", 0x0600, SetQrPrefix("36100095124032", QrForm.ORGANISATION_AND_PILE,
     "https://charging.fzcsny.com/code/gunDetail?orgNo=MA38617Y8&id=1860&carScope=1&no="),
     "68 5E 00 06 00 F0 36 10 00 95 12 40 32 01 51 68 74 74 70 73 3a 2f 2f 63 68 61 72 67 69 6e 67 2e 66 7a 63 73 6e "
     "79 2e 63 6f 6d 2f 63 6f 64 65 2f 67 75 6e 44 65 74 61 69 6c 3f 6f 72 67 4e 6f 3d 4d 41 33 38 36 31 37 59 38 26 "
     "69 64 3d 31 38 36 30 26 63 61 72 53 63 6f 70 65 3d 31 26 6e 6f 3d d8 c9"),
    ("QR prefix refused", 0x0600, SetQrPrefixAnswer("36100095124032", done=False),
     "68 0C 00 06 00 F1 36 10 00 95 12 40 32 00 FC 30"),
]  # fmt: skip

# The last sample's CRC belongs to a refusal, which its text does not print.
# (what it is, sequence, message, bytes before the CRC, the right CRC as it travels, the document's).
CORRECTED: list[tuple[str, int, Any, str, str, str]] = [
    ("login", 0, Login(OTHER, Supply.DC, 2, 15, "V4.1.50", Network.LAN, "01" * 10, 4),
     "68 22 00 00 00 01 55 03 14 12 78 23 05 00 02 0F 56 34 2E 31 2E 35 30 00 01 01 01 01 01 01 01 01 01 01 01 04",
     "0F 32", "67 5A"),
    ("heartbeat", 0x0100, Heartbeat(PILE, 1, sound=True), "68 0D 00 01 00 03 32 01 02 00 00 00 01 01 00",
     "F1 1A", "68 90"),
    ("heartbeat's answer", 0x0036, HeartbeatAnswer(OTHER, 1), "68 0D 36 00 00 04 55 03 14 12 78 23 05 01 00",
     "64 22", "65 B2"),
    ("which model", 0x0200, PriceCheck(PILE, "0001"), "68 0D 00 02 00 05 32 01 02 00 00 00 01 00 01",
     "D5 51", "9C 00"),
    ("prices wanted", 2, PriceRequest(OTHER), "68 0B 02 00 00 09 55 03 14 12 78 23 05", "A4 51", "DD 25"),
    ("state wanted", 0, ReadState(PILE, 1), "68 0C 00 00 00 12 32 01 02 00 00 00 01 01", "E3 1D", "00 69"),
    ("stop", 0x0300, Stop(PILE, 1), "68 0C 00 03 00 36 32 01 02 00 00 00 01 01", "47 58", "C1 A9"),
    ("stopped", 0x0300, StopResult(PILE, 1, True, StopFault.NONE),
     "68 0E 00 03 00 35 32 01 02 00 00 00 01 01 01 00", "3C DE", "90 7E"),
    ("the time", 0xDF00, SetTime(OTHER, datetime(2020, 3, 16, 17, 14, 47)),
     "68 12 00 DF 00 56 55 03 14 12 78 23 05 98 B7 0E 11 10 03 14", "51 48", "8A 13"),
    ("QR prefix set", 0x0600, SetQrPrefixAnswer("36100095124032", done=True),
     "68 0C 00 06 00 F1 36 10 00 95 12 40 32 01", "3D F0", "FC 30"),
]  # fmt: skip

COMPUTED: list[tuple[str, int, Any, str]] = [
    ("start, 1000.00 yuan", 0x007C,
     Start(ORDER, PILE, 1, "0000001000000573", "00000000D14B0A54", 100_000),
     "68 30 7C 00 00 34 32 01 02 00 00 00 01 01 26 11 21 10 30 00 00 01 32 01 02 00 00 00 01 01 00 00 00 10 00 00 05 "
     "73 00 00 00 00 D1 4B 0A 54 A0 86 01 00 06 66"),
    ("charging: 230.5 V, 16.0 A, 28 degrees, 12 min, 7.3760 kWh, 8.8512 yuan", 0x011A,
     State(ORDER, PILE, 1, GunStatus.CHARGING, Holder.OUT, True, 230_500, 16_000, 280, "0" * 16, 0, None, 12, 0,
           73_760, 73_760, 88_512, 0),
     "68 40 1A 01 00 13 32 01 02 00 00 00 01 01 26 11 21 10 30 00 00 01 32 01 02 00 00 00 01 01 03 00 01 01 09 A0 00 "
     "4E 00 00 00 00 00 00 00 00 00 00 0C 00 00 00 20 20 01 00 20 20 01 00 C0 59 01 00 00 00 4B 8A"),
    ("stop", 3, Stop(PILE, 1), "68 0C 03 00 00 36 32 01 02 00 00 00 01 01 4C 18"),
    ("bill stored", 0x0180, BillAnswer(ORDER, stored=True),
     "68 15 80 01 00 40 32 01 02 00 00 00 01 01 26 11 21 10 30 00 00 01 00 0F B6"),
    ("prices", 2, PriceAnswer(PILE, MODEL),
     "68 5E 02 00 00 0A 32 01 02 00 00 00 01 01 00 A0 86 01 00 30 75 00 00 90 5F 01 00 30 75 00 00 60 EA 00 00 30 75 "
     "00 00 30 75 00 00 30 75 00 00 00 03 03 03 03 03 03 03 03 03 03 03 03 03 03 02 02 01 01 01 01 01 01 02 02 02 02 "
     "01 01 01 01 01 01 01 01 01 01 00 00 00 00 02 02 02 02 03 03 03 03 69 94"),
]  # fmt: skip

GOLDEN = [
    *SAMPLES,
    *[(name, number, said, f"{wire} {crc}") for name, number, said, wire, crc, _ in CORRECTED],
    *COMPUTED,
]


def _ends(kind: int) -> tuple[Connection, Connection]:
    """Who says this kind, and who hears it."""
    pile, platform = Connection(End.PILE), Connection(End.PLATFORM)
    return (pile, platform) if End.PILE.says(kind) else (platform, pile)


@pytest.mark.parametrize(("sequence", "message", "wire"), [row[1:] for row in GOLDEN], ids=[row[0] for row in GOLDEN])
def test_golden_frames(sequence: int, message: Any, wire: str) -> None:
    """One end says these bytes, and the other understands them, whole or byte by byte."""
    data = bytes.fromhex(wire)
    for chunks in ([data], [data[at : at + 1] for at in range(len(data))]):
        speaker, hearer = _ends(data[5])
        for chunk in chunks[:-1]:
            hearer.receive_data(chunk)
            assert hearer.next_event() is NEED_MORE
        hearer.receive_data(chunks[-1])
        assert hearer.next_event() == Heard(sequence, message)
        assert hearer.noise_bytes == 0
    asked = {answer: question for question, answer in ANSWERS.items()}.get(type(message))
    if asked is not None:
        assert speaker.answer(Heard(sequence, object.__new__(asked)), message) == data
    else:
        assert speaker.send(message)[4:-2] == data[4:-2]


@pytest.mark.parametrize(("wire", "right", "documents"), [row[3:] for row in CORRECTED], ids=[r[0] for r in CORRECTED])
def test_the_documents_own_check_sums_are_refused(wire: str, right: str, documents: str) -> None:
    """Most samples of the document are wrong, in either order of bytes, and hide no frame that is right.

    `68 90` looks like the beginning of a longer one, until the line is silent.
    """
    printed = bytes.fromhex(documents)
    for crc in (printed, printed[::-1], bytes.fromhex(right)[::-1]):
        broken = bytes.fromhex(wire) + crc
        _, hearer = _ends(broken[5])
        hearer.receive_data(broken)
        assert hearer.next_event() is NEED_MORE
        hearer.receive_data(bytes.fromhex(f"{wire} {right}"))
        heard = [type(event) for event in (hearer.next_event(), hearer.silence())]
        assert heard.count(Heard) == 1
        assert hearer.noise_bytes == len(broken)


def test_prices_are_little_endian() -> None:
    """The document's sample writes 0.40000 the other way round, beside 2.00000 as it should be."""
    assert PriceAnswer(PILE, MODEL).prices.prices[0].price_e3 == 130_000
    sample = "400D0300 9C400000 E0930400 9C400000 801A0600 9C400000 20A10700 9C400000"
    body = bytes.fromhex(OTHER + "0100" + sample + "00" + "00" * 48)
    pile = Connection(End.PILE)
    pile.receive_data(encode_frame(Frame(2, 0x0A, body)))
    heard = pile.next_event()
    assert isinstance(heard, Heard)
    assert heard.message.prices.prices[0] == Price(200_000, 0x409C)


def test_numbers_and_answers() -> None:
    """What an end says first counts up and comes round; an answer has its question's number and counts nothing."""
    pile, platform = Connection(End.PILE), Connection(End.PLATFORM)
    for number in (*range(3), *range(3, 65_536), 0, 1):
        data = pile.send(PriceRequest(PILE))
        assert data[2:4] == number.to_bytes(2, "little")
    platform.receive_data(data)
    heard = platform.next_event()
    assert isinstance(heard, Heard)
    assert platform.answer(heard, PriceAnswer(PILE, MODEL))[2:4] == b"\x01\x00"
    assert platform.send(Stop(PILE, 1))[2:4] == b"\x00\x00"


def test_a_plug_that_comes_late() -> None:
    """Start is answered twice: not plugged, then, within a minute, started. Both have its number."""
    pile, platform = Connection(End.PILE), Connection(End.PLATFORM)
    pile.receive_data(platform.send(Start(ORDER, PILE, 1, "0" * 16, "0" * 16, 100_000)))
    asked = pile.next_event()
    assert isinstance(asked, Heard)
    results = [
        StartResult(ORDER, PILE, 1, False, StartFault.NOT_PLUGGED),
        StartResult(ORDER, PILE, 1, True, StartFault.NONE),
    ]
    for result in results:
        platform.receive_data(pile.answer(asked, result))
        assert platform.next_event() == Heard(asked.sequence, result)


def test_every_answer_goes_the_other_way() -> None:
    """A pile's questions are answered by the platform, and the other way round; no kind has two classes."""
    bytes_of = {message: kind for kind, message in KINDS.items()}
    assert len(bytes_of) == len(KINDS)
    for question, answer in ANSWERS.items():
        assert End.PILE.says(bytes_of[question]) is not End.PILE.says(bytes_of[answer])


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        (Frame(7, 0x03, bytes.fromhex(PILE) + b"\x01\x00\x2a"), Why.LENGTH),  # a fork's heartbeat has a state of charge
        (Frame(7, 0x13, bytes(59)), Why.LENGTH),
        (Frame(7, 0x3B, bytes(201)), Why.LENGTH),
        (Frame(7, 0x3D, bytes(80)), Why.LENGTH),
        (Frame(7, 0x03, b""), Why.LENGTH),
        (Frame(7, 0x77, b"x"), Why.UNKNOWN_KIND),
        (Frame(7, 0x04, bytes(9)), Why.WRONG_END),
        (Frame(7, 0x03, bytes(9), encrypted=True), Why.ENCRYPTED),
        (Frame(7, 0x45, bytes.fromhex(PILE) + bytes(11)), Why.LENGTH),
        (Frame(7, 0xF1, bytes(7)), Why.LENGTH),
    ],
)
def test_what_is_not_known_is_told_and_not_guessed(frame: Frame, why: Why) -> None:
    """Later versions and forks have other contents; the connection goes on behind them."""
    platform = Connection(End.PLATFORM)
    platform.receive_data(encode_frame(frame) + Connection(End.PILE).send(PriceRequest(PILE)))
    assert platform.next_event() == Unread(frame, why)
    assert platform.next_event() == Heard(0, PriceRequest(PILE))
    assert platform.noise_bytes == 0


@dataclass(frozen=True, slots=True)
class FullerHeartbeat:
    """As one maker's piles send it."""

    pile: Pile
    gun: Gun
    sound: Annotated[bool, Flag(yes=0)]
    soc_pct: Annotated[int, Uint(1)]


def test_a_makers_own_messages_are_chosen_by_their_length() -> None:
    """Once they are learnt; the plain ones of the same kind are still understood."""
    pile, platform = Connection(End.PILE), Connection(End.PLATFORM)
    for end in (pile, platform):
        end.learn([Fork(FullerHeartbeat, like=Heartbeat)])
    for message in (FullerHeartbeat(PILE, 1, True, 42), Heartbeat(PILE, 1, sound=True)):
        platform.receive_data(pile.send(message))
        heard = platform.next_event()
        assert isinstance(heard, Heard)
        assert heard.message == message
        pile.receive_data(platform.answer(heard, HeartbeatAnswer(PILE, 1)))
        assert pile.next_event() == Heard(heard.sequence, HeartbeatAnswer(PILE, 1))


def test_the_way_back_after_garbage() -> None:
    """Half a frame, another protocol or a length without a frame hide what follows no longer than a silence."""
    sound = Connection(End.PILE).send(Heartbeat(PILE, 1, sound=True))
    for garbage in (sound[:-1], sound[:6], b"GET / HTTP/1.1\r\n\r\n", b"\x68\xc8\x00\x00\x00", b"\x68", b"\x68" * 40):
        platform = Connection(End.PLATFORM)
        platform.receive_data(garbage + sound)
        events = [platform.next_event(), platform.silence()]
        assert Heard(0, Heartbeat(PILE, 1, sound=True)) in events, garbage.hex(" ")
        assert platform.noise_bytes == len(garbage)


def test_lengths_have_a_limit() -> None:
    """Above it nothing is waited for and nothing is sent; a longer limit can be agreed on."""
    platform = Connection(End.PLATFORM)
    platform.receive_data(b"\x68\xce")
    assert platform.next_event() is NEED_MORE
    assert platform.noise_bytes == 2
    long = Frame(0, 0x77, bytes(251))
    with pytest.raises(ValueError, match="at most 205"):
        encode_frame(long)
    fork = Connection(End.PLATFORM, length_max=255)
    fork.receive_data(encode_frame(long, 255))
    assert fork.next_event() == Unread(long, Why.UNKNOWN_KIND)


def test_states_of_an_idle_pile() -> None:
    """Zeros are no temperature; faults have names, and bits without one stay."""
    body = bytes(16) + bytes.fromhex(PILE) + b"\x01\x02\x02\x00" + bytes(31) + b"\x01\x90"
    platform = Connection(End.PLATFORM)
    platform.receive_data(encode_frame(Frame(0, 0x13, body)))
    heard = platform.next_event()
    assert isinstance(heard, Heard)
    state = heard.message
    assert (state.status, state.holder, state.plugged) == (GunStatus.IDLE, Holder.UNKNOWN, False)
    assert (state.cable_temp_dc, state.battery_temp_dc) == (None, None)
    assert state.faults == 0x9001
    assert state.pile_faults & PileFault.EMERGENCY_STOP
    assert state.pile_faults & PileFault.DOOR_OPEN


def test_only_the_right_end_says_it() -> None:
    """Saying the other end's words, or another answer, is a mistake of ours."""
    with pytest.raises(AssertionError, match="pile does not say Stop"):
        Connection(End.PILE).send(Stop(PILE, 1))
    with pytest.raises(AssertionError, match="no answer"):
        Connection(End.PLATFORM).answer(Heard(0, PriceRequest(PILE)), LoginAnswer(PILE, welcome=True))


def test_order_numbers() -> None:
    """Pile, gun, time, counter: 32 digits, or an error."""
    assert ORDER == "32010200000001012611211030000001"
    for wrong in ((PILE[1:], 1, 1), (PILE, 0, 1), (PILE, 100, 1), (PILE, 1, 10_000)):
        with pytest.raises(ValueError, match="no order number"):
            order_number(wrong[0], wrong[1], datetime(2026, 1, 1), wrong[2])


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (Stop("1", 1), "digits"),
        (Stop("32 01 02 00 00 00", 1), "digits"),
        (Stop(PILE, 256), "place"),
        (SetTime(PILE, datetime(1999, 1, 1)), "year"),
        (SetQrPrefix(PILE, QrForm.PILE, "x" * 256), "too many"),
        (SetQrPrefix(PILE, QrForm.PILE, "x" * 200), "at most 205"),
    ],
)
def test_what_has_no_place_is_an_error_here(message: Any, words: str) -> None:
    """Not another message there; and the sequence number is not used up."""
    platform = Connection(End.PLATFORM)
    with pytest.raises(ValueError, match=words):
        platform.send(message)
    assert platform.send(Stop(PILE, 1))[2:4] == b"\0\0"


def test_offsets_of_the_battery() -> None:
    """A cell at 3.45 V, 21 and 33 degrees, 1.5 kWh."""
    end = ChargeEnd(ORDER, PILE, 1, 80, 3_450, 3_480, 210, 330, 12, 1_500, 1)
    data = Connection(End.PILE).send(end)
    assert data[30:-2].hex(" ") == "50 59 01 5c 01 47 53 0c 00 0f 00 01 00 00 00"
