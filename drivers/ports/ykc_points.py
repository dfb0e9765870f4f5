"""What does a technician see of a pile?"""

from __future__ import annotations

from datetime import timedelta

from drivers.api import Point, Reading
from drivers.port_board import PortStatus
from protocols.fieldbus.ykc_money import PriceModel
from protocols.fieldbus.ykc_session import Login


def pile_points(
    login: Login | None, prices: PriceModel | None, clock_off: timedelta | None, bills: int
) -> list[tuple[str, str]]:
    """(name, value) of the pile as a whole."""
    shown: list[tuple[str, object]] = [
        ("software", None if login is None else login.software),
        ("version", None if login is None else f"{login.version // 10}.{login.version % 10}"),
        ("guns", None if login is None else login.guns),
        ("price model", None if prices is None else prices.model),
        ("clock off", None if clock_off is None else f"{clock_off.total_seconds():.0f} s"),
        ("bills waiting", bills),
    ]
    return [(name, "-" if value is None else str(value)) for name, value in shown]


def gun_point(port: int, reading: Reading[PortStatus]) -> Point:
    """One gun: `charging (charging), 6992 W, 1234 Wh`."""
    status = reading.value
    words = "-"
    if status is not None:
        energy = "" if status.energy_wh is None else f", {status.energy_wh} Wh"
        words = f"{status.state.value} ({status.reason}), {status.power_w} W{energy}"
    return Point(f"gun {port}", words, reading.quality, reading.at_ms, None, "state")
