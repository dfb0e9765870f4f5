"""Xunming's lock boards, byte for byte, in both roles: function 5 with values that Modbus forbids."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.fieldbus.lock_xunming import (
    HOLD_MS_MAX,
    WILDCARD,
    Charger,
    Lock,
    Order,
    order_of,
    pdu_of,
    restart,
    set_address,
    set_baud,
)
from protocols.fieldbus.modbus import (
    NEED_MORE,
    Answer,
    DeviceSide,
    Expectation,
    Framing,
    Request,
    UnknownRequest,
    WriteCoilValue,
    WriteRegisters,
    answer_frame,
    request_frame,
)

RTU = Framing.RTU


@pytest.mark.parametrize(
    ("order", "text"),
    [
        (Lock(1, 500), "01 05 00 65 01 F4 DD C2"),
        (Lock(2, 500), "01 05 00 66 01 F4 2D C2"),
        (Lock(16, 500), "01 05 00 74 01 F4 8D C7"),
        (Lock(1, 5000), "01 05 00 65 13 88 D0 83"),
        (Lock(1), "01 05 00 65 FF 00 9C 25"),
        (Lock(1, Lock.KEEP_ON), "01 05 00 65 FF FF DC 65"),
        (Lock(1, Lock.OFF), "01 05 00 65 00 00 DD D5"),
        (Charger(1, True), "01 05 00 C9 FF 00 5C 04"),
        (Charger(1, False), "01 05 00 C9 00 00 1D F4"),
    ],
)
def test_orders(order: Order, text: str) -> None:
    """The gateway says these bytes, the board understands and mirrors them, the gateway takes that for its answer."""
    wire, pdu = bytes.fromhex(text), pdu_of(order)
    assert request_frame(RTU, 1, pdu) == wire
    board = DeviceSide(RTU)
    board.receive_data(wire)
    request = board.next_event()
    assert isinstance(request, Request)
    assert order_of(request) == order
    assert answer_frame(RTU, request) == wire
    assert Expectation(RTU, 1, pdu).feed(wire) == Answer()


@pytest.mark.parametrize(
    ("unit", "pdu", "text"),
    [
        (1, set_address(2), "01 06 03 E9 00 02 D9 BB"),
        (1, set_baud(1), "01 06 03 EA 00 01 69 BA"),
        (1, restart(), "01 06 03 E8 00 FF 49 FA"),
        (WILDCARD, restart(), "FE 06 03 E8 00 FF 5D F5"),
    ],
)
def test_settings(unit: int, pdu: WriteRegisters, text: str) -> None:
    """Plain function 6, also by the wildcard."""
    assert request_frame(RTU, unit, pdu) == bytes.fromhex(text)


def test_another_value_is_another_answer() -> None:
    """An answer must mirror the value, too: lock 1 for 5 s is not lock 1 for 0.5 s."""
    expect = Expectation(RTU, 1, pdu_of(Lock(1, 500)))
    assert expect.feed(bytes.fromhex("01 05 00 65 13 88 D0 83")) is NEED_MORE
    assert expect.give_up() is NEED_MORE


@pytest.mark.parametrize(
    "order",
    [Lock(0), Lock(17), Lock(1, -1), Lock(1, HOLD_MS_MAX + 2), Lock(1, 65536), Charger(0, True), Charger(9, True)],
)
def test_what_no_board_takes_is_refused(order: Order) -> None:
    """16 locks, 8 bays, and only the values that the pages explain."""
    with pytest.raises(ValueError, match="Xunming"):
        pdu_of(order)


def test_settings_are_bounded() -> None:
    """A unit is one that can answer."""
    for unit in (0, 248):
        with pytest.raises(ValueError, match="unit"):
            set_address(unit)


@given(st.integers(0, 65535), st.integers(0, 65535))
def test_any_value_of_function_5(address: int, value: int) -> None:
    """Whatever a board understands, it understands as it was meant."""
    wire = request_frame(RTU, 1, WriteCoilValue(address, value))
    board = DeviceSide(RTU)
    board.receive_data(wire)
    request = board.next_event()
    assert isinstance(request, Request)
    order = order_of(request)
    assert order is None or request_frame(RTU, 1, pdu_of(order)) == wire
    assert answer_frame(RTU, request) == wire


@given(st.integers(0, 255), st.binary(max_size=6))
def test_other_functions_are_no_order(function: int, data: bytes) -> None:
    """And never an error."""
    order = order_of(Request(1, UnknownRequest(function, data)))
    assert order is None or (function == 5 and len(data) == 4)
