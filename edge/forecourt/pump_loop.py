"""One pump's loop: looks, lets the till decide, and does what it says. Nothing is decided here.

    with a filling      look -> what is due is committed -> AUTHORISE, STOP or READ -> closing record durable -> release
    without one         what flows unordered is stopped; totals explained; prices set

What a device fails to do is a fact for the next look. After any crash the loop begins anew from the log and the pump.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog

from drivers.errors import DeviceError, Transient
from drivers.pump import Pump, PumpState, PumpStatus
from edge.clock import Clock
from edge.device_loop import DeviceLoop
from edge.forecourt.eye import Eye
from edge.forecourt.fill_desk import FillDesk
from edge.forecourt.price_keeper import PriceKeeper
from edge.journal.errors import JournalFull
from edge.notices import Notices
from edge.till.fill.point import FuelPoint
from edge.till.fill.progress import FillEnd
from edge.till.fill.sight import FillSight
from edge.till.fill.watch import FillAct, order_of
from edge.till.state import OpenFilling
from protocols.trade.records_fuel import PumpTotals

AGAIN_S = 1.0
"""What a pump has refused, or not answered, is asked again after this."""
STRAY = (PumpState.AUTHORISED, PumpState.DELIVERING, PumpState.SUSPENDED)
"""What no pump does without a filling that is in the log."""

log = structlog.get_logger()


class PumpLoop(DeviceLoop):
    """One pump's."""

    look_s = 0.1

    def __init__(
        self, pump: Pump, point: FuelPoint, fills: FillDesk, clock: Clock, changed: Callable[[], None]
    ) -> None:
        super().__init__(point.id, clock)
        self.pump = pump
        self.point = point
        self.eye = Eye(pump, clock)
        self._fills = fills
        self._changed = changed
        self._state: PumpState | None = None
        self._turned_ms = 0  # when `_state` was first seen
        self._notices = Notices(fills.desk, point.id)
        self._prices = PriceKeeper(self.eye, point, fills, clock, self._notices)

    def troubles(self) -> list[str]:
        """What a technician should know: the last read that failed, prices that it refuses."""
        error = self.eye.error
        return [*([] if error is None else [f"{error}. {error.remedy}"]), *self._notices.lasting]

    async def turn(self) -> None:
        sight = self.eye.sight()
        status = sight.status_within(self._fills.policy.silence_s * 1000)
        if status is None:
            self.eye.forget()
        if status is not None and status.state is not self._state:
            self._state, self._turned_ms = status.state, sight.now.mono_ms
        found = self._fills.filling_at(self.point.id)
        if found is not None:
            await self._serve(found[0], sight)
        elif status is not None:
            await self._rest(status, sight)

    async def look_closely(self) -> FillSight:
        """Status, totals and prices as they are now, the log brought to them; whatever does not answer is old.

        The caller holds the lock, and the pump has no filling. Raises JournalFull.
        """
        try:
            await self.eye.read_status()
            await self.read_totals()
            await self.eye.read_prices()
            await self._prices.log_shown()
        except DeviceError as error:
            log.info("pump not read", pump=self.point.id, error=str(error))
        return self.eye.sight()

    async def read_totals(self) -> PumpTotals:
        """Now; where no filling is open the log is brought to them. The caller holds the lock.

        Raises DeviceError and JournalFull.
        """
        totals = await self.eye.read_totals()
        if self._fills.filling_at(self.point.id) is None:
            await self._fills.explain(self.point, totals)
        return totals

    # --- with a filling ----------------------------------------------------------------------------------------------

    async def _serve(self, filling: OpenFilling, sight: FillSight) -> None:
        if not self._must_wait("disk") and await self._look(filling, sight):
            await self.pump.release()
            return
        act = self._fills.act(filling, sight, self.point)
        if act is FillAct.NONE or self._must_wait(act):
            return
        self._put_off(act, AGAIN_S)
        match act:
            case FillAct.AUTHORISE:
                await self._authorise(filling)
            case FillAct.STOP:
                await self.pump.stop()
            case FillAct.READ:
                await self.eye.read_sale()
                await self.eye.read_totals()
        self.wake()

    async def _look(self, filling: OpenFilling, sight: FillSight) -> bool:
        """Whether it has ended, durably. A full disk keeps nobody from stopping the pump."""
        before = self._fills.desk.state.size
        try:
            return await self._fills.look(filling, sight, self.point)
        except JournalFull as error:
            self._put_off("disk", AGAIN_S)
            self._tell_of_disk(error)
            return False
        finally:
            if self._fills.desk.state.size != before:
                self._changed()

    async def _authorise(self, filling: OpenFilling) -> None:
        try:
            await self.pump.authorise(order_of(filling))
        except DeviceError as error:
            log.warning("pump not authorised", pump=self.point.id, session=filling.seq, error=str(error))
            await self._fills.told(filling, surely=False)
            if not isinstance(error, Transient):  # it says no: asking again would change nothing
                await self._fills.stop(filling.seq, FillEnd.OTHER, f"not authorised: {error}")
            raise
        await self._fills.told(filling, surely=True)
        log.info("pump authorised", pump=self.point.id, session=filling.seq)

    # --- without one -------------------------------------------------------------------------------------------------

    async def _rest(self, status: PumpStatus, sight: FillSight) -> None:
        if status.state in STRAY:
            await self._stop_stray(status)
            return
        self._notices.over("pump-unordered")
        if self._fills.desk.state.closed:
            return
        unread = self._totals_due(status, sight)
        if unread and not self._must_wait("totals"):
            self._put_off("totals", AGAIN_S)
            await self.read_totals()
            await self.eye.read_prices()
            return
        if status.state is PumpState.ENDED and not unread and not self._must_wait("release"):
            self._put_off("release", AGAIN_S)
            await self.pump.release()  # what it sold is in the log
        at_rest = status.state in (PumpState.IDLE, PumpState.UNPRICED)
        if at_rest and await self._prices.keep(status, sight):
            self._changed()

    async def _stop_stray(self, status: PumpStatus) -> None:
        """It may deliver, and no filling in the log says so: an attendant's own key, or another controller."""
        detail = f"{status.state.value} without a filling: stopped"
        await self._notices.tell("pump-unordered", detail, status.state)
        if not self._must_wait(FillAct.STOP):
            self._put_off(FillAct.STOP, AGAIN_S)
            await self.pump.stop()

    def _totals_due(self, status: PumpStatus, sight: FillSight) -> bool:
        """When it comes to rest, and from time to time; with a nozzle out only where they have never been read."""
        totals = sight.totals
        if totals is None:
            return status.state is not PumpState.OUT
        if status.state in (PumpState.CALLING, PumpState.OUT, PumpState.REACHED):
            return False
        age_ms = sight.now.mono_ms - totals.mono_ms
        return totals.mono_ms <= self._turned_ms or age_ms >= self._fills.policy.idle_totals_s * 1000
