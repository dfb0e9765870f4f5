"""What a pile's numbers, times, states and stop reasons mean to a till."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.port_board import PortEnd, order_number, session_of
from drivers.ports.ykc_says import (
    EPOCH_MAX,
    SEQ_MAX,
    end_of,
    gun_byte,
    number_of,
    order_of,
    pile_time,
    port_of,
    refusal_of,
    unix_ms,
)
from protocols.fieldbus.ykc import order_number as pile_number
from protocols.fieldbus.ykc_money import STOP_REASONS
from protocols.fieldbus.ykc_session import NO_ORDER, NoStart

CODE = "32010200000001"


@given(st.integers(1, EPOCH_MAX), st.integers(0, SEQ_MAX), st.integers(1, 20))
def test_order_numbers_come_back(epoch: int, seq: int, port: int) -> None:
    """Whatever the pile was told, in the digits that it has room for."""
    number = order_number(epoch, seq)
    order = order_of(number, CODE, port)
    assert len(order) == 32
    assert order.isdecimal()
    assert number_of(order, CODE) == number


@given(st.datetimes(datetime(2000, 1, 1), datetime(2099, 12, 31)), st.integers(1, 20), st.integers(0, 9_999))
def test_what_a_pile_makes_up_is_never_ours(moment: datetime, gun: int, counter: int) -> None:
    """It stays the pile's 16 bytes, and names no epoch that there can be."""
    order = pile_number(CODE, gun, moment, counter)
    assert number_of(order, CODE) == bytes.fromhex(order)
    found = session_of(number_of(order, CODE))
    assert found is not None
    assert found[0] > EPOCH_MAX


@pytest.mark.parametrize("order", [NO_ORDER, "F" * 32, "5" * 14 + "010099003000000007", CODE + "010099000000000007"])
def test_what_is_nobodys(order: str) -> None:
    """Zeros, letters, another pile's, no epoch."""
    assert number_of(order, CODE) == bytes.fromhex(order)


@pytest.mark.parametrize("number", [order_number(EPOCH_MAX + 1, 1), order_number(1, SEQ_MAX + 1), order_number(0, 1)])
def test_what_has_no_room(number: bytes) -> None:
    """Refused, never cut off."""
    with pytest.raises(ValueError, match="room for"):
        order_of(number, CODE, 1)


def test_guns() -> None:
    """Two decimal digits; a byte that is none stays what it is."""
    assert [gun_byte(port) for port in (1, 9, 10, 20)] == [0x01, 0x09, 0x10, 0x20]
    assert [port_of(gun) for gun in (0x01, 0x09, 0x10, 0x20, 0x0A, 0xFF)] == [1, 9, 10, 20, 0x0A, 0xFF]


@given(st.integers(946_684_800_000, 4_000_000_000_000), st.sampled_from([480, 0, -300, 330]))
def test_times_come_back(wall_ms: int, offset_min: int) -> None:
    """To the millisecond, in the pile's zone; a time that a pile has not is none."""
    assert unix_ms(pile_time(wall_ms, offset_min), offset_min) == wall_ms
    assert unix_ms(None, offset_min) is None


def test_a_time_in_china() -> None:
    """The facts' bill began at 10:30 there."""
    assert unix_ms(datetime(2026, 11, 21, 10, 30), 480) == 1_795_228_200_000


def test_ends() -> None:
    """Every stop reason of the document has a till's word; reserved numbers have their range's."""
    ends = {reason: end_of(reason) for reason in range(256)}
    assert ends[0x40] is PortEnd.STOPPED
    assert ends[0x41] is PortEnd.FULL
    assert {reason for reason, end in ends.items() if end is PortEnd.LIMIT} == {0x42, 0x43, 0x44, 0x4E, 0x6E}
    assert {reason for reason, end in ends.items() if end is PortEnd.UNPLUGGED} == {0x4B, 0x6B}
    assert ends[0x83] is PortEnd.POWER_LOSS
    assert {ends[reason] for reason in (0x4A, 0x58, 0x6A, 0x89)} == {PortEnd.FAULT}
    assert {ends[reason] for reason in (0x00, 0x45, 0x46, 0x90, 0xFF)} == {PortEnd.OTHER}
    assert all(reason in ends for reason in STOP_REASONS)


def test_refusals() -> None:
    """A till's word becomes the pile's; any other is that there is no such account."""
    assert refusal_of("balance") is NoStart.BALANCE
    assert refusal_of("no-such-vin") is NoStart.NO_SUCH_VIN
    assert refusal_of("余额不足") is NoStart.NO_ACCOUNT
