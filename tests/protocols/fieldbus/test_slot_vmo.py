"""VMO slot boards, byte for byte, in both roles."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.fieldbus.modbus import (
    Answer,
    DeviceSide,
    Expectation,
    Framing,
    Pdu,
    Request,
    answer_frame,
    request_frame,
)
from protocols.fieldbus.pack import Alarm, PackReading
from protocols.fieldbus.slot_vmo import (
    Charge,
    EmergencyStop,
    Order,
    Slot,
    order_of,
    pdu_of,
    read_mirror,
    read_slot,
    registers_of,
    slot_of,
)
from protocols.fieldbus.slot_vmo_pack import pack_of, registers_of_pack

RTU = Framing.RTU
OLDER = 48


def heard(wire: bytes) -> Request:
    board = DeviceSide(RTU)
    board.receive_data(wire)
    request = board.next_event()
    assert isinstance(request, Request)
    return request


@pytest.mark.parametrize(
    ("pdu", "order", "text"),
    [
        (read_mirror(), None, "01 03 00 00 00 48 45 FC"),
        (read_slot(), None, "01 03 00 48 00 04 C4 1F"),
        (pdu_of(Charge(True)), Charge(True), "01 06 00 4B 00 01 38 1C"),
        (pdu_of(EmergencyStop(True)), EmergencyStop(True), "01 06 00 4A 00 01 69 DC"),
    ],
)
def test_requests(pdu: Pdu, order: Order | None, text: str) -> None:
    """The gateway says these bytes and the board understands them."""
    assert request_frame(RTU, 1, pdu) == bytes.fromhex(text)
    assert heard(bytes.fromhex(text)).pdu == pdu
    assert order_of(heard(bytes.fromhex(text))) == order


@given(st.builds(Slot, *[st.booleans()] * 4), st.sampled_from([72, OLDER]))
def test_a_slot_there_and_back(slot: Slot, first: int) -> None:
    """What the board has is what the gateway reads."""
    request = heard(request_frame(RTU, 1, read_slot(first)))
    answer = Answer(registers=registers_of(slot))
    assert Expectation(RTU, 1, read_slot(first)).feed(answer_frame(RTU, request, answer)) == answer
    assert slot_of(answer.registers) == slot


@given(st.sampled_from([Charge, EmergencyStop]), st.booleans())
def test_versions_do_not_understand_each_other(kind: type[Charge] | type[EmergencyStop], on: bool) -> None:
    """An order at the older place is an order to the older board only."""
    request = Request(1, pdu_of(kind(on), OLDER))
    assert order_of(request, OLDER) == kind(on)
    assert order_of(request) is None


@given(st.lists(st.integers(0, 65535), max_size=6))
def test_anything_else_is_no_slot(registers: list[int]) -> None:
    """Four flags, or nothing is known: an unknown slot is not an empty one."""
    slot = slot_of(registers)
    assert slot is None or list(registers_of(slot)) == registers


def test_the_mirror_of_a_pack() -> None:
    """Registers as the firmware lists them; two values share one, and cells are in tenths of a millivolt."""
    registers = [0] * 72
    registers[21], registers[23], registers[25], registers[26] = 26_000, 0xFF9C, 0x4B62, 78
    registers[40], registers[52], registers[60], registers[61] = 40_010, 39_990, 0x15F6, 0x0319
    assert pack_of(registers) == PackReading(
        voltage_mv=52_000, current_ma=-2_000, soc_permille=750, soh_permille=980, cycles=78, cells_mv=(4_001, 3_999),
        temp_dc_max=250, temp_dc_min=-100, warnings=frozenset(), protections=frozenset(),
    )  # fmt: skip
    registers[16] = 0x0100
    ill = pack_of(registers)
    assert ill is not None
    assert ill.protections == {Alarm.OTHER}
    assert pack_of(registers[:-1]) is None


@given(
    st.integers(0, 65_535),
    st.integers(-32_768, 32_767),
    st.integers(0, 100),
    st.integers(0, 100),
    st.lists(st.integers(1, 5_000), max_size=13),
    st.integers(-40, 125),
)
def test_what_a_board_mirrors_is_what_is_read(
    voltage: int, current: int, charge: int, health: int, cells: list[int], degrees: int
) -> None:
    """Both roles."""
    pack = PackReading(
        voltage_mv=2 * voltage, current_ma=20 * current, soc_permille=10 * charge, soh_permille=10 * health, cycles=7,
        cells_mv=tuple(cells), temp_dc_max=10 * degrees, temp_dc_min=-10, warnings=frozenset(), protections=frozenset(),
    )  # fmt: skip
    assert pack_of(registers_of_pack(pack)) == pack
