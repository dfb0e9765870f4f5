"""What seeded worlds with cabinets have shown, told as stories."""

from __future__ import annotations

from pathlib import Path

from drivers.twins.cabinets.faults import CabinetFaultKind as K
from drivers.twins.cabinets.pack import Brick, Pack, pack_code
from drivers.twins.cabinets.rider_words import rents, swaps
from protocols.trade.records import CNY
from protocols.trade.records_pack import DEPOSIT, PackNoted
from tests.edge.desk_rig import reopen
from tests.edge.shop.shop_rig import CABINET, Front, a_shop, ready_shop
from tests.edge.shop.test_faults_in import slot_words


async def test_a_pack_that_staff_has_just_put_in_is_told_of_before_it_goes_out(tmp_path: Path) -> None:
    """A session begins while the door is still bouncing: it takes another pack, and both of staff's are in the log."""
    async with a_shop(tmp_path) as shop:
        await shop.wait(5)
        await shop.shop.open_slot(CABINET, 5, "li")
        await shop.wait(1)
        shop.front.take(CABINET, 5, "li")
        shop.front.put(CABINET, 5, shop.has("li", 9, soc_permille=1_000), "li")
        shop.front.shut(CABINET, 5, "li")
        await shop.wait(0.5)
        shop.rider(swaps)
        await shop.begin_swap()
        closed = await shop.end()
        assert (closed.taken_slot, closed.taken and closed.taken.code) == (4, pack_code(104))
        await shop.wait(5)
        told = [(note.what, note.slot, note.code) for note in shop.bodies(PackNoted) if note.code]
        assert told == [("opened", 5, pack_code(105)), ("taken-out", 5, pack_code(105)), ("put-in", 5, pack_code(9))]
        assert shop.desk.state.shop.packs[pack_code(105)].where == "staff"


async def test_what_staff_puts_into_an_empty_slot_is_told_of_before_it_goes_out(tmp_path: Path) -> None:
    """The first scan has told that the slot is empty; a rider in a hurry gets another pack than the new one."""
    async with a_shop(tmp_path) as shop:
        await shop.wait(5)
        await shop.shop.open_slot(CABINET, 2, "li")
        await shop.wait(1)
        shop.front.put(CABINET, 2, shop.has("li", 9, soc_permille=1_000), "li")
        shop.front.shut(CABINET, 2, "li")
        await shop.wait(0.5)
        shop.rider(rents, pack=None)
        await shop.allow(CNY, 5_000)
        await shop.allow(DEPOSIT, 30_000)
        await shop.begin_swap("rent")
        assert (await shop.end()).taken_slot == 5
        await shop.wait(5)
        assert [note.code for note in shop.bodies(PackNoted) if note.what == "put-in"] == [pack_code(9)]


async def test_what_is_taken_out_of_a_slot_that_opens_once_more_is_told_of(tmp_path: Path) -> None:
    """A pack came in when its rider's session was over; scanned again, it goes out, and another one is swapped."""
    async with a_shop(tmp_path) as shop:
        await _opens_once_more(shop)
        await _puts_instead(shop, Pack(pack_code(2), soc_permille=150))
        await shop.wait_until(lambda: shop.twin.slots[5].door_open)
        await shop.wait(1)
        shop.front.take(CABINET, 5, "ann")
        shop.front.shut(CABINET, 5, "ann")
        assert (await shop.end()).outcome == "swapped"
        assert _gone(shop) == [(1, pack_code(1))]
        assert shop.desk.state.shop.packs[pack_code(1)].where == "unknown"
        assert shop.desk.state.shop.contents[f"{CABINET}/1"] == pack_code(2)


async def test_a_brick_in_a_slot_that_opens_once_more_is_not_what_stood_there(tmp_path: Path) -> None:
    """The same, with something that tells nothing: the slot is locked, and the log has no pack in it any more."""
    async with a_shop(tmp_path) as shop:
        await _opens_once_more(shop)
        await _puts_instead(shop, Brick())
        for _ in range(3):
            await shop.wait_until(lambda: shop.twin.slots[1].door_open)
            await shop.wait(1)
            shop.front.shut(CABINET, 1, "ann")
            await shop.wait(1)
        assert (await shop.end()).fault == "F-22"
        assert _gone(shop) == [(1, pack_code(1))]
        assert shop.desk.state.shop.contents[f"{CABINET}/1"] == ""
        assert shop.desk.state.shop.slots[f"{CABINET}/1"].state == "locked"


async def _opens_once_more(shop: Front) -> None:
    """Pack 1 is put into slot 1 when the session is over, and told of; its rider scans again, and takes it out."""
    shop.has("ann", 1)
    await shop.begin_swap()
    assert (await shop.end()).fault == "F-20"
    shop.front.put(CABINET, 1, shop.front.things[pack_code(1)], "ann")
    shop.front.shut(CABINET, 1, "ann")
    await shop.wait(10)
    assert shop.desk.state.shop.contents[f"{CABINET}/1"] == pack_code(1)
    await shop.begin_swap()
    await shop.wait_until(lambda: shop.twin.slots[1].door_open)
    await shop.wait(1)
    shop.front.take(CABINET, 1, "ann")


async def _puts_instead(shop: Front, thing: Pack | Brick) -> None:
    shop.front.bring(thing, "ann")
    shop.front.put(CABINET, 1, thing, "ann")
    shop.front.shut(CABINET, 1, "ann")
    await shop.wait(1)


def _gone(shop: Front) -> list[tuple[int, str]]:
    return [(note.slot, note.code) for note in shop.bodies(PackNoted) if note.what == "vanished"]


async def test_swaps_375_what_nobody_could_tell_before_a_power_cut_nobody_can_tell_after_it(tmp_path: Path) -> None:
    """The door was to open once more, since nobody could tell whether the pack was taken; then the power failed."""
    async with a_shop(tmp_path) as shop:
        shop.rider(swaps, pack=1)
        await shop.begin_swap()
        await shop.wait_until(lambda: shop.swaps.swaps()[0].step == "given")
        shop.fault(K.SEEN_THERE, 5)
        shop.fault(K.DOOR_STUCK, 5)
        await shop.wait_until(lambda: shop.steps[-1] == ("reopen-full", 5, "F-13"))
        await reopen(shop, tmp_path, boot=b"boot-002")
        closed = await shop.end()
        assert (closed.outcome, closed.fault) == ("kept", "F-56")
        assert shop.rights().used == 0
        place = shop.desk.state.shop.packs[pack_code(105)]
        assert (place.where, place.account) == ("unknown", "ann")
        assert slot_words(shop)[5] == ("locked", "F-13")


async def test_swaps_375_a_pack_that_goes_back_while_the_power_is_off_is_not_the_site_s(tmp_path: Path) -> None:
    """Nothing could be given, the door opened for the rider's own pack, and the box and the switch were dark then."""
    async with a_shop(tmp_path, front=ready_shop(full=(3,))) as shop:
        shop.rider(swaps, pack=1)
        await shop.begin_swap()
        await shop.wait_until(lambda: shop.swaps.swaps()[0].step == "accepted")
        shop.fault(K.SOC_DROPS, 3)
        await shop.wait_until(lambda: shop.cabinet.acts == [1, 1])

        def meanwhile() -> None:
            shop.elapse(30_000)
            shop.fault(K.SEEN_THERE, 1)

        await reopen(shop, tmp_path, boot=b"boot-002", meanwhile=meanwhile)
        closed = await shop.end()
        assert pack_code(1) in shop.hands()
        assert (closed.outcome, closed.fault) == ("kept", "F-56")
        assert shop.desk.state.shop.packs[pack_code(1)].where == "unknown"
