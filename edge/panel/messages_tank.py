"""What the panel says of tanks. Volumes in mL."""

from __future__ import annotations

import msgspec


class TankView(msgspec.Struct, frozen=True):
    """A tank. gauge: the device's id; None: dipped by a person. gauge_ml, level_mm, water_mm, temp_dc: as it shows now.

    book_ml: what should be in it by its book; None: it has never been dipped. dip_ml, dip_wall_ms: the newest dip;
    difference_ml: less what the book said then. received_ml, sold_ml, unattributed_ml: since the book's opening.
    days_tenths: tenths of days until it is empty; None: nothing to tell it from. None elsewhere: not known.
    """

    id: str
    grade: str
    capacity_ml: int
    gauge: str | None
    gauge_ml: int | None
    level_mm: int | None
    water_mm: int | None
    temp_dc: int | None
    book_ml: int | None
    dip_ml: int | None
    dip_wall_ms: int | None
    difference_ml: int | None
    received_ml: int
    sold_ml: int
    unattributed_ml: int
    days_tenths: int | None


class BookedView(msgspec.Struct, frozen=True):
    """A dip or a delivery that has been booked; the tank as it then is."""

    volume_ml: int
    tank: TankView
