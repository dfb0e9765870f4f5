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
