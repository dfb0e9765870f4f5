"""A box without a battery for its clock: it wakes in 1970, learns the time from headquarters, or sells without it."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from plant import PRICES, Plant, plant, running

from edge import clock
from protocols.trade.codec import decode
from protocols.trade.records import ClockMoved, ClockQuality, Record, SessionClosed, SessionOpened, body_of

pytestmark = pytest.mark.system

CARD = "CARD-0001"
YEAR_MS = 365 * 86_400_000
VALLEY_E3 = min(period.energy_e3 for period in PRICES.periods)


async def sell(site: Plant) -> int:
    (account,) = site.cards
    seq = await site.start("c2", account, "energy", 8)
    await site.until("the session to end", lambda status: not running(status))
    return seq


@pytest.mark.timeout(300)
async def test_microocpp_311_a_box_that_wakes_in_1970(tmp_path: Path) -> None:
    """The power is cut, and the clock with it. Offline it says that it does not know the time and takes the lowest
    price of the day; the first answer of headquarters makes it certain, restarts included; every record can be
    ordered, and headquarters prices every bill again to the same fen.
    """
    now_ms = clock.system().wall_ms()
    async with plant(tmp_path, {CARD: 50_000}) as site:
        assert site.link is not None
        (account,) = site.cards
        known = await sell(site)
        await site.until("it to be told", lambda s: s["journal"]["cosigned"] == s["journal"]["records"])
        site.link.cut()
        await site.cut_power(late_ms=now_ms)
        await site.until("the devices", lambda s: all(c["register_wh"] and c["iec"] == "B" for c in s["connectors"]))
        unknown = await sell(site)
        site.link.mend()
        await site.until("the time", lambda status: status["clock_quality"] == "synchronised")
        learned = await sell(site)
        site.link.cut()
        await site.restart_daemon()
        await site.until("the devices", lambda s: all(c["register_wh"] and c["iec"] == "B" for c in s["connectors"]))
        kept = await sell(site)
        site.link.mend()
        await site.sold_out()
        found = await site.audit(dict.fromkeys((known, unknown, learned, kept), account))

        records = [decode(leaf, Record) for leaf in found.leaves]
        sold = {seq: record.stamp for seq, record in enumerate(records) if isinstance(body_of(record), SessionOpened)}
        assert [sold[seq].quality == ClockQuality.SYNCHRONISED for seq in (known, unknown, learned, kept)] == [
            True,
            False,
            True,
            True,
        ]
        assert found.opened[unknown].clock_ub_ms is None
        assert now_ms - 5_000 <= found.opened[unknown].clock_lb_ms <= clock.system().wall_ms()
        assert energy_prices(found.closed[unknown]) == {VALLEY_E3}
        for seq in (known, learned, kept):
            opened = found.opened[seq]
            assert opened.clock_lb_ms == opened.clock_ub_ms
            assert now_ms - 5_000 <= opened.clock_lb_ms <= clock.system().wall_ms()
        assert all(before.stamp.lb_ms <= after.stamp.lb_ms for before, after in pairwise(records))


@pytest.mark.timeout(300)
async def test_azure_iotedge_4062_a_box_that_wakes_in_2040(tmp_path: Path) -> None:
    """Its clock is fifteen years ahead. Offline it sells at the lowest price of the day; headquarters' certificate,
    long lapsed by that clock, is taken all the same, and what it says makes the time certain.
    """
    async with plant(tmp_path, {CARD: 50_000}) as site:
        assert site.link is not None
        (account,) = site.cards
        site.link.cut()
        await site.cut_power(late_ms=-15 * YEAR_MS)
        await site.until("the devices", lambda s: all(c["register_wh"] and c["iec"] == "B" for c in s["connectors"]))
        ahead = await sell(site)
        site.link.mend()
        await site.until("the time", lambda status: status["clock_quality"] == "synchronised")
        assert abs((await site.status())["wall_ms"] - clock.system().wall_ms()) < 60_000
        await site.sold_out()
        found = await site.audit({ahead: account})
        assert energy_prices(found.closed[ahead]) == {VALLEY_E3}


@pytest.mark.timeout(300)
async def test_everest_1068_the_clock_jumps_a_year_both_ways_in_mid_session(tmp_path: Path) -> None:
    """Somebody sets the clock a year ahead, then a year back, while a car charges and the link is down: the session
    goes on, its bill and the order of records do not know of it, and the log says what was done.
    """
    async with plant(tmp_path, {CARD: 50_000}) as site:
        assert site.link is not None
        (account,) = site.cards
        await site.cut_power(late_ms=0)
        await site.until("the time", lambda status: status["clock_quality"] == "synchronised")
        await site.until("the devices", lambda s: all(c["register_wh"] and c["iec"] == "B" for c in s["connectors"]))
        seq = await site.start("c2", account)
        site.link.cut()
        for late_ms in (-YEAR_MS, YEAR_MS, 0):
            before_wh = energy_wh(await site.status())
            site.set_clock(late_ms)
            await site.until("more energy", lambda s, before_wh=before_wh: energy_wh(s) > before_wh)  # type: ignore[misc]  # a lambda's default
            assert abs((await site.status())["wall_ms"] - clock.system().wall_ms()) < 60_000
        await site.panel("stop", connector="c2")
        site.link.mend()
        await site.sold_out()
        found = await site.audit({seq: account})
        records = [decode(leaf, Record) for leaf in found.leaves]
        moved = [body.new_ms - body.old_ms for body in map(body_of, records) if isinstance(body, ClockMoved)]
        assert [round(one / YEAR_MS) for one in moved] == [1, -2, 1]
        assert all(before.stamp.lb_ms <= after.stamp.lb_ms for before, after in pairwise(records))
        assert {record.stamp.quality for record in records[seq:]} == {ClockQuality.SYNCHRONISED}


@pytest.mark.timeout(300)
async def test_evcc_32678_the_power_is_cut_in_mid_session(tmp_path: Path) -> None:
    """Another boot: the session is not resumed but settled, to the Wh, for its own payer; the car may start anew."""
    async with plant(tmp_path, {CARD: 50_000}) as site:
        (account,) = site.cards
        first = await site.start("c2", account)
        await site.until("energy", lambda s: any(c["session"] and c["session"]["energy_wh"] for c in s["connectors"]))
        await site.cut_power(late_ms=0)
        await site.until("the settlement", lambda status: not running(status))
        second = await sell(site)
        await site.sold_out()
        found = await site.audit({first: account, second: account})
        assert found.closed[first].reason == "PowerLoss"
        assert found.closed[second].reason == "EnergyLimitReached"


def energy_wh(status: dict[str, Any]) -> int:
    return sum(one["session"]["energy_wh"] for one in status["connectors"] if one["session"])


def energy_prices(closed: SessionClosed) -> set[int]:
    return {line.price_e3 for line in closed.lines if line.code == "energy"}
