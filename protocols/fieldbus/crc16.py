"""The check sum that pump protocols share: CRC-16/ARC."""

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


def crc16_arc(data: bytes) -> int:
    """Polynomial 8005 reflected, from 0, nothing added at the end. `123456789` gives BB3D."""
    crc = 0
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc
