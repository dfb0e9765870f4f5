"""What is fixed about one cabinet: its name, and what each slot is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from drivers.cabinet import SlotTraits


@dataclass(frozen=True, slots=True)
class CabinetPlace:
    """number: as customers read it on the cabinet; empty: it has none."""

    id: str
    slots: Mapping[int, SlotTraits]
    number: str
