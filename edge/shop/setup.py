"""The shop of a site, put together from its config, its cabinets and its log."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from drivers.cabinet import Cabinet
from edge.clock import Clock
from edge.measurement import MeasurementRecorder
from edge.shop.shop import Shop
from edge.shop.swap_desk import SwapDesk
from edge.site import Site
from edge.till.swap.place import CabinetPlace
from edge.till.swap.policy import SwapPolicy


def set_up(
    site: Site,
    cabinets: Mapping[str, Cabinet],
    policy: SwapPolicy,
    clock: Clock,
    recorder: MeasurementRecorder | None = None,
    numbers: Mapping[str, str] = MappingProxyType({}),
) -> Shop | None:
    """None: no cabinet is configured, and no session is open at one that was. recorder: as of `SwapDesk`.
    numbers: by cabinet, as customers read them on it; not of those that have none.
    """
    if not cabinets and not site.desk.state.shop.swaps:
        return None
    places = {name: CabinetPlace(name, cabinet.slots, numbers.get(name, "")) for name, cabinet in cabinets.items()}
    return Shop(site, SwapDesk(site.desk, clock, policy, places, recorder), cabinets, clock)
