"""The world of a cabinet, in its own time: doors and locks, chargers and meters, and the ledger of all."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest

from drivers.cabinet import Hazard
from drivers.twins.cabinets.cabinet import Cabinet
from drivers.twins.cabinets.faults import CabinetFault, CabinetFaultKind
from drivers.twins.cabinets.ledger import Cause, Place
from drivers.twins.cabinets.pack import MJ_PER_WH, Brick, Pack, pack_code
from drivers.twins.cabinets.rider import Force, Pull, Rider, Take, Wait
from drivers.twins.cabinets.shop import Shop
from drivers.twins.cabinets.slot import HOLD, ChargerMake, SlotMake
from drivers.twins.cabinets.wiring import Point

K = CabinetFaultKind


def a_shop(slots: int = 4, *, spring: bool = True) -> tuple[Shop, Cabinet]:
    """Slots 1..; pack n stands in slot n, half full, but for the last one."""
    shop = Shop()
    cabinet = shop.add_cabinet("c", {n: SlotMake(spring=spring) for n in range(1, slots + 1)})
    for number in range(1, slots):
        shop.stock("c", number, Pack(pack_code(number), soc_permille=500))
    shop.run(200)
    return shop, cabinet


# Doors.


def test_a_pulse_opens_and_the_latch_holds_again() -> None:
    """Spring door: open with the pulse, shut by a hand, locked from then on."""
    shop, cabinet = a_shop()
    slot = cabinet.slots[1]
    assert (slot.door_open, slot.seen_locked) == (False, True)
    cabinet.pulse(1)
    assert (slot.door_open, slot.seen_locked) == (True, False)
    shop.run(1_000)
    assert shop.shut("c", 1, "ann")
    assert (slot.door_open, slot.seen_locked) == (False, True)
    moves = [(move.open, move.cause, move.by) for move in shop.ledger.doors("c", 1)]
    assert moves == [(True, Cause.PULSE, ""), (False, Cause.HAND, "ann")]


def test_a_door_without_a_spring_must_be_pulled_in_time() -> None:
    """Nobody pulls: locked again. Somebody pulls: open, by that hand."""
    shop, cabinet = a_shop(spring=False)
    slot = cabinet.slots[1]
    cabinet.pulse(1)
    assert (slot.door_open, slot.seen_locked) == (False, False)
    shop.run(600)
    assert (slot.door_open, slot.seen_locked) == (False, True)
    shop.add(Rider("ann", "c", [Pull(), Wait(1_000)]))
    shop.run(100)
    cabinet.pulse(1)
    shop.run(100)
    assert slot.door_open
    assert shop.ledger.doors("c")[-1].by == "ann"


def test_a_held_lock_keeps_no_door_shut() -> None:
    """While the coil is energised a door springs open again."""
    shop, cabinet = a_shop()
    cabinet.pulse(1, HOLD)
    assert not shop.shut("c", 1, "ann")
    cabinet.slots[1].release()
    assert shop.shut("c", 1, "ann")


def test_contacts_bounce_before_they_rest() -> None:
    """A door's sensor turns for some milliseconds after each movement, and then says what is."""
    shop, cabinet = a_shop()
    cabinet.pulse(1)
    seen = []
    for _ in range(12):
        seen.append(cabinet.slots[1].seen_open)
        shop.run(10)
    assert set(seen[:6]) == {True, False}
    assert all(seen[6:])


def test_hands_do_not_reach_through_doors() -> None:
    """Nothing is put in or taken out of a shut slot, into a full one, or from other hands."""
    shop, cabinet = a_shop()
    brick = shop.bring(Brick(), "ann")
    assert shop.take("c", 1, "ann") is None
    assert not shop.put("c", 4, brick, "ann")
    cabinet.pulse(1)
    cabinet.pulse(4)
    assert not shop.put("c", 1, brick, "ann")
    assert not shop.put("c", 4, brick, "bob")
    assert shop.put("c", 4, brick, "ann")
    assert shop.ledger.at(Place("c", 4)) == "brick"
    assert shop.audit() == []


def test_a_forced_door_is_told_from_an_opened_one() -> None:
    """The ledger knows; the sensors see the same."""
    shop, cabinet = a_shop()
    shop.add(Rider("bob", "c", [Force(2), Take()]))
    shop.run(100)
    assert [move.cause for move in shop.ledger.doors("c", 2)] == [Cause.FORCED]
    assert cabinet.slots[2].seen_open
    assert shop.ledger.pulses("c") == []
    assert [thing.name for thing in shop.hands("bob")] == [pack_code(2)]


def test_time_in_steps_is_time_at_once() -> None:
    """Doors and locks do not depend on how time is cut."""

    def play(steps: list[int]) -> list[object]:
        shop, cabinet = a_shop(spring=False)
        cabinet.pulse(1, 300)
        for step in steps:
            shop.run(step)
        return [cabinet.slots[1].latched, shop.now_ms, shop.ledger.doors("c")]

    assert play([1] * 1_000) == play([1_000]) == play([333, 333, 334])


# Chargers and meters.


def test_the_meter_counts_what_packs_kept_and_what_was_lost() -> None:
    """Eight hours of charging: every millijoule of the meter has its place."""
    shop, cabinet = a_shop()
    before = {name: thing.stored_mj for name, thing in shop.things.items() if isinstance(thing, Pack)}
    for number in (1, 2, 3):
        cabinet.drive(Point("c", "charger", number), on=True)
    shop.run(8 * 3_600_000)
    packs = [thing for thing in shop.things.values() if isinstance(thing, Pack)]
    account = cabinet.account
    assert all(pack.soc_permille == 1_000 for pack in packs)
    assert sum(pack.stored_mj - before[pack.name] for pack in packs) == account.kept_mj
    assert account.metered_mj == account.kept_mj + account.lost_mj + account.own_mj
    assert account.own_mj // MJ_PER_WH == 15 * 8
    charged = account.metered_mj - account.own_mj
    assert 900 <= account.kept_mj * 1_000 // charged <= 910  # 92 % of the charger, 98.5 % of the pack


def test_power_falls_towards_the_end() -> None:
    """A gentle start, a constant middle, a tail, and then nothing."""
    charger = ChargerMake(power_w_max=600)
    shop = Shop()
    cabinet = shop.add_cabinet("c", {1: SlotMake(charger=charger)}, standby_w=0)
    pack = Pack(pack_code(1), soc_permille=0)
    shop.stock("c", 1, pack)
    cabinet.drive(Point("c", "charger", 1), on=True)
    seen: dict[int, int] = {}
    while pack.room_mj:
        shop.run(60_000)
        seen[pack.soc_permille] = cabinet.power_w
    middle = [power for charge, power in seen.items() if 100 <= charge <= 840]
    tail = [power for charge, power in seen.items() if charge > 860]
    assert min(middle) == max(middle) == 600
    assert tail == sorted(tail, reverse=True)
    shop.run(1_000)
    assert (cabinet.power_w, pack.flow_w) == (0, 0)


def test_charging_keeps_packs_awake_and_warms_the_cabinet() -> None:
    """The fan carries warmth away."""
    shop, cabinet = a_shop()
    for number in (1, 2, 3):
        cabinet.drive(Point("c", "charger", number), on=True)
    shop.run(1_800_000)
    warm_dc = cabinet.inner_dc
    assert warm_dc > 270
    cabinet.drive(Point("c", "fan"), on=True)
    shop.run(1_800_000)
    assert cabinet.inner_dc < warm_dc


def test_no_mains_no_charge() -> None:
    """Boards live on, chargers do not, the meter stands still."""
    shop, cabinet = a_shop()
    cabinet.drive(Point("c", "charger", 1), on=True)
    shop.run(60_000)
    cabinet.faults.set(CabinetFault(kind=K.MAINS_LOST, for_ms=60_000))
    shop.run(20)
    metered = cabinet.account.metered_mj
    shop.run(50_000)
    assert (cabinet.account.metered_mj, cabinet.power_w, cabinet.senses(Point("c", "mains"))) == (metered, 0, False)
    shop.run(20_000)
    assert cabinet.slots[1].power_w > 0


def test_a_power_cut_drops_every_relay() -> None:
    """After it the chargers stay off, and doors are as they were."""
    shop, cabinet = a_shop()
    cabinet.drive(Point("c", "charger", 1), on=True)
    cabinet.drive(Point("c", "siren"), on=True)
    cabinet.pulse(2)
    cabinet.faults.set(CabinetFault(kind=K.POWER_CUT, for_ms=5_000))
    shop.run(1_000)
    cabinet.pulse(3)
    assert not cabinet.powered
    shop.run(10_000)
    assert cabinet.powered
    assert (cabinet.slots[1].relay_on, cabinet.outputs["siren"], cabinet.doors_open) == (False, False, [2])


def test_hazards_are_contacts() -> None:
    """Closed while it is so, or the other way round."""
    _shop, cabinet = a_shop()
    smoke, healthy = Point("c", "smoke"), Point("c", "smoke", inverted=True)
    assert (cabinet.senses(smoke), cabinet.senses(healthy)) == (False, True)
    cabinet.faults.set(CabinetFault(kind=K.SMOKE))
    assert (cabinet.senses(smoke), cabinet.senses(healthy)) == (True, False)
    assert cabinet.hazards == {Hazard.SMOKE}


# All of it, at random.


@pytest.mark.parametrize("seed", range(12))
def test_packs_and_energy_are_conserved_whatever_happens(seed: int) -> None:
    """Hands, boards and faults at random: nothing is lost, doubled, or out of nothing. The seed names the run."""
    random = Random(seed)
    shop, cabinet = a_shop(6)
    for number in range(20, 24):
        shop.bring(Pack(pack_code(number), soc_permille=300), "ann")
    held = {name: thing.stored_mj for name, thing in shop.things.items() if isinstance(thing, Pack)}
    kinds = [kind for kind in K if kind is not K.POWER_CUT]
    for _ in range(400):
        slot = random.randint(1, 6)
        match random.randrange(7):
            case 0:
                cabinet.pulse(slot)
            case 1:
                shop.shut("c", slot, "ann")
            case 2:
                if hands := shop.hands("ann"):
                    shop.put("c", slot, random.choice(hands), "ann")
            case 3:
                shop.take("c", slot, "ann")
            case 4:
                cabinet.drive(Point("c", "charger", slot), on=random.random() < 0.6)
            case 5:
                cabinet.faults.set(CabinetFault(kind=random.choice(kinds), slot=slot, for_ms=random.randint(1, 60_000)))
            case _:
                cabinet.faults.clear()
        shop.run(random.choice((10, 500, 20_000)))
        assert shop.audit() == []
    packs = [thing for thing in shop.things.values() if isinstance(thing, Pack)]
    assert len(packs) == len(held) == len(shop.ledger.places)
    assert all(pack.stored_mj == held[pack.name] + pack.kept_mj - pack.used_mj for pack in packs)
    assert sum(pack.kept_mj for pack in packs) == cabinet.account.kept_mj
    for name in held:
        way = shop.ledger.things(name)
        assert all(move.was == earlier.now for earlier, move in pairwise(way))


def test_the_same_seed_is_the_same_world() -> None:
    """Everything random comes from the seed."""

    def play() -> str:
        shop, cabinet = a_shop()
        cabinet.faults.set(CabinetFault(kind=K.DOOR_STUCK, chance_permille=500))
        for _ in range(30):
            cabinet.pulse(1)
            shop.run(700)
            shop.shut("c", 1, "ann")
        return str(shop.ledger.movements)

    assert play() == play()
    assert "open=True" in play()
