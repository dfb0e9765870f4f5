"""What goes wrong from the full door on: charged is who surely took a pack, and nobody else."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.twins.cabinets.faults import CabinetFaultKind as K
from drivers.twins.cabinets.ledger import Cause
from drivers.twins.cabinets.pack import pack_code
from drivers.twins.cabinets.rider_words import (
    puts_brick_back,
    puts_other_back,
    rents,
    returns,
    swaps,
    takes_and_leaves_open,
    takes_nothing,
    takes_nothing_and_goes,
)
from edge.till.ask import Refusal
from protocols.trade.records import Notice
from protocols.trade.records_pack import PackNoted
from tests.edge.desk_rig import reopen
from tests.edge.shop.shop_rig import CABINET, Front, a_shop, entry, ready_shop
from tests.edge.shop.test_faults_in import slot_words, unpaid


async def until_pulsed(shop: Front, slot: int) -> None:
    await shop.wait_until(lambda: shop.cabinet.acts[-1:] == [slot])


@pytest.mark.parametrize(
    ("kind", "rider"), [(K.SEEN_GONE, takes_nothing_and_goes), (K.SEEN_THERE, swaps)], ids=["says gone", "says there"]
)
async def test_f_13_a_broken_sensor_is_no_take(tmp_path: Path, kind: K, rider: object) -> None:
    """The switch of the full slot sticks: whatever the rider did, it is neither taken for granted nor charged."""
    async with a_shop(tmp_path) as shop:
        shop.rider(rider, pack=1)  # type: ignore[arg-type]  # a script
        await shop.begin_swap()
        await shop.wait_until(lambda: shop.swaps.swaps()[0].step == "given")
        shop.fault(kind, 5)
        await shop.wait_until(lambda: shop.steps[-1] == ("reopen-full", 5, "F-13"))
        await shop.wait(1)
        shop.front.shut(CABINET, 5, "a passer-by")
        closed = await shop.end()
        assert (closed.outcome, closed.fault) == ("kept", "F-13")
        assert slot_words(shop) == {5: ("locked", "F-13")}
        assert unpaid(shop)


@pytest.mark.parametrize("fast", [True, False])
async def test_f_13_a_door_that_is_never_seen_open(tmp_path: Path, fast: bool) -> None:
    """The full door's sensor sticks at shut, and the lock says otherwise: no second door opens, and nobody pays."""
    async with a_shop(tmp_path) as shop:
        shop.rider(swaps if fast else returns, pack=1)
        await shop.begin_swap()
        shop.fault(K.DOOR_SEEN_SHUT, 5)
        closed = await shop.end()
        assert (closed.outcome, closed.fault) == ("kept", "F-13")
        assert set(shop.cabinet.acts) == {1, 5}
        assert slot_words(shop) == {5: ("locked", "F-13")}
        assert unpaid(shop)


async def test_f_30_the_chosen_pack_is_not_what_it_was(tmp_path: Path) -> None:
    """It loses charge while the rider puts the old one in: the next best is given."""
    async with a_shop(tmp_path) as shop:
        shop.rider(swaps)
        await shop.begin_swap()
        await shop.wait(1)
        shop.fault(K.SOC_DROPS, 5)
        closed = await shop.end()
        assert (closed.outcome, closed.taken_slot) == ("swapped", 4)


async def test_f_30_between_the_step_and_the_pulse(tmp_path: Path) -> None:
    """The step is in the log, and the pack has gone: the door stays shut, another one opens."""
    async with a_shop(tmp_path) as shop:
        shop.rider(swaps)
        await shop.begin_swap()
        await shop.wait_until(lambda: shop.swaps.swaps()[0].step == "open-full")
        assert shop.cabinet.acts == [1]
        shop.fault(K.PACK_VANISHES, 5)
        closed = await shop.end()
        assert (closed.outcome, closed.taken_slot) == ("swapped", 4)
        assert ("open-full", 4, "F-30") in shop.steps
        assert shop.cabinet.acts == [1, 4]


async def test_f_31_no_pack_is_left(tmp_path: Path) -> None:
    """The only full one has lost its charge meanwhile: the rider's own is given back."""
    async with a_shop(tmp_path, front=ready_shop(full=(3,))) as shop:
        shop.rider(swaps)
        await shop.begin_swap()
        await shop.wait(1)
        shop.fault(K.SOC_DROPS, 3)
        closed = await shop.end()
        assert (closed.outcome, closed.fault) == ("cancelled", "F-31")
        assert shop.steps[-1] == ("give-back", 1, "F-31")
        assert shop.hands() == [pack_code(1)]
        assert unpaid(shop)


async def test_f_32_a_full_slot_that_does_not_open(tmp_path: Path) -> None:
    """The next best pack comes from another slot; this one rests."""
    async with a_shop(tmp_path) as shop:
        shop.fault(K.DOOR_STUCK, 5)
        shop.rider(swaps)
        await shop.begin_swap()
        closed = await shop.end()
        assert (closed.outcome, closed.taken_slot) == ("swapped", 4)
        assert ("open-full", 4, "F-32") in shop.steps
        assert slot_words(shop)[5] == ("resting", "F-32")


async def test_f_32_scanned_again_it_goes_on_from_there(tmp_path: Path) -> None:
    """No full door opens, nor the rider's own: a second scan within five minutes asks for no second pack."""
    async with a_shop(tmp_path, front=ready_shop(full=(3,))) as shop:
        shop.fault(K.DOOR_STUCK, 3)
        shop.rider(returns)
        await shop.begin_swap()
        await until_pulsed(shop, 3)
        shop.fault(K.DOOR_STUCK, 1)
        closed = await shop.end()
        assert (closed.outcome, closed.returned_slot) == ("kept", 1)
        assert unpaid(shop)
        shop.twin.faults.clear()
        await shop.wait(5)
        shop.rider(rents, pack=None)
        again = await shop.begin_swap()
        assert (again.opened.resumes, again.opened.slot) == (closed.session, 3)
        after = await shop.end()
        assert (after.outcome, after.returned, after.taken_slot) == ("swapped", closed.returned, 3)
        assert shop.rights().used == 1


async def test_f_40_taken_and_left_open(tmp_path: Path) -> None:
    """The pack is seen gone behind the open door: it is the rider's, and staff are told of the door."""
    async with a_shop(tmp_path) as shop:
        shop.rider(takes_and_leaves_open)
        await shop.begin_swap()
        closed = await shop.end()
        assert (closed.outcome, closed.fault) == ("swapped", "F-40")
        assert shop.hands() == [pack_code(105)]
        await shop.wait(400)
        assert shop.desk.state.shop.swaps == {}


async def test_f_40_left_in_behind_an_open_door(tmp_path: Path) -> None:
    """Nobody comes for it: told, ended without charge, and the slot locked; where the pack is nobody can tell."""
    async with a_shop(tmp_path) as shop:
        shop.rider(returns)
        await shop.begin_swap()
        closed = await shop.end()
        assert (closed.outcome, closed.fault) == ("kept", "F-40")
        assert "door-open" in [body.what for body in shop.bodies(Notice)]
        assert slot_words(shop) == {5: ("locked", "F-40")}
        assert unpaid(shop)


@pytest.mark.parametrize(
    ("rider", "outcome", "fault"), [(takes_nothing, "swapped", "F-41"), (takes_nothing_and_goes, "kept", "F-41")]
)
async def test_f_41_left_in(tmp_path: Path, rider: object, outcome: str, fault: str) -> None:
    """Opened once more: taken then, or not charged."""
    async with a_shop(tmp_path) as shop:
        shop.rider(rider)  # type: ignore[arg-type]  # a script
        await shop.begin_swap()
        closed = await shop.end()
        assert (closed.outcome, closed.fault) == (outcome, fault)
        assert ("reopen-full", 5, "F-41") in shop.steps
        assert shop.rights().used == (outcome == "swapped")
        assert shop.desk.state.shop.bound.get("ann") == (pack_code(105) if outcome == "swapped" else None)


async def test_f_41_scanned_again_the_same_door_opens(tmp_path: Path) -> None:
    """The rider comes back within five minutes: the same pack, and now it is charged."""
    async with a_shop(tmp_path) as shop:
        shop.rider(takes_nothing_and_goes)
        await shop.begin_swap()
        kept = await shop.end()
        await shop.wait(60)
        shop.rider(rents, pack=None)
        again = await shop.begin_swap()
        assert (again.opened.resumes, again.opened.slot) == (kept.session, 5)
        assert (await shop.end()).outcome == "swapped"
        assert shop.rights().used == 1
        assert shop.hands() == [pack_code(105)]


async def test_what_was_paid_for_and_left_behind_opens_again_for_nothing(tmp_path: Path) -> None:
    """Shut in again once the take had been seen: the same door opens, no other does, and it costs nothing."""
    async with a_shop(tmp_path) as shop:
        shop.rider(swaps, pack=1)
        await shop.begin_swap()
        first = await shop.end()
        await shop.wait(5)
        shop.front.force(CABINET, 5, "ann", cause=Cause.SPRUNG)
        shop.front.put(CABINET, 5, shop.front.things[pack_code(105)], "ann")
        shop.front.shut(CABINET, 5, "ann")
        await shop.wait(5)
        await shop.shop.set_slot(CABINET, 5, True, "li", "looked at")
        again = await shop.begin_swap()
        assert (again.opened.resumes, again.opened.slot, again.opened.offer, again.holds) == (first.session, 5, "", ())
        shop.fault(K.DOOR_STUCK, 5)
        assert (await shop.end()).outcome == "cancelled"
        assert set(shop.cabinet.acts) == {1, 5}
        shop.twin.faults.clear()
        await shop.wait(5)
        shop.rider(rents, pack=None)
        again = await shop.begin_swap()
        assert (again.opened.resumes, again.opened.slot) == (first.session, 5)
        closed = await shop.end()
        assert (closed.outcome, closed.amount_fen) == ("swapped", 0)
        assert shop.rights().used == 1


async def test_after_five_minutes_a_scan_begins_anew(tmp_path: Path) -> None:
    """The pack that was left is the site's; the rider puts another one in."""
    async with a_shop(tmp_path) as shop:
        shop.rider(takes_nothing_and_goes)
        await shop.begin_swap()
        await shop.end()
        await shop.wait(310)
        again = await shop.begin_swap()
        assert (again.opened.resumes, again.opened.pack) == (None, None)
        await shop.end()


async def test_another_opening_of_the_slot_ends_the_right_to_it(tmp_path: Path) -> None:
    """Staff has opened the slot since: whose pack it is now, no machine can say."""
    async with a_shop(tmp_path) as shop:
        shop.rider(takes_nothing_and_goes)
        await shop.begin_swap()
        await shop.end()
        await shop.shop.open_slot(CABINET, 1, "li", "looking")
        await shop.wait(1)
        shop.front.shut(CABINET, 1, "li")
        await shop.wait(5)
        again = await shop.begin_swap()
        assert again.opened.resumes is None
        await shop.end()


async def test_f_42_another_one_in_its_place(tmp_path: Path) -> None:
    """A foreign pack behind the shut door: ours was taken, and is charged; the slot is locked."""
    async with a_shop(tmp_path) as shop:
        shop.rider(puts_other_back)
        await shop.begin_swap()
        closed = await shop.end()
        assert (closed.outcome, closed.fault) == ("swapped", "F-42")
        assert slot_words(shop) == {5: ("locked", "F-42")}
        assert [body.what for body in shop.bodies(PackNoted)] == ["changed"]
        assert pack_code(105) in shop.hands()


@pytest.mark.parametrize("says", [K.NO_CODE, K.BAD_CODE, K.OTHER_CODE])
async def test_f_42_a_pack_that_lost_its_code_is_no_other_one(tmp_path: Path, says: K) -> None:
    """The pack was left in and tells no code any more that a pack can have, or a neighbour's, and is as full as it was:
    nobody pays for a take on that word.
    """
    async with a_shop(tmp_path) as shop:
        shop.rider(takes_nothing_and_goes)
        await shop.begin_swap()
        await until_pulsed(shop, 5)
        shop.fault(says, 5)
        closed = await shop.end()
        assert (closed.outcome, closed.fault) == ("kept", "F-13")
        assert unpaid(shop)
        assert pack_code(105) not in shop.hands()


async def test_f_42_a_brick_in_its_place(tmp_path: Path) -> None:
    """The switch says that something is there, nothing speaks: nobody can tell, so nobody pays; who had it is known."""
    async with a_shop(tmp_path) as shop:
        shop.rider(puts_brick_back)
        await shop.begin_swap()
        await shop.wait_until(lambda: not shop.front.busy)
        await shop.wait_until(lambda: shop.twin.slots[5].door_open or not shop.desk.state.shop.swaps)
        await shop.wait(1)
        shop.front.shut(CABINET, 5, "ann")
        closed = await shop.end()
        assert (closed.outcome, closed.fault) == ("kept", "F-13")
        assert unpaid(shop)
        place = shop.desk.state.shop.packs[pack_code(105)]
        assert (place.where, place.account) == ("unknown", "ann")


async def leaves_a_brick(shop: Front) -> None:
    """Ann takes pack 105 and leaves a brick in its place; she has pack 9 besides."""
    shop.rider(puts_brick_back)
    await shop.begin_swap()
    await shop.wait_until(lambda: not shop.front.busy)
    await shop.wait_until(lambda: shop.twin.slots[5].door_open or not shop.desk.state.shop.swaps)
    await shop.wait(1)
    shop.front.shut(CABINET, 5, "ann")
    assert (await shop.end()).fault == "F-13"
    await shop.wait(5)


async def test_f_44_a_pack_that_is_owed(tmp_path: Path) -> None:
    """A brick in its place made that swap free: over restarts nothing more is to be had but for that very pack."""
    async with a_shop(tmp_path) as shop:
        await shop.allow("DEPOSIT", 30_000)
        await leaves_a_brick(shop)
        await reopen(shop, tmp_path, boot=b"boot-002")
        await shop.wait(5)
        assert (await shop.refused("rent")).refusal is Refusal.PACK_OWED
        owed = shop.front.things[pack_code(105)]
        shop.front.give(owed, "a friend")
        shop.rider(swaps, pack=9)
        swap = await shop.begin_swap()
        await shop.wait_until(lambda: shop.steps[-1][2] == "F-44")
        assert pack_code(105) in shop.swaps.said(swap.seq)
        await shop.wait(1)
        shop.front.take(CABINET, swap.slot, "ann")
        shop.front.shut(CABINET, swap.slot, "ann")
        assert (await shop.end()).outcome == "cancelled"
        assert unpaid(shop)
        shop.front.give(shop.front.things[pack_code(9)], "a friend")
        shop.front.give(owed, "ann")
        await shop.wait(5)
        shop.rider(swaps, pack=None)
        await shop.begin_swap()
        closed = await shop.end()
        assert closed.outcome == "swapped"
        assert [body.code for body in shop.bodies(PackNoted) if body.what == "came-back"] == [pack_code(105)]
        await shop.wait(5)
        shop.front.give(shop.front.things[pack_code(9)], "ann")
        shop.rider(swaps, pack=None)
        await shop.begin_swap()
        assert ("reopen-empty", "F-44") not in [(step, fault) for step, _, fault in shop.steps[-3:]]
        await shop.end()


async def test_f_44_somebody_answers_for_it(tmp_path: Path) -> None:
    """Staff's word ends the question, and so does headquarters' list of lost packs, while it stands there."""
    async with a_shop(tmp_path) as shop:
        await leaves_a_brick(shop)
        await shop.publish_packs(entry(pack_code(105), hot=True), version=2)
        assert (await shop.refused("rent")).refusal is not Refusal.PACK_OWED
        await shop.publish_packs(version=3)
        assert (await shop.refused("rent")).refusal is Refusal.PACK_OWED
        assert await shop.shop.explained(pack_code(104), "li", "no such question") is None
        assert await shop.shop.explained(pack_code(105), "li", "found in the bin") is not None
        await reopen(shop, tmp_path, boot=b"boot-002")
        await shop.wait(5)
        assert (await shop.refused("rent")).refusal is not Refusal.PACK_OWED


async def test_f_44_a_pack_that_turns_up_is_owed_by_nobody(tmp_path: Path) -> None:
    """It had only been silent: heard again in its slot, it is where the log has it."""
    async with a_shop(tmp_path) as shop:
        shop.rider(takes_nothing_and_goes)
        await shop.begin_swap()
        await shop.wait_until(lambda: shop.swaps.swaps()[0].step == "given")
        shop.fault(K.PACK_DEAD, 5)
        await shop.wait_until(lambda: shop.steps[-1] == ("reopen-full", 5, "F-13"))
        await shop.wait(1)
        shop.front.shut(CABINET, 5, "a passer-by")
        assert (await shop.end()).fault == "F-13"
        assert (await shop.refused("rent")).refusal is Refusal.PACK_OWED
        shop.twin.faults.clear()
        await shop.wait(10)
        assert shop.desk.state.shop.packs[pack_code(105)].where == "slot"
        assert (await shop.refused("rent")).refusal is not Refusal.PACK_OWED
