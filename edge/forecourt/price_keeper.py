"""Does one pump show what its list says? It is told so while it rests, and the log says what it was seen to show."""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from drivers.errors import DeviceError, Transient
from drivers.pump import PumpState, PumpStatus
from edge.clock import Clock
from edge.forecourt.eye import Eye
from edge.forecourt.fill_desk import FillDesk
from edge.notices import Notices
from edge.till.fill.point import FuelPoint
from edge.till.fill.prices import applied, due, to_set
from edge.till.fill.sight import FillSight

AGAIN_S, REFUSED_AGAIN_S = 1, 30
"""A pump whose line has just failed, and one that has refused its prices, is told them again after this."""
TAKES_S = 5
"""A pump that has taken its prices may say for a moment longer that it has none."""
VAIN_MAX = 5
"""A line may fail for a moment; a pump that could not be told its prices so often is reported."""

log = structlog.get_logger()


class PriceKeeper:
    """Of one pump. Whoever calls holds the pump's lock."""

    def __init__(self, eye: Eye, point: FuelPoint, fills: FillDesk, clock: Clock, notices: Notices) -> None:
        self._eye = eye
        self._point = point
        self._fills = fills
        self._clock = clock
        self._notices = notices
        self._not_before_ms = 0
        self._vain = 0  # how often in a row the prices could not be set and it is not known why

    async def keep(self, status: PumpStatus, sight: FillSight) -> bool:
        """At a pump at rest: whether its prices have just been set, and the log says so.

        A pump that refuses them is reported; it sells nothing until it agrees. Raises Transient and JournalFull.
        """
        prices, state = self._fills.prices, self._fills.desk.state
        if prices is None or self._clock.mono_ms() < self._not_before_ms:
            return False
        should = due(state, self._point, prices, sight.now)
        lost = bool(should) and status.state is PumpState.UNPRICED
        if not lost and not to_set(state, self._point, should, sight.prices):
            return False
        self._wait(REFUSED_AGAIN_S)
        try:
            why = await self._set(should, lost=lost)
        except Transient as error:
            self._vain += 1
            if self._vain < VAIN_MAX:
                self._wait(AGAIN_S)
                raise
            why = str(error)
        if why is not None:
            await self._notices.tell("price-refused", why, tuple(sorted(should.items())))
            return False
        self._notices.over("price-refused")
        self._vain = self._not_before_ms = 0
        if lost:
            self._wait(TAKES_S)
        if not lost or to_set(self._fills.desk.state, self._point, should, None):
            await self._fills.desk.record([applied(self._point, should)])
        log.info("prices set", pump=self._point.id, price_e3=dict(should))
        return True

    async def log_shown(self) -> None:
        """The log says so of a pump that shows what is due: no filling begins at prices of which it is silent."""
        prices, state, sight = self._fills.prices, self._fills.desk.state, self._eye.sight()
        if prices is None or state.closed:
            return
        should, told = due(state, self._point, prices, sight.now), sight.prices or {}
        as_due = all(told.get(nozzle) == price_e3 for nozzle, price_e3 in should.items())
        if as_due and to_set(state, self._point, should, told):
            await self._fills.desk.record([applied(self._point, should)])

    async def _set(self, should: Mapping[int, int], *, lost: bool) -> str | None:
        """Why the pump does not show these; None: it does. Raises Transient: it may yet."""
        try:
            told = await self._eye.read_prices()
            if lost or any(told.get(nozzle) != price_e3 for nozzle, price_e3 in should.items()):
                await self._eye.pump.set_prices({**told, **should})
                told = await self._eye.read_prices()
        except Transient:
            raise
        except DeviceError as error:
            return str(error)
        wrong = {nozzle: told[nozzle] for nozzle in should if told.get(nozzle, should[nozzle]) != should[nozzle]}
        return f"it shows {wrong}, the list says {dict(should)}" if wrong else None

    def _wait(self, seconds: int) -> None:
        self._not_before_ms = self._clock.mono_ms() + seconds * 1000
