"""Can what a pack says of itself be so? What cannot is damage that its check sum has let through. Pure.

The limits are wide: they part nonsense from readings, not healthy packs from ill ones. An empty cell, a hot pack, a
worn one are readings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from protocols.fieldbus.pack import PackReading


@dataclass(frozen=True, slots=True)
class Limits:
    """low ..= high. why: the source, or the reason."""

    low: int
    high: int
    unit: str
    why: str


_SENSOR: Final = Limits(-400, 1250, "tenths of a degree", "what thermistors in packs measure; Daly cannot say less")
_CELL: Final = Limits(0, 5_000, "mV", "front-end chips measure up to 5 V; 0 is a cell that is broken, or its wire")
_CAPACITY: Final = Limits(100, 1_000_000, "mAh", "0.1 Ah to 1000 Ah: no pack that a person carries, and far more")

LIMITS: Final[Mapping[str, Limits]] = {
    "voltage_mv": Limits(3_000, 150_000, "mV", "packs of 4 to 28 cells in series, from broken to overcharged"),
    "current_ma": Limits(-500_000, 500_000, "mA", "ten times what an e-moto draws"),
    "soc_permille": Limits(0, 1_000, "permille", "a part of the whole"),
    "soh_permille": Limits(0, 1_200, "permille", "new packs hold more than is promised"),
    "remaining_mah": Limits(0, 1_000_000, "mAh", "as full_mah, or nothing"),
    "full_mah": _CAPACITY,
    "design_mah": _CAPACITY,
    "cycles": Limits(0, 20_000, "", "the code's cycle life ends at 9900; twice that is no pack"),
    "cells_mv": _CELL,
    "cell_mv_max": _CELL,
    "cell_mv_min": _CELL,
    "temps_dc": _SENSOR,
    "temp_dc_max": _SENSOR,
    "temp_dc_min": _SENSOR,
    "mos_temp_dc": _SENSOR,
    "case_temp_dc": _SENSOR,
}


def impossible(reading: PackReading) -> list[str]:
    """Each value that cannot be so, in words. Empty: all can. None is never wrong."""
    return [
        f"{name} {value} is not {limits.low}..={limits.high} {limits.unit}".rstrip()
        for name, limits in LIMITS.items()
        for value in _values(getattr(reading, name))
        if not limits.low <= value <= limits.high
    ]


def may_be_another(before: PackReading, now: PackReading) -> bool:
    """Whether these may be two packs, though the wire was never seen silent: a fast hand between two polls.

    The charge of one pack moves 5 % in some minutes, not between two polls; its cycles never go back.
    """
    if _moved(before.charge_permille, now.charge_permille) > 50:
        return True
    if _moved(before.design_mah, now.design_mah) or _moved(before.full_mah, now.full_mah) > 1_000:
        return True
    return before.cycles is not None and now.cycles is not None and now.cycles not in (before.cycles, before.cycles + 1)


def _moved(before: int | None, now: int | None) -> int:
    return 0 if before is None or now is None else abs(now - before)


def _values(value: int | tuple[int, ...] | None) -> Iterator[int]:
    if isinstance(value, tuple):
        yield from value
    elif value is not None:
        yield value
