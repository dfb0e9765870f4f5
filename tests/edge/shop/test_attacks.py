"""Riders who want two packs for one swap, or one for nothing, and staff in a hurry: what the till lets nobody have."""

from __future__ import annotations

from pathlib import Path

from drivers.twins.cabinets.faults import CabinetFaultKind as K
from drivers.twins.cabinets.pack import Pack, pack_code
from drivers.twins.cabinets.rider_words import puts_brick_back, rents, returns, swaps, takes_nothing_and_goes
from protocols.trade.records import Notice
from protocols.trade.records_pack import PackNoted
from tests.edge.desk_rig import reopen
from tests.edge.shop.shop_rig import CABINET, Front, a_shop, ready_shop
from tests.edge.shop.test_faults_in import slot_words


def notes(shop: Front) -> list[tuple[str, int, str]]:
    """What was noted of packs: what, where, which."""
    return [(body.what, body.slot, body.code) for body in shop.bodies(PackNoted)]


async def test_a_brick_in_the_place_of_the_pack_gets_no_second_pack_on_a_second_scan(tmp_path: Path) -> None:
    """Nobody can tell whether the first was taken, so nobody pays: and nobody is given another one for it."""
    async with a_shop(tmp_path) as shop:
        shop.rider(puts_brick_back)
        await shop.begin_swap()
        await shop.wait_until(lambda: not shop.front.busy)
        await shop.wait_until(lambda: shop.twin.slots[5].door_open or not shop.desk.state.shop.swaps)
        await shop.wait(1)
        shop.front.shut(CABINET, 5, "ann")
        kept = await shop.end()
        assert (kept.outcome, kept.fault) == ("kept", "F-13")
        assert pack_code(105) in shop.hands()
        await shop.wait(5)
        again = await shop.begin_swap()
        assert (again.opened.resumes, again.opened.pack) == (None, None)
        shop.shop.swaps.cancel(again.seq)
        await shop.end()


async def test_an_open_door_gets_no_second_pack_on_a_second_scan(tmp_path: Path) -> None:
    """Taken, with something pressed on the switch and the door left open: locked, and its door counts no more; yet the
    session is not gone on from."""
    async with a_shop(tmp_path) as shop:
        shop.rider(returns)
        await shop.begin_swap()
        await shop.wait_until(lambda: shop.swaps.swaps()[0].step == "given")
        shop.fault(K.SEEN_THERE, 5)
        shop.front.take(CABINET, 5, "ann")
        kept = await shop.end()
        assert (kept.outcome, kept.fault) == ("kept", "F-40")
        await shop.wait(5)
        again = await shop.begin_swap()
        assert (again.opened.resumes, again.opened.pack) == (None, None)
        shop.shop.swaps.cancel(again.seq)
        await shop.end()


async def test_an_alarm_right_after_the_pulse_waits_for_the_door(tmp_path: Path) -> None:
    """The door springs open under an alarm that lasts a moment: the pack that is taken then is the session's."""
    async with a_shop(tmp_path) as shop:
        shop.rider(swaps)
        await shop.begin_swap()

        def smoke(slot: int) -> None:
            if slot == 5:
                shop.fault(K.SMOKE, for_ms=1_000)

        shop.cabinet.at_pulse = smoke
        closed = await shop.end()
        assert (closed.outcome, closed.taken_slot) == ("swapped", 5)
        assert shop.rights().used == 1


async def test_a_flicker_right_after_the_pulse_gives_no_pack_back(tmp_path: Path) -> None:
    """The door of the rider's own pack is seen open for an instant while the full one springs: one pack goes out."""
    async with a_shop(tmp_path) as shop:
        shop.rider(swaps)
        await shop.begin_swap()

        def flicker(slot: int) -> None:
            if slot == 5:
                shop.fault(K.DOOR_SEEN_OPEN, 1, for_ms=150)

        shop.cabinet.at_pulse = flicker
        closed = await shop.end()
        assert (closed.outcome, closed.taken_slot) == ("swapped", 5)
        assert shop.hands() == [pack_code(105)]
        assert shop.cabinet.acts == [1, 5]


async def test_a_second_pack_of_one_code_is_not_taken(tmp_path: Path) -> None:
    """A copy of a code that stands in the cabinet already, or a line that answers for another slot: opened again."""
    async with a_shop(tmp_path) as shop:
        shop.rider(swaps, pack=None)
        shop.front.bring(Pack(pack_code(104), name="copy", soc_permille=150), "ann")
        await shop.begin_swap()
        closed = await shop.end()
        assert closed.outcome == "cancelled"
        assert "accepted" not in [step for step, *_ in shop.steps]
        assert ("reopen-empty", 1, "F-24") in shop.steps


async def test_a_pack_that_was_swapped_by_hand_while_the_daemon_was_down_is_a_take(tmp_path: Path) -> None:
    """The pulse was given, the daemon died; another pack stands there now: ours was taken, and no second one goes."""
    async with a_shop(tmp_path) as shop:
        shop.rider(returns)
        await shop.begin_swap()
        await shop.wait_until(lambda: shop.cabinet.acts[-1:] == [5])

        def meanwhile() -> None:
            shop.elapse(2_000)
            shop.front.take(CABINET, 5, "ann")
            shop.front.put(CABINET, 5, shop.has("ann", 7), "ann")
            shop.front.shut(CABINET, 5, "ann")
            shop.elapse(3_000)

        await reopen(shop, tmp_path, meanwhile=meanwhile)
        closed = await shop.end()
        assert (closed.outcome, closed.fault, closed.taken_slot) == ("swapped", "F-42", 5)
        assert shop.cabinet.acts == [1, 5]
        assert shop.rights().used == 1


async def test_a_damaged_pack_stays_in_when_the_rider_cancels(tmp_path: Path) -> None:
    """It is locked in: not handed out again, whoever asks."""
    async with a_shop(tmp_path) as shop:
        shop.rider(swaps)
        session = await shop.begin_swap()
        shop.fault(K.PACK_ILL, 1)
        await shop.wait_until(lambda: shop.swaps.swaps()[0].step == "accepted")
        await shop.shop.cancel(session.seq)
        closed = await shop.end()
        assert closed.outcome == "kept"
        assert "give-back" not in [step for step, *_ in shop.steps]


async def test_a_brick_in_the_place_of_a_pack_given_back_is_not_the_site_s(tmp_path: Path) -> None:
    """The rider has the pack again, and left something that says nothing: the site does not answer for it."""
    async with a_shop(tmp_path, front=ready_shop(full=(3,))) as shop:
        shop.rider(puts_brick_back)
        await shop.begin_swap()
        await shop.wait(1)
        shop.fault(K.SOC_DROPS, 3)
        closed = await shop.end()
        assert pack_code(1) in shop.hands()
        place = shop.desk.state.shop.packs[pack_code(1)]
        assert (closed.outcome, place.where) == ("kept", "unknown")
        assert slot_words(shop)[1] == ("locked", "F-13")


async def test_a_pack_left_in_two_times_is_still_the_rider_s_to_swap(tmp_path: Path) -> None:
    """A second scan that ends as the first did: a third one goes on from there, too."""
    async with a_shop(tmp_path) as shop:
        shop.rider(takes_nothing_and_goes)
        await shop.begin_swap()
        first = await shop.end()
        await shop.wait(5)
        second = await shop.begin_swap()
        assert second.opened.resumes == first.session
        for _ in range(2):
            await shop.wait_until(lambda: shop.twin.slots[5].door_open)
            await shop.wait(1)
            shop.front.shut(CABINET, 5, "ann")
        kept = await shop.end()
        assert (kept.outcome, kept.fault) == ("kept", "F-41")
        await shop.wait(5)
        shop.rider(rents, pack=None)
        third = await shop.begin_swap()
        assert third.opened.resumes == kept.session
        assert (await shop.end()).outcome == "swapped"


async def test_a_pack_that_was_left_unrecognised_can_be_had_back(tmp_path: Path) -> None:
    """Put in, cut off by a cancel while it slept behind the shut door: a second scan opens that door, not another."""
    async with a_shop(tmp_path) as shop:
        shop.fault(K.PACK_DEAD, 1)
        shop.rider(returns)
        await shop.begin_swap()
        await shop.wait_until(lambda: not shop.front.busy)
        await reopen(shop, tmp_path, boot=b"boot-002")
        closed = await shop.end()
        assert closed.outcome == "cancelled"
        assert shop.stands(1) == pack_code(1)
        await shop.wait(5)
        shop.twin.faults.clear()
        await shop.wait(5)
        again = await shop.begin_swap()
        assert again.opened.slot == 1
        await shop.wait_until(lambda: len(shop.cabinet.acts) > 1)
        assert shop.cabinet.acts == [1, 1]
        await shop.end()


async def test_a_rented_pack_that_came_back_elsewhere_is_taken_and_given_again(tmp_path: Path) -> None:
    """Headquarters' newer list says nothing of it any more: it is rented by nobody."""
    async with a_shop(tmp_path) as shop:
        await shop.allow("DEPOSIT", 30_000)
        shop.rider(rents, pack=None)
        await shop.begin_swap("rent")
        assert (await shop.end()).outcome == "taken"
        shop.elapse(3_600_000)
        await shop.wait(6)
        await shop.publish_packs(version=2)
        shop.rider(swaps, pack=None)
        await shop.begin_swap()
        assert (await shop.end()).outcome == "swapped"


async def test_staff_who_scan_before_they_shut_the_door_have_taken_the_pack(tmp_path: Path) -> None:
    """A slot whose door stands open is not scanned: what goes out of it is told when it is shut."""
    async with a_shop(tmp_path) as shop:
        await shop.shop.open_slot(CABINET, 4, "li", "to the workshop")
        await shop.wait(1)
        shop.front.take(CABINET, 4, "li")
        await shop.wait(6)
        scan = await shop.shop.scan(CABINET, "li")
        assert scan.slots[3].state == "unsure"
        shop.front.shut(CABINET, 4, "li")
        await shop.wait(5)
        assert notes(shop)[-1] == ("taken-out", 4, pack_code(104))


async def test_a_door_that_staff_opened_and_that_springs_late_is_not_forced(tmp_path: Path) -> None:
    """Boards are polled: the door is seen open a second after its pulse."""
    async with a_shop(tmp_path) as shop:
        shop.fault(K.DOOR_SEEN_SHUT, 4, for_ms=1_000)
        await shop.shop.open_slot(CABINET, 4, "li", "looking")
        await shop.wait(2)
        shop.front.take(CABINET, 4, "li")
        shop.front.shut(CABINET, 4, "li")
        await shop.wait(6)
        assert "door-forced" not in [body.what for body in shop.bodies(Notice)]
        assert notes(shop)[-1] == ("taken-out", 4, pack_code(104))
