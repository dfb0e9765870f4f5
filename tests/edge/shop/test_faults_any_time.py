"""What may go wrong at any time: alarms, forced doors, packs that vanish, dead lines, repeated cards and commands."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from drivers.twins.cabinets.faults import CabinetFaultKind as K
from drivers.twins.cabinets.pack import Pack, pack_code
from drivers.twins.cabinets.rider_words import forces, returns, swaps
from edge.till.ask import Refusal, Refused
from edge.till.state_shop import OpenSwap
from protocols.trade.codec import encode
from protocols.trade.records import Notice, Preset
from protocols.trade.records_pack import PackNoted, PacksScanned, ShopDayClosed
from protocols.trade.wire import Command
from tests.edge.desk_rig import CARD, reopen
from tests.edge.shop.shop_rig import CABINET, TRAITS, a_shop, ready_shop
from tests.edge.shop.test_faults_in import slot_words, unpaid


async def test_f_43_a_forced_door(tmp_path: Path) -> None:
    """Opened without any order: told, its slot locked, and what is missing then is noted."""
    async with a_shop(tmp_path) as shop:
        shop.rider(forces, name="thief", pack=None)
        await shop.wait(20)
        assert "door-forced" in [body.what for body in shop.bodies(Notice)]
        assert slot_words(shop)[2] == ("locked", "F-43")


async def test_f_43_a_forced_door_with_a_pack_behind_it(tmp_path: Path) -> None:
    """The pack is gone with the thief: nobody answers for it, and it is noted as vanished."""
    async with a_shop(tmp_path, front=ready_shop(full=(2, 5))) as shop:
        shop.rider(forces, name="thief", pack=None)
        await shop.wait(30)
        assert [(body.what, body.code) for body in shop.bodies(PackNoted)] == [("vanished", pack_code(102))]
        assert shop.desk.state.shop.packs[pack_code(102)].where == "unknown"


@pytest.mark.parametrize("accepted", [False, True])
async def test_f_50_an_alarm_in_mid_session(tmp_path: Path, accepted: bool) -> None:
    """No further door opens: what has come in stays, what was held is free again, nobody new begins."""
    async with a_shop(tmp_path) as shop:
        shop.rider(returns)
        await shop.begin_swap()
        if accepted:
            await shop.wait_until(lambda: any(step == "accepted" for step, _, _ in shop.steps))
        shop.fault(K.SMOKE)
        pulses = list(shop.cabinet.acts)
        closed = await shop.end()
        assert (closed.outcome, closed.fault) == ("kept" if accepted else "cancelled", "F-50")
        assert shop.cabinet.acts == pulses
        assert unpaid(shop)
        await shop.wait(3)
        assert (await shop.refused()).refusal is Refusal.CABINET_ALARM
        assert "cabinet-alarm" in [body.what for body in shop.bodies(Notice)]


async def test_f_54_a_pack_vanishes(tmp_path: Path) -> None:
    """Behind a shut door, without a session: noted, the slot locked."""
    async with a_shop(tmp_path) as shop:
        shop.fault(K.PACK_VANISHES, 4)
        await shop.wait(10)
        assert [(body.what, body.slot) for body in shop.bodies(PackNoted)] == [("vanished", 4)]
        assert slot_words(shop) == {4: ("locked", "F-54")}


async def test_f_54_a_pack_that_falls_asleep_has_not_vanished(tmp_path: Path) -> None:
    """The switch still says that it is there."""
    async with a_shop(tmp_path) as shop:
        shop.fault(K.PACK_ASLEEP, 4)
        await shop.wait(120)
        assert shop.bodies(PackNoted) == []


async def test_f_58_a_command_that_comes_twice(tmp_path: Path) -> None:
    """The same number never runs a second time; and a stop names its session."""
    async with a_shop(tmp_path) as shop:
        boot, full = shop.time.boot, Preset("full", 0)
        start = Command("hz-1", boot, 7, "start", CABINET, "ann", full, 0, "", False, 4_000_000_000)
        assert await shop.site.command(encode(start)) == "started"
        assert await shop.site.command(encode(start)) == "old-number"
        seq = shop.swaps.swaps()[0].seq
        stop = Command("hz-1", boot, 8, "stop", CABINET, "", full, seq, "", False, 4_000_000_000)
        assert await shop.site.command(encode(stop)) == "stopping"
        await shop.wait(1)
        shop.front.shut(CABINET, 1, "ann")
        closed = await shop.end()
        assert (closed.outcome, closed.fault) == ("cancelled", "")


async def test_f_60_a_dead_segment(tmp_path: Path) -> None:
    """Nobody can tell of any door: the session waits, and ends without a charge; then the line comes back."""
    async with a_shop(tmp_path) as shop:
        shop.rider(swaps)
        await shop.begin_swap()
        await shop.wait_until(lambda: shop.swaps.swaps()[0].step == "given")
        shop.fault(K.SEGMENT_DEAD)
        closed = await shop.end()
        assert (closed.outcome, closed.fault) == ("kept", "F-60")
        assert "cabinet-silent" in [body.what for body in shop.bodies(Notice)]
        assert unpaid(shop)
        shop.twin.faults.clear()
        await shop.wait(10)
        assert slot_words(shop) == {5: ("locked", "F-60")}


async def test_f_60_a_line_that_comes_back_in_time(tmp_path: Path) -> None:
    """A minute of silence changes nothing: the take is seen afterwards, and charged."""
    async with a_shop(tmp_path) as shop:
        shop.rider(swaps)
        await shop.begin_swap()
        await shop.wait_until(lambda: shop.swaps.swaps()[0].step == "given")
        shop.fault(K.SEGMENT_DEAD, for_ms=60_000)
        assert (await shop.end()).outcome == "swapped"


async def test_f_63_the_same_card_again(tmp_path: Path) -> None:
    """A reader repeats, or a rider does: one session, and it is not ended by it."""
    async with a_shop(tmp_path) as shop:
        shop.rider(swaps)
        first = await shop.shop.tap(CABINET, CARD)
        assert isinstance(first, OpenSwap)
        await shop.wait(2)
        again = await shop.shop.tap(CABINET, CARD)
        assert isinstance(again, OpenSwap)
        assert again.seq == first.seq
        stranger = await shop.shop.tap(CABINET, "04FFFFFF")
        assert isinstance(stranger, Refused)
        assert (await shop.end()).outcome == "swapped"


async def test_f_65_the_emergency_stop(tmp_path: Path) -> None:
    """Pressed: nobody begins; released: business as ever."""
    async with a_shop(tmp_path) as shop:
        shop.fault(K.EMERGENCY_STOP)
        await shop.wait(1)
        assert (await shop.refused()).refusal is Refusal.CABINET_ALARM
        shop.twin.faults.clear()
        await shop.wait(1)
        await shop.begin_swap()
        await shop.end()


# --- staff -----------------------------------------------------------------------------------------------------------


async def test_staff_takes_a_pack_out_and_puts_another_in(tmp_path: Path) -> None:
    """The act is in the log before the door opens; what came of it is staff's, and no fault."""
    async with a_shop(tmp_path) as shop:
        assert await shop.shop.open_slot(CABINET, 4, "li", "inspection") is None
        await shop.wait(1)
        shop.front.take(CABINET, 4, "li")
        fresh = Pack(pack_code(200), soc_permille=800)
        shop.front.bring(fresh, "li")
        shop.front.put(CABINET, 4, fresh, "li")
        shop.front.shut(CABINET, 4, "li")
        await shop.wait(10)
        notes = [(body.what, body.code, body.by) for body in shop.bodies(PackNoted)]
        assert notes == [
            ("opened", pack_code(104), "li"), ("shut", "", "li"),
            ("taken-out", pack_code(104), "li"), ("put-in", pack_code(200), "li"),
        ]  # fmt: skip
        assert slot_words(shop) == {}
        assert shop.desk.state.shop.packs[pack_code(104)].where == "staff"


async def test_a_slot_is_switched_off_and_on(tmp_path: Path) -> None:
    """Off: neither chosen nor compared with other doors; on again by a person's word."""
    async with a_shop(tmp_path) as shop:
        await shop.shop.set_slot(CABINET, 5, False, "li", "cleaning")
        shop.rider(swaps)
        await shop.begin_swap()
        assert (await shop.end()).taken_slot == 4
        await shop.shop.set_slot(CABINET, 5, True, "li", "clean")
        assert slot_words(shop) == {}


async def test_no_door_opens_by_hand_in_mid_session(tmp_path: Path) -> None:
    """Whose pack it would be, nobody could say."""
    async with a_shop(tmp_path) as shop:
        await shop.begin_swap()
        assert await shop.shop.open_slot(CABINET, 4, "li") == "a session is under way"
        await shop.end()


async def test_the_day_close_scans_and_sums(tmp_path: Path) -> None:
    """Every slot as it stands, and the day's sessions by outcome, right before the day's own record."""
    async with a_shop(tmp_path) as shop:
        shop.rider(swaps)
        await shop.begin_swap()
        await shop.end()
        await shop.wait(5)
        await shop.site.close_day("li")
        scan = shop.bodies(PacksScanned)[-1]
        assert [(one.slot, one.state) for one in scan.slots] == [
            (1, "pack"), (2, "empty"), (3, "pack"), (4, "pack"), (5, "empty"), (6, "empty"),
        ]  # fmt: skip
        sums = shop.bodies(ShopDayClosed)
        assert [(one.day, one.swapped, one.cancelled, one.amount_fen) for one in sums] == [(1, 1, 0, 0)]
        assert shop.kinds[-2:] == ["shop-day-closed", "day-closed"]


async def test_f_60_a_dead_pack_line_makes_no_slot_empty(tmp_path: Path) -> None:
    """Slots without a presence switch, their pack line dead: none counts as empty or emptied, and nobody is charged."""
    async with a_shop(tmp_path) as shop:
        bare = replace(TRAITS, presence=False, pack_line="packs")
        shop.cabinet.slots = dict.fromkeys(shop.cabinet.slots, bare)
        await reopen(shop, tmp_path, meanwhile=lambda: setattr(shop.cabinet, "line_up", False))
        await shop.wait(50)
        refused = await shop.refused("return")
        assert (refused.refusal, "packs on packs" in refused.detail) == (Refusal.CABINET_SILENT, True)
        assert shop.bodies(PackNoted) == []
        assert [body.detail for body in shop.bodies(Notice)] == ["packs on packs (F-60)"]
        shop.cabinet.line_up = True
        await shop.wait(6)
        shop.rider(swaps)
        await shop.begin_swap()
        await shop.wait_until(lambda: shop.swaps.swaps()[0].step == "given")
        shop.cabinet.line_up = False
        await shop.wait_until(lambda: shop.steps[-1] == ("reopen-full", 5, "F-13"))
        await shop.wait(1)
        shop.front.shut(CABINET, 5, "a passer-by")
        closed = await shop.end()
        assert (closed.outcome, closed.fault) == ("kept", "F-13")
        assert unpaid(shop)


async def test_f_60_a_pack_line_that_dies_before_the_first_door(tmp_path: Path) -> None:
    """Nobody could tell what is put in: no door opens, and nothing is held any more."""
    async with a_shop(tmp_path) as shop:
        await shop.begin_swap()
        shop.cabinet.line_up = False
        shop.cabinet.poll_packs()
        closed = await shop.end()
        assert (closed.outcome, closed.fault) == ("cancelled", "F-60")
        assert shop.cabinet.acts == []
        assert unpaid(shop)
