"""The forecourt of a site, put together from its config, its pumps and its log."""

from __future__ import annotations

from edge.clock import Clock
from edge.config import Config
from edge.forecourt.fill_desk import FillDesk
from edge.forecourt.islands import Islands
from edge.forecourt.tanks import Tanks
from edge.measurement import MeasurementRecorder
from edge.premises import Premises
from edge.site import Site
from edge.till.fill.point import FuelPoint, NozzlePlace


def set_up(
    config: Config, site: Site, premises: Premises, clock: Clock, recorder: MeasurementRecorder | None
) -> Islands | None:
    """None: neither pump nor tank is configured, and no filling is open at a pump that was.

    recorder: as of `FillDesk`.
    """
    pumps, gauges = premises.pumps, premises.gauges
    if not pumps and not config.tank and not site.desk.state.forecourt.fillings:
        return None
    points: dict[str, FuelPoint] = {}
    for one in config.pump:
        nozzles = {nozzle.number: NozzlePlace(nozzle.grade, nozzle.tank or "") for nozzle in one.nozzles}
        points[one.id] = FuelPoint(one.id, nozzles, pumps[one.id].traits)
    numbers = {str(one.number): one.id for one in config.pump}
    fills = FillDesk(site.desk, clock, config.fuel, points, recorder)
    tanks = Tanks(site.desk, clock, {one.id: one.limits for one in config.tank}, gauges)
    return Islands(site, fills, pumps, numbers, clock, tanks)
