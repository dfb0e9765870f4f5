"""Several payers, the operator's risk pool and the rollback counter, with the real processes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from plant import SITE, Plant, plant, running, session_of

from cloud import risk, store
from edge.counter import CounterConfig, SlotCounter
from edge.demo.stage import StageError
from protocols.trade.records import RISK

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

STRANGER = "CARD-9999"


class Cautious(Plant):
    """A site whose operator risks 8.00 for each card, with a counter on another medium."""

    async def start_twins(self) -> None:
        await super().start_twins()
        text = self.config.read_text()
        counter = f'[counter]\npath = "{self.root / "stick"}"\n\n[till]\nrisk_per_card_fen = 800\n'
        self.config.write_text(text.replace("[till]\n", counter))

    @property
    def ticks(self) -> int:
        return SlotCounter(CounterConfig(str(self.root / "stick"))).read()

    async def notices(self) -> list[str]:
        found = await self.panel("records", first=-100, limit=100, kind="notice")
        return [one["body"]["what"] for one in found if one["body"]["subject"] == "counter"]


def fund(site: Plant, amount_fen: int) -> None:
    with store.writing(site.head.engine) as connection:
        risk.fund(
            connection, site.head.keys, site.head.clock, SITE, amount_fen, session_limit=1_000, reference="pool-1"
        )


async def settled(site: Plant, seq: int) -> dict[str, Any]:
    """The bill of a session that ends by itself."""
    await site.until("the session to end", lambda status: not running(status))
    (bill,) = [
        one for one in await site.panel("records", first=-100, limit=100, kind="session-closed")
        if one["body"]["session"] == seq
    ]  # fmt: skip
    return dict(bill)


def parts(bill: dict[str, Any]) -> dict[str, int]:
    return {move["account"]: move["amount"] for move in bill["moves"] if move["effect"] == "used"}


async def test_two_payers_and_a_third_who_comes_later(tmp_path: Path) -> None:
    """0.60 of hers, then what is missing from his; meters, bills, site and headquarters agree to the fen."""
    async with plant(tmp_path, {"CARD-0001": 60, "CARD-0002": 5_000, "CARD-0003": 5_000}) as site:
        ann, bob, eve = site.cards
        first = await site.start("c1", f"{ann}+{bob}", "energy", 25)
        bill = await settled(site, first)
        amount_fen = bill["body"]["amount_fen"]
        assert parts(bill) == {ann: 60, bob: amount_fen - 60}
        second = await site.start("c2", bob, "energy", 2_000)
        before = session_of(await site.status(), "c2")
        assert before is not None
        told = await site.panel("extend", session=second, account=eve, amount_fen=500)
        assert told["hold_fen"] == before["hold_fen"] + 500
        with pytest.raises(StageError, match="not-enough"):
            await site.panel("extend", session=second, account=eve, amount_fen=900_000)
        await site.panel("stop", connector="c2")
        await site.sold_out()
        await site.audit({first: ann, second: bob})


async def test_the_operator_sells_at_its_own_risk_and_an_older_disk_sells_nothing(tmp_path: Path) -> None:
    """No link, no rights: the pool pays, up to its cap; each hold ticks; then a disk without those holds is put in."""
    async with plant(tmp_path, {"CARD-0001": 50_000}, make=Cautious) as site:
        (account,) = site.cards
        assert site.link is not None
        fund(site, 5_000)
        await site.until("the pool", lambda status: status["value"]["accounts"] == 2)
        site.link.cut()
        await site.until("the box to know", lambda status: not status["hq"]["online"])
        await site.kill_daemon()
        disk = site.site_home / "data"
        older = {name: (disk / name).read_bytes() for name in ("journal.db", "journal.db-wal")}
        await site.start_daemon()
        await site.until(
            "a car", lambda status: status["connectors"][0]["iec"] == "B" and status["connectors"][0]["register_wh"]
        )

        told = await site.panel("start", connector="c1", card=STRANGER, preset="energy", amount=20)
        assert told["account"] == RISK
        bill = await settled(site, told["seq"])
        assert parts(bill) == {RISK: bill["body"]["amount_fen"]}
        assert site.ticks == 1
        with pytest.raises(StageError, match="unknown-account"):
            await site.panel("start", connector="c1", card=STRANGER, preset="money", amount=800)
        own = await site.start("c1", account, "energy", 20)
        assert parts(await settled(site, own)).keys() == {account}
        assert site.ticks == 2

        await site.kill_daemon()
        newer = {name: (disk / name).read_bytes() for name in older}
        for name, data in older.items():
            (disk / name).write_bytes(data)
        await site.start_daemon()
        status = await site.until("the refusal", lambda status: bool(status["no_starts"]))
        assert "stands at 2, this log knows 0" in status["no_starts"]
        with pytest.raises(StageError, match="rolled-back"):
            await site.start("c1", account)

        await site.kill_daemon()
        for name, data in newer.items():
            (disk / name).write_bytes(data)
        await site.start_daemon()
        site.link.mend()
        await site.until("nothing in the way", lambda status: not status["no_starts"])
        await site.sold_out()
        books = site.books()
        assert (books.remainder, books.quarantined) == (0, 0)
        assert await site.notices() == []
        site.night()
