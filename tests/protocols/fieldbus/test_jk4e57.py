"""JK's GPS port (4E 57), byte for byte, in both roles."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.fieldbus import pack_code
from protocols.fieldbus.expect import CRC, ECHO, FOREIGN, NEED_MORE, NOISE
from protocols.fieldbus.jk4e57 import (
    BODY_MAX,
    Command,
    Kind,
    Message,
    Question,
    Source,
    answer_frame,
    ear,
    expect,
    request_frame,
)
from protocols.fieldbus.jk4e57_app import SIZES, Item, Items, items_of, reading_of
from protocols.fieldbus.pack import Alarm, PackReading

CODE = "BT3072020120000200521001"
READ_CODE = Question(Command.READ, Item.CODE)
READ_ALL = Question(Command.READ_ALL)

# Printed in the vendor's document: everything that a pack of fourteen cells says.
EVERYTHING = bytes.fromhex("""
4E 57 01 1B 00 00 00 00 06 00 01 79 2A 01 0E ED 02 0E FA 03 0E F7 04 0E EC 05 0E F8 06 0E FA 07 0E F1
08 0E F8 09 0E E3 0A 0E FA 0B 0E F1 0C 0E FB 0D 0E FB 0E 0E F2 80 00 1D 81 00 1E 82 00 1C 83 14 EF
84 80 D0 85 0F 86 02 87 00 04 89 00 00 00 00 8A 00 0E 8B 00 00 8C 00 07 8E 16 26 8F 10 AE 90 0F D2
91 0F A0 92 00 05 93 0B EA 94 0C 1C 95 00 05 96 01 2C 97 00 07 98 00 03 99 00 05 9A 00 05 9B 0C E4
9C 00 08 9D 01 9E 00 5A 9F 00 46 A0 00 64 A1 00 64 A2 00 14 A3 00 46 A4 00 46 A5 FF EC A6 FF F6
A7 FF EC A8 FF F6 A9 0E AA 00 00 00 0E AB 01 AC 01 AD 04 11 AE 01 AF 01 B0 00 0A B1 14 B2 31 32 33
34 35 36 00 00 00 00 B3 00 B4 49 6E 70 75 74 20 55 73 B5 32 31 30 31 B6 00 00 E2 00 B7 48 36 2E 58
5F 5F 53 36 2E 31 2E 33 53 5F 5F B8 00 B9 00 00 00 00 BA 42 54 33 30 37 32 30 32 30 31 32 30 30 30
30 32 30 30 35 32 31 30 30 31 C0 01 00 00 00 00 68 00 00 54 D1
""")
BODY = EVERYTHING[11:-9]


@pytest.mark.parametrize(
    ("question", "wire"),
    [
        (Question(Command.ACTIVATE), "4E 57 00 13 00 00 00 00 01 02 00 00 00 00 00 00 68 00 00 01 23"),
        (READ_CODE, "4E 57 00 13 00 00 00 00 03 02 00 BA 00 00 00 00 68 00 00 01 DF"),
        (
            Question(Command.WRITE, Item.CHARGE_SWITCH, b"\0"),
            "4E 57 00 14 00 00 00 00 02 02 00 AB 00 00 00 00 00 68 00 00 01 D0",
        ),
    ],
)
def test_golden_questions(question: Question, wire: str) -> None:
    """Wake the pack, read its code, switch its charging off."""
    raw = bytes.fromhex(wire)
    assert request_frame(question) == raw
    pack = ear()
    pack.receive_data(raw)
    assert pack.next_event() == question


def test_the_code_of_a_swap_battery() -> None:
    """The one item that a swap cabinet must have."""
    reply = bytes.fromhex(
        "4E 57 00 2B 00 00 00 00 03 00 01 BA 42 54 33 30 37 32 30 32 30 31 32 30 30 30 30 32 30 30 35 32 31 30 30 31"
        " 00 00 00 00 68 00 00 06 C8"
    )
    body = bytes((Item.CODE,)) + CODE.encode()
    assert answer_frame(READ_CODE, body) == reply
    for chunks in ([reply], [reply[at : at + 1] for at in range(len(reply))]):
        hunt = expect(READ_CODE)
        assert [hunt.feed(chunk) for chunk in chunks][-1] == body
    serial = reading_of(body).serial
    assert serial == CODE
    assert isinstance(pack_code.parse(serial), pack_code.PackCode)


def test_everything_that_a_pack_says() -> None:
    """285 bytes of the vendor's document: fourteen cells at 53.59 V, charging with 2.08 A."""
    assert len(EVERYTHING) == 285
    assert expect(READ_ALL).feed(EVERYTHING) == BODY
    assert answer_frame(READ_ALL, BODY) == EVERYTHING
    items = Items.decode(BODY)
    assert items.rest == b""
    assert items.encode() == BODY
    assert items.by_number[Item.DEVICE_ID] == b"Input Us"
    assert items.by_number[Item.MADE] == b"2101"
    reading = reading_of(BODY)
    assert reading == PackReading(
        serial=CODE, software="H6.X__S6.1.3S__", voltage_mv=53_590, current_ma=2080, soc_permille=150,
        design_mah=14_000, cycles=4, temps_dc=(280,), mos_temp_dc=290, case_temp_dc=300, charge_on=True,
        discharge_on=True, warnings=frozenset(), protections=frozenset(),
        cells_mv=(3821, 3834, 3831, 3820, 3832, 3834, 3825, 3832, 3811, 3834, 3825, 3835, 3835, 3826),
    )  # fmt: skip
    assert items_of(reading).by_number.items() <= {**items.by_number, Item.STATUS: b"\0\x03"}.items()


def test_a_wrong_sum_is_no_answer() -> None:
    """As in a vendor's document of RS-485, whose example of twenty cells does not sum up."""
    hunt = expect(READ_ALL)
    assert hunt.feed(EVERYTHING[:-2] + b"\x49\x23") is NEED_MORE
    assert hunt.discarded == {CRC: 285}
    assert hunt.feed(EVERYTHING[:-5] + b"\x69" + EVERYTHING[-4:]) is NEED_MORE
    assert hunt.discarded == {CRC: 570}


@pytest.mark.parametrize(
    ("raw", "version", "current_ma"),
    [
        (10_000, 0, 0), (9_792, 0, 2080), (10_208, 0, -2080), (0x80D0, 1, 2080), (0x00D0, 1, -2080), (0, 1, 0),
        (0x80D0, None, None), (0x80D0, 2, None),
    ],
)  # fmt: skip
def test_the_current_reads_by_the_protocol_version(raw: int, version: int | None, current_ma: int | None) -> None:
    """Two ways to write it. An answer without the version, when none is known, says nothing."""
    item = bytes((Item.CURRENT,)) + raw.to_bytes(2, "big")
    assert reading_of(item, version).current_ma == current_ma
    if version is not None:
        assert reading_of(item + bytes((Item.VERSION, version)), 7).current_ma == current_ma


@pytest.mark.parametrize(
    ("raw", "temp_dc"), [(0, 0), (100, 1000), (101, -10), (140, -400), (200, -1000), (201, None), (0xFFFF, None)]
)
def test_temperatures_below_zero(raw: int, temp_dc: int | None) -> None:
    """Above 100 counts below zero; what no sensor can say is unknown."""
    assert reading_of(bytes((Item.MOS_TEMP,)) + raw.to_bytes(2, "big")).mos_temp_dc == temp_dc


def test_alarms_and_capacity() -> None:
    """A low charge is a warning, all the others are protections; an unknown bit is one too."""
    found = reading_of(bytes((Item.ALARMS, 0b1000_0010, 0b0001_0001)))
    assert found.warnings == {Alarm.SOC_LOW}
    assert found.protections == {Alarm.BATTERY_HOT, Alarm.BATTERY_COLD, Alarm.OTHER}
    assert reading_of(bytes((Item.TRUE_CAPACITY, 0, 0, 0, 13))).full_mah == 13_000
    assert reading_of(bytes((Item.TRUE_CAPACITY, 0, 0, 0, 0))).full_mah is None


def test_an_unknown_item_ends_what_can_be_read() -> None:
    """Its length is in no table; what stood before it is good."""
    body = bytes((Item.SOC, 50, 0xE0, 1, 2, Item.CYCLES, 0, 9))
    assert Items.decode(body) == Items({Item.SOC: b"\x32"}, body[2:])
    assert reading_of(body) == PackReading(soc_permille=500)
    for number in (Item.CELLS, Item.CODE):
        assert Items.decode(bytes((number, 3, 1))).by_number == {}
    assert reading_of(bytes((Item.CELLS, 2, 1, 2))).cells_mv is None
    assert reading_of(bytes((Item.CELLS, 6, 2, 0, 2, 1, 0, 1))).cells_mv == (1, 2)


def test_everything_else_on_the_line() -> None:
    """Echo, a push, another item's answer and noise are counted by kind."""
    hunt, asked = expect(READ_CODE), request_frame(READ_CODE)
    push = Message(Command.READ_ALL, Source.PACK, Kind.PUSH, BODY).encode()
    other = answer_frame(Question(Command.READ, Item.SOC), bytes((Item.SOC, 50)))
    assert hunt.feed(b"N\0" + asked + push + other) is NEED_MORE
    assert hunt.discarded == {NOISE: 2, ECHO: 21, FOREIGN: len(push) + len(other)}
    empty = answer_frame(READ_CODE, b"")
    assert hunt.feed(empty) == b""


def test_limits() -> None:
    """A body longer than any is neither written nor waited for."""
    with pytest.raises(ValueError, match="480"):
        Message(6, 0, 1, bytes(BODY_MAX + 1)).encode()
    hunt = expect(READ_ALL)
    assert hunt.feed(b"NW\xff\xff" + EVERYTHING) == BODY
    assert hunt.discarded == {NOISE: 4}


@given(
    st.sampled_from(Command), st.integers(0, 255), st.binary(max_size=BODY_MAX - 1),
    st.sampled_from([b"", b"N", b"NW", b"NW\x00\x20"]),
)  # fmt: skip
def test_every_frame_arrives(command: Command, item: int, data: bytes, before: bytes) -> None:
    """Whatever is asked and answered, behind the start of a broken frame."""
    question = Question(command, item, data)
    pack = ear()
    pack.receive_data(before + request_frame(question))
    event = pack.next_event()
    assert (pack.silence() if event is NEED_MORE else event) == question
    hunt = expect(question)
    found = hunt.feed(before + answer_frame(question, bytes((item,)) + data))
    assert (hunt.give_up() if found is NEED_MORE else found) == bytes((item,)) + data


@given(st.lists(st.binary(max_size=20) | st.sampled_from([request_frame(READ_ALL), EVERYTHING[:60]]), max_size=8))
def test_noise_never_raises_and_is_all_counted(chunks: list[bytes]) -> None:
    """Both ears survive anything; what the gateway's throws away is counted to the byte, unless it found an answer."""
    hunt, pack = expect(READ_ALL), ear()
    answers = [hunt.feed(chunk) for chunk in chunks]
    answers.append(hunt.give_up())
    for chunk in chunks:
        pack.receive_data(chunk)
        while pack.next_event() is not NEED_MORE:
            pass
    while pack.silence() is not NEED_MORE:
        pass
    if all(found is NEED_MORE for found in answers):
        assert sum(hunt.discarded.values()) == sum(len(chunk) for chunk in chunks)


@given(st.binary(max_size=60) | st.lists(st.sampled_from([0x79, 3, 1, *SIZES]), max_size=60).map(bytes))
def test_values_never_raise(body: bytes) -> None:
    """Any body is items and a rest, and reads as something."""
    items = Items.decode(body)
    assert len(items.encode()) <= len(body)  # an item said twice counts once
    reading_of(body)


@given(
    st.builds(
        PackReading,
        serial=st.none() | st.just(CODE),
        voltage_mv=st.none() | st.integers(0, 9999).map(lambda n: 10 * n),
        current_ma=st.none() | st.integers(-3000, 3000).map(lambda n: 10 * n),
        soc_permille=st.none() | st.integers(0, 100).map(lambda n: 10 * n),
        cycles=st.none() | st.integers(0, 0xFFFF),
        cells_mv=st.none() | st.lists(st.integers(0, 5000), min_size=1, max_size=24).map(tuple),
        temps_dc=st.none() | st.integers(-40, 100).map(lambda n: (10 * n,)),
        protections=st.none() | st.just(frozenset({Alarm.CELL_LOW, Alarm.MOS_HOT})),
    )
)
def test_a_pack_reads_as_it_speaks(pack: PackReading) -> None:
    """What a pack knows of itself arrives at the gateway."""
    expected = pack if pack.protections is None else replace(pack, warnings=frozenset())
    assert reading_of(items_of(pack).encode()) == expected
