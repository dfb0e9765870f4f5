"""The check sums that field protocols share: CRC-16/ARC and CRC-16/MODBUS."""

from __future__ import annotations

from typing import Final


def _table() -> tuple[int, ...]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0xA001 if value & 1 else 0)
        table.append(value)
    return tuple(table)


_TABLE: Final = _table()


def crc16_arc(data: bytes | bytearray) -> int:
    """Polynomial 8005 reflected, from 0, nothing added at the end. `123456789` gives BB3D."""
    return _crc16(data, 0)


def crc16_modbus(data: bytes | bytearray) -> int:
    """The same, from FFFF. `123456789` gives 4B37."""
    return _crc16(data, 0xFFFF)


def _crc16(data: bytes | bytearray, crc: int) -> int:
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc
