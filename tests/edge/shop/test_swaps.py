"""Swaps, rents and returns as they should go, on a cabinet whose riders do as riders do."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from msgspec.structs import replace

from drivers.twins.cabinets.pack import pack_code
from drivers.twins.cabinets.rider_words import rents, returns, swaps
from edge.till.ask import Refusal
from edge.till.state_shop import bound_to
from protocols.trade.quantities import round_half_up
from protocols.trade.records_pack import DEPOSIT, DEPOSIT_WAIVED, PackNoted
from tests.edge.shop.shop_rig import CABINET, PLAN, TERMS, a_shop, entry


async def test_a_swap_from_card_to_closed(tmp_path: Path) -> None:
    """The old pack goes into the empty slot, the fullest comes out, and one swap of the plan is used."""
    async with a_shop(tmp_path) as shop:
        shop.rider(swaps, pack=1)
        await shop.begin_swap()
        closed = await shop.end(60)
        assert (closed.outcome, closed.fault, closed.returned_slot, closed.taken_slot) == ("swapped", "", 1, 5)
        assert closed.returned is not None
        assert closed.taken is not None
        assert (closed.returned.code, closed.taken.code) == (pack_code(1), pack_code(105))
        assert shop.steps == [("accepted", 1, ""), ("open-full", 5, ""), ("given", 5, "")]
        assert (shop.rights().used, shop.rights().held) == (1, 0)
        assert shop.hands() == [pack_code(105)]
        assert shop.desk.state.shop.bound == {"ann": pack_code(105)}
        assert shop.cabinet.acts == [1, 5]


async def test_without_a_plan_a_single_swap_is_paid_in_money(tmp_path: Path) -> None:
    """The first price of the terms; one line, and what was held beyond it is free again."""
    async with a_shop(tmp_path, swaps=0) as shop:
        shop.rider(swaps)
        swap = await shop.begin_swap()
        assert swap.opened.offer == "single"
        closed = await shop.end()
        assert [(line.code, line.amount_fen) for line in closed.lines] == [("swap", 300)]
        assert (shop.lease().used, shop.lease().held) == (300, 0)


async def test_a_swap_priced_by_the_energy_between(tmp_path: Path) -> None:
    """By how much the taken pack is fuller, exactly, rounded once; held was the most that it may cost."""
    async with a_shop(tmp_path) as shop:
        shop.rider(swaps)
        swap = await shop.begin_swap(offer="by-energy")
        assert [hold.amount for hold in swap.holds] == [400]
        closed = await shop.end()
        assert closed.returned is not None
        assert closed.taken is not None
        assert closed.energy_wh == (closed.taken.energy_wh or 0) - (closed.returned.energy_wh or 0)
        exact = Fraction(closed.energy_wh * 250_000, 1_000_000)
        assert Fraction(closed.exact_num, closed.exact_den) == exact
        assert closed.amount_fen == shop.lease().used == round_half_up(exact)


async def test_a_plan_that_is_used_up_leaves_its_rider_to_the_price(tmp_path: Path) -> None:
    """One swap is left in the plan: the second is paid in money."""
    async with a_shop(tmp_path, swaps=1) as shop:
        shop.rider(swaps, pack=1)
        await shop.begin_swap()
        await shop.end()
        shop.rider(swaps, pack=None)
        await shop.wait(5)
        assert (await shop.begin_swap()).opened.offer == "single"
        await shop.end()
        assert (shop.rights().used, shop.lease().used) == (1, 300)


async def test_a_pack_is_rented_with_its_deposit(tmp_path: Path) -> None:
    """Price and deposit are held, and captured when the pack is out; the end tells until when it is paid."""
    async with a_shop(tmp_path) as shop:
        await shop.allow(DEPOSIT, 30_000)
        shop.rider(rents, pack=None)
        swap = await shop.begin_swap("rent")
        assert [(hold.asset, hold.amount) for hold in swap.holds] == [("CNY", 800), (DEPOSIT, 30_000)]
        closed = await shop.end()
        assert (closed.outcome, closed.taken_slot, closed.amount_fen) == ("taken", 5, 800)
        assert closed.until_s is not None
        assert 0 <= closed.until_s - (shop.time.wall_ms // 1000 + 86_400) <= 1
        assert (shop.lease().used, shop.rights(DEPOSIT).used) == (800, 30_000)


async def test_a_deposit_is_not_asked_for_where_headquarters_waives_it(tmp_path: Path) -> None:
    """One waiver, one rented pack."""
    async with a_shop(tmp_path) as shop:
        await shop.allow(DEPOSIT_WAIVED, 1)
        shop.rider(rents, pack=None)
        await shop.begin_swap("rent")
        assert (await shop.end()).outcome == "taken"
        assert (await shop.refused("rent")).refusal is Refusal.NOT_ENOUGH
        assert shop.rights(DEPOSIT_WAIVED).used == 1


async def test_a_rent_that_is_not_taken_costs_nothing(tmp_path: Path) -> None:
    """Left in twice: neither price nor deposit is kept."""
    async with a_shop(tmp_path) as shop:
        await shop.allow(DEPOSIT, 30_000)
        await shop.begin_swap("rent")
        for _ in range(2):
            await shop.wait_until(lambda: shop.twin.slots[5].door_open)
            await shop.wait(1)
            shop.front.shut(CABINET, 5, "ann")
        closed = await shop.end()
        assert (closed.outcome, closed.fault) == ("cancelled", "F-41")
        assert (shop.lease().used, shop.lease().held, shop.rights(DEPOSIT).used) == (0, 0, 0)


async def test_a_return_leaves_the_rider_without_a_pack(tmp_path: Path) -> None:
    """One pack in, none out, nothing to pay; the binding is gone."""
    async with a_shop(tmp_path) as shop:
        await shop.allow(DEPOSIT, 30_000)
        shop.rider(rents, pack=None)
        await shop.begin_swap("rent")
        await shop.end()
        assert shop.desk.state.shop.bound == {"ann": pack_code(105)}
        shop.rider(returns, pack=None)
        await shop.wait(5)
        await shop.begin_swap("return")
        closed = await shop.end()
        assert (closed.outcome, closed.amount_fen) == ("returned", 0)
        assert shop.desk.state.shop.bound == {}
        assert shop.desk.state.shop.packs[pack_code(105)].where == "slot"


async def test_returning_another_s_pack_leaves_the_rider_the_own_one(tmp_path: Path) -> None:
    """Each pack has its own custody: the one that came in is the site's, the rider still answers for the other."""
    async with a_shop(tmp_path) as shop:
        shop.rider(swaps, pack=1)
        await shop.begin_swap()
        await shop.end()
        own = shop.front.things[pack_code(105)]
        shop.front.give(own, "at home")
        await shop.wait(5)
        shop.rider(returns, pack=2)
        await shop.begin_swap("return")
        assert (await shop.end()).outcome == "returned"
        state = shop.desk.state.shop
        assert bound_to(state, "ann") == pack_code(105)
        assert (state.packs[pack_code(105)].where, state.packs[pack_code(105)].account) == ("rider", "ann")
        assert state.packs[pack_code(2)].where == "slot"
        shop.front.give(own, "ann")
        await shop.wait(5)
        shop.rider(swaps, pack=None)
        await shop.begin_swap()
        assert (await shop.end()).outcome == "swapped"
        assert [body.code for body in shop.bodies(PackNoted) if body.what == "stray"] == [pack_code(105)]


async def test_a_pack_that_somebody_else_brought_binds_nobody(tmp_path: Path) -> None:
    """Bob's own stands in the cabinet, since ann returned it: another one that he brings is no stray."""
    async with a_shop(tmp_path) as shop:
        await shop.grant(5_000, "bob", "04B0B0B0", may_stay=5_000)
        shop.rider(swaps, "bob", pack=1)
        await shop.begin_swap(account="bob")
        assert (await shop.end()).taken_slot == 5
        shop.front.give(shop.front.things[pack_code(105)], "ann")
        await shop.wait(5)
        shop.rider(returns, pack=None)
        await shop.begin_swap("return")
        assert (await shop.end()).outcome == "returned"
        assert bound_to(shop.desk.state.shop, "bob") == ""
        await shop.wait(5)
        shop.rider(swaps, "bob", pack=2)
        again = await shop.begin_swap(account="bob")
        assert again.opened.bound == ""
        await shop.end()
        assert [body.what for body in shop.bodies(PackNoted)] == []


async def test_an_empty_slot_is_not_asked_again_before_it_opens(tmp_path: Path) -> None:
    """It was silent a moment ago, and its door has been shut ever since: that second is the rider's."""
    async with a_shop(tmp_path) as shop:
        shop.cabinet.asked.clear()
        swap = await shop.begin_swap()
        await shop.wait_until(lambda: shop.cabinet.acts == [1])
        assert (swap.slot, shop.cabinet.asked) == (1, [])
        await shop.end()


async def test_a_pack_that_is_overdue_for_inspection_is_taken_in_and_never_given_out(tmp_path: Path) -> None:
    """The fullest one is overdue: the next best is given; an overdue one that comes in stays."""
    async with a_shop(tmp_path) as shop:
        await shop.publish_packs(entry(pack_code(105), inspect_by_s=1), entry(pack_code(1), inspect_by_s=1), version=2)
        shop.rider(swaps, pack=1)
        await shop.begin_swap()
        closed = await shop.end()
        assert (closed.outcome, closed.taken_slot) == ("swapped", 4)
        for _ in range(2):
            await shop.wait(5)
            shop.rider(swaps, pack=None)
            await shop.begin_swap(consent=True)
            closed = await shop.end()
            assert closed.taken is not None
            assert closed.taken.code not in (pack_code(105), pack_code(1))


async def test_a_cancelled_session_gives_back_what_came_in(tmp_path: Path) -> None:
    """The rider thinks better of it while the door is open: put in after all, it comes back, and nothing is charged."""
    async with a_shop(tmp_path) as shop:
        shop.rider(lambda who, name: (*returns(who, name), *rents(who, name)), pack=1)
        swap = await shop.begin_swap()
        await shop.wait(1)
        assert await shop.shop.cancel(swap.seq, "li")
        closed = await shop.end()
        assert (closed.outcome, closed.fault) == ("cancelled", "")
        assert shop.hands() == [pack_code(1)]
        assert (shop.rights().used, shop.rights().held) == (0, 0)


async def test_the_price_list_of_the_session_is_the_one_it_began_under(tmp_path: Path) -> None:
    """A dearer list comes while the rider stands there: this swap costs what it did."""
    async with a_shop(tmp_path, swaps=0) as shop:
        shop.rider(swaps)
        await shop.begin_swap()
        dearer = [replace(one, price_e3=900_000) if one.name == "single" else one for one in TERMS.swaps]
        await shop.publish_terms(replace(TERMS, version=2, swaps=dearer))
        assert (await shop.end()).amount_fen == 300
        assert PLAN not in [lease.asset for lease in shop.desk.state.leases.values()]
