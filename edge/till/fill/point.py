"""What is fixed about one pump: its name, what is behind each nozzle, and what its protocol promises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from drivers.pump import PumpTraits
from protocols.trade.records_fuel import Offered


@dataclass(frozen=True, slots=True)
class NozzlePlace:
    """The grade that a nozzle gives, and the tank that it draws from; empty: none is configured."""

    grade: str
    tank: str = ""


@dataclass(frozen=True, slots=True)
class FuelPoint:
    """One pump. nozzles: by number, as many as `traits.nozzles`."""

    id: str
    nozzles: Mapping[int, NozzlePlace]
    traits: PumpTraits

    def offered(self, nozzle: int, price_e3: int) -> Offered:
        """The nozzle as a record names it."""
        place = self.nozzles[nozzle]
        return Offered(nozzle, place.grade, place.tank, price_e3)
