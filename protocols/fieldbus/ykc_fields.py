"""YKC 1.6: how is one field of a message written, and how does a message follow from its fields?

A message is a frozen dataclass whose annotations say how each field travels, in the order of the wire:

    @dataclass(frozen=True, slots=True)
    class PriceCheck:
        pile: Pile                        # Annotated[str, Hex(7)]
        model: Annotated[str, Hex(2)]

Numbers are little-endian, decimal digits and card numbers in natural order. Reading never fails on a body of the right
length; what was read can always be written again. Fixed-point numbers are integers in the unit in their name:

    energy_dwh       0.1 Wh               the wire's kWh with four decimals
    amount_e2        1/100 of a fen       yuan with four decimals
    price_e3         1/1000 of a fen      yuan with five decimals, per kWh
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Annotated, Any, Final, Generic, Protocol, TypeVar, get_type_hints

M = TypeVar("M")

_HEX: Final = re.compile("[0-9A-Fa-f]*")


class Field(Protocol):
    """How one value travels. size: bytes; None: all that are left, as the last field may."""

    @property
    def size(self) -> int | None: ...

    def read(self, data: bytes) -> Any:
        """Of a field without size: raises Unreadable where the bytes do not come out even."""

    def write(self, value: Any) -> bytes:
        """Raises ValueError for a value that has no place."""


class Unreadable(Exception):
    """A body whose parts do not fit its length."""


@dataclass(frozen=True, slots=True)
class Uint:
    """A number, little-endian. The value is (the wire's number + offset) x step."""

    size: int
    step: int = 1
    offset: int = 0

    def read(self, data: bytes) -> int:
        return (int.from_bytes(data, "little") + self.offset) * self.step

    def write(self, value: int) -> bytes:
        number, rest = divmod(value, self.step)
        number -= self.offset
        if rest or not 0 <= number < 1 << 8 * self.size:
            raise ValueError(f"{value} has no place in {self.size} bytes, steps of {self.step}")
        return number.to_bytes(self.size, "little")


@dataclass(frozen=True, slots=True)
class ZeroUnknown:
    """A number where 0 on the wire means that there is none."""

    number: Uint

    @property
    def size(self) -> int:
        return self.number.size

    def read(self, data: bytes) -> int | None:
        return self.number.read(data) if any(data) else None

    def write(self, value: int | None) -> bytes:
        data = bytes(self.size) if value is None else self.number.write(value)
        if value is not None and not any(data):
            raise ValueError(f"{value} would mean that there is none")
        return data


@dataclass(frozen=True, slots=True)
class Hex:
    """Digits, two to a byte. Letters A to F stand in card numbers, and where a peer breaks the rules."""

    size: int

    def read(self, data: bytes) -> str:
        return data.hex().upper()

    def write(self, value: str) -> bytes:
        if len(value) != 2 * self.size or _HEX.fullmatch(value) is None:
            raise ValueError(f"expected {2 * self.size} digits, got {value!r}")
        return bytes.fromhex(value)


@dataclass(frozen=True, slots=True)
class Text:
    """Characters, filled up with NUL. A byte above 7F stands for itself. backwards: the last character comes first."""

    size: int
    backwards: bool = False

    def read(self, data: bytes) -> str:
        return (data[::-1] if self.backwards else data).decode("latin-1").strip("\0")

    def write(self, value: str) -> bytes:
        data = value.encode("latin-1")
        if len(data) > self.size:
            raise ValueError(f"{value!r} is longer than {self.size} characters")
        data = data.ljust(self.size, b"\0")
        return data[::-1] if self.backwards else data


@dataclass(frozen=True, slots=True)
class LongText:
    """A length, then so many characters: the last field."""

    size: None = None

    def read(self, data: bytes) -> str:
        if not data or data[0] != len(data) - 1:
            raise Unreadable
        return data[1:].decode("latin-1")

    def write(self, value: str) -> bytes:
        data = value.encode("latin-1")
        if len(data) > 255:
            raise ValueError(f"{len(data)} characters are too many")
        return bytes((len(data),)) + data


@dataclass(frozen=True, slots=True)
class Raw:
    """Bytes that are not looked into."""

    size: int

    def read(self, data: bytes) -> bytes:
        return data

    def write(self, value: bytes) -> bytes:
        if len(value) != self.size:
            raise ValueError(f"expected {self.size} bytes, got {len(value)}")
        return value


@dataclass(frozen=True, slots=True)
class Rest:
    """Reserved bytes at the end, `most` or fewer: some peers leave them out."""

    most: int
    size: None = None

    def read(self, data: bytes) -> bytes:
        if len(data) > self.most:
            raise Unreadable
        return data

    def write(self, value: bytes) -> bytes:
        if len(value) > self.most:
            raise ValueError(f"at most {self.most} bytes, got {len(value)}")
        return value


@dataclass(frozen=True, slots=True)
class Flag:
    """Yes or no. Which byte means yes differs from message to message; every other one means no."""

    yes: int
    size: int = 1

    def read(self, data: bytes) -> bool:
        return data[0] == self.yes

    def write(self, value: bool) -> bytes:
        return bytes((self.yes if value else 1 - self.yes,))


@dataclass(frozen=True, slots=True)
class Choice:
    """A member of `kind`, or a number that no source knows."""

    kind: type[IntEnum]
    size: int = 1

    def read(self, data: bytes) -> int:
        number = int.from_bytes(data, "little")
        return self.kind(number) if number in self.kind.__members__.values() else number

    def write(self, value: int) -> bytes:
        return Uint(self.size).write(value)


@dataclass(frozen=True, slots=True)
class Moment:
    """CP56Time2a: milliseconds of the minute, then minute, hour, day, month, year. None: no such moment, as all zeros.

    The pile's own clock, in its zone. A moment that makes no sense is unknown, and makes no bill unreadable.
    """

    size: int = 7

    def read(self, data: bytes) -> datetime | None:
        second, millisecond = divmod(int.from_bytes(data[:2], "little"), 1000)
        minute, hour, day, month, year = (
            byte & mask for byte, mask in zip(data[2:], (0x3F, 0x1F, 0x1F, 0x0F, 0x7F), strict=True)
        )
        try:
            return datetime(2000 + year, month, day, hour, minute, second, millisecond * 1000)
        except ValueError:
            return None

    def write(self, value: datetime | None) -> bytes:
        if value is None:
            return bytes(7)
        if not 2000 <= value.year <= 2127:
            raise ValueError(f"the year is 2000 to 2127, not {value.year}")
        first = (value.second * 1000 + value.microsecond // 1000).to_bytes(2, "little")
        return first + bytes((value.minute, value.hour, value.day, value.month, value.year - 2000))


class Layout(Generic[M]):
    """How the messages of one class travel."""

    def __init__(self, kind: type[M]) -> None:
        hints = get_type_hints(kind, include_extras=True)
        self.kind: Callable[..., M] = kind
        self.fields: dict[str, Field] = {name: hint.__metadata__[0] for name, hint in hints.items()}
        sizes = [field.size for field in self.fields.values()]
        assert None not in sizes[:-1], f"only the last field of {kind.__name__} may be as long as it likes"
        self.size_min: Final = sum(size or 0 for size in sizes)
        self.size: Final = None if sizes[-1] is None else self.size_min

    def read(self, data: bytes) -> M:
        """Raises Unreadable for a body of the wrong length."""
        if len(data) < self.size_min or (self.size is not None and len(data) != self.size):
            raise Unreadable
        found, at = {}, 0
        for name, field in self.fields.items():
            end = len(data) if field.size is None else at + field.size
            found[name] = field.read(data[at:end])
            at = end
        return self.kind(**found)

    def write(self, message: M) -> bytes:
        """Raises ValueError for a value that has no place."""
        return b"".join(field.write(getattr(message, name)) for name, field in self.fields.items())


class Part(Generic[M]):
    """A dataclass within a message."""

    def __init__(self, kind: type[M]) -> None:
        self.layout = Layout(kind)

    @property
    def size(self) -> int | None:
        return self.layout.size

    def read(self, data: bytes) -> M:
        return self.layout.read(data)

    def write(self, value: M) -> bytes:
        return self.layout.write(value)


@dataclass(frozen=True, slots=True)
class Times:
    """`count` fields of one kind, as a tuple."""

    count: int
    field: Field

    @property
    def size(self) -> int:
        assert self.field.size is not None
        return self.count * self.field.size

    def read(self, data: bytes) -> tuple[Any, ...]:
        return _split(self.field, data)

    def write(self, value: tuple[Any, ...]) -> bytes:
        if len(value) != self.count:
            raise ValueError(f"expected {self.count} parts, got {len(value)}")
        return b"".join(map(self.field.write, value))


@dataclass(frozen=True, slots=True)
class Many:
    """As many as there are, as a tuple: the last field. counted: behind a byte that says how many; most: of them."""

    field: Field
    most: int
    counted: bool = True
    size: None = None

    def read(self, data: bytes) -> tuple[Any, ...]:
        count, rest = (data[:1], data[1:]) if self.counted else (b"", data)
        assert self.field.size is not None
        number, over = divmod(len(rest), self.field.size)
        if over or number > self.most or (self.counted and count != bytes((number,))):
            raise Unreadable
        return _split(self.field, rest)

    def write(self, value: tuple[Any, ...]) -> bytes:
        if len(value) > self.most:
            raise ValueError(f"at most {self.most}, not {len(value)}")
        head = bytes((len(value),)) if self.counted else b""
        return head + b"".join(map(self.field.write, value))


def _split(field: Field, data: bytes) -> tuple[Any, ...]:
    size = field.size
    assert size is not None
    return tuple(field.read(data[at : at + size]) for at in range(0, len(data), size))


Pile = Annotated[str, Hex(7)]
"""Fourteen digits."""
Gun = Annotated[int, Uint(1)]
"""The byte as it stands. It is BCD in most messages, so that gun 10 is 0x10."""
Order = Annotated[str, Hex(16)]
"""The platform's number of one charge, 32 digits; see `ykc.order_number`. All zeros: none."""
Card = Annotated[str, Hex(8)]
"""Sixteen digits. All zeros: none."""
Vin = Annotated[str, Text(17)]
EnergyDwh = Annotated[int, Uint(4)]
AmountE2 = Annotated[int, Uint(4)]
PriceE3 = Annotated[int, Uint(4)]
