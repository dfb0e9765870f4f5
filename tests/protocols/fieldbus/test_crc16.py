"""CRC-16/ARC, which DART and Sanki share."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from protocols.fieldbus.crc16 import crc16_arc


def test_check_value() -> None:
    """The one that catalogues of check sums give."""
    assert crc16_arc(b"123456789") == 0xBB3D


@given(st.binary(max_size=60))
def test_data_and_their_check_sum_come_to_nothing(data: bytes) -> None:
    """Low byte first."""
    assert crc16_arc(data + crc16_arc(data).to_bytes(2, "little")) == 0
