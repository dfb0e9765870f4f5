"""What is fixed about one port: its board and number, its price, and what the board promises."""

from __future__ import annotations

from dataclasses import dataclass

from drivers.port_board import PortTraits
from edge.till.state import port_key


@dataclass(frozen=True, slots=True)
class PortPlace:
    """One outlet. price: its name in the port prices of headquarters. locker: it has a door of its own.

    pile_offset_min: of the clock of a pile that reckons a bill of its own; None: it is none.
    """

    board: str
    port: int
    price: str
    traits: PortTraits
    pile_offset_min: int | None = None

    @property
    def id(self) -> str:
        """As customers and tables name it."""
        return port_key(self.board, self.port)

    @property
    def locker(self) -> bool:
        return self.traits.doors
