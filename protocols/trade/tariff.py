"""A tariff: what a kWh, a session and a blocked place cost, by time of day.

Prices are whole thousandths of a fen (`_e3`: 1 yuan per kWh = 100,000), so five decimals of a yuan are exact.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from protocols.trade.codec import Wire
from protocols.trade.records import Amount, Name

DAY_S = 86_400


class Period(Wire, frozen=True):
    """From this second of the local day until the next period begins (the last one runs on past midnight to the
    first).
    """

    from_s: Annotated[int, msgspec.Meta(ge=0, lt=DAY_S)]
    name: Name  # the field's own word: sharp, peak, flat, valley
    energy_e3: Amount  # per kWh
    service_e3: Amount  # per kWh


class Offset(Wire, frozen=True):
    """From this Unix second on, local time is UTC plus offset_s. Headquarters writes them from the zone's own rules."""

    since_s: int
    offset_s: Annotated[int, msgspec.Meta(ge=-DAY_S, le=DAY_S)]


class Tariff(Wire, frozen=True):
    """One version of one tariff.

    periods: at least one, rising from_s. offsets: at least one, rising since_s; before the first the first holds.
    idle_e3_per_min: charged by the second once a car has stayed plugged without charging for idle_grace_s.
    """

    id: Name
    version: Amount
    zone: Name
    offsets: list[Offset]
    periods: list[Period]
    session_e3: Amount
    idle_e3_per_min: Amount
    idle_grace_s: Amount
