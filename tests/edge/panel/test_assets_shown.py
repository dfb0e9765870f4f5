"""What customers have at a site besides money, in `fieldtill status`: a plan's units, deposits in yuan."""

from __future__ import annotations

import io
import re

from edge.panel import show, views
from edge.panel.messages import StatusView
from edge.panel.paper import Paper
from edge.till.state import Lease, TillState, lease_key


def state(*leases: Lease) -> TillState:
    return TillState(leases={lease_key(lease.account, lease.asset): lease for lease in leases})


def test_each_asset_is_a_line_of_its_own() -> None:
    """Money has its own line; units are counted, deposits are shown in yuan."""
    till = state(
        Lease("ann", "CNY", granted=5_000),
        Lease("ann", "swaps-30", granted=6, used=2, held=1),
        Lease("bob", "swaps-30", granted=4, returned=1),
        Lease("bob", "DEPOSIT", granted=30_000, used=30_000),
    )
    view = StatusView(
        site="hz-1", epoch=1, waiting_for=None, no_starts=None, ill=None, running_s=1.0, clock_quality="unknown",
        wall_ms=0, uncertain_ms=None, hq=None, mqtt=None, day=None, value=views.value(till), tariff=None, connectors=[],
        pumps=[], readers=[], journal=None, assets=views.assets(till),
    )  # fmt: skip
    out = io.StringIO()
    show.status(Paper(out), view)
    lines = [re.sub(r" {2,}", "  ", line).strip() for line in out.getvalue().splitlines()]
    assert "DEPOSIT  ¥300.00 granted to 1 account: ¥300.00 used, ¥0.00 held, ¥0.00 free" in lines
    assert "swaps-30  10 granted to 2 accounts: 2 used, 1 held, 6 free, 1 returned" in lines
