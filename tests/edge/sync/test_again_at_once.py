"""A customer who starts again right after the end: what the first session gave back is on its way to headquarters."""

from __future__ import annotations

import asyncio
from pathlib import Path

from sync_box import Box, enrolled, running, until
from sync_hq import Headquarters

from edge.sync.uplink import Uplink
from protocols.trade.wire import Batch, BatchReply, GrantAsk, GrantReply


async def test_one_sale_after_the_other_without_a_pause(hq: Headquarters, tmp_path: Path) -> None:
    """Each asks for all the money there is, and gives back the rest: none is refused for want of funds."""
    async with enrolled(hq, tmp_path, "at-once") as box:
        hq.publish(box.name)
        hq.customer("CARD-A", 9_000, session_limit=1_000)
        uplink = box.uplink()
        real = uplink._hq.batch

        async def batch(batch: Batch) -> BatchReply:
            await asyncio.sleep(0.1)  # a link on which the question overtakes the log
            return await real(batch)

        uplink._hq.batch = batch  # type: ignore[method-assign]  # a test's stand-in
        async with running(uplink):
            await until(lambda: box.site.desk.tariff is not None)
            for _ in range(3):
                await box.sell("CARD-A", 500)
        assert box.site.desk.state.day.sessions == 3


async def test_an_account_without_money_is_asked_for_once(hq: Headquarters, tmp_path: Path) -> None:
    """Nothing is on its way, so nothing is waited for."""
    async with enrolled(hq, tmp_path, "no-money") as box:
        hq.publish(box.name)
        account = hq.customer("CARD-N", 1)
        uplink = box.uplink()
        asked = count_asks(box, uplink)
        async with running(uplink):
            await until(lambda: bool(box.site.desk.state.pins))
            await until(lambda: uplink.status().backlog == 0)
            await uplink.ask_grant(b"", account, 500)
        assert len({ask.checkpoint for ask in asked}) == len(asked)  # none, unless a document has come in between


def count_asks(box: Box, uplink: Uplink) -> list[GrantAsk]:
    asked: list[GrantAsk] = []
    real = uplink._hq.grant

    async def grant(ask: GrantAsk) -> GrantReply:
        asked.append(ask)
        return await real(ask)

    uplink._hq.grant = grant  # type: ignore[method-assign]  # a test's stand-in
    return asked
