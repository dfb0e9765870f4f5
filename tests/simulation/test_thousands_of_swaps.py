"""Swaps by the thousand at cabinets under faults, with the auditor of all worlds: `make test-swaps SWAPS=2000`.

Each world has cabinets, riders of every kind and every fault that a cabinet can show, beside all that befalls sites.
"""

from __future__ import annotations

import os

import pytest
from sim_report import Report
from sim_run import summary
from sim_variants_shop import SHOP
from sim_world import Variant, simulate

SWAPS = int(os.environ.get("FIELDTILL_SWAPS", "0"))
FIRST = int(os.environ.get("FIELDTILL_SEED", "1"))
BUSY_S = 1_500
FAULTS = {**SHOP, "shop_every_s": 40, "shop_packs": True, "shop_hazards": True}


@pytest.mark.skipif(not SWAPS, reason="takes minutes: make test-swaps")
def test_every_pack_has_one_place_and_every_charge_a_pack() -> None:
    """As many packs as asked for are taken and paid; each world ends with all packs where the records say."""
    reports: list[Report] = []
    variant = Variant("cabinets alone", faults=FAULTS)
    while sum(report.swaps for report in reports) < SWAPS:
        report = simulate(FIRST + len(reports), variant, busy_s=BUSY_S)
        reports.append(report)
        assert report.wrong is None, f"seed {report.seed}: {report.wrong}"
    print(summary(reports))
