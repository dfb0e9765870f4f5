"""What goes wrong until the rider's pack is in: nobody pays for it, nothing is given away, and nobody loses a pack."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.twins.cabinets.faults import CabinetFaultKind as K
from drivers.twins.cabinets.pack import Brick, Pack, Sleeper, pack_code
from drivers.twins.cabinets.rider import Put, Shut, Take, Wait, WaitDoor
from drivers.twins.cabinets.rider_words import (
    bounces,
    brings_foreign,
    brings_nameless,
    never_shuts,
    returns,
    shuts_empty,
    shuts_empty_and_goes,
    swaps,
    takes_back,
    walks_away,
)
from protocols.fieldbus.pack import Alarm
from protocols.trade.records import Notice
from protocols.trade.records_pack import PackNoted, SlotSet
from tests.edge.shop.shop_rig import CABINET, Front, a_shop, entry


def slot_words(shop: Front) -> dict[int, tuple[str, str]]:
    """What the log says of slots that are not simply on."""
    return {int(key.rpartition("/")[2]): (word.state, word.why) for key, word in shop.desk.state.shop.slots.items()}


def unpaid(shop: Front) -> bool:
    return (shop.rights().used, shop.rights().held) == (0, 0)


async def test_f_09_an_empty_slot_that_is_not(tmp_path: Path) -> None:
    """Between the choice and the pulse the switch says that something is there: another slot opens."""
    async with a_shop(tmp_path) as shop:
        shop.rider(swaps)
        await shop.begin_swap()
        shop.fault(K.SEEN_THERE, 1)
        closed = await shop.end()
        assert (closed.outcome, closed.returned_slot) == ("swapped", 2)
        assert shop.steps[0] == ("open-empty", 2, "F-09")
        assert slot_words(shop) == {1: ("locked", "F-09")}
        assert shop.cabinet.acts == [2, 5]


async def test_f_10_a_lock_board_that_does_not_answer(tmp_path: Path) -> None:
    """Three tries in vain, then the next slot; the first one rests."""
    async with a_shop(tmp_path) as shop:
        shop.fault(K.SILENT, board="locks", count=3)
        shop.rider(swaps)
        await shop.begin_swap()
        assert (await shop.end()).outcome == "swapped"
        assert shop.steps[0] == ("open-empty", 2, "F-10")
        assert slot_words(shop) == {1: ("resting", "F-10")}
        assert shop.cabinet.acts[:4] == [1, 1, 1, 2]


async def test_f_11_a_door_that_does_not_open(tmp_path: Path) -> None:
    """The next empty slot opens; this one rests, and is used again once nothing else is left, or after five minutes."""
    async with a_shop(tmp_path) as shop:
        shop.fault(K.DOOR_STUCK, 1, count=3)
        shop.rider(swaps)
        await shop.begin_swap()
        assert (await shop.end()).returned_slot == 2
        assert slot_words(shop) == {1: ("resting", "F-11")}
        shop.rider(swaps, "ann", pack=None)
        again = await shop.begin_swap()
        assert again.slot == 5  # empty now, and did not fail
        await shop.end()


async def test_f_11_too_many_failures_lock_a_slot(tmp_path: Path) -> None:
    """With all others out of use the slot is tried again and again, until it has failed too often in a row."""
    async with a_shop(tmp_path) as shop:
        for slot in (2, 6):
            await shop.shop.set_slot(CABINET, slot, False, "li", "cleaning")
        shop.fault(K.DOOR_STUCK, 1)
        for word in ("resting", "resting", "locked"):
            await shop.begin_swap()
            closed = await shop.end()
            assert (closed.outcome, closed.fault) == ("cancelled", "F-11")
            assert slot_words(shop)[1] == (word, "F-11")
        assert unpaid(shop)


async def test_f_12_another_door_opens(tmp_path: Path) -> None:
    """Locks are wired crosswise: stop, tell, and keep both slots out of use."""
    async with a_shop(tmp_path) as shop:
        shop.fault(K.WRONG_DOOR, 1, amount=2)
        await shop.begin_swap()
        closed = await shop.end()
        assert (closed.outcome, closed.fault) == ("cancelled", "F-12")
        assert slot_words(shop) == {1: ("locked", "F-12"), 2: ("locked", "F-12")}
        assert unpaid(shop)


@pytest.mark.parametrize("takes", [True, False])
async def test_f_12_another_door_with_a_pack_behind_it(tmp_path: Path, takes: bool) -> None:
    """Whoever takes it there has not paid, and is asked for it; left in, it is asked of nobody once that is seen."""
    async with a_shop(tmp_path) as shop:
        shop.fault(K.WRONG_DOOR, 1, amount=3)
        await shop.begin_swap()
        assert (await shop.end()).fault == "F-12"
        place = shop.desk.state.shop.packs[pack_code(103)]
        assert (place.where, place.account) == ("unknown", "ann")
        await shop.wait(1)
        if takes:
            shop.front.take(CABINET, 3, "ann")
        shop.front.shut(CABINET, 3, "ann")
        await shop.wait(15)
        place = shop.desk.state.shop.packs[pack_code(103)]
        assert (place.where, place.account) == (("unknown", "ann") if takes else ("slot", ""))
        assert slot_words(shop)[3] == ("locked", "F-12")
        assert unpaid(shop)


async def test_f_20_a_door_that_is_not_shut(tmp_path: Path) -> None:
    """Told after two minutes, ended after five: the cabinet waits until a passer-by shuts it."""
    async with a_shop(tmp_path) as shop:
        shop.rider(walks_away)
        await shop.begin_swap()
        await shop.wait(130)
        assert [body.what for body in shop.bodies(Notice)] == ["door-open"]
        closed = await shop.end()
        assert (closed.outcome, closed.fault) == ("cancelled", "F-20")  # shut empty, opened once more, and left so
        assert unpaid(shop)


async def test_f_20_a_pack_behind_a_door_that_is_not_shut(tmp_path: Path) -> None:
    """Shut by a passer-by at last, with the pack in: the swap goes on, since nothing has changed hands before."""
    async with a_shop(tmp_path) as shop:
        shop.rider(never_shuts)
        await shop.begin_swap()
        await shop.wait(190)
        assert [body.what for body in shop.bodies(Notice)] == ["door-open"]
        await shop.wait_until(lambda: any(step == "accepted" for step, _, _ in shop.steps))


async def test_f_20_nobody_ever_shuts_it(tmp_path: Path) -> None:
    """The session ends after five minutes; others are refused until the door is shut, and staff are told."""
    async with a_shop(tmp_path) as shop:
        await shop.begin_swap()
        closed = await shop.end()
        assert (closed.outcome, closed.fault) == ("cancelled", "F-20")
        assert "F-04" in (await shop.refused()).detail
        await shop.wait(120)
        assert "door-ajar" in [body.what for body in shop.bodies(Notice)]
        assert unpaid(shop)


@pytest.mark.parametrize(
    ("rider", "outcome", "fault"), [(shuts_empty, "swapped", ""), (shuts_empty_and_goes, "cancelled", "F-21")]
)
async def test_f_21_shut_and_empty(tmp_path: Path, rider: object, outcome: str, fault: str) -> None:
    """Opened once more: the rider puts it in then, or pays nothing."""
    async with a_shop(tmp_path) as shop:
        shop.rider(rider)  # type: ignore[arg-type]  # a script
        await shop.begin_swap()
        closed = await shop.end()
        assert (closed.outcome, closed.fault) == (outcome, fault)
        assert ("reopen-empty", 1, "F-21") in shop.steps
        assert shop.rights().used == (outcome == "swapped")


async def test_f_22_a_pack_that_sleeps_is_woken(tmp_path: Path) -> None:
    """Silence is no absence: the charger's voltage wakes it, and the swap goes on."""
    async with a_shop(tmp_path) as shop:
        pack = Pack(pack_code(1), soc_permille=300, sleeper=Sleeper(deep_after_ms=500))
        shop.front.bring(pack, "ann")
        pack.fall_asleep()
        shop.rider(swaps, pack=None)
        await shop.begin_swap()
        assert (await shop.end()).outcome == "swapped"
        assert shop.cabinet.woken == [1]


async def test_f_22_a_pack_that_is_asleep_again_at_once(tmp_path: Path) -> None:
    """What it has said while it was woken counts: it would be silent if it were asked once more."""
    async with a_shop(tmp_path) as shop:
        pack = Pack(pack_code(1), soc_permille=300, sleeper=Sleeper(deep_after_ms=50))
        shop.front.bring(pack, "ann")
        pack.fall_asleep()
        shop.rider(swaps, pack=None)
        await shop.begin_swap()
        assert (await shop.end()).outcome == "swapped"
        assert (shop.cabinet.woken, shop.stands(1)) == ([1], pack_code(1))


async def test_f_22_a_pack_that_never_answers(tmp_path: Path) -> None:
    """Woken in vain, opened three times; then the slot is locked with whatever is in it, and nobody pays."""
    async with a_shop(tmp_path) as shop:
        shop.front.bring(Brick("brick"), "ann")
        shop.rider(returns, pack=None)
        await shop.begin_swap()
        for _ in range(3):
            await shop.wait_until(lambda: shop.twin.slots[1].door_open)
            await shop.wait(1)
            await shop.wait_until(lambda: not shop.front.busy)
            shop.front.shut(CABINET, 1, "ann")
            await shop.wait_until(lambda: shop.twin.slots[1].door_open or not shop.desk.state.shop.swaps)
        await shop.wait(1)
        shop.front.shut(CABINET, 1, "ann")
        closed = await shop.end()
        assert (closed.outcome, closed.fault) == ("cancelled", "F-22")
        assert [step for step, _, _ in shop.steps] == ["reopen-empty"] * 3
        assert slot_words(shop) == {1: ("locked", "F-22")}
        assert "foreign" in [body.what for body in shop.bodies(PackNoted)]
        assert unpaid(shop)


async def test_f_23_whose_pack_is_it(tmp_path: Path) -> None:
    """Another rider's pack of the fleet is taken; the rider's own, which is still out, is noted as stray."""
    async with a_shop(tmp_path) as shop:
        shop.rider(swaps, pack=1)
        await shop.begin_swap()
        await shop.end()
        shop.front.give(shop.front.things[pack_code(105)], "bob")
        shop.rider(swaps, pack=2)
        await shop.begin_swap()
        closed = await shop.end()
        assert (closed.outcome, closed.fault) == ("swapped", "")
        assert ("accepted", 2, "F-23") in shop.steps
        strays = [body.code for body in shop.bodies(PackNoted) if body.what == "stray"]
        assert strays == [pack_code(105)]


async def test_f_23_a_foreign_pack_is_given_back(tmp_path: Path) -> None:
    """No fleet of ours has it: the door opens again, and the rider takes it out."""
    async with a_shop(tmp_path) as shop:
        shop.rider(brings_foreign, pack=None)
        await shop.begin_swap()
        closed = await shop.end()
        assert (closed.outcome, closed.fault) == ("cancelled", "F-23")
        assert shop.hands() == ["ann-foreign"]
        assert unpaid(shop)


async def test_f_23_a_rented_pack_is_no_swap(tmp_path: Path) -> None:
    """It is returned as a return session; a swap opens the door again and says so."""
    async with a_shop(tmp_path) as shop:
        await shop.publish_packs(entry(pack_code(1), rented_by="ann"), version=2)
        steps = (WaitDoor(), Wait(500), Put(), Wait(500), Shut(), WaitDoor(), Wait(500), Take(), Shut())
        shop.rider(lambda who, name: steps, pack=1)
        swap = await shop.begin_swap()
        await shop.wait_until(lambda: shop.steps)
        assert "return session" in shop.swaps.said(swap.seq)
        assert (await shop.end()).outcome == "cancelled"
        assert shop.hands() == [pack_code(1)]
        shop.rider(returns, pack=None)
        await shop.begin_swap("return")
        assert (await shop.end()).outcome == "returned"


async def test_f_23_a_stolen_pack_is_locked_in(tmp_path: Path) -> None:
    """Reported lost: it stays, and nothing is given for it; a second scan does not change that."""
    async with a_shop(tmp_path) as shop:
        await shop.publish_packs(entry(pack_code(1), hot=True), version=2)
        shop.rider(returns, pack=1)
        await shop.begin_swap()
        closed = await shop.end()
        assert (closed.outcome, closed.fault) == ("kept", "F-23")
        assert slot_words(shop) == {1: ("locked", "F-23")}
        assert [body.what for body in shop.bodies(PackNoted)] == ["found"]
        second = await shop.begin_swap()
        assert (second.opened.resumes, second.opened.pack) == (None, None)
        assert unpaid(shop) or shop.rights().held == 1
        await shop.end()


async def test_f_24_a_code_that_is_none(tmp_path: Path) -> None:
    """A pack that does not know its code is not exchangeable."""
    async with a_shop(tmp_path) as shop:
        shop.rider(brings_nameless, pack=None)
        await shop.begin_swap()
        closed = await shop.end()
        assert (closed.outcome, closed.fault) == ("cancelled", "F-24")
        assert unpaid(shop)


async def test_f_25_a_damaged_pack_is_locked_in(tmp_path: Path) -> None:
    """The rider gets another one; this one is neither charged nor given out until a person has looked at it."""
    async with a_shop(tmp_path) as shop:
        pack = shop.rider(swaps, pack=1)
        assert pack is not None
        pack.says.protections.add(Alarm.MOS_FAULT)
        await shop.begin_swap()
        closed = await shop.end()
        assert (closed.outcome, closed.returned_slot) == ("swapped", 1)
        assert slot_words(shop) == {1: ("locked", "F-25")}
        assert 1 in shop.shop.loops[CABINET].forbidden()
        assert [body.what for body in shop.bodies(PackNoted)] == ["quarantined"]


async def test_f_25_a_pack_that_is_too_hot_is_not_locked_in(tmp_path: Path) -> None:
    """The door opens again at once, every time: it must not burn in there."""
    async with a_shop(tmp_path) as shop:
        pack = shop.rider(returns, pack=1)
        assert pack is not None
        pack.heat_to(680)
        await shop.begin_swap()
        await shop.wait_until(lambda: ("reopen-empty", 1, "F-25") in shop.steps)
        await shop.wait(1)
        assert shop.twin.slots[1].door_open


async def test_f_26_witnesses_that_disagree(tmp_path: Path) -> None:
    """The pack speaks, and the switch says that nothing is there: half a minute's patience, then the door opens."""
    async with a_shop(tmp_path) as shop:
        shop.fault(K.SEEN_GONE, 1)
        shop.rider(returns, pack=1)
        await shop.begin_swap()
        await shop.wait_until(lambda: shop.steps)
        assert shop.steps == [("reopen-empty", 1, "F-26")]


async def test_f_27_a_pack_that_talks_nonsense(tmp_path: Path) -> None:
    """Values that cannot be are thrown away; a pack that says nothing else is not gone by."""
    async with a_shop(tmp_path) as shop:
        shop.fault(K.PACK_NONSENSE, 1)
        shop.rider(returns, pack=1)
        await shop.begin_swap()
        await shop.wait_until(lambda: shop.steps)
        assert shop.steps == [("reopen-empty", 1, "F-27")]


async def test_f_28_taken_out_again(tmp_path: Path) -> None:
    """Put in, taken out, shut empty: that is nothing put in; the second time the rider does it well."""
    async with a_shop(tmp_path) as shop:
        shop.rider(takes_back)
        await shop.begin_swap()
        assert (await shop.end()).outcome == "swapped"
        assert shop.steps[0] == ("reopen-empty", 1, "F-21")


async def test_f_28_forced_open_after_it_was_accepted(tmp_path: Path) -> None:
    """While the full door gets its pulses the old one is forced and emptied: back to putting in."""
    async with a_shop(tmp_path) as shop:
        shop.fault(K.DOOR_STUCK, 5)
        shop.rider(returns, pack=1)
        await shop.begin_swap()
        await shop.wait_until(lambda: shop.cabinet.acts[-1:] == [5])
        shop.front.force(CABINET, 1, "ann")
        shop.front.take(CABINET, 1, "ann")
        await shop.wait(shop.swaps.policy.pulse_apart_s + 1)  # until no pulse can open the other door any more
        assert shop.steps[-1] == ("reopen-empty", 1, "F-28")
        shop.front.shut(CABINET, 1, "ann")
        closed = await shop.end()
        assert (closed.outcome, closed.fault) == ("cancelled", "F-28")
        assert shop.hands() == [pack_code(1)]
        assert unpaid(shop)


async def test_f_29_without_headquarters(tmp_path: Path) -> None:
    """The link is down from beginning to end: the site's own rights pay, and the record waits to be sent."""
    async with a_shop(tmp_path) as shop:
        assert not shop.site.is_online()
        shop.rider(swaps)
        await shop.begin_swap()
        assert (await shop.end()).outcome == "swapped"
        assert shop.journal.size == shop.desk.state.size


async def test_a_door_that_bounces_is_shut_once_it_rests(tmp_path: Path) -> None:
    """Slammed, and sprung open twice: the swap goes on."""
    async with a_shop(tmp_path) as shop:
        shop.rider(bounces)
        await shop.begin_swap()
        assert (await shop.end()).outcome == "swapped"
        assert not [body for body in shop.bodies(SlotSet) if body.state == "locked"]
