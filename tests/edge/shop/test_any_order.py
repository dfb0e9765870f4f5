"""Riders as they come, good and bad, while things break and the daemon dies: what must hold whatever happens."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from drivers.twins.cabinets.faults import CabinetFault
from drivers.twins.cabinets.faults import CabinetFaultKind as K
from drivers.twins.cabinets.ledger import DoorMoved, Pulsed
from drivers.twins.cabinets.rider_words import random_riders
from drivers.twins.cabinets.shop import Tap
from protocols.trade.records_pack import SwapClosed, SwapOpened, SwapStepped
from tests.edge.desk_rig import CARD, reopen
from tests.edge.shop.shop_rig import CABINET, PLAN, Front, a_shop

PEOPLE = {"ann": CARD, "bob": "04B0B0B0", "cleo": "04C1E0C1"}
BREAKS = [
    K.DOOR_STUCK, K.WRONG_DOOR, K.SEEN_THERE, K.SEEN_GONE, K.DOOR_SEEN_OPEN, K.DOOR_SEEN_SHUT, K.DOOR_FLICKERS,
    K.PACK_ASLEEP, K.PACK_DEAD, K.PACK_NONSENSE, K.OTHER_CODE, K.BAD_CODE, K.PACK_HOT, K.PACK_ILL, K.SOC_DROPS,
    K.PACK_VANISHES, K.SMOKE, K.MAINS_LOST, K.SEGMENT_DEAD, K.NO_LATCH, K.LOCK_SEEN_OPEN,
]  # fmt: skip
SECONDS = 150


class Watcher:
    """Holds every closing record against the truth at the moment at which it was written."""

    def __init__(self, shop: Front) -> None:
        self.shop = shop
        self.size = shop.journal.size
        self.wrong: list[str] = []

    def look(self) -> None:
        for seq, body in enumerate(self.shop.bodies(object)):
            if seq >= self.size and isinstance(body, SwapClosed) and body.taken is not None:
                assert body.taken_slot is not None
                if self.shop.stands(body.taken_slot) == body.taken.code:
                    self.wrong.append(f"record {seq}: {body.taken.code} was charged and stands in its slot")
        self.size = self.shop.journal.size


async def live(shop: Front, random: Random, path: Path, *, seconds: int, watcher: Watcher) -> None:
    """Time passes: taps are served, something breaks or heals now and then, the daemon dies sometimes."""
    taps: list[Tap] = []
    shop.front.taps.append(taps.append)
    boots = 1
    for _ in range(seconds):
        await shop.wait(1)
        while taps:
            tap = taps.pop(0)
            await shop.shop.tap(tap.cabinet, tap.credential)
        if shop.journal.size != watcher.size:
            watcher.look()
        if random.randrange(30) == 0:  # chargers are fast in this world
            for bay in shop.twin.slots.values():
                if bay.pack is not None:
                    bay.pack.charge(bay.pack.room_mj)
        if random.randrange(60) == 0:
            kind, slot = random.choice(BREAKS), random.randint(1, 6)
            for_ms = random.randint(5_000, 60_000)
            count = 1 if kind in (K.WRONG_DOOR, K.NO_LATCH) else None
            shop.twin.faults.set(CabinetFault(kind=kind, slot=slot, for_ms=for_ms, count=count))
        if random.randrange(400) == 0:
            boots += 1
            await reopen(shop, path, boot=b"boot-%03d" % boots if random.random() < 0.5 else None)
        if random.randrange(45) == 0:  # staff has looked at what is locked
            for key in [key for key, word in shop.desk.state.shop.slots.items() if word.state == "locked"]:
                slot = int(key.rpartition("/")[2])
                await shop.shop.set_slot(CABINET, slot, True, "li", "looked at")
            for slot in [*shop.twin.doors_open] if not shop.desk.state.shop.swaps else []:
                shop.front.shut(CABINET, slot, "li")


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_comes_no_swap_is_charged_without_a_pack_taken(tmp_path: Path, seed: int) -> None:
    """Every session closes; nothing stays held; captures are takes; every pulse has its record; no pack goes out of
    this world by the till's doing.
    """
    random = Random(seed)  # replayable on purpose
    async with a_shop(tmp_path, swaps=100) as shop:
        for name, card in PEOPLE.items():
            await shop.allow(PLAN, 100, name, card)
            shop.has(name, {"ann": 11, "bob": 12, "cleo": 13}[name])
        shop.front.queue(random_riders(seed, CABINET, PEOPLE, gap_ms=8_000, usual_permille=600))
        watcher = Watcher(shop)
        await live(shop, random, tmp_path, seconds=SECONDS, watcher=watcher)
        shop.twin.faults.clear()
        for _ in range(40):
            if not shop.desk.state.shop.swaps:
                break
            await shop.wait(20)
            for slot in shop.twin.doors_open:
                shop.front.shut(CABINET, slot, "li")
        assert shop.desk.state.shop.swaps == {}, f"seed {seed}"
        assert watcher.wrong == [], f"seed {seed}"
        closed = shop.bodies(SwapClosed)
        used = sum(lease.used for lease in shop.desk.state.leases.values() if lease.asset == PLAN)
        free = {seq for seq, body in enumerate(shop.bodies(object)) if isinstance(body, SwapOpened) and not body.offer}
        assert used == len([body for body in closed if body.taken is not None and body.session not in free])
        assert all(body.amount_fen == 0 for body in closed if body.taken is None)
        assert all(lease.held == 0 for lease in shop.desk.state.leases.values())
        _every_pulse_has_its_record(shop)


def _every_pulse_has_its_record(shop: Front) -> None:
    """The cabinet was pulsed at no slot that no record names; the doors that moved otherwise were hands' or faults'."""
    opened: list[SwapOpened] = shop.bodies(SwapOpened)
    named = {body.slot for body in opened} | {body.slot for body in shop.bodies(SwapStepped)}
    pulsed = [one for one in shop.front.ledger.movements if isinstance(one, Pulsed)]
    assert {one.slot for one in pulsed} <= named
    assert len([one for one in shop.front.ledger.movements if isinstance(one, DoorMoved)]) >= len(named)
