"""What does a technician see of a DART pump?"""

from __future__ import annotations

from drivers.api import Point, Quality
from drivers.pump import Decimals
from drivers.pumps.dart_picture import Picture
from protocols.fieldbus.dart_link import Master


def points(picture: Picture, master: Master, scales: Decimals, quality: Quality, at_ms: int | None) -> list[Point]:
    """Every point as last told, digits as they came beside what they are taken for. No I/O."""
    status, sold, shown = picture.status(), picture.filled, picture.nozzle_price
    said = [
        ("state", "-" if status is None else f"{status.state.value} ({status.reason})", "DC1", None),
        ("nozzle", "-" if shown is None else f"{shown.nozzle or 'none'} {'out' if shown.out else 'in'}", "DC3", None),
        (
            "price",
            "-" if shown is None else f"{scales.price_e3(shown.price)} e-5 yuan/L, digits {shown.price:06d}",
            "DC3",
            None,
        ),
        (
            "volume",
            "-" if sold is None else f"{scales.volume_ml(sold.volume)} mL, digits {sold.volume:08d}",
            "DC2",
            None,
        ),
        (
            "amount",
            "-" if sold is None else f"{scales.amount_fen(sold.amount)} fen, digits {sold.amount:08d}",
            "DC2",
            None,
        ),
        ("alarm", picture.alarm or "none", "DC5", None),
        ("identity", picture.identity or "-", "DC9", None),
        ("decimals", "-" if picture.parameters is None else _decimals(picture), "DC7", picture.misfit()),
        ("blocks repeated", str(master.duplicates), "link", None),
        ("restarts seen", str(master.restarts), "link", None),
        ("words not understood", str(picture.unknown), "link", None),
    ]
    for counter, values in sorted(picture.totals.items()):
        digits = ", ".join(f"{value:010d}" for value in values)
        said.append((f"totals {counter:02X}", f"digits {digits}", "DC101", None))
    return [Point(name, value, quality, at_ms, None, where, error) for name, value, where, error in said]


def _decimals(picture: Picture) -> str:
    told = picture.parameters
    assert told is not None
    return f"volume {told.volume_decimals}, amount {told.amount_decimals}, price {told.price_decimals}"
