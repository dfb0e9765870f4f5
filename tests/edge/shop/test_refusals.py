"""Why a session does not start at a cabinet: no door moves, nothing is held."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from drivers.twins.cabinets.faults import CabinetFaultKind as K
from drivers.twins.cabinets.pack import Pack, pack_code
from drivers.twins.cabinets.rider_words import returns, swaps, takes_nothing_and_goes
from edge.till.ask import Refusal, Refused
from edge.till.swap.policy import SwapPolicy
from protocols.trade.records import Notice
from tests.edge.desk_rig import reopen
from tests.edge.shop.shop_rig import CABINET, Front, a_shop, ready_shop


def nothing_happened(shop: Front) -> None:
    assert shop.cabinet.acts == []
    assert shop.desk.state.shop.swaps == {}
    assert shop.rights().held == 0


async def test_f_01_a_cabinet_that_does_not_answer(tmp_path: Path) -> None:
    """Nobody can say whether its doors are shut."""
    async with a_shop(tmp_path) as shop:
        shop.fault(K.SEGMENT_DEAD)
        await shop.wait(12)
        assert (await shop.refused()).refusal is Refusal.CABINET_SILENT
        nothing_happened(shop)
        unknown = await shop.shop.start(replace(shop.wish(), cabinet="cab-9"))
        assert isinstance(unknown, Refused)
        assert unknown.refusal is Refusal.UNKNOWN_CABINET


async def test_f_01_closed_hours(tmp_path: Path) -> None:
    """At eight in the morning: no swap and no rent begins; a return does, and who has a pack in goes on."""
    async with a_shop(tmp_path, rules=SwapPolicy(interval_s=0, hours=("07:00-07:59", "22:00-02:00"))) as shop:
        refused = await shop.refused()
        assert (refused.refusal, "22:00-02:00" in refused.detail) == (Refusal.CABINET_CLOSED, True)
        assert (await shop.refused("rent")).refusal is Refusal.CABINET_CLOSED
        assert (await shop.refused(account="zoe")).refusal is Refusal.CABINET_CLOSED
        nothing_happened(shop)
        shop.rider(returns)
        await shop.begin_swap("return")
        assert (await shop.end()).outcome == "returned"


async def test_f_01_what_has_begun_is_brought_to_its_end_after_hours(tmp_path: Path) -> None:
    """Begun before eight, kept at eight: a second scan goes on from there."""
    async with a_shop(tmp_path, rules=SwapPolicy(interval_s=0, hours=("08:00-08:01",))) as shop:
        shop.rider(takes_nothing_and_goes)
        await shop.begin_swap()
        kept = await shop.end()
        assert kept.outcome == "kept"
        await shop.wait(60)
        again = await shop.begin_swap()
        assert again.opened.resumes == kept.session
        await shop.end()


async def test_f_02_one_rider_at_a_time(tmp_path: Path) -> None:
    """While ann's session runs nobody else begins one, and she begins no second."""
    async with a_shop(tmp_path) as shop:
        await shop.grant(5_000, "bob", "04B0B0B0")
        await shop.begin_swap()
        assert (await shop.refused(account="bob")).refusal is Refusal.CABINET_BUSY
        assert (await shop.refused()).refusal is Refusal.CABINET_BUSY
        await shop.end()


async def test_f_03_a_scan_that_is_too_old(tmp_path: Path) -> None:
    """Whoever scanned half a minute ago may have gone."""
    async with a_shop(tmp_path) as shop:
        ask = shop.wish()
        await shop.wait(31)
        outcome = await shop.shop.start(ask)
        assert isinstance(outcome, Refused)
        assert outcome.refusal is Refusal.SCAN_EXPIRED
        nothing_happened(shop)


async def test_f_04_a_door_that_stands_open(tmp_path: Path) -> None:
    """Any door: staff has opened one, and nobody has shut it."""
    async with a_shop(tmp_path) as shop:
        assert await shop.shop.open_slot(CABINET, 2, "li", "looking") is None
        await shop.wait(1)
        assert (await shop.refused()).refusal is Refusal.DOOR_OPEN
        shop.front.shut(CABINET, 2, "li")
        await shop.wait(3)
        await shop.begin_swap()
        await shop.end()


@pytest.mark.parametrize(("kind", "full"), [("swap", (1, 2, 3, 4, 5, 6)), ("return", (2, 3, 4, 5, 6))])
async def test_f_05_no_empty_slot(tmp_path: Path, kind: str, full: tuple[int, ...]) -> None:
    """A swap needs one that is surely empty; a return leaves one for whoever comes next."""
    async with a_shop(tmp_path, front=ready_shop(full=full)) as shop:
        assert (await shop.refused(kind)).refusal is Refusal.NO_EMPTY_SLOT  # type: ignore[arg-type]  # its kinds
        nothing_happened(shop)


async def test_f_05_a_slot_that_may_hold_something_is_not_empty(tmp_path: Path) -> None:
    """One witness is enough to keep its door shut: here a switch that is stuck pressed."""
    async with a_shop(tmp_path) as shop:
        for slot in (1, 2, 6):
            shop.fault(K.SEEN_THERE, slot)
        await shop.wait(1)
        assert (await shop.refused()).refusal is Refusal.NO_EMPTY_SLOT


async def test_f_06_only_a_lower_pack_needs_consent(tmp_path: Path) -> None:
    """At half charge a pack is given only to a rider who agrees; below that never."""
    front = ready_shop(full=())
    front.stock(CABINET, 3, Pack(pack_code(103), soc_permille=600))
    async with a_shop(tmp_path, front=front) as shop:
        assert (await shop.refused()).refusal is Refusal.CONSENT_NEEDED
        pack = shop.twin.slots[3].pack
        assert pack is not None
        pack.drain(pack.full_mj // 2)
        await shop.wait(6)
        assert (await shop.refused(consent=True)).refusal is Refusal.NO_FULL_PACK
        nothing_happened(shop)


async def test_f_06_with_consent_the_lower_pack_is_given(tmp_path: Path) -> None:
    """The rider has agreed, and the opening record says to how little."""
    front = ready_shop(full=())
    front.stock(CABINET, 3, Pack(pack_code(103), soc_permille=600))
    async with a_shop(tmp_path, front=front) as shop:
        shop.rider(swaps)
        swap = await shop.begin_swap(consent=True)
        assert swap.opened.consent_permille == 500
        closed = await shop.end()
        assert (closed.outcome, closed.taken_slot) == ("swapped", 3)


async def test_f_06_a_pack_of_another_model_does_not_fit(tmp_path: Path) -> None:
    """The rider's bike has 60 V: nothing in this cabinet fits it."""
    async with a_shop(tmp_path) as shop:
        shop.front.bring(Pack(pack_code(1, volts=60, ah=25), soc_permille=100), "ann")
        shop.rider(swaps, pack=None)
        await shop.begin_swap()
        closed = await shop.end()
        assert (closed.outcome, closed.fault) == ("cancelled", "F-31")
        assert shop.hands() == [pack_code(1, volts=60, ah=25)]


async def test_f_07_not_entitled_or_too_soon(tmp_path: Path) -> None:
    """No plan and no money; and a second swap within the least time between two."""
    async with a_shop(tmp_path, rules=SwapPolicy(interval_s=1_200)) as shop:
        stranger = await shop.refused(account="zoe")
        assert stranger.refusal is Refusal.UNKNOWN_ACCOUNT
        assert [want.source.asset for want in stranger.wants] == ["SWAPS30", "CNY"]  # in the order of the terms
        await shop.grant(100, "bob", "04B0B0B0")
        assert (await shop.refused(account="bob")).refusal is Refusal.NOT_ENOUGH
        shop.rider(swaps, pack=1)
        await shop.begin_swap()
        await shop.end()
        await shop.wait(5)
        assert (await shop.refused()).refusal is Refusal.TOO_SOON
        shop.elapse(1_200_000)
        await shop.wait(1)
        await shop.begin_swap()
        await shop.end()


async def test_f_07_nobody_waits_for_a_clock_that_was_set_back(tmp_path: Path) -> None:
    """An hour back over a restart: the next swap is let through, and told; by a sound clock it would be too soon."""
    async with a_shop(tmp_path, rules=SwapPolicy(interval_s=1_200)) as shop:
        shop.time.wall_ms += 3_600_000
        shop.rider(swaps, pack=1)
        await shop.begin_swap()
        first = await shop.end()
        await shop.wait(5)
        assert (await shop.refused()).refusal is Refusal.TOO_SOON
        await reopen(shop, tmp_path, boot=b"boot-002")
        shop.time.wall_ms -= 3_600_000
        await shop.wait(5)
        again = await shop.begin_swap()
        told = [body.detail for body in shop.bodies(Notice) if body.what == "interval-unknown"]
        assert told == [f"sessions {first.session} and {again.seq}: the clock was set back, or not known (F-64)"]
        await shop.end()


async def test_f_08_without_mains_only_what_runs_goes_on(tmp_path: Path) -> None:
    """Locks live on the battery behind them: the swap that runs is brought to its end."""
    async with a_shop(tmp_path) as shop:
        shop.rider(swaps, pack=1)
        await shop.begin_swap()
        await shop.wait(2)
        shop.fault(K.MAINS_LOST)
        assert (await shop.end()).outcome == "swapped"
        await shop.wait(3)
        assert (await shop.refused()).refusal is Refusal.MAINS_LOST
