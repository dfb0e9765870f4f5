"""A cabinet's charging at work, without and within a budget."""

from __future__ import annotations

import time

from rack import Rack

from drivers.cabinet import Hazard
from edge.plant.budget import SETTLE_MS, Budget
from edge.plant.charging_loop import ChargingLoop
from edge.plant.power import Power
from edge.plant.slot_charging import Charging


class Shop:
    """A cabinet and its loop, with what the till would hear."""

    def __init__(self, rack: Rack, policy: Charging = Charging(), power: Power | None = None) -> None:  # noqa: B008
        self.rack = rack
        self.forbidden: set[int] = set()
        self.locked: set[int] = set()
        self.heard: list[tuple[int, str, str]] = []
        self.hour: int | None = 12
        self.loop = ChargingLoop(
            rack,
            policy,
            power,
            lambda: self.forbidden | self.locked,
            lambda: self.locked,
            self._hear,
            lambda: self.hour,
        )
        if power is not None:
            power.add_cabinet(rack)

    async def look(self, after_ms: int = 0) -> set[int]:
        await self.loop.look(time.monotonic_ns() // 1_000_000 + after_ms)
        return self.rack.on

    async def _hear(self, slot: int, case: str, what: str) -> bool:
        self.heard.append((slot, case, what))
        self.locked.add(slot)
        return True


async def test_what_may_charge_charges_and_is_told_once() -> None:
    """Full packs are left alone, and nothing is told twice."""
    shop = Shop(Rack(300, 950, 880))
    assert await shop.look() == {1, 3}
    told = len(shop.rack.asked)
    assert await shop.look() == {1, 3}
    assert len(shop.rack.asked) == told


async def test_f_50_smoke_stops_all() -> None:
    """In the look that sees it; the siren sounds, the fan stops; and it begins again when the air is clear."""
    shop = Shop(Rack(300, 400))
    shop.rack.inner_dc = 500
    assert await shop.look() == {1, 2}
    assert shop.rack.outputs == {"fan": True, "siren": False}
    shop.rack.hazards = frozenset({Hazard.SMOKE})
    assert await shop.look() == set()
    assert await shop.look() == set()
    assert shop.rack.outputs == {"fan": False, "siren": True}
    shop.rack.hazards = frozenset()
    assert await shop.look() == {1, 2}


async def test_f_60_nobody_charges_where_smoke_might_not_be_seen() -> None:
    """A silent board may be the one that would tell."""
    shop = Shop(Rack(300, 400))
    assert await shop.look() == {1, 2}
    shop.rack.silent = ("inputs-1",)
    assert await shop.look() == set()
    assert shop.loop.why(1) == "a board is silent: smoke might not be seen"
    shop.rack.silent = ()
    assert await shop.look() == {1, 2}


async def test_f_51_a_hot_pack_stops_its_slot_alone() -> None:
    """The till is told, and a person has to clear it."""
    shop = Shop(Rack(300, 400))
    await shop.look()
    shop.rack.change_pack(1, temps_dc=(250, 610))
    assert await shop.look() == {2}
    assert [(slot, case) for slot, case, _ in shop.heard] == [(1, "F-51")]
    shop.rack.change_pack(1, temps_dc=(250, 260))
    assert await shop.look() == {2}
    assert "61.0 degrees" in shop.loop.why(1)
    shop.locked.clear()
    assert await shop.look() == {1, 2}


async def test_a_slot_that_the_till_needs_stops_before_its_door_opens() -> None:
    """And charges again when the till has done with it."""
    shop = Shop(Rack(300, 400))
    await shop.look()
    shop.forbidden = {2}
    assert await shop.look() == {1}
    assert shop.loop.why(2) == "the till needs the slot"


async def test_f_52_a_relay_that_is_deaf_is_told_again_and_found() -> None:
    """Off does not come through: it is tried at every look, and current with the relay off is a finding."""
    shop = Shop(Rack(300, 400))
    await shop.look()
    shop.rack.deaf = {1}
    shop.forbidden = {1}
    before = len(shop.rack.asked)
    for _ in range(3):
        assert await shop.look() == {1, 2}
    assert shop.rack.asked[before:] == [(1, False)] * 3
    shop.rack.change(1, relay_on=False, charge_ma=2_500)
    await shop.look()
    await shop.look(31_000)
    assert shop.heard == [(1, "F-52", "2500 mA with the relay off")]


async def test_a_budget_leaves_some_waiting() -> None:
    """Two of three chargers fit; the third is told to wait, and nothing passes the limit."""
    power = Power(Budget(limit_w=1_300), None)
    shop = Shop(Rack(300, 400, 500), power=power)
    now_ms = time.monotonic_ns() // 1_000_000
    assert await shop.look() == set()
    power.tick(now_ms + SETTLE_MS)  # nobody knew what they drew before
    for second in range(10, 20):
        power.tick(now_ms + SETTLE_MS + second * 1_000)
        on = await shop.look()
        assert len(on) <= 2
    assert len(shop.rack.on) == 2
    assert power.shares.set_w <= 1_300
    assert shop.loop.why(min({1, 2, 3} - shop.rack.on)) == "waits for its turn"


async def test_without_a_clock_every_hour_is_cheap() -> None:
    """Riders need packs."""
    shop = Shop(Rack(300), Charging(cheap_hours=((1, 2),), ready_packs=()))
    assert await shop.look() == set()
    shop.hour = None
    assert await shop.look() == {1}
