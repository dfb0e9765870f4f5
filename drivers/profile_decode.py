"""What do a point's registers mean? Registers to exact values and back; both roles, so that twins use it too.

A value is an `int` or `Fraction` of base units (W, Wh, A, V ...), a text, or None where the device says that it does
not know. Floats on the wire are taken exactly, then brought down to the point's resolution.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from typing import Final, Literal

from drivers.profile import Point, Profile, quantity
from drivers.profile_state import Value


class Verdict(Enum):
    """Answers that are no value."""

    AGAIN = "again"  # the device does not know just now: keep the last value and ask again


AGAIN: Final = Verdict.AGAIN

_FLOATS = {"f32": (">f", 23, -126), "f64": (">d", 52, -1022)}  # format, bits of the fraction, least exponent
_SIGNED = ("i16", "i32", "i64")
_TEXTS = ("ascii", "utf16", "hex")


@dataclass(frozen=True, slots=True)
class Codec:
    """One point's way between registers and values. Build it with `codec`."""

    point: Point
    count: int
    swap_words: bool
    swap_bytes: bool
    scale: Fraction
    offset: Fraction
    step: Fraction | None  # resolution in base units

    def decode(self, registers: Sequence[int]) -> Value | Literal[Verdict.AGAIN]:
        """The value in `count` registers; ValueError when there are not that many."""
        if len(registers) != self.count:
            raise ValueError(f"{len(registers)} registers instead of {self.count}")
        data = self._bytes(registers)
        kind = self.point.type
        if kind in _TEXTS:
            return self._text(data)
        bits = int.from_bytes(data, "big")
        if bits in self.point.transient:
            return AGAIN
        if bits in self.point.null:
            return None
        if kind in _FLOATS:
            return self._float(data, bits)
        if kind == "bcd":
            digits = data.hex()
            return self._scaled(int(digits)) if digits.isdecimal() else None
        if self.point.mask is not None:
            bits &= self.point.mask
        if kind in _SIGNED:
            bits = int.from_bytes(data, "big", signed=True)
        return self._scaled(bits >> self.point.shift)

    def encode(self, value: Value) -> tuple[int, ...]:
        """The registers that mean `value`; a number between two raw steps goes down, so no limit is exceeded.

        None becomes the point's null. ValueError when the value does not fit.
        """
        kind, size = self.point.type, 2 * self.count
        if value is None:
            return self._registers(self._null(size))
        if kind in _TEXTS:
            return self._registers(self._from_text(str(value), size))
        if isinstance(value, str):
            raise ValueError(f"{value!r} is no number")
        exact = (Fraction(value) - self.offset) / self.scale
        if kind in _FLOATS:
            return self._registers(struct.pack(_FLOATS[kind][0], float(exact)))
        raw = exact.numerator // exact.denominator << self.point.shift
        if kind == "bcd":
            if raw < 0 or len(str(raw)) > 2 * size:
                raise ValueError(f"{value} does not fit in {2 * size} digits")
            return self._registers(bytes.fromhex(str(raw).zfill(2 * size)))
        try:
            return self._registers(raw.to_bytes(size, "big", signed=kind in _SIGNED))
        except OverflowError:
            raise ValueError(f"{value} does not fit in {kind}") from None

    def _bytes(self, registers: Sequence[int]) -> bytes:
        words = reversed(registers) if self.swap_words else registers
        return b"".join(word.to_bytes(2, "little" if self.swap_bytes else "big") for word in words)

    def _registers(self, data: bytes) -> tuple[int, ...]:
        order: Literal["little", "big"] = "little" if self.swap_bytes else "big"
        words = [int.from_bytes(data[i : i + 2], order) for i in range(0, len(data), 2)]
        return tuple(reversed(words)) if self.swap_words else tuple(words)

    def _scaled(self, raw: int) -> Value:
        if self.scale == 1 and not self.offset and self.step is None:
            return raw
        value = raw * self.scale + self.offset
        return value if self.step is None else value // self.step * self.step

    def _float(self, data: bytes, bits: int) -> Value:
        layout, fraction_bits, exponent_min = _FLOATS[self.point.type]
        (number,) = struct.unpack(layout, data)
        if number != number or number in (float("inf"), float("-inf")):
            return None
        value = Fraction(number) * self.scale + self.offset
        if self.step is None:
            return value
        down = value // self.step * self.step
        # A meter that shows 1234.57 sends the nearest float, 1234.5699. The next step up is meant where this float is
        # nearest to it; where floats lie wider apart than steps, nothing can be told and down it is.
        exponent = max(
            (bits >> fraction_bits & ((1 << 8 * len(data) - 1 - fraction_bits) - 1)) + exponent_min - 1, exponent_min
        )
        spacing = Fraction(2) ** (exponent - fraction_bits) * self.scale
        up = down + self.step
        return up if spacing <= self.step and up - value < spacing / 2 else down

    def _text(self, data: bytes) -> Value:
        if self.point.type == "hex":
            return data.hex()
        if not data.strip(b"\xff"):
            return None
        encoding = "utf-16-be" if self.point.type == "utf16" else "ascii"
        text = data.decode(encoding, errors="replace").partition("\0")[0] if data.strip(b"\0") else ""
        return text.strip()

    def _from_text(self, text: str, size: int) -> bytes:
        if self.point.type == "hex":
            data = bytes.fromhex(text)
        else:
            data = text.encode("utf-16-be" if self.point.type == "utf16" else "ascii")
        if len(data) > size:
            raise ValueError(f"{text!r} does not fit in {size} bytes")
        return data.ljust(size, b"\0")

    def _null(self, size: int) -> bytes:
        if self.point.null:
            return self.point.null[0].to_bytes(size, "big")
        if self.point.type in (*_FLOATS, "ascii", "utf16"):
            return b"\xff" * size  # NaN, or a text of nothing
        raise ValueError("this point has no way to say that it does not know")


def codec(profile: Profile, point: Point) -> Codec:
    """The codec of `point`. Texts ignore the device's word order, which is about numbers."""
    device, text = profile.device, point.type in _TEXTS
    word_order = point.word_order or ("be" if text else device.word_order)
    byte_order = point.byte_order or ("be" if text else device.byte_order)
    return Codec(
        point=point,
        count=point.registers,
        swap_words=word_order == "le",
        swap_bytes=byte_order == "le",
        scale=point.quantum.amount,
        offset=Fraction(point.offset),
        step=quantity(point.resolution).amount if point.resolution is not None else None,
    )
