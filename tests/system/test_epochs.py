"""An epoch is closed on the real daemon, with the real headquarters: the box goes on with the next one by itself."""

from __future__ import annotations

import asyncio
import random
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from plant import SITE, WAIT_S, Plant, plant, running, session_of

from cloud import schema, store
from edge import epochs
from edge.demo.stage import BIN, StageError
from edge.journal import recovery
from edge.keys import KeyRing
from protocols.proof.ed25519 import public_of

pytestmark = pytest.mark.system


def journal(site: Plant) -> Path:
    return site.site_home / "data" / "journal.db"


def check_kept(site: Plant, *numbers: int) -> None:
    """Each closed log lies below `epochs/`, whole, and headquarters has had all of it."""
    kept = epochs.kept(journal(site))
    assert [one.epoch for one in kept] == list(numbers)
    for one in kept:
        assert one.records == one.cosigned
        ring = KeyRing(site.site_home / "data" / "keys", {})
        recovery.check(one.path, public_of(ring.log(one.epoch)), full=True)


def outstanding(site: Plant) -> dict[int, int]:
    """What the leases of each epoch hold at headquarters, in fen."""
    leases, logs = schema.leases, schema.epochs
    held = leases.c.granted - leases.c.used - leases.c.returned - leases.c.freed
    query = sa.select(logs.c.epoch, sa.func.sum(held)).join_from(leases, logs).where(logs.c.site == SITE)
    with store.reading(site.head.engine) as connection:
        return {epoch: int(fen) for epoch, fen in connection.execute(query.group_by(logs.c.epoch))}


async def sell(site: Plant, account: str) -> None:
    """A session from its start to its bill."""
    seq = await site.start("c1", account, "energy", 20)
    await site.until("the session to end", lambda status: "c1" not in running(status))
    assert seq > 0


async def in_epoch(site: Plant, number: int) -> dict[str, Any]:
    """Wait until the box sells in this epoch, with its tariff and the customer's money."""

    def ready(status: dict[str, Any]) -> bool:
        sells = status["epoch"] == number and status["tariff"] is not None
        seen = all(one["iec"] == "B" and one["register_wh"] for one in status["connectors"])
        return bool(sells and seen and (status["value"] or {}).get("rights_fen"))

    return await site.until(f"epoch {number} to sell", ready)


async def asked_to_close(site: Plant, number: int) -> None:
    """The word to close this epoch has been taken: by the daemon that died, or by this one as soon as it is online."""
    async with asyncio.timeout(WAIT_S):
        while (await site.status())["epoch"] == number and not (await site.panel("epoch"))["closing"]:
            with suppress(StageError):  # it has only begun
                await site.panel("epoch-close", why="a test, again", when_idle=True)
                return
            await asyncio.sleep(0.1)


async def test_close_frees_everything_and_the_next_epoch_sells(tmp_path: Path) -> None:
    """Nobody touches the box: one word, and a moment later it sells again, under a new key and on new grants."""
    async with plant(tmp_path, {"CARD-0001": 50_000}) as site:
        (account,) = site.cards
        await sell(site, account)
        with pytest.raises(StageError, match="expected a reason"):
            await site.panel("epoch-close", why="")
        await site.start("c2", account, "energy", 2_000)
        with pytest.raises(StageError, match="sessions-open"):
            await site.panel("epoch-close", why="the disk is exchanged")
        asked = await site.panel("epoch-close", why="the disk is exchanged", when_idle=True)
        assert (asked["closed"], asked["sessions"]) == (False, 1)
        with pytest.raises(StageError, match="epoch-closing"):
            await site.start("c1", account)
        await site.panel("stop", connector="c2")
        await in_epoch(site, 2)
        assert outstanding(site)[1] == 0
        check_kept(site, 1)
        await sell(site, account)
        await site.sold_out()
        books = site.books()
        assert (books.remainder, books.quarantined) == (0, 0)
        site.night()


async def test_without_headquarters_it_waits(tmp_path: Path) -> None:
    """Refused, unless somebody insists; then nothing is sold until the link is back, and the rest follows by itself."""
    async with plant(tmp_path, {"CARD-0001": 50_000}) as site:
        (account,) = site.cards
        assert site.link is not None
        site.link.cut()
        await site.until("the box to know", lambda status: not status["hq"]["online"])
        with pytest.raises(StageError, match="no-headquarters"):
            await site.panel("epoch-close", why="moved to another box")
        told = await site.panel("epoch-close", why="moved to another box", offline_ok=True)
        assert told["closed"]
        with pytest.raises(StageError, match="epoch-closing"):
            await site.start("c1", account)
        await site.restart_daemon()
        assert (await site.panel("epoch"))["closed"]
        site.link.mend()
        await in_epoch(site, 2)
        check_kept(site, 1)
        await sell(site, account)
        await site.sold_out()
        site.night()


async def test_a_restored_backup_is_given_up_and_the_box_sells_on(tmp_path: Path) -> None:
    """Headquarters notices the older disk; a person moves it aside; the next start enrols anew. Nothing is deleted."""
    async with plant(tmp_path, {"CARD-0001": 50_000}) as site:
        (account,) = site.cards
        await site.kill_daemon()
        backup = {name: (journal(site).parent / name) for name in ("journal.db", "journal.db-wal")}
        saved = {name: path.read_bytes() for name, path in backup.items()}
        await site.start_daemon()
        await in_epoch(site, 1)
        await sell(site, account)
        await site.sold_out()
        await site.kill_daemon()
        for name, path in backup.items():
            path.write_bytes(saved[name])
        await site.start_daemon()
        await site.until("headquarters to object", lambda status: bool(status["hq"]["stopped"]))
        with pytest.raises(StageError, match="log-disputed"):
            await site.start("c1", account)
        with pytest.raises(StageError, match="log-disputed"):
            await site.panel("epoch-close", why="it is disputed")
        running_still = await abandon(site)
        assert running_still.returncode == 1
        assert "another process" in running_still.stderr
        await site.end_daemon()
        done = await abandon(site)
        assert done.returncode == 0, done.stderr
        assert not journal(site).exists()
        await site.start_daemon()
        await in_epoch(site, 2)
        (kept,) = epochs.kept(journal(site))
        assert (kept.name, kept.why.partition(": ")[2]) == ("1-abandoned", "restored from a backup")
        await sell(site, account)
        await site.sold_out()
        assert site.books().remainder == 0


async def abandon(site: Plant) -> subprocess.CompletedProcess[str]:
    """`fieldtill epoch abandon`, as a technician types it."""
    command = [str(BIN / "fieldtill"), "epoch", "abandon", "--why", "restored from a backup"]
    return await asyncio.to_thread(
        subprocess.run,
        [*command, "--config", str(site.config)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.timeout(240)
async def test_kills_at_any_moment_of_a_close_lose_nothing(tmp_path: Path) -> None:
    """SIGKILL of the daemon, at random moments from the word to the first sale after it; two epochs in a row."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    async with plant(tmp_path, {"CARD-0001": 50_000}) as site:
        (account,) = site.cards
        for number in (1, 2):
            await in_epoch(site, number)
            await sell(site, account)
            with suppress(StageError, OSError):
                asking = asyncio.create_task(site.panel("epoch-close", why="a test", when_idle=True))
                await asyncio.sleep(chance.uniform(0.0, 0.3))
                await site.kill_daemon()
                await asking
            await site.start_daemon()
            await asked_to_close(site, number)
            await asyncio.sleep(chance.uniform(0.0, 1.5))
            await site.restart_daemon()
        await in_epoch(site, 3)
        check_kept(site, 1, 2)
        held = outstanding(site)
        assert (held[1], held[2]) == (0, 0)
        await sell(site, account)
        await site.sold_out()
        assert session_of(await site.status(), "c1") is None
        assert site.books().remainder == 0
        site.night()
