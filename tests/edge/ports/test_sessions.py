"""Sessions at charging ports, from start to bill, on a real journal."""

from __future__ import annotations

from pathlib import Path

from protocols.trade.records import Preset
from tests.edge.ports.port_rig import a_rack


async def test_an_hour_at_a_port(tmp_path: Path) -> None:
    """A paid port session from start to a settled bill: an hour at 150 W costs a yuan, the rest of the hold goes."""
    async with a_rack(tmp_path) as rack:
        session = await rack.begin_port(preset=Preset("time", 3_600))
        assert rack.lease().held == 300  # whatever it draws
        await rack.wait(3_605)
        assert rack.bills == [("limit", 100)]
        assert (rack.lease().used, rack.lease().held) == (100, 0)
        assert rack.steel.kept == []
        assert session.seq not in rack.ports
