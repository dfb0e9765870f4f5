"""DL/T 645-2007, byte for byte, in both roles."""

from __future__ import annotations

from datetime import datetime

import pytest

from protocols.fieldbus.dlt645 import (
    PART_MAX,
    PARTS_MAX,
    Answer,
    Collect,
    Data,
    Fault,
    Function,
    MeterEar,
    MeterExpect,
    Question,
    Refusal,
    Request,
    answer_frame,
    follow_answer,
    freeze,
    read,
    read_address,
    read_answer,
    read_following,
    refusal_frame,
    request_frame,
    set_baud,
    set_time,
    write,
    write_address,
)
from protocols.fieldbus.dlt645_frames import ANYONE, EVERYONE, WAKE_MAX, matches
from protocols.fieldbus.dlt645_items import (
    CURRENT_A,
    FORWARD_BLOCK,
    FORWARD_TOTAL,
    FREQUENCY_NOW,
    POWER_TOTAL,
    VOLTAGE_A,
    VOLTAGE_B,
    values,
)
from protocols.fieldbus.expect import CRC, ECHO, FOREIGN, LATE, LENGTH, NEED_MORE, NOISE

METER = "123456789012"

# (what it is, the meter's address, identifier, its values, the meter's bytes). The first five were captured.
READINGS: list[tuple[str, str, int, tuple[int | None, ...], str]] = [
    ("0.26 kWh", "000000000161", FORWARD_TOTAL, (2_600,),
     "68 61 01 00 00 00 00 68 91 08 33 33 34 33 59 33 33 33 8A 16"),
    ("100.1 V", "000000000161", VOLTAGE_A, (100_100,), "68 61 01 00 00 00 00 68 91 06 33 34 34 35 34 43 10 16"),
    ("1.86 kWh", "201709320072", FORWARD_TOTAL, (18_600,),
     "68 72 00 32 09 17 20 68 91 08 33 33 34 33 B9 34 33 33 6D 16"),
    ("6.78 kWh", "151230011061", FORWARD_TOTAL, (67_800,),
     "68 61 10 01 30 12 15 68 91 08 33 33 34 33 AB 39 33 33 49 16"),
    ("231.9 V", "000000000000", VOLTAGE_A, (231_900,), "68 00 00 00 00 00 00 68 91 06 33 34 34 35 4C 56 D9 16"),
    ("123456.78 kWh", METER, FORWARD_TOTAL, (1_234_567_800,),
     "FE FE FE FE 68 12 90 78 56 34 12 68 91 08 33 33 34 33 AB 89 67 45 CC 16"),
    ("total and four tariffs", METER, FORWARD_BLOCK,
     (1_234_567_800, 100_000_000, 200_000_000, 300_000_000, 634_567_800),
     "68 12 90 78 56 34 12 68 91 18 33 32 34 33 AB 89 67 45 33 33 33 34 33 33 33 35 33 33 33 36 AB 89 67 39 19 16"),
    ("16.234 A", METER, CURRENT_A, (16_234,), "68 12 90 78 56 34 12 68 91 07 33 34 35 35 67 95 34 1F 16"),
    ("3.7254 kW", METER, POWER_TOTAL, (37_254,), "68 12 90 78 56 34 12 68 91 07 33 33 36 35 87 A5 36 51 16"),
    ("3.7254 kW back", METER, POWER_TOTAL, (-37_254,), "68 12 90 78 56 34 12 68 91 07 33 33 36 35 87 A5 B6 D1 16"),
    ("no phase B", METER, VOLTAGE_B, (None,), "68 12 90 78 56 34 12 68 91 06 33 35 34 35 32 32 52 16"),
    ("999999.99 kWh: no byte wraps", METER, FORWARD_TOTAL, (9_999_999_900,),
     "68 12 90 78 56 34 12 68 91 08 33 33 34 33 CC CC CC CC 1C 16"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("address", "identifier", "read_as", "wire"), [row[1:] for row in READINGS], ids=[r[0] for r in READINGS]
)
def test_readings(address: str, identifier: int, read_as: tuple[int | None, ...], wire: str) -> None:
    """The gateway finds the values, whole or byte by byte, and a meter with these values says these bytes."""
    reply = bytes.fromhex(wire)
    for chunks in ([reply], [reply[at : at + 1] for at in range(len(reply))]):
        expect = MeterExpect(address, read(identifier))
        found = [expect.feed(chunk) for chunk in chunks][-1]
        assert isinstance(found, Data)
        assert (found.address, found.more) == (address, False)
        assert values(identifier, found.data) == read_as
        assert expect.discarded == {}
        assert read_answer(address, identifier, found.data, wake=4 if reply[0] == 0xFE else 0) == reply


# (what it is, whom it is for, question, bytes). Captured: the first broadcast and the reading of phase A.
QUESTIONS: list[tuple[str, str, Question, str]] = [
    ("read phase A", "000000000161", read(VOLTAGE_A), "68 61 01 00 00 00 00 68 11 04 33 34 34 35 17 16"),
    ("read the total", METER, read(FORWARD_TOTAL),
     "FE FE FE FE 68 12 90 78 56 34 12 68 11 04 33 33 34 33 68 16"),
    ("the time, 2017", EVERYONE, set_time(datetime(2017, 6, 5, 10, 22, 51)),
     "68 99 99 99 99 99 99 68 08 06 84 55 43 38 39 4A 4B 16"),
    ("the time, 2026", EVERYONE, set_time(datetime(2026, 11, 21, 23, 59, 58)),
     "68 99 99 99 99 99 99 68 08 06 8B 8C 56 54 44 59 D2 16"),
    ("freeze now", EVERYONE, freeze(), "68 99 99 99 99 99 99 68 16 04 CC CC CC CC B0 16"),
    ("freeze at midnight", EVERYONE, freeze(hour=0, minute=0), "68 99 99 99 99 99 99 68 16 04 33 33 CC CC 7E 16"),
    ("the frequency, its check sum put right", "201500000016", read(FREQUENCY_NOW),
     "68 16 00 00 00 15 20 68 11 04 35 33 B3 35 80 16"),
]  # fmt: skip


@pytest.mark.parametrize(("address", "question", "wire"), [row[1:] for row in QUESTIONS], ids=[r[0] for r in QUESTIONS])
def test_questions(address: str, question: Question, wire: str) -> None:
    """The gateway says these bytes; the meter they are for understands them, and only broadcasts reach another."""
    data = bytes.fromhex(wire)
    assert request_frame(address, question, wake=4 if data[0] == 0xFE else 0) == data
    to_all = address == EVERYONE
    for own, heard in ((METER if to_all else address, True), ("000000000999", to_all)):
        ear = MeterEar(own)
        ear.receive_data(data)
        expected = Request(question.function, question.data, wants_answer=not to_all) if heard else NEED_MORE
        assert ear.next_event() == expected
        assert ear.noise_bytes == 0


@pytest.mark.parametrize(
    ("wire", "fault"),
    [
        ("68 12 90 78 56 34 12 68 D1 01 35 8D 16", Fault.NO_SUCH_DATA),
        ("68 12 90 78 56 34 12 68 D1 01 37 8F 16", Fault.PASSWORD),
    ],
)
def test_refusals(wire: str, fault: Fault) -> None:
    """A refusal says why."""
    assert refusal_frame(METER, Function.READ, fault, wake=0) == bytes.fromhex(wire)
    assert MeterExpect(METER, read(FORWARD_TOTAL)).feed(bytes.fromhex(wire)) == Refusal(METER, fault)


@pytest.mark.parametrize(
    "wire",
    [
        "68 16 00 00 00 15 20 68 11 04 35 33 B3 35 85 16",  # published; the sum is 80
        "68 12 90 78 56 34 12 68 91 08 33 33 34 33 AB 89 67 45 CD 16",
        "68 12 90 78 56 34 12 68 91 08 33 33 34 33 AB 89 67 45 CC 17",
        "68 12 90 78 56 34 12 68 91 08 33 33 34 33 AB 89 66 45 CC 16",
    ],
)
def test_broken_frames_are_thrown_away(wire: str) -> None:
    """A wrong check sum or end is no frame for anybody, and hides no sound one behind it."""
    broken = bytes.fromhex(wire)
    sound = read_answer(METER, FORWARD_TOTAL, bytes(4))
    expect = MeterExpect(METER, read(FORWARD_TOTAL))
    assert expect.feed(broken) is NEED_MORE
    assert expect.feed(sound) == Data(METER, bytes(4))
    assert expect.discarded == {CRC: len(broken)}
    ear = MeterEar("201500000016")
    ear.receive_data(broken + request_frame("201500000016", read(FREQUENCY_NOW)))
    assert ear.next_event() == Request(Function.READ, read(FREQUENCY_NOW).data)
    assert ear.noise_bytes == len(broken)


def test_the_head_inside_the_data_is_no_head() -> None:
    """A value whose bytes travel as 68 and 16 is found, and so is it behind half a frame of the same look."""
    value = bytes((0x35, 0xE3, 0x35, 0x35))  # + 33h: 68 16 68 68
    sound = read_answer(METER, FORWARD_TOTAL, value)
    for before in (b"", sound[:-4], sound[4:13], b"\x68" * 9):
        expect = MeterExpect(METER, read(FORWARD_TOTAL))
        answers = [expect.feed(before), expect.feed(sound), expect.give_up()]
        assert Data(METER, value) in answers, before.hex(" ")
        assert sum(expect.discarded.values()) == len(before)


def test_any_number_of_wake_bytes_is_taken() -> None:
    """They belong to the frame; what a stuck line says beyond that is noise, and fills no buffer."""
    sound = read_answer(METER, FORWARD_TOTAL, bytes(4), wake=0)
    for count in range(WAKE_MAX + 1):
        expect = MeterExpect(METER, read(FORWARD_TOTAL))
        assert expect.feed(b"\xfe" * count + sound) == Data(METER, bytes(4))
        assert expect.discarded == {}
    expect = MeterExpect(METER, read(FORWARD_TOTAL))
    assert expect.feed(b"\xfe" * 1000) is NEED_MORE
    assert expect.discarded == {NOISE: 1000 - WAKE_MAX}


def test_only_the_answer_is_an_answer() -> None:
    """Our echo, another meter's answer, one to an earlier question and one of the wrong length are told apart."""
    question = read(VOLTAGE_A)
    echo = request_frame(METER, question)
    foreign = read_answer("000000000161", VOLTAGE_A, bytes(2))
    late = read_answer(METER, VOLTAGE_B, bytes(2)) + answer_frame(METER, Function.FREEZE)
    short = answer_frame(METER, Function.READ, b"\x00\x01")
    expect = MeterExpect(METER, question)
    assert expect.feed(echo + foreign + late + short) is NEED_MORE
    assert expect.discarded == {ECHO: len(echo), FOREIGN: len(foreign), LATE: len(late), LENGTH: len(short)}
    assert expect.feed(read_answer(METER, VOLTAGE_A, b"\x19\x23")) == Data(METER, b"\x19\x23")


def test_a_lone_meter_tells_its_address() -> None:
    """Asked as ANYONE it answers with its own address, as data and as sender."""
    ear = MeterEar(METER)
    ear.receive_data(request_frame(ANYONE, read_address()))
    assert ear.next_event() == Request(Function.READ_ADDRESS, b"")
    reply = answer_frame(METER, Function.READ_ADDRESS, bytes.fromhex("129078563412"))
    found = MeterExpect(ANYONE, read_address()).feed(reply)
    assert found == Data(METER, bytes.fromhex("129078563412"))
    # Without any data, as a load record asked with a count, or by hand.
    by_hand = Question(Function.READ, read(VOLTAGE_A).data + b"\x01")
    assert MeterExpect(METER, by_hand).feed(read_answer(METER, VOLTAGE_A, b"")) == Data(METER, b"")
    no_address = answer_frame(METER, Function.READ_ADDRESS, b"\x12")
    assert MeterExpect(ANYONE, read_address()).feed(no_address) is NEED_MORE


@pytest.mark.parametrize(
    ("pattern", "address", "meant"),
    [
        (ANYONE, METER, True),
        ("AAAAAAAA9012", METER, True),
        ("AAAAAAAA9013", METER, False),
        ("A23456789012", METER, True),
        (METER, METER, True),
        (METER, "123456789013", False),
    ],
)
def test_wildcards(pattern: str, address: str, meant: bool) -> None:
    """A stands for any digit, anywhere."""
    assert matches(pattern, address) is meant


@pytest.mark.parametrize("size", [0, 1, PART_MAX, PART_MAX + 1, 2 * PART_MAX, 3 * PART_MAX + 7])
def test_long_values_come_in_parts(size: int) -> None:
    """The meter cuts a long value; the gateway asks for the rest until there is none."""
    value = bytes(at & 0xFF for at in range(size))
    collect, meter, asked = Collect(FORWARD_BLOCK), MeterEar(METER), 0
    while True:
        asked += 1
        meter.receive_data(request_frame(METER, collect.question))
        request = meter.next_event()
        assert isinstance(request, Request)
        assert request.identifier == FORWARD_BLOCK
        if request.function == Function.READ:
            reply = read_answer(METER, FORWARD_BLOCK, value)
        else:
            reply = follow_answer(METER, FORWARD_BLOCK, request.data[4], value)
        answer = MeterExpect(METER, collect.question).feed(reply)
        assert isinstance(answer, Data)
        if (whole := collect.take(answer)) is not NEED_MORE:
            break
    assert whole == value
    assert asked == max(1, -(-size // PART_MAX))


def test_a_value_without_end_is_given_up() -> None:
    """A meter that always has more is asked PARTS_MAX times; a part of another number is not this part."""
    collect = Collect(FORWARD_BLOCK)
    taken = [collect.take(Data(METER, b"x", more=True)) for _ in range(PARTS_MAX)]
    assert taken == [NEED_MORE] * (PARTS_MAX - 1) + [None]
    second = follow_answer(METER, FORWARD_BLOCK, 2, bytes(3 * PART_MAX))
    expect = MeterExpect(METER, read_following(FORWARD_BLOCK, 1))
    assert expect.feed(second) is NEED_MORE
    assert expect.discarded == {LATE: len(second)}
    nothing = follow_answer(METER, FORWARD_BLOCK, 1, bytes(PART_MAX))
    assert expect.feed(nothing) == Refusal(METER, Fault.NO_SUCH_DATA)


@pytest.mark.parametrize(
    ("question", "data"),
    [
        (write(0x04000401, b"\x02\x56\x34\x12", b"\x01\x00\x00\x00", b"\x11"),
         "01 04 00 04 02 56 34 12 01 00 00 00 11"),
        (set_baud(2400), "08"),
        (set_baud(9600), "20"),
        (write_address(METER), "12 90 78 56 34 12"),
        (freeze(month=1, day=2, hour=23, minute=59), "59 23 02 01"),
    ],
)  # fmt: skip
def test_orders(question: Question, data: str) -> None:
    """What is written into a meter, as meant; it answers without data, or with what it took."""
    assert question.data == bytes.fromhex(data)
    done = answer_frame(METER, question.function)
    assert MeterExpect(METER, question).feed(done) == Data(METER, b"")


def test_what_no_frame_can_say_is_an_error_here() -> None:
    """Not another order there."""
    for make in (
        lambda: request_frame("12345", read_address()),
        lambda: request_frame("12345678901B", read_address()),
        lambda: MeterEar("x" * 12),
        lambda: write_address(ANYONE),
        lambda: write(1, b"", b"\0\0\0\0", b""),
        lambda: write(1, b"\0\0\0\0", b"\0\0\0\0", bytes(39)),
        lambda: freeze(minute=100),
        lambda: read_following(1, 0),
        lambda: set_time(datetime(1999, 1, 1)),
        lambda: request_frame(METER, Question(Function.WRITE, bytes(201))),
    ):
        with pytest.raises(ValueError, match=r"not|at most|fit"):
            make()
    with pytest.raises(KeyError):
        set_baud(2401)


def test_answers_name_their_meter() -> None:
    """With wildcards in the question, only a meter that is meant can answer it."""
    expect = MeterExpect("AAAAAAAA9012", read(VOLTAGE_A))
    other: Answer = Data("000000000161", b"\0\0")
    assert expect.feed(read_answer("000000000161", VOLTAGE_A, b"\0\0")) is NEED_MORE
    assert expect.feed(read_answer(METER, VOLTAGE_A, b"\0\0")) == Data(METER, b"\0\0") != other
