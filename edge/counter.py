"""A small number outside the journal's disk that only grows: what tells, without a link, that the disk is an older one.

    file     two slots in a file on a second medium (a USB stick, another card)
    eeprom   the same two slots in a chip that the kernel shows as a file (at24 EEPROM or FRAM)

Each tick goes into the other slot, so that a write cut short leaves the one before. Hardware that counts by itself (a
TPM's NV counter, an ATECC608) fits by the same three methods of `Counter`.
"""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from edge.journal.files import fsync_directory

_SLOT = struct.Struct(">8sQI")
"""8 bytes of magic, the value, and the CRC-32 of both."""
_MAGIC = b"FTCOUNT1"
_SECTOR = 4096
"""Slots of a file lie this far apart, so that one torn sector cannot take both."""
_CELL = 32
"""Slots of a chip: its smallest holds 128 bytes and writes pages of 8 to 64."""


class CounterConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[counter]`, optional. path: on another medium than data_dir; of a chip, where the kernel shows it."""

    path: str
    kind: Literal["file", "eeprom"] = "file"


class CounterError(Exception):
    """The counter cannot be read or ticked; what is sold without a link must wait."""

    remedy = "Look at the medium that [counter] names: is it there, is it mounted, may the daemon write it?"


class CounterBlank(CounterError):
    """There is no counter on the medium yet, or what was there has been wiped."""


class Counter(Protocol):
    """slack: how far it may run ahead by itself when power fails during a tick."""

    slack: int

    def read(self) -> int:
        """Raises CounterBlank, CounterError."""

    def tick(self) -> int:
        """One more, durably; the new value. Raises CounterError."""

    def begin(self, value: int) -> None:
        """Count from `value` on, durably: a blank one, or one that lags behind. Raises CounterError."""


class SlotCounter:
    """Two slots in a file or in a chip. For one thread at a time."""

    slack = 0  # the older slot is whole before the newer one is written

    def __init__(self, config: CounterConfig) -> None:
        self._path = Path(config.path)
        self._is_chip = config.kind == "eeprom"
        self._apart = _CELL if self._is_chip else _SECTOR

    def read(self) -> int:
        try:
            data = self._path.read_bytes() if not self._is_chip else self._chip_bytes()
        except FileNotFoundError as error:
            if self._is_chip or not self._path.parent.is_dir():
                raise CounterError(f"{self._path}: {error.strerror}") from error
            raise CounterBlank(f"{self._path} is not there") from error
        except OSError as error:
            raise CounterError(f"{self._path}: {error.strerror}") from error
        slots = [data[place : place + _SLOT.size] for place in (0, self._apart)]
        values = [value for value in map(_value, slots) if value is not None]
        if values:
            return max(values)
        if not data.strip(b"\xff\0"):
            raise CounterBlank(f"{self._path} is blank")
        raise CounterError(f"{self._path} holds no whole counter: both slots are damaged, or it is something else")

    def tick(self) -> int:
        value = self.read() + 1
        self._write({value % 2: value})
        return value

    def begin(self, value: int) -> None:
        self._write({value % 2: value, (value + 1) % 2: value})

    def _chip_bytes(self) -> bytes:
        with self._path.open("rb") as chip:
            return chip.read(2 * _CELL)

    def _write(self, slots: dict[int, int]) -> None:
        flags = os.O_WRONLY | os.O_CLOEXEC | (0 if self._is_chip else os.O_CREAT)
        try:
            new = not self._path.exists()
            descriptor = os.open(self._path, flags, 0o600)
            try:
                for slot, value in sorted(slots.items()):
                    os.pwrite(descriptor, _slot(value), slot * self._apart)
                if not self._is_chip:  # the driver of a chip writes through, and knows no fsync
                    os.fsync(descriptor)
            finally:
                os.close(descriptor)
            if new:
                fsync_directory(self._path.parent)
        except OSError as error:
            raise CounterError(f"{self._path}: {error.strerror}") from error


def shares_medium(config: CounterConfig, data_dir: Path) -> bool:
    """Whether the counter lies on the journal's own disk, so that a copy of the one is a copy of the other."""
    try:
        return Path(config.path).parent.stat().st_dev == data_dir.stat().st_dev
    except OSError:
        return False


def counter_of(config: CounterConfig | None) -> Counter | None:
    """None: the config names none."""
    return None if config is None else SlotCounter(config)


def _slot(value: int) -> bytes:
    head = _SLOT.pack(_MAGIC, value, 0)[:-4]
    return head + zlib.crc32(head).to_bytes(4, "big")


def _value(slot: bytes) -> int | None:
    """None: torn, blank, or something else."""
    if len(slot) != _SLOT.size or slot[:8] != _MAGIC or zlib.crc32(slot[:-4]).to_bytes(4, "big") != slot[-4:]:
        return None
    return int(_SLOT.unpack(slot)[1])
