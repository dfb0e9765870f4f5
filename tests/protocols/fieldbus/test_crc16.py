"""CRC-16/ARC and CRC-16/MODBUS, which several field protocols share."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from protocols.fieldbus.crc16 import crc16_arc, crc16_modbus


def test_check_value() -> None:
    """The ones that catalogues of check sums give."""
    assert crc16_arc(b"123456789") == 0xBB3D
    assert crc16_modbus(b"123456789") == 0x4B37


@given(st.binary(max_size=60))
def test_data_and_their_check_sum_come_to_nothing(data: bytes) -> None:
    """Low byte first."""
    assert crc16_arc(data + crc16_arc(data).to_bytes(2, "little")) == 0
    assert crc16_modbus(data + crc16_modbus(data).to_bytes(2, "little")) == 0
