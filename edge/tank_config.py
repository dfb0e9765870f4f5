"""What a site's config says of its tanks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated

import msgspec

from drivers.pumps.config import Grade, PumpConfig
from drivers.registry import DeviceConfig
from edge.till.fill.tank_rules import TankLimits, strapping_disorder
from protocols.door import Fault

Name = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$",
        description="1 to 32 letters, digits, dots, dashes and underscores, a letter or digit first",
    ),
]
Litres = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]


class TankConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[tank]]`. gauge: the `[[device]]` that measures it; None: a person dips it. strapping: [level in mm, litres],
    rising, for a gauge that tells a level alone. water_mm_max, low_l, leak_l: beyond these a person is told; 0: never.
    """

    id: Name
    grade: Grade
    capacity_l: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
    gauge: Name | None = None
    strapping: tuple[tuple[Litres, Litres], ...] = ()
    water_mm_max: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 50
    low_l: Litres = 0
    leak_l: Litres = 0

    @property
    def limits(self) -> TankLimits:
        """As the rules want them."""
        return TankLimits(
            self.id,
            self.grade,
            self.capacity_l * 1000,
            self.strapping,
            self.water_mm_max,
            self.low_l * 1000,
            self.leak_l * 1000,
        )


def tank_faults(
    tanks: Sequence[TankConfig], devices: Sequence[DeviceConfig], pumps: Sequence[PumpConfig]
) -> Iterator[Fault]:
    """Names and grades that do not meet."""
    ids = {device.id for device in devices}
    for index, tank in enumerate(tanks):
        if tank.gauge is not None and tank.gauge not in ids:
            yield Fault(f"tank[{index}].gauge", "the id of a `[[device]]`", f"`{tank.gauge}`")
        wrong = strapping_disorder(tank.strapping)
        if wrong is not None:
            yield Fault(f"tank[{index}].strapping", "levels and litres that both rise", wrong)
    for name in ("id", "gauge"):
        used = [getattr(tank, name) for tank in tanks if getattr(tank, name) is not None]
        twice = sorted({one for one in used if used.count(one) > 1})
        yield from (Fault("tank", f"each {name} once", f"`{one}` {used.count(one)} times") for one in twice)
    grades = {tank.id: tank.grade for tank in tanks}
    for index, pump in enumerate(pumps):
        for at, nozzle in enumerate(pump.nozzles):
            path = f"pump[{index}].nozzles[{at}]"
            if nozzle.tank is None or not tanks:
                continue
            if nozzle.tank not in grades:
                yield Fault(f"{path}.tank", f"one of {', '.join(sorted(grades))}", f"`{nozzle.tank}`")
            elif grades[nozzle.tank] != nozzle.grade:
                yield Fault(f"{path}.grade", f"{grades[nozzle.tank]}, as in tank {nozzle.tank}", nozzle.grade)
