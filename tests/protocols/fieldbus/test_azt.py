"""AZT 2.0, byte for byte, in both roles."""

from __future__ import annotations

import pytest

from protocols.fieldbus.azt import AztExpect, PumpEar, Request, broadcast_frame, request_frame
from protocols.fieldbus.azt_app import (
    RULES,
    TYPES,
    Command,
    FullSale,
    PumpError,
    Question,
    Reply,
    State,
    Status,
    Totals,
    dose_money,
    dose_volume,
    parameter,
    parameters,
    price,
    show_error,
    write_parameter,
)
from protocols.fieldbus.azt_frames import Above15, Short, encode_long, encode_short, wire_address
from protocols.fieldbus.expect import CRC, ECHO, FOREIGN, LENGTH, NEED_MORE, NOISE


def ask(command: Command) -> Question:
    return Question(command)


# (what it is, address, question, bytes). The first six were sent to a real pump's library.
REQUESTS: list[tuple[str, int, Question, str]] = [
    ("status of 3", 3, ask(Command.STATUS), "7F 02 23 5C 31 4E 03 03 51"),
    ("version", 3, ask(Command.VERSION), "7F 02 23 5C 50 2F 03 03 70"),
    ("type", 3, ask(Command.TYPE), "7F 02 23 5C 37 48 03 03 57"),
    ("totals", 3, ask(Command.TOTALS), "7F 02 23 5C 36 49 03 03 56"),
    ("which parameters", 3, parameters(), "7F 02 23 5C 4E 31 03 03 6E"),
    ("parameter 2", 1, parameters(0x32), "7F 02 21 5E 4E 31 32 4D 03 03 5E"),
    ("status of 1", 1, ask(Command.STATUS), "7F 02 21 5E 31 4E 03 03 53"),
    ("dose 20.00 L", 1, dose_volume(2000), "7F 02 21 5E 54 2B 30 4F 32 4D 30 4F 30 4F 30 4F 03 03 44"),
    ("dose 20.00 L, no full tank", 1, dose_volume(2000, full=False),
     "7F 02 21 5E 54 2B 30 4F 32 4D 30 4F 30 4F 30 4F 30 4F 03 03 74"),
    ("authorise", 1, ask(Command.AUTHORISE), "7F 02 21 5E 32 4D 03 03 50"),
    ("full sale", 1, ask(Command.FULL_SALE), "7F 02 21 5E 35 4A 03 03 57"),
    ("confirm", 1, ask(Command.CONFIRM), "7F 02 21 5E 38 47 03 03 5A"),
    ("price 5.25", 1, price(525), "7F 02 21 5E 51 2E 30 4F 35 4A 32 4D 35 4A 03 03 71"),
]  # fmt: skip


@pytest.mark.parametrize(("address", "question", "wire"), [row[1:] for row in REQUESTS], ids=[r[0] for r in REQUESTS])
def test_requests(address: int, question: Question, wire: str) -> None:
    """The till says these bytes, and the pump they are for understands them, and no other pump does."""
    data = bytes.fromhex(wire)
    assert request_frame(address, question) == data
    for number in (1, 2, 3):
        ear = PumpEar(number)
        ear.receive_data(data)
        expected = Request(question.command, question.data) if number == address else NEED_MORE
        assert ear.next_event() == expected
        assert ear.noise_bytes == 0


# (what it is, question, answer, bytes). Computed from the rules: no source shows a pump's answer.
ANSWERS: list[tuple[str, Question, Reply, str]] = [
    ("ACK", ask(Command.AUTHORISE), Short.ACK, "7F 06"),
    ("NAK: not supported", ask(Command.SALE_NUMBER), Short.NAK, "7F 15"),
    ("CAN: not now", ask(Command.CONFIRM), Short.CAN, "7F 18"),
    ("idle", ask(Command.STATUS), Status(State.IDLE).encode(), "7F 02 30 4F 03 03 73"),
    ("ended, as ordered", ask(Command.STATUS), Status(State.ENDED).encode(), "7F 02 34 4B 30 4F 03 03 47"),
    ("ended, overrun", ask(Command.STATUS), Status(State.ENDED, 1).encode(), "7F 02 34 4B 31 4E 03 03 46"),
    ("type H", ask(Command.TYPE), b"H", "7F 02 48 37 03 03 4B"),
    ("12.34 L so far", ask(Command.VOLUME), b"001234",
     "7F 02 30 4F 30 4F 31 4E 32 4D 33 4C 34 4B 03 03 47"),
    ("full sale 12.34 L, 64.79, 5.25", ask(Command.FULL_SALE), FullSale(1234, 6479, 525).encode(TYPES["H"]),
     "7F 02 30 4F 31 4E 32 4D 33 4C 34 4B 30 4F 30 4F 30 4F 36 49 34 4B 37 48 39 46 30 4F 35 4A 32 4D 35 4A 03 03 49"),
]  # fmt: skip


@pytest.mark.parametrize(("question", "reply", "wire"), [row[1:] for row in ANSWERS], ids=[r[0] for r in ANSWERS])
def test_answers(question: Question, reply: Reply, wire: str) -> None:
    """The pump says these bytes, and the till finds them, whole or byte by byte."""
    data = bytes.fromhex(wire)
    assert (encode_short(reply) if isinstance(reply, Short) else encode_long(reply)) == data
    for chunks in ([data], [data[at : at + 1] for at in range(len(data))]):
        expect = AztExpect(question)
        assert [expect.feed(chunk) for chunk in chunks][-1] == reply
        assert expect.discarded == {}


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"0", Status(State.IDLE)),
        (b"3", Status(State.DISPENSING)),
        (b"40", Status(State.ENDED, 0)),
        (b"411", Status(State.ENDED, 1, 1)),
        (b"8", Status(State.LOCAL_DOSE)),
        (b"", None),
        (b"7", None),
        (b"4000", None),
        (b"A", None),
    ],
)
def test_status(data: bytes, status: Status | None) -> None:
    """State, reason and flags; anything else is no status."""
    assert Status.decode(data) == status


def test_every_type_has_its_widths() -> None:
    """A sale is read by the widths of the pump's own type, and by no others."""
    for widths in TYPES.values():
        sale = FullSale(12345, 6789, 525)
        assert FullSale.decode(sale.encode(widths), widths) == sale
        assert FullSale.decode(sale.encode(widths)[:-1], widths) is None
    assert FullSale.decode(b"00O000000000000", TYPES["A"]) is None


def test_totals_are_two_equal_halves() -> None:
    """Whatever their width."""
    for width in (8, 10, 12):
        totals = Totals(5503, 18736, width)
        assert Totals.decode(totals.encode()) == totals
    assert Totals.decode(b"12345678901234567") is None


@pytest.mark.parametrize(
    ("number", "blocks", "modulo"),
    [
        (1, (0x02, 0x21), (0x02, 0x21)),
        (15, (0x02, 0x2F), (0x02, 0x2F)),
        (16, (0x07, 0x21), (0x07, 0x21)),
        (29, (0x07, 0x2E), (0x07, 0x2E)),
        (30, (0x07, 0x2F), (0x08, 0x20)),
        (31, (0x08, 0x21), (0x08, 0x21)),
        (224, (0x14, 0x2E), (0x14, 0x2E)),
    ],
)
def test_addresses(number: int, blocks: tuple[int, int], modulo: tuple[int, int]) -> None:
    """Above 15 the start byte counts blocks; the sources differ at multiples of 15 only."""
    assert wire_address(number) == blocks
    assert wire_address(number, Above15.MODULO) == modulo


def test_address_has_an_end() -> None:
    """0 is nobody, and there is no start byte for more than 225."""
    for number in (0, 226):
        with pytest.raises(ValueError, match="address"):
            wire_address(number)


def test_broadcast_reaches_every_pump() -> None:
    """It has no address and no answer."""
    for number in (1, 20):
        ear = PumpEar(number)
        ear.receive_data(broadcast_frame(5, b"12"))
        assert ear.next_event() == Request(Command.BROADCAST, b"512")


def test_echo_and_foreign_talk_are_told_apart() -> None:
    """Our own request, another host's, an answer of the wrong length and a wrong kind of answer are no answer."""
    question = ask(Command.STATUS)
    asked = request_frame(1, question)
    expect = AztExpect(question, asked)
    other = request_frame(2, question)
    noise = asked + other + encode_long(b"001234") + encode_short(Short.ACK) + b"\x00\x00"
    assert expect.feed(noise + encode_long(b"1")) == b"1"
    assert expect.discarded == {ECHO: 9, FOREIGN: 9, LENGTH: 17 + 2, NOISE: 2}


def test_a_damaged_frame_hides_no_sound_one() -> None:
    """After a broken one the next DEL begins anew, even in place of the check sum."""
    sound = encode_long(b"1")
    for broken in (sound[:-1], sound[:3], b"\x7f\x02", sound[:-1] + b"\x00", sound[:3] + b"\x00" + sound[4:]):
        expect = AztExpect(ask(Command.STATUS))
        assert expect.feed(broken + sound) == b"1", broken.hex(" ")
        assert expect.discarded == {CRC: len(broken)}


def test_a_wrong_check_sum_is_no_answer() -> None:
    """It is counted as such."""
    expect = AztExpect(ask(Command.STATUS))
    assert expect.feed(bytes.fromhex("7F 02 31 4E 03 03 73")) is NEED_MORE
    assert expect.give_up() is NEED_MORE
    assert expect.discarded == {CRC: 7}


def test_only_confirmed_sales_make_way() -> None:
    """What the table allows: no new sale while one waits for its confirmation."""
    busy = {State.AUTHORISED, State.DISPENSING, State.ENDED}
    for command in (Command.AUTHORISE, Command.DOSE_VOLUME, Command.DOSE_MONEY, Command.PRICE):
        assert not RULES[command].states & busy
    assert RULES[Command.CONFIRM].states == {State.ENDED}
    assert RULES[Command.STATUS].states == set(State)


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        (b"002", PumpError(2), "error 2: every hose is switched off"),
        (b"00703", PumpError(7, (3,)), "error 7: a pulser channel, 3"),
        (b"0070301", PumpError(7, (3, 1)), "error 7: a pulser channel, 3, 1"),
        (b"099", PumpError(99), "error 99: unknown"),
        (b"02", None, "None"),
        (b"0020", None, "None"),
        (b"002O1", None, "None"),
    ],
)
def test_errors(data: bytes, error: PumpError | None, words: str) -> None:
    """A code, and what of it is ill."""
    assert PumpError.decode(data) == error
    assert str(error) == words
    assert error is None or error.encode() == data


def test_parameters() -> None:
    """Plain ones by their code, extended ones behind a marker, never both in one question."""
    assert parameters(0x32).data == b"2"
    assert parameters(0x5E, 0x8B).data == bytes((0x5E, 0x30, 0x5D))
    assert write_parameter(0x32, b"1").data == b"21"
    assert parameter(b"2105", 0x32) == b"105"
    assert parameter(bytes((0x5E, 0x31)) + b"42", 0x5F) == b"42"
    assert parameter(b"2", 0x32) is None
    assert parameter(b"3105", 0x32) is None
    for codes in ((0x32, 0x5E), (0x2F,), (0x8C,)):
        with pytest.raises(ValueError, match="parameters"):
            parameters(*codes)


def test_questions_refuse_what_has_no_place() -> None:
    """A dose of 1000 L, an amount of 7 digits and a price of 5 are errors here, not other doses there."""
    for make in (lambda: dose_volume(100_000), lambda: dose_money(1_000_000), lambda: price(10_000), lambda: price(-1)):
        with pytest.raises(ValueError, match="does not fit"):
            make()
    assert show_error(7, 0).data == b"00700"
