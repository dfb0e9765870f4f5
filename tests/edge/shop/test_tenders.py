"""Which of a rider's rights pays: plans in their order, then money; and what is in nobody's way."""

from __future__ import annotations

from pathlib import Path

from drivers.twins.cabinets.rider_words import rents, swaps
from edge.till.ask import Refusal
from protocols.trade.records import CNY
from protocols.trade.records_pack import DEPOSIT, DEPOSIT_WAIVED
from tests.edge.shop.shop_rig import PLAN, Front, a_shop


def long_ago(shop: Front) -> int:
    """An expiry that has surely passed."""
    shop.clock.learn(shop.time.wall_ms)
    return shop.time.wall_ms // 1000 - 60


async def test_a_plan_whose_grant_has_expired_leaves_it_to_money(tmp_path: Path) -> None:
    """Nobody could ask headquarters for a newer one: the price is held, and charged."""
    async with a_shop(tmp_path) as shop:
        await shop.allow(PLAN, 5, expires_s=long_ago(shop))
        shop.rider(swaps)
        swap = await shop.begin_swap()
        assert (swap.opened.offer, [(hold.asset, hold.amount) for hold in swap.holds]) == ("single", [(CNY, 300)])
        assert (await shop.end()).amount_fen == 300
        assert shop.rights().used == 0


async def test_a_plan_that_is_used_up_leaves_it_to_money(tmp_path: Path) -> None:
    """Its last swap has been ridden."""
    async with a_shop(tmp_path, swaps=1) as shop:
        for offer in ("swaps30", "single"):
            shop.rider(swaps, pack=1 if offer == "swaps30" else None)
            swap = await shop.begin_swap(consent=True)
            assert swap.opened.offer == offer
            assert (await shop.end()).outcome == "swapped"
            await shop.wait(5)


async def test_money_that_has_expired_leaves_it_to_the_plan(tmp_path: Path) -> None:
    """And a plan that can pay is never passed over for money."""
    async with a_shop(tmp_path) as shop:
        await shop.allow(CNY, 6_000, expires_s=long_ago(shop))
        swap = await shop.begin_swap()
        assert swap.opened.offer == "swaps30"
        await shop.end()


async def test_what_would_have_to_be_granted_where_nothing_pays(tmp_path: Path) -> None:
    """Told by what is nearest, with every way to pay in its order; an offer that is named is the only way."""
    async with a_shop(tmp_path) as shop:
        await shop.allow(PLAN, 5, expires_s=long_ago(shop))
        await shop.allow(CNY, 5_000, expires_s=long_ago(shop))
        refused = await shop.refused()
        assert refused.refusal is Refusal.GRANT_EXPIRED
        assert [(want.source.asset, want.total) for want in refused.wants] == [(PLAN, 1), (CNY, 300)]
        named = await shop.refused(offer="by-energy")
        assert [(want.source.asset, want.total) for want in named.wants] == [(CNY, 400)]


async def test_an_account_that_is_frozen_pays_by_nothing(tmp_path: Path) -> None:
    """Its money is still there as far as this site knows: it is not fallen back to."""
    async with a_shop(tmp_path) as shop:
        await shop.allow(PLAN, 5, frozen=True)
        assert (await shop.refused()).refusal is Refusal.ACCOUNT_FROZEN


async def test_headquarters_is_asked_for_the_plan_before_money_pays(tmp_path: Path) -> None:
    """A plan that nothing of is here: its grant comes, and no money is taken; a no is remembered for a while."""
    async with a_shop(tmp_path, swaps=0) as shop:
        asked: list[tuple[str, int]] = []
        grants = [0]

        async def ask(credential: bytes, account: str, total: int, asset: str) -> bool:
            asked.append((asset, total))
            if asset == PLAN and grants[0]:
                await shop.allow(PLAN, grants[0])
            return bool(grants[0])

        shop.site.ask_for_grant, shop.site.is_online = ask, lambda: True
        for _ in range(2):
            swap = await shop.begin_swap()
            assert swap.opened.offer == "single"
            await shop.shop.cancel(swap.seq)
            await shop.wait(1)
            shop.front.shut("cab-1", swap.slot, "ann")
            await shop.end()
            await shop.wait(5)
        assert asked == [(PLAN, 1)]
        grants[0] = 30
        shop.elapse(600_000)
        await shop.wait(10)
        assert (await shop.begin_swap()).opened.offer == "swaps30"
        assert asked == [(PLAN, 1), (PLAN, 1)]
        await shop.end()


async def test_a_waiver_that_has_expired_leaves_it_to_the_deposit(tmp_path: Path) -> None:
    """And where neither is there, headquarters is asked for both."""
    async with a_shop(tmp_path) as shop:
        refused = await shop.refused("rent")
        assert refused.refusal is Refusal.NOT_ENOUGH
        assert [(want.source.asset, want.total) for want in refused.wants] == [(DEPOSIT_WAIVED, 1), (DEPOSIT, 30_000)]
        await shop.allow(DEPOSIT_WAIVED, 1, expires_s=long_ago(shop))
        await shop.allow(DEPOSIT, 30_000)
        shop.rider(rents, pack=None)
        swap = await shop.begin_swap("rent")
        assert [hold.asset for hold in swap.holds] == [CNY, DEPOSIT]
        assert (await shop.end()).outcome == "taken"
