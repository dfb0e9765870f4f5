"""A simulated device's points by name and value, over its registers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

import msgspec

from drivers.profile import Profile
from drivers.profile_decode import Codec, codec
from drivers.profile_state import Value, kinds_of, parse
from drivers.twins.registers import Registers


class Panel:
    """Shows and tells values, in base units. fixed: what the device is (model, layout), which decides what exists.

    KeyError for a point that the profile, or this model, does not have.
    """

    def __init__(self, profile: Profile, unit: int, fixed: Mapping[str, Value]) -> None:
        kinds = kinds_of(profile)
        when = {name: parse(point.when, kinds) for name, point in profile.points.items() if point.when}
        self.profile = profile
        self.fixed = dict(fixed)
        self.registers = Registers(profile, unit, lambda name: name not in when or when[name].holds(fixed) is True)
        self.points = self.registers.points
        self._codecs: dict[str, Codec] = {name: codec(profile, point) for name, point in self.points.items()}
        for name, value in {**self._who_i_am(), **{n: v for n, v in fixed.items() if n in self.points}}.items():
            self.show(name, value)

    def show(self, name: str, value: Value) -> None:
        """Put a value into a point; None is the point's "not known". ValueError: it does not fit."""
        way = self._codecs[name]
        self.registers.put(name, way.encode(value), self._mask(way))

    def show_measured(self, name: str, value: Fraction) -> None:
        """As a real device shows it: down to its resolution, and its greatest or least where it does not fit."""
        way = self._codecs[name]
        if way.step is not None:
            value = value // way.step * way.step
        try:
            self.show(name, value)
        except ValueError:
            signed = way.point.type in ("i16", "i32", "i64")
            bits = 16 * way.count - signed
            end = (1 << bits) - 1 if value > 0 else -(1 << bits) if signed else 0
            self.show(name, end * way.scale + way.offset)

    def shown(self, name: str) -> Value:
        """What a point says; None when it says that it does not know."""
        value = self._codecs[name].decode(self.registers.get(name))
        return value if isinstance(value, int | str | Fraction) else None

    def says(self, name: str, value: Value) -> bool:
        """Whether a point holds exactly the registers that mean `value`."""
        return tuple(self.registers.get(name)) == self._codecs[name].encode(value)

    @staticmethod
    def _mask(way: Codec) -> tuple[int, ...] | None:
        if way.point.mask is None:
            return None
        whole = msgspec.structs.replace(way.point, mask=None, shift=0, unit="", null=(), transient=(), type="u16")
        whole = msgspec.structs.replace(whole, type={1: "u16", 2: "u32", 3: "u48", 4: "u64"}[way.count])
        return replace(way, point=whole, scale=Fraction(1), offset=Fraction(0)).encode(way.point.mask)

    def _who_i_am(self) -> dict[str, Value]:
        """Texts for the points that tell model, serial number and firmware, where these are texts."""
        gives = self.profile.gives
        said: dict[str, Value] = {}
        texts = ((gives.model, self.profile.device.models[0]), (gives.serial, "TWIN"), (gives.firmware, "1.0"))
        for name, text in texts:
            if name in self.points and self.points[name].type in ("ascii", "utf16"):
                room = self.points[name].registers * (2 if self.points[name].type == "ascii" else 1)
                said[name] = text.encode("ascii", errors="replace").decode("ascii")[:room]
        return said
