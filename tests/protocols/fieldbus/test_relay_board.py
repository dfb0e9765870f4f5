"""Modbus relay boards, byte for byte, in both roles."""

from __future__ import annotations

import pytest

from protocols.fieldbus.modbus import (
    Answer,
    Asked,
    DeviceSide,
    Expectation,
    Framing,
    ReadBits,
    ReadRegisters,
    Request,
    Space,
    WriteRegisters,
    answer_frame,
    request_frame,
)
from protocols.fieldbus.relay_board import (
    PULSE_MS_MAX,
    Order,
    Pulse,
    Switch,
    order_of,
    pdu_of,
    read_inputs,
    read_relays,
    set_relays,
)

RTU = Framing.RTU


def heard(wire: bytes) -> Request:
    board = DeviceSide(RTU)
    board.receive_data(wire)
    request = board.next_event()
    assert isinstance(request, Request)
    return request


@pytest.mark.parametrize(
    ("order", "text"),
    [
        (Switch(0, True), "01 05 00 00 FF 00 8C 3A"),
        (Switch(0, False), "01 05 00 00 00 00 CD CA"),
        (Pulse(0, 700), "01 05 02 00 00 07 8D B0"),
        (Pulse(2, 500), "01 05 02 02 00 05 AD B1"),
        (Pulse(2, 500, on=False), "01 05 04 02 00 05 AD 39"),
        (Switch(None, True), "01 05 00 FF FF 00 BC 0A"),
        (Switch(None, False), "01 05 00 FF 00 00 FD FA"),
    ],
)
def test_orders(order: Order, text: str) -> None:
    """The gateway says these bytes; the board understands and mirrors them."""
    wire, pdu = bytes.fromhex(text), pdu_of(order)
    assert request_frame(RTU, 1, pdu) == wire
    assert order_of(heard(wire)) == order
    assert answer_frame(RTU, heard(wire)) == wire
    assert Expectation(RTU, 1, pdu).feed(wire) == Answer()


@pytest.mark.parametrize(
    ("unit", "pdu", "text"),
    [
        (1, read_relays(), "01 01 00 00 00 08 3D CC"),
        (1, read_inputs(), "01 02 00 00 00 08 79 CC"),
        (1, set_relays((True,) * 8), "01 0F 00 00 00 08 01 FF BE D5"),
        (1, WriteRegisters(0, (1,), single=True), "01 06 00 00 00 01 48 0A"),
        (1, ReadRegisters(Space.INPUT, 0, 1), "01 04 00 00 00 01 31 CA"),
        (0xFF, ReadBits(Space.DISCRETE, 0, 8), "FF 02 00 00 00 08 6C 12"),
    ],
    ids=["relays", "inputs", "all at once", "a relay by function 6", "an input by function 4", "an LC board's inputs"],
)
def test_plain_requests(unit: int, pdu: Asked, text: str) -> None:
    """Other boards' habits are plain Modbus."""
    assert request_frame(RTU, unit, pdu) == bytes.fromhex(text)
    assert heard(bytes.fromhex(text)).pdu == pdu
    assert order_of(heard(bytes.fromhex(text))) is None


@pytest.mark.parametrize(("unit", "text", "on"), [(1, "01 02 01 05 61 8B", {0, 2}), (0xFF, "FF 02 01 01 51 A0", {0})])
def test_inputs(unit: int, text: str, on: set[int]) -> None:
    """Input 0 is bit 0."""
    bits = tuple(n in on for n in range(8))
    assert Expectation(RTU, unit, read_inputs()).feed(bytes.fromhex(text)) == Answer(bits=bits)
    assert answer_frame(RTU, Request(unit, read_inputs()), Answer(bits=bits)) == bytes.fromhex(text)


@pytest.mark.parametrize(
    "order",
    [Switch(8, True), Switch(-1, True), Pulse(8, 500), Pulse(0, 0), Pulse(0, 550), Pulse(0, PULSE_MS_MAX + 100)],
)
def test_what_the_board_cannot_do_is_refused(order: Order) -> None:
    """Relays 0 to 7, whole tenths of a second."""
    with pytest.raises(ValueError, match="relay"):
        pdu_of(order)
