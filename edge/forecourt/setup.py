"""The forecourt of a site, put together from its config, its pumps and its log."""

from __future__ import annotations

from collections.abc import Mapping

from drivers.pump import Pump
from edge.clock import Clock
from edge.config import Config
from edge.forecourt.fill_desk import FillDesk
from edge.forecourt.islands import Islands
from edge.fuel_record import FuelRecorder
from edge.site import Site
from edge.till.fill.point import FuelPoint, NozzlePlace


def set_up(
    config: Config, site: Site, pumps: Mapping[str, Pump], clock: Clock, recorder: FuelRecorder | None
) -> Islands | None:
    """None: neither pump nor tank is configured, and no filling is open at a pump that was. recorder: as of `FillDesk`."""
    if not pumps and not config.tank and not site.desk.state.forecourt.fillings:
        return None
    points: dict[str, FuelPoint] = {}
    for one in config.pump:
        nozzles = {nozzle.number: NozzlePlace(nozzle.grade, nozzle.tank or "") for nozzle in one.nozzles}
        points[one.id] = FuelPoint(one.id, nozzles, pumps[one.id].traits)
    numbers = {str(one.number): one.id for one in config.pump}
    fills = FillDesk(site.desk, clock, config.fuel, points, recorder)
    return Islands(site, fills, pumps, numbers, clock)
