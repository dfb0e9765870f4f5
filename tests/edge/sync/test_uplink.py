"""What a site sells reaches headquarters once and in order, whatever the link does."""

from __future__ import annotations

from pathlib import Path

from sync_box import BAY, Box, all_sent, enrolled, running, until
from sync_hq import Headquarters, Link

from protocols.proof import checkpoint
from protocols.trade.records import ClockQuality


def stored(hq: Headquarters, box: Box) -> int:
    return len(hq.records(box.name))


def assert_copied(hq: Headquarters, box: Box) -> None:
    """Headquarters holds the very bytes of all that is acknowledged, each once and in order."""
    acknowledged = box.journal.cosigned()
    assert acknowledged is not None
    ours = list(enumerate(box.journal.read(0, 100_000, 2**40)))
    theirs = hq.records(box.name)
    assert theirs == ours[: len(theirs)]
    assert len(theirs) >= acknowledged[0]


async def sell_times(box: Box, count: int) -> list[int]:
    return [await box.sell("CARD-747", 1_000) for _ in range(count)]


async def test_the_log_is_copied_and_acknowledged(hq: Headquarters, tmp_path: Path) -> None:
    """Whatever is committed is uploaded, and the cosignature is stored over our own head: receipts become final."""
    async with enrolled(hq, tmp_path, "copied") as box:
        await box.write(5)
        async with running(box.uplink()) as uplink:
            await all_sent(uplink)
            await box.write(1)  # while the link is up, the next record goes up by itself
            box.site.on_change[0]()
            await until(lambda: uplink.status().cosigned == 7)
        assert_copied(hq, box)
        cosigned = box.journal.cosigned()
        assert cosigned is not None
        size, note = cosigned
        assert size == 7
        assert note.startswith(box.journal.checkpoint())
        assert checkpoint.verify_cosignature(note, hq.keys.cosign_vkey) > 0
        assert uplink.status().trouble is None
        assert uplink.status().online


async def test_a_batch_that_stops_before_the_head_carries_a_head_of_its_own(hq: Headquarters, tmp_path: Path) -> None:
    """A long log goes up in several batches, each with the checkpoint of the size it ends at."""
    async with enrolled(hq, tmp_path, "long") as box:
        await box.write(4_999, size=20)
        sizes: list[int] = []
        async with running(box.uplink()) as uplink:
            await until(
                lambda: uplink.status().backlog == 0,
                lambda: sizes.append(uplink.status().cosigned),
            )
        assert_copied(hq, box)
        assert {2_000, 4_000} <= set(sizes)


async def test_libocpp_906_a_lost_reply_is_harmless(hq: Headquarters, tmp_path: Path) -> None:
    """Headquarters has stored the batch, the site never hears of it and sends it again: everything is there once."""
    async with enrolled(hq, tmp_path, "lost-reply") as box, Link(hq.port).running() as link:
        await box.write(50)
        known = 0

        def has_grown() -> bool:
            nonlocal known
            before, known = known, stored(hq, box)
            return known > before

        link.cut_when = has_grown
        uplink = box.uplink(link.url)
        async with running(uplink):
            await all_sent(uplink)
            await box.write(50)
            await all_sent(uplink)
        assert link.cuts == 2
        assert_copied(hq, box)


async def test_tbgw_2157_half_open(hq: Headquarters, tmp_path: Path) -> None:
    """A link that takes everything and answers nothing loses nothing: only a cosignature counts as sent."""
    async with (
        enrolled(hq, tmp_path, "half-open", timeout_s=0.5) as box,
        Link(hq.port).running() as link,
    ):
        await box.write(3)
        async with running(box.uplink(link.url)) as uplink:
            await all_sent(uplink)
            link.dead = True
            await box.write(20)
            box.site.on_change[0]()
            await until(lambda: not uplink.status().online)
            status = uplink.status()
            assert status.backlog == 20
            assert status.trouble is not None
            assert status.trouble.code == "HqUnreachable"
            link.dead = False
            await all_sent(uplink)
            assert uplink.status().trouble is None
        assert_copied(hq, box)


async def test_stripe_747_drain_during_new_sale(hq: Headquarters, tmp_path: Path) -> None:
    """Sales made offline go up while new ones are made; the books hold each once, and the customer paid once."""
    async with enrolled(hq, tmp_path, "drain") as box, Link(hq.port).running() as link:
        hq.publish(box.name)
        account = hq.customer("CARD-747", 50_000, placed=20_000, session_limit=1_000)
        uplink = box.uplink(link.url)
        async with running(uplink):
            await until(lambda: box.site.desk.tariff is not None)
            bills = await sell_times(box, 1)  # online: the card was not known here
            await all_sent(uplink)
            link.dead = True
            link.drop()
            bills += await sell_times(box, 8)
            assert box.journal.size - uplink.status().cosigned >= 16
            link.dead = False
            link.drop()
            uplink.news()
            bills += await sell_times(box, 3)
            await all_sent(uplink)
        assert bills == [100] * 12
        assert_copied(hq, box)
        assert hq.balance(f"revenue:{box.name}") == 1_200
        lease = hq.balance(f"lease:{account}:{box.name}:{box.journal.epoch}")
        assert hq.balance(f"cust:{account}") + lease == 50_000 - 1_200


async def test_a_card_nobody_knows_here_is_asked_for_online(hq: Headquarters, tmp_path: Path) -> None:
    """The till asks with the G it wants; offline the same tap is refused at once, and nothing is in doubt."""
    async with (
        enrolled(hq, tmp_path, "online-ask", ask_timeout_s=0.5, timeout_s=0.5) as box,
        Link(hq.port).running() as link,
    ):
        hq.publish(box.name)
        hq.customer("CARD-1", 5_000)
        hq.customer("CARD-2", 5_000)
        async with running(box.uplink(link.url)) as uplink:
            await until(lambda: box.site.desk.tariff is not None)
            assert (await box.site.tap(BAY, "CARD-1")).session is not None
            assert (await box.site.tap(BAY, "CARD-1")).ended
            await until(lambda: box.site.desk.session_at(BAY) is None, box.look)
            link.dead = True
            link.drop()
            tapped = await box.site.tap(BAY, "CARD-2")
            assert tapped.refused is not None
            assert tapped.refused.refusal == "unknown-account"
            link.dead = False
            link.drop()
            await until(lambda: uplink.online)
            assert (await box.site.tap(BAY, "CARD-2")).session is not None


async def test_grants_placed_beforehand_arrive_with_the_answer(hq: Headquarters, tmp_path: Path) -> None:
    """Where a customer was served, the allowance waits next time, and a repeated grant changes nothing."""
    async with enrolled(hq, tmp_path, "placed") as box:
        hq.publish(box.name)
        hq.customer("CARD-P", 30_000, placed=8_000, session_limit=4_000)
        async with running(box.uplink()) as uplink:
            await until(lambda: box.site.desk.tariff is not None)
            await box.sell("CARD-P", 1_000)
            await all_sent(uplink)
            await until(lambda: box.site.desk.state.size == uplink.status().cosigned)
            (lease,) = box.site.desk.state.leases.values()
            await until(lambda: next(iter(box.site.desk.state.leases.values())).rights == 8_000)
        assert lease.account


async def test_steve_136_a_box_without_a_battery_learns_the_time(hq: Headquarters, tmp_path: Path) -> None:
    """A clock that starts in 1970 is put between the bounds that an answer proves, without being set."""
    async with enrolled(hq, tmp_path, "no-rtc", wall_ms=lambda: 0) as box:
        assert box.clock.stamp().quality == ClockQuality.UNKNOWN
        before_ms = hq.clock.now_ms()
        async with running(box.uplink()) as uplink:
            await all_sent(uplink)
        stamp = box.clock.stamp()
        assert stamp.quality == ClockQuality.SYNCHRONISED
        assert stamp.ub_ms is not None
        assert before_ms <= stamp.lb_ms <= hq.clock.now_ms() <= stamp.ub_ms + 1
