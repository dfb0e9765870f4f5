"""What stands at a site: charging places, pumps, a cabinet, boards with ports. It outlives every daemon."""

from __future__ import annotations

from dataclasses import dataclass, field

from sim_plant import Stand
from sim_ports import PortStand
from sim_pump import FuelStand
from sim_shop import ShopStand


@dataclass(frozen=True)
class Places:
    """Each by its name. shop: None: this site has none."""

    stands: dict[str, Stand]
    pumps: dict[str, FuelStand] = field(default_factory=dict)
    shop: ShopStand | None = None
    boards: dict[str, PortStand] = field(default_factory=dict)

    def twin(self) -> Places:
        """Other places that look like these; nobody is there."""
        return Places(
            {name: stand.twin() for name, stand in self.stands.items()},
            {name: pump.twin() for name, pump in self.pumps.items()},
            None if self.shop is None else self.shop.twin(),
            {name: board.twin() for name, board in self.boards.items()},
        )

    def power(self, on: bool) -> None:
        """The mains of the whole site."""
        for stand in self.stands.values():
            stand.power(on)
        self.power_besides(on)

    def power_besides(self, on: bool) -> None:
        """The mains of all that is no charging place."""
        for place in self._besides():
            place.power(on)

    def heal(self) -> None:
        """Nothing is wrong any more, and everybody has gone."""
        for place in self._besides():
            place.heal()

    def pass_by(self) -> None:
        """Whoever comes by sees to what stands open."""
        if self.shop is not None:
            self.shop.pass_by()

    def excuse(self) -> None:
        """What happens here now is beyond what a till can know."""
        for stand in self.stands.values():
            stand.excused = True
        for pump in self.pumps.values():
            pump.excused = True
        for board in self.boards.values():
            board.excused = True

    def _besides(self) -> list[FuelStand | ShopStand | PortStand]:
        return [*self.pumps.values(), *(() if self.shop is None else (self.shop,)), *self.boards.values()]
