"""A shop front as processes: the daemon, its cabinet and ports on real wires, headquarters; killed, dark, cut off."""

from __future__ import annotations

import asyncio
import os
import random
from contextlib import suppress
from pathlib import Path

import pytest
from shop_front_files import CARDS, PORTS, SINGLE_FEN
from shop_plant import ShopPlant, port_of, shop_plant, swap_of

from edge.demo.stage import StageError

pytestmark = pytest.mark.system

KILLS = int(os.environ.get("FIELDTILL_KILLS", "4"))
"""`make test-kill` runs many more."""
PORT_BY_RIDER = dict(zip(CARDS, PORTS, strict=True))


@pytest.mark.timeout(180)
async def test_riders_swap_while_bikes_and_a_car_charge(tmp_path: Path) -> None:
    """Cards at the cabinet, a port on RS-485, one on TCP, a pile: each pack, Wh and fen is where all books have it."""
    async with shop_plant(tmp_path) as site:
        await site.plug(*PORTS)
        for who, board in PORT_BY_RIDER.items():
            await site.start_port(board, who)
        for who in ("li", "wang"):
            await site.visit("swaps", who)
        await site.sold_out()
        found = await site.audit_shop()
        assert found.outcomes() == {"swapped": 2}
        assert {body.amount_fen for body in found.closed.values()} == {SINGLE_FEN}
        assert sorted(found.port_at[seq] for seq in found.port_closed) == sorted(PORTS.values())
        assert all(body.settled and body.energy_wh for body in found.port_closed.values())


@pytest.mark.timeout(180)
async def test_a_day_without_the_internet(tmp_path: Path) -> None:
    """Swaps, a mishap, a rented pack and its return with the link cut: headquarters then has every pack where it is."""
    async with shop_plant(tmp_path) as site:
        assert site.link is not None
        site.link.cut()
        await site.plug("yard")
        await site.start_port("yard", "li")
        await site.visit("takes-nothing", "wang")
        await site.visit("brings-foreign", "zhao")
        await site.visit("swaps", "zhao")
        behind = (await site.status())["journal"]
        assert behind["records"] - behind["cosigned"] > 10
        site.link.mend()
        await site.sold_out()
        found = await site.audit_shop()
        assert found.outcomes() == {"swapped": 2, "cancelled": 1}


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("step", "dark_s", "then"),
    [("open-empty", 0.0, "swapped"), ("given", 2.0, "swapped")],
)
async def test_the_power_of_box_and_cabinet_goes_at_once(tmp_path: Path, step: str, dark_s: float, then: str) -> None:
    """In the middle of a swap, a bike and a car charging: what is done by hand in the dark is settled by what stands.

    The box wakes with another boot and a clock that is a day late.
    """
    async with shop_plant(tmp_path) as site:
        await site.plug(*PORTS)
        for who, board in PORT_BY_RIDER.items():
            await site.start_port(board, who)
        for board in PORTS:
            await site.port_until(board, lambda port: port["state"] == "charging")
        await site.come("swaps", "li")
        await site.step_is(step)
        await site.go_dark(dark_s, late_ms=86_400_000)
        await site.until("the end of Li's session", lambda s: swap_of(s) is None)
        if await site.somebody_is_there():
            await site.leave()
        await site.visit("swaps", "wang")
        await site.sold_out()
        found = await site.audit_shop()
        assert found.outcomes()[then] >= 1


@pytest.mark.timeout(120 + 12 * KILLS)
async def test_kills_at_random_moments_of_swaps(tmp_path: Path) -> None:
    """Whenever the daemon is killed: no pack lost, none free, none paid for in vain, no door left open by it."""
    seed = int(os.environ.get("FIELDTILL_SEED", random.randrange(2**32)))
    print(f"seed {seed}: run again with FIELDTILL_SEED={seed}")
    chance = random.Random(seed)
    async with shop_plant(tmp_path, placed_fen=20_000) as site:
        enough = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(ride(site, random.Random(chance.random()), enough))
            charging = group.create_task(charge(site, random.Random(chance.random())))
            for _ in range(KILLS):
                await asyncio.sleep(chance.uniform(0.5, 6.0))
                await site.kill_daemon()
                await asyncio.sleep(chance.uniform(0.0, 1.0))
                await site.start_daemon()
            enough.set()
            charging.cancel()
        await site.served()
        await site.sold_out()
        found = await site.audit_shop()
        print(f"{dict(found.outcomes())}, {len(found.port_closed)} at ports")
        assert found.closed


async def ride(site: ShopPlant, chance: random.Random, enough: asyncio.Event) -> None:
    """One rider after the other comes to swap, mostly as one should."""
    while not enough.is_set():
        kind = chance.choice(["swaps"] * 6 + ["bounces", "takes-nothing", "shuts-empty", "takes-back"])
        await site.visit(kind, chance.choice(list(CARDS)))


async def charge(site: ShopPlant, chance: random.Random) -> None:
    """Bikes and cars come to free ports, and leave when they like."""
    while True:
        await asyncio.sleep(chance.uniform(0.2, 2.0))
        who, board = chance.choice(list(PORT_BY_RIDER.items()))
        with suppress(OSError, StageError):
            port = port_of(await site.status(), board)
            if port["session"] is None and port["state"] == "idle":
                await site.plug_in(board)
            elif port["session"] is None and port["state"] == "plugged":
                await site.start_port(board, who)
            elif port["session"] is None or (port["state"] == "charging" and chance.random() < 0.2):
                await site.unplug(board)
