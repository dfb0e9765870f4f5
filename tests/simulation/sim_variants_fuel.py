"""Known-bad software at pumps: production with one thing made wrong, each a design that somebody has built."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from unittest import mock

from msgspec.structs import replace as changed
from sim_world import Variant

import edge.till.fill.settle
import edge.till.fill.watch
from drivers.errors import DeviceError
from drivers.pump import PumpState
from edge.forecourt.fill_desk import FillDesk
from edge.forecourt.islands import Islands
from edge.forecourt.pump_loop import PumpLoop
from edge.till.ask import Opening, Refused
from edge.till.fill import verdict
from edge.till.fill.ask import FillAsk
from edge.till.fill.point import FuelPoint
from edge.till.fill.progress import FillProgress
from edge.till.fill.sight import FillSight, SaleSeen
from edge.till.fill.verdict import Verdict
from edge.till.fill.watch import order_of
from edge.till.state import OpenFilling
from protocols.trade.fuel_bill import bill_of
from protocols.trade.records_fuel import FillingOpened

FORECOURT: dict[str, Any] = {"pumps": 100, "pump_every_s": 60, "pump_answers": 0.1}
"""What worlds need in which pumps matter."""


# --- the pump first, the record afterwards ----------------------------------------------------------------------------


def eager_pumps() -> Variant:
    """The pump is authorised on what has been decided; the record follows."""
    start = Islands._start

    async def eager(self: Islands, loop: PumpLoop, ask: FillAsk) -> OpenFilling | Refused:
        decision = self.fills._decide(ask, await loop.look_closely())
        if isinstance(decision, Opening):
            body = decision.draft.body
            assert isinstance(body, FillingOpened)
            try:
                await loop.pump.authorise(order_of(OpenFilling(0, self.fills.now(), body, tuple(body.holds))))
            except DeviceError:
                pass  # the loop will try again
        return await start(self, loop, ask)

    patch = mock.patch.object(Islands, "_start", eager)
    return Variant("a pump authorised before the record is durable", faults=FORECOURT, patches=lambda: [patch])


# --- the pump's memory is wiped before anybody has stored it ----------------------------------------------------------


def early_release() -> Variant:
    """RESET as soon as the pump says that the sale is over, then settle."""
    serve = PumpLoop._serve

    async def hasty(self: PumpLoop, filling: OpenFilling, sight: FillSight) -> None:
        if sight.status is not None and sight.status.state is PumpState.ENDED and sight.status.volume_ml:
            await self.pump.release()
        await serve(self, filling, sight)

    patch = mock.patch.object(PumpLoop, "_serve", hasty)
    return Variant("a pump reset before its sale is stored", faults=FORECOURT, patches=lambda: [patch])


# --- what was not answered is said again ------------------------------------------------------------------------------


def blind_repetition() -> Variant:
    """An authorisation without an answer is just given again; a restart gives it again too."""

    async def told(self: FillDesk, filling: OpenFilling, *, surely: bool) -> None:
        if surely:
            await heard(self, filling, surely=True)

    heard = FillDesk.told
    resume = edge.till.fill.watch.resume

    def sure(progress: FillProgress, boot: bytes, mono_ms: int) -> FillProgress:
        return changed(resume(progress, boot, mono_ms), unsure=False)

    patches = [mock.patch.object(FillDesk, "told", told), mock.patch.object(edge.till.fill.watch, "resume", sure)]
    often = {**FORECOURT, "pump_answers": 0.5}
    return Variant("an authorisation repeated blindly", faults=often, patches=lambda: patches)


# --- the display while it runs is taken for the sale ------------------------------------------------------------------


def running_display() -> Variant:
    """Billed is what was displayed when it was looked at last, in mid-sale."""
    judge = verdict.judge

    def displayed(filling: OpenFilling, progress: FillProgress, point: FuelPoint) -> Verdict | None:
        sale = progress.sale
        if sale is not None and progress.volume_ml:
            seen = SaleSeen(sale.nozzle, progress.volume_ml, progress.amount_fen, None, None, sale.mono_ms)
            progress = changed(progress, sale=seen)
        return judge(filling, progress, point)

    return Variant("billed from the running display", faults=FORECOURT, patches=lambda: _judged_by(displayed))


# --- what nobody explains is the last customer's ----------------------------------------------------------------------


def last_customer_pays() -> Variant:
    """The whole movement of the totalizer is billed, whatever the sale says."""
    judge = verdict.judge

    def all_of_it(filling: OpenFilling, progress: FillProgress, point: FuelPoint) -> Verdict | None:
        found = judge(filling, progress, point)
        if found is None or found.sold is None or found.bill is None:
            return found
        moved_ml = found.moved.get(found.sold.nozzle)
        if not moved_ml or moved_ml <= found.volume_ml:
            return found
        price_e3 = found.sold.price_e3
        bill = bill_of(moved_ml, price_e3, moved_ml * price_e3 // 1_000_000, 1, 1)
        rest = {nozzle: ml for nozzle, ml in found.left_ml.items() if nozzle != found.sold.nozzle}
        return replace(found, volume_ml=moved_ml, bill=bill, left_ml=rest)

    often = {**FORECOURT, "pump_totals": True}
    return Variant("unattributed litres charged to the last customer", faults=often,
                   patches=lambda: _judged_by(all_of_it))  # fmt: skip


def _judged_by(judge: Any) -> list[Any]:
    return [mock.patch.object(module, "judge", judge) for module in (edge.till.fill.settle, edge.till.fill.watch)]


FUEL_VARIANTS = (eager_pumps(), early_release(), blind_repetition(), running_display(), last_customer_pays())
