"""SIGKILL at random moments: of the daemon, of headquarters, of both; with the link cut at random beside."""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path

import pytest
from plant import CONNECTORS, Plant, plant, running

from edge.demo.stage import StageError

pytestmark = pytest.mark.system

KILLS = int(os.environ.get("FIELDTILL_KILLS", "8"))
"""`make test-kill` runs many more."""


@pytest.mark.timeout(120 + 12 * KILLS)
async def test_g1_random_kills_lose_nothing(tmp_path: Path) -> None:
    """Whatever is killed whenever: no session lost, doubled or mis-owned; meters = bills = site = headquarters."""
    seed = int(os.environ.get("FIELDTILL_SEED", random.randrange(2**32)))
    print(f"seed {seed}: run again with FIELDTILL_SEED={seed}")
    chance = random.Random(seed)
    async with plant(tmp_path, {"CARD-0001": 50_000, "CARD-0002": 50_000, "CARD-0003": 1_000}) as site:
        acknowledged: dict[int, str] = {}
        async with asyncio.TaskGroup() as group:
            selling = group.create_task(sell(site, random.Random(chance.random()), acknowledged))
            cutting = group.create_task(cut_and_mend(site, random.Random(chance.random())))
            for _ in range(KILLS):
                await asyncio.sleep(chance.uniform(0.0, 3.0))
                await kill_something(site, chance)
            selling.cancel()
            cutting.cancel()
        assert site.link is not None
        site.link.mend()
        await site.sold_out()
        found = await site.audit(acknowledged)
        print(f"{len(acknowledged)} sessions acknowledged, {len(found.opened)} opened, {len(found.closed)} closed")
        assert len(found.closed) >= KILLS // 3


async def kill_something(site: Plant, chance: random.Random) -> None:
    """Mostly the daemon; sometimes headquarters, sometimes both at once. All are started again."""
    victim = chance.choice(["daemon", "daemon", "daemon", "headquarters", "both"])
    if victim != "daemon":
        await site.kill_hq()
    if victim != "headquarters":
        await site.kill_daemon()
        await asyncio.sleep(chance.uniform(0.0, 1.0))
        await site.start_daemon()
    if victim != "daemon":
        await site.start_hq()


async def sell(site: Plant, chance: random.Random, acknowledged: dict[int, str]) -> None:
    """Customers come to free connectors, for a few Wh or a few fen each. What is asked of a dead daemon is not told."""
    accounts = list(site.cards)
    while True:
        await asyncio.sleep(chance.uniform(0.05, 0.4))
        try:
            busy = running(await site.status())
            for connector in CONNECTORS:
                if connector not in busy:
                    account = chance.choice(accounts)
                    kind, amount = chance.choice([("energy", chance.randrange(3, 25)), ("money", 300), ("time", 4)])
                    seq = await site.start(connector, account, kind, amount)
                    acknowledged[seq] = account
        except (OSError, StageError):
            continue


async def cut_and_mend(site: Plant, chance: random.Random) -> None:
    """The link is there about half the time."""
    assert site.link is not None
    while True:
        await asyncio.sleep(chance.uniform(0.5, 4.0))
        site.link.cut()
        await asyncio.sleep(chance.uniform(0.2, 4.0))
        site.link.mend()
