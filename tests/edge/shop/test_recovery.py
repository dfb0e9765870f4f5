"""The daemon dies, or the power is cut, on both sides of every step: settled by what the sensors say."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.twins.cabinets.faults import CabinetFaultKind as K
from drivers.twins.cabinets.pack import pack_code
from drivers.twins.cabinets.rider_words import rents, returns, swaps
from protocols.trade.records_pack import PackNoted
from tests.edge.desk_rig import reopen
from tests.edge.shop.shop_rig import CABINET, Front, a_shop
from tests.edge.shop.test_faults_in import slot_words


class Killed(BaseException):
    """The daemon is gone; whatever the cabinet was told, it was told."""


async def killed_at(shop: Front, record: int, *, before_act: bool) -> None:
    """Let the session run until so many records of it are durable; dead before, or right after, the act that follows.

    before_act: the record that opens a door is in the log, the pulse has not been given.
    """
    size = shop.journal.size + record
    if before_act:
        pulsed = shop.cabinet.open

        async def die(slot: int) -> None:
            if shop.journal.size >= size:
                raise Killed
            await pulsed(slot)

        shop.cabinet.open = die  # type: ignore[method-assign]  # a test's stand-in
    try:
        for _ in range(2_000):
            if shop.journal.size >= size and not before_act:
                await shop.wait(0.2)
                return
            if not shop.desk.state.shop.swaps:
                return
            await shop.wait(0.1)
    except Killed:
        return
    finally:
        if before_act:
            shop.cabinet.open = pulsed  # type: ignore[method-assign]  # as it was


@pytest.mark.parametrize("cut", [False, True], ids=["daemon", "power"])
@pytest.mark.parametrize("before_act", [True, False], ids=["before the pulse", "after it"])
@pytest.mark.parametrize("record", [0, 1, 2, 3])
async def test_f_56_killed_on_both_sides_of_every_step(
    tmp_path: Path, record: int, before_act: bool, cut: bool
) -> None:
    """Whatever was cut off, the rider has either the old pack and paid nothing, or the new one and paid for one; or the
    old one stays and a second scan goes on.
    """
    async with a_shop(tmp_path) as shop:
        shop.rider(swaps, pack=1)
        await shop.begin_swap()
        await killed_at(shop, record, before_act=before_act)
        await reopen(shop, tmp_path, boot=b"boot-002" if cut else None)
        await shop.wait(5)
        closed = await shop.end()
        await shop.wait_until(lambda: not shop.front.busy or shop.twin.doors_open == [])
        paid, took, gave = shop.rights().used, pack_code(105) in shop.hands(), pack_code(1) not in shop.hands()
        assert paid == took
        assert (closed.outcome == "swapped") == took
        assert not (took and not gave)
        if closed.outcome == "kept":
            shop.rider(rents, name="ann", pack=None)
            await shop.wait(5)
            again = await shop.begin_swap()
            assert again.opened.resumes == closed.session
            assert (await shop.end()).outcome == "swapped"
        assert shop.rights().held == 0


async def test_f_56_taken_while_nobody_looked(tmp_path: Path) -> None:
    """The full door was told to open, then the power was cut; the rider took the pack and shut the door."""
    async with a_shop(tmp_path) as shop:
        shop.rider(swaps, pack=1)
        await shop.begin_swap()
        await shop.wait_until(lambda: shop.cabinet.acts[-1:] == [5])
        assert shop.swaps.swaps()[0].step == "open-full"
        await reopen(shop, tmp_path, boot=b"boot-002", meanwhile=lambda: shop.elapse(20_000))
        closed = await shop.end()
        assert (closed.outcome, closed.taken_slot) == ("swapped", 5)
        assert ("given", 5, "F-56") in shop.steps
        assert shop.rights().used == 1


async def test_f_56_left_in_while_nobody_looked(tmp_path: Path) -> None:
    """The door was told to open, and the pack still stands there, shut: it was not taken; no other door opens."""
    async with a_shop(tmp_path) as shop:
        shop.fault(K.DOOR_STUCK, 5)
        shop.rider(returns, pack=1)
        await shop.begin_swap()
        await shop.wait_until(lambda: shop.cabinet.acts[-1:] == [5])
        await reopen(shop, tmp_path, boot=b"boot-002")
        closed = await shop.end()
        assert (closed.outcome, closed.fault) == ("kept", "F-56")
        assert shop.cabinet.acts == [1, 5]
        assert shop.rights().used == 0


async def test_f_55_a_pack_that_changed_over_a_power_cut(tmp_path: Path) -> None:
    """One gone, one changed, while nobody looked: noted, their slots locked."""
    async with a_shop(tmp_path) as shop:

        def meanwhile() -> None:
            shop.fault(K.PACK_VANISHES, 4)
            shop.fault(K.OTHER_CODE, 5)
            shop.elapse(1_000)

        await reopen(shop, tmp_path, boot=b"boot-002", meanwhile=meanwhile)
        await shop.wait(10)
        assert [(body.what, body.slot) for body in shop.bodies(PackNoted)] == [("vanished", 4), ("changed", 5)]
        assert slot_words(shop) == {4: ("locked", "F-55"), 5: ("locked", "F-55")}


async def test_a_restart_without_a_session_changes_nothing(tmp_path: Path) -> None:
    """What stands in the slots is what the log says."""
    async with a_shop(tmp_path) as shop:
        size = shop.journal.size
        await reopen(shop, tmp_path, boot=b"boot-002")
        await shop.wait(10)
        assert shop.journal.size == size


async def test_no_door_moves_before_its_record_is_durable(tmp_path: Path) -> None:
    """At every pulse the journal already has the record that names the slot."""
    async with a_shop(tmp_path) as shop:
        named: list[bool] = []

        def look(slot: int) -> None:
            swap = shop.swaps.swaps()[0]
            touched = shop.desk.state.shop.touched[f"{CABINET}/{slot}"]
            named.append(swap.slot == slot and touched < shop.journal.size)

        shop.cabinet.at_pulse = look
        shop.rider(swaps, pack=1)
        await shop.begin_swap()
        await shop.end()
        assert named == [True, True]


@pytest.mark.parametrize("cut", [False, True], ids=["daemon", "power"])
async def test_a_slot_that_staff_had_opened_is_staff_s_over_a_restart(tmp_path: Path, cut: bool) -> None:
    """The daemon dies while the door is open: what was taken out is told as theirs, and no slot is locked."""
    async with a_shop(tmp_path) as shop:
        await shop.shop.open_slot(CABINET, 4, "li", "to the workshop")
        await shop.wait(1)
        shop.front.take(CABINET, 4, "li")
        await reopen(shop, tmp_path, boot=b"boot-002" if cut else None)
        await shop.wait(5)
        shop.front.shut(CABINET, 4, "li")
        await shop.wait(6)
        told = [(body.what, body.slot, body.by) for body in shop.bodies(PackNoted)]
        assert told == [("opened", 4, "li"), ("shut", 4, "li"), ("taken-out", 4, "li")]
        assert slot_words(shop) == {}
        assert shop.desk.state.shop.packs[pack_code(104)].where == "staff"


async def test_an_opening_by_hand_ends_when_the_slot_is_shut_and_plain(tmp_path: Path) -> None:
    """Nothing was changed then: what changes over a later power cut is nobody's, and locks the slot."""
    async with a_shop(tmp_path) as shop:
        await shop.shop.open_slot(CABINET, 4, "li", "looking")
        await shop.wait(1)
        shop.front.shut(CABINET, 4, "li")
        await shop.wait(6)
        assert [body.what for body in shop.bodies(PackNoted)] == ["opened", "shut"]
        await reopen(shop, tmp_path, boot=b"boot-002", meanwhile=lambda: shop.fault(K.PACK_VANISHES, 4))
        await shop.wait(10)
        assert slot_words(shop) == {4: ("locked", "F-55")}
