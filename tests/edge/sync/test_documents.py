"""What headquarters puts in force at a site, and what the site does not take even when it is signed."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace as changed
from sync_box import Box, all_sent, enrolled, running, until
from sync_hq import FLAT, Headquarters

from edge.sync.uplink import Uplink
from protocols.trade.tariff import Period, Tariff

EVENING_FIRST = changed(FLAT, version=2, periods=[Period(64_800, "peak", 2, 0), Period(0, "valley", 1, 0)])
NO_PERIODS = changed(FLAT, version=2, periods=[])
NO_OFFSETS = changed(FLAT, version=2, offsets=[])


@pytest.mark.parametrize("faulty", [EVENING_FIRST, NO_PERIODS, NO_OFFSETS], ids=["unsorted", "no-period", "no-offset"])
async def test_a_signed_tariff_that_cannot_be_priced_by_is_not_put_in_force(
    hq: Headquarters, tmp_path: Path, faulty: Tariff
) -> None:
    """A signature says who wrote it, not that it can be read by time of day: the one before stays, a person is told."""
    async with enrolled(hq, tmp_path, f"tariff-{tmp_path.name.replace('_', '-')[:50]}") as box:
        hq.publish(box.name)
        async with running(box.uplink()) as uplink:
            await until(lambda: version_of(box) == 1)
            hq.publish(box.name, faulty)
            await until(lambda: "document" in trouble_of(uplink))
            assert version_of(box) == 1
            hq.publish(box.name, changed(FLAT, version=3))
            await until(lambda: version_of(box) == 3)
            await all_sent(uplink)
            await until(lambda: trouble_of(uplink) == "")


def version_of(box: Box) -> int | None:
    tariff = box.site.desk.tariff
    return None if tariff is None else tariff.version


def trouble_of(uplink: Uplink) -> str:
    trouble = uplink.status().trouble
    return "" if trouble is None else f"{trouble.code}: {trouble.what}"
