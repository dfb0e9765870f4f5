"""Daly's Modbus registers: a captured state, and the document's own frames."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.fieldbus.daly_app import Sign
from protocols.fieldbus.daly_modbus import (
    CHARGE_SWITCH,
    CODE_COUNT,
    DISCHARGE_SWITCH,
    STATE_COUNT,
    STATE_COUNT_LONG,
    UNIT,
    State,
    decode_text,
    encode_text,
    read_code,
    read_state,
    write_switch,
)
from protocols.fieldbus.modbus import (
    NEED_MORE,
    Answer,
    DeviceSide,
    Expectation,
    Framing,
    Pdu,
    ReadRegisters,
    Request,
    Space,
    WriteRegisters,
    answer_frame,
    request_frame,
)
from protocols.fieldbus.pack import Alarm, Flow, PackReading

RTU = Framing.RTU

# Captured from a pack of the "blue series": eighty registers.
CAPTURED = bytes.fromhex("""
D2 03 A0 0C D1 0C D2 0C D3 0C D3 0C D3 0C D2 0C D3 0C D3 0C D3 0C D3 0C D3 0C D3 0C D3 0C D3 0C D3
0C D3 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
00 00 35 00 35 00 35 00 35 00 00 00 00 00 00 00 00 02 0D 75 17 02 31 0C D3 0C D1 00 35 00 35 00 02
04 9A 00 10 00 04 00 3C 00 00 00 01 00 01 0C D2 00 02 00 83 00 00 00 00 00 00 00 00 00 00 00 00 75
30 00 00 00 37 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 54 55
""")

STATE = State(
    cells_mv=(3281, 3282, 3283, 3283, 3283, 3282, *(3283,) * 10), temps_dc=(130,) * 4, voltage_mv=52_500,
    current_raw=29_975, soc_permille=561, flow=2, remaining_mah=117_800, cycles=60, balancing=0, charge_on=True,
    discharge_on=True, power_w=131,
)  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "wire"),
    [
        (ReadRegisters(Space.HOLDING, 0x0C, 1), "D2 03 00 0C 00 01 57 AA"),
        (ReadRegisters(Space.HOLDING, 0, STATE_COUNT_LONG), "D2 03 00 00 00 50 56 55"),
        (read_state(), "D2 03 00 00 00 3E D7 B9"),
        (WriteRegisters(0x0C, (1,), single=True), "D2 06 00 0C 00 01 9B AA"),
        (WriteRegisters(0x0C, (1, 2)), "D2 10 00 0C 00 02 04 00 01 00 02 84 7C"),
        (write_switch(CHARGE_SWITCH, False), "D2 06 00 A5 00 00 8A 4A"),
        (write_switch(CHARGE_SWITCH, True), "D2 06 00 A5 00 01 4B 8A"),
    ],
)
def test_golden_questions(asked: Pdu, wire: str) -> None:
    """The gateway says these bytes, and the pack understands them."""
    raw = bytes.fromhex(wire)
    assert request_frame(RTU, UNIT, asked) == raw
    pack = DeviceSide(RTU)
    pack.receive_data(raw)
    assert pack.next_event() == Request(UNIT, asked)


@pytest.mark.parametrize(
    ("asked", "wire", "answer"),
    [
        (ReadRegisters(Space.HOLDING, 0x0C, 1), "D2 03 02 00 01 FC 56", Answer((1,))),
        (WriteRegisters(0x0C, (1,), single=True), "D2 06 00 0C 00 01 9B AA", Answer()),
        (WriteRegisters(0x0C, (1, 2)), "D2 10 00 0C 00 02 92 68", Answer()),
    ],
)
def test_golden_answers(asked: Pdu, wire: str, answer: Answer) -> None:
    """The document's answers, in both directions."""
    raw = bytes.fromhex(wire)
    assert answer_frame(RTU, Request(UNIT, asked), answer) == raw
    assert Expectation(RTU, UNIT, asked).feed(raw) == answer


def test_the_documents_write_of_many_is_no_modbus() -> None:
    """It leaves out the count of bytes that Modbus wants; its sum is right, and still nobody may act on it."""
    pack = DeviceSide(RTU)
    pack.receive_data(bytes.fromhex("D2 10 00 0C 00 02 00 01 00 02 7D 65"))
    assert pack.next_event() is NEED_MORE
    pack.silence()
    pack.receive_data(request_frame(RTU, UNIT, read_state()))
    assert pack.next_event() == Request(UNIT, read_state())


def test_a_captured_state() -> None:
    """Sixteen cells at 52.5 V, 56.1 %, discharging with 2.5 A: below 30000, as in all captures."""
    asked = ReadRegisters(Space.HOLDING, 0, STATE_COUNT_LONG)
    answer = Expectation(RTU, UNIT, asked).feed(CAPTURED)
    assert isinstance(answer, Answer)
    state = State.decode(answer.registers)
    assert state == STATE
    assert state.encode() == answer.registers[:STATE_COUNT]
    assert state.reading() == PackReading(
        voltage_mv=52_500, current_ma=-2500, soc_permille=561, remaining_mah=117_800, cycles=60,
        cells_mv=STATE.cells_mv, temps_dc=STATE.temps_dc, charge_on=True, discharge_on=True, flow=Flow.DISCHARGING,
        warnings=frozenset(), protections=frozenset(),
    )  # fmt: skip
    assert not state.reading().contradicts_itself
    assert state.reading(Sign.ABOVE_DISCHARGES).contradicts_itself


def test_faults_without_a_public_meaning() -> None:
    """Any bit is a protection, and what is only a warning is not known."""
    registers = list(STATE.encode())
    registers[0x3C] = 0x0400
    state = State.decode(registers)
    assert state is not None
    assert state.faults == (0, 0, 0x0400, 0)
    assert (state.reading().protections, state.reading().warnings) == ({Alarm.OTHER}, None)


def test_what_is_no_state() -> None:
    """Too few registers, more cells or sensors than have a place."""
    registers = STATE.encode()
    assert State.decode(registers[:-1]) is None
    for place, count in ((0x31, 33), (0x32, 9)):
        assert State.decode((*registers[:place], count, *registers[place + 1 :])) is None


def test_the_code() -> None:
    """Two characters in each of sixteen registers; the unset ones are none."""
    assert request_frame(RTU, UNIT, read_code()) == request_frame(RTU, UNIT, ReadRegisters(Space.HOLDING, 0xB9, 16))
    code = "BT3072020120000200521001"
    assert encode_text(code, CODE_COUNT)[:2] == (0x4254, 0x3330)
    assert decode_text(encode_text(code, CODE_COUNT)) == code
    assert decode_text((0,) * 16) is None
    assert decode_text((0xFFFF,) * 16) is None
    with pytest.raises(ValueError, match="fit"):
        encode_text(code, 8)
    assert write_switch(DISCHARGE_SWITCH, True) == WriteRegisters(0xA6, (1,), single=True)


@given(st.lists(st.integers(0, 0xFFFF), max_size=90) | st.lists(st.integers(0, 40), min_size=62, max_size=80))
def test_any_registers_are_a_state_or_none(registers: list[int]) -> None:
    """And a state reads as it writes."""
    state = State.decode(registers)
    if state is not None:
        assert State.decode(state.encode(len(registers))) == state
        state.reading()
