"""How do the fields of a DNY message stand in its data?

A message is a frozen dataclass whose annotations say how each field travels:

    class Change: mode: U8; port: U8; limit: U16

Numbers are little-endian. Fields were added at the end over the years: one with the default None may be missing there,
and whatever stands behind the last known one is ignored.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Annotated, Any, Final, Protocol, TypeVar, cast, get_args, get_type_hints

M = TypeVar("M")

TEMPERATURE_ZERO: Final = 65  # the wire's number for 0 degrees; 0 is "no sensor"


class Form(Protocol):
    """How one field travels."""

    def take(self, data: bytes, at: int) -> tuple[Any, int] | None:
        """The field at `at`, and where it ends. None: it is not whole."""
        ...

    def give(self, value: Any) -> bytes:
        """Raises ValueError for what has no place on the wire."""
        ...


@dataclass(frozen=True, slots=True)
class Number:
    """An unsigned number of `size` bytes. step: what one of the wire is in the value's unit."""

    size: int
    step: int = 1

    def take(self, data: bytes, at: int) -> tuple[int, int] | None:
        end = at + self.size
        return None if end > len(data) else (int.from_bytes(data[at:end], "little") * self.step, end)

    def give(self, value: int) -> bytes:
        steps, rest = divmod(value, self.step)
        if rest or not 0 <= steps < 1 << 8 * self.size:
            raise ValueError(f"{value} is no {self.size} byte number of steps of {self.step}")
        return steps.to_bytes(self.size, "little")


@dataclass(frozen=True, slots=True)
class Temperature:
    """One byte, 65 is 0 degrees. None: 0 on the wire, no sensor."""

    def take(self, data: bytes, at: int) -> tuple[int | None, int] | None:
        if at >= len(data):
            return None
        return (data[at] - TEMPERATURE_ZERO if data[at] else None), at + 1

    def give(self, value: int | None) -> bytes:
        if value is None:
            return b"\0"
        if not 1 <= value + TEMPERATURE_ZERO <= 255:
            raise ValueError(f"a DNY temperature is {1 - TEMPERATURE_ZERO}..={255 - TEMPERATURE_ZERO}, not {value}")
        return bytes((value + TEMPERATURE_ZERO,))


@dataclass(frozen=True, slots=True)
class Raw:
    """`size` bytes as they are."""

    size: int

    def take(self, data: bytes, at: int) -> tuple[bytes, int] | None:
        end = at + self.size
        return None if end > len(data) else (data[at:end], end)

    def give(self, value: bytes) -> bytes:
        if len(value) != self.size:
            raise ValueError(f"expected {self.size} bytes, got {len(value)}")
        return value


@dataclass(frozen=True, slots=True)
class Counted:
    """As many bytes as the byte before them says."""

    def take(self, data: bytes, at: int) -> tuple[bytes, int] | None:
        end = at + 1 + data[at] if at < len(data) else len(data) + 1
        return None if end > len(data) else (data[at + 1 : end], end)

    def give(self, value: bytes) -> bytes:
        if len(value) > 255:
            raise ValueError(f"expected at most 255 bytes, got {len(value)}")
        return bytes((len(value),)) + value


U8 = Annotated[int, Number(1)]
U16 = Annotated[int, Number(2)]
U32 = Annotated[int, Number(4)]
Millivolts = Annotated[int, Number(2, 100)]
Milliwatts = Annotated[int, Number(2, 100)]
Milliwatts8 = Annotated[int, Number(1, 100)]
WattHours = Annotated[int, Number(2, 10)]
Celsius = Annotated[int | None, Temperature()]
Uid = Annotated[bytes, Raw(4)]
Order = Annotated[bytes, Raw(16)]
PerPort = Annotated[bytes, Counted()]
"""A byte for each port, port 0 first."""


def encode(message: object) -> bytes:
    """The data of a message. Raises ValueError for a value without a place on the wire."""
    values = [(name, form, getattr(message, name)) for name, form, _ in _layout(cast(Any, type(message)))]
    while values and values[-1][2] is None:
        values.pop()
    data = bytearray()
    for name, form, value in values:
        if value is None and not isinstance(form, Temperature):
            raise ValueError(f"{type(message).__name__}.{name} cannot be left out before {values[-1][0]}")
        data += form.give(value)
    return bytes(data)


def decode(kind: type[M], data: bytes) -> M | None:
    """None: a field that every version has is missing."""
    values: dict[str, object] = {}
    at, whole = 0, True
    for name, form, may_miss in _layout(cast(Any, kind)):
        taken = form.take(data, at) if whole else None
        if taken is not None:
            values[name], at = taken
        elif not may_miss:
            return None
        else:
            whole = False  # what follows half a field is no field
    return cast(Callable[..., M], kind)(**values)


@functools.cache
def _layout(kind: type[Any]) -> tuple[tuple[str, Form, bool], ...]:
    """Name, form, and whether it may be missing, of every field."""
    hints = get_type_hints(kind, include_extras=True)
    return tuple((each.name, _form(hints[each.name]), each.default is None) for each in fields(kind))


def _form(hint: Any) -> Form:
    """The form within `Annotated[...]` or `Annotated[...] | None`."""
    if hasattr(hint, "__metadata__"):
        return cast(Form, hint.__metadata__[0])
    return next(_form(part) for part in get_args(hint) if part is not type(None))
