"""Fillings from the ask to the bill, at a pump that does what pumps do."""

from __future__ import annotations

from pathlib import Path

from protocols.trade.records import Preset
from protocols.trade.records_fuel import FillingClosed, PumpPricesSet
from tests.edge.forecourt.court_rig import a_court


async def test_a_sale(tmp_path: Path) -> None:
    """Opening record, authorisation, flow, closing record, release, in this order; the bill is the pump's display."""
    async with a_court(tmp_path) as court:
        assert [body.pump for body in court.bodies(PumpPricesSet)] == ["p1", "p2"]
        court.pump.asked.clear()
        filling = await court.begin_filling(Preset("money", 5_000))
        assert court.pump.acts == []
        await court.wait(1)
        assert court.pump.acts == ["authorise"]
        await court.pour(10_000)
        assert court.bills == [(6_370, 5_000)]
        assert court.pump.acts == ["authorise", "release"]
        (closed,) = court.bodies(FillingClosed)
        assert (closed.session, closed.reason, closed.sold.grade) == (filling.seq, "preset", "92")
        assert court.lease().used == 5_000
        court.audit()
