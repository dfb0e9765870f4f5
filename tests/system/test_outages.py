"""What fails beside the daemon: the link, a line, a meter, the clock. Selling goes on, or stops and settles."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from plant import Plant, plant, running, session_of

from edge.demo.stage import StageError
from protocols.trade.codec import decode
from protocols.trade.records import Record, SessionHeld, body_of

pytestmark = pytest.mark.system

CARD = "CARD-0001"


async def sell(site: Plant, connector: str, account: str, energy_wh: int = 8) -> int:
    """One whole session."""
    seq = await site.start(connector, account, "energy", energy_wh)
    await site.until("the session to end", lambda status: connector not in running(status))
    return seq


def is_charging(status: dict[str, object], connector: str) -> bool:
    found = session_of(status, connector)
    return found is not None and found["energy_wh"] > 0


@pytest.mark.timeout(300)
async def test_stripe_747_a_backlog_drains_while_selling_goes_on(tmp_path: Path) -> None:
    """Offline sessions wait; when the link comes back they drain while new ones are sold, each exactly once.

    Headquarters is killed in the middle of the draining, and the link is cut between its answer and the site.
    """
    async with plant(tmp_path, {CARD: 50_000}) as site:
        assert site.link is not None
        (account,) = site.cards
        acknowledged: dict[int, str] = {}
        site.link.cut()
        for _ in range(2):
            for seq in await asyncio.gather(*(sell(site, connector, account, 3) for connector in ("c1", "c2", "c3"))):
                acknowledged[seq] = account
        status = await site.status()
        assert status["journal"]["records"] - status["journal"]["cosigned"] >= 6 * 2
        for connector in ("c1", "c2", "c3"):
            acknowledged[await site.start(connector, account, "energy", 8)] = account
        site.link.mend()
        await asyncio.sleep(0.3)
        await site.kill_hq()
        await site.start_hq()
        site.link.cut()
        site.link.mend()
        await site.sold_out()
        found = await site.audit(acknowledged)
        assert len(found.closed) == 9


@pytest.mark.timeout(300)
async def test_a_line_unplugged_in_mid_session_stops_and_settles_when_it_returns(tmp_path: Path) -> None:
    """The gateway of two chargers vanishes: delivery is no longer wanted, the rights stay held, and what the meters
    say when they are back is billed.
    """
    async with plant(tmp_path, {CARD: 50_000}) as site:
        (account,) = site.cards
        acknowledged = {await site.start(connector, account): account for connector in ("c1", "c2")}
        await site.until("both to charge", lambda status: is_charging(status, "c1") and is_charging(status, "c2"))
        assert (await site.twin(do="cut", line="tcp1"))["ok"]

        def given_up(status: dict[str, object]) -> bool:
            found = session_of(status, "c2")
            return found is not None and found["phase"] == "stopping"

        status = await site.until("the silent one to be stopped", given_up)
        assert is_charging(status, "c1"), "the other line goes on"
        await site.restart_daemon()  # and it is not forgotten over a restart
        await site.until("c2 still to be settled", given_up)
        assert (await site.twin(do="restore", line="tcp1"))["ok"]
        await site.until("c2 to be settled", lambda status: "c2" not in running(status))
        await site.panel("stop", connector="c1")
        await site.sold_out()
        found = await site.audit(acknowledged)
        assert any("silent" in notice for notice in found.told)
        assert all(body.energy_wh > 0 for body in found.closed.values())


@pytest.mark.timeout(300)
async def test_evcc_14496_a_dead_meter_holds_one_session_up_and_nothing_else(tmp_path: Path) -> None:
    """The meter dies while its car charges: that session is held for review and waits for it; another one is sold, the
    daemon starts again without it, and its return settles what is owed.
    """
    async with plant(tmp_path, {CARD: 50_000}) as site:
        (account,) = site.cards
        acknowledged = {await site.start("c2", account): account}
        await site.until("c2 to charge", lambda status: is_charging(status, "c2"))
        assert (await site.twin(do="fault", device="m2", fault={"kind": "dead"}))["ok"]
        acknowledged[await sell(site, "c1", account)] = account
        await site.until("it to be held", lambda status: (session_of(status, "c2") or {}).get("finding") is not None)
        await site.restart_daemon()
        with pytest.raises(StageError):
            await site.start("c2", account)
        assert (await site.twin(do="clear", device="m2"))["ok"]
        await site.sold_out()
        found = await site.audit(acknowledged)
        held = [
            body for body in (body_of(decode(leaf, Record)) for leaf in found.leaves) if isinstance(body, SessionHeld)
        ]
        assert [body.finding for body in held] == ["meter-silent"]


@pytest.mark.timeout(300)
async def test_a_charger_that_loses_power_does_not_cost_the_session(tmp_path: Path) -> None:
    """The charger restarts with its relay open and its settings gone: it is set up again, and the session goes on."""
    async with plant(tmp_path, {CARD: 50_000}) as site:
        (account,) = site.cards
        seq = await site.start("c1", account)
        await site.until("c1 to charge", lambda status: is_charging(status, "c1"))
        assert (await site.twin(do="fault", device="charger1", fault={"kind": "power-cut", "amount": 1500}))["ok"]
        before = session_of(await site.status(), "c1")
        assert before is not None

        def goes_on(status: dict[str, object]) -> bool:
            found = session_of(status, "c1")
            return found is None or found["energy_wh"] > before["energy_wh"] + 10

        assert session_of(await site.until("energy to flow again", goes_on), "c1") is not None
        await site.panel("stop", connector="c1")
        await site.sold_out()
        await site.audit({seq: account})


@pytest.mark.timeout(300)
async def test_the_last_fen_is_sold_offline_and_no_more(tmp_path: Path) -> None:
    """sap_ev_server_3086: a small account at two connectors with the link down: both stop at their cut-off, and the
    account ends at or above zero.
    """
    async with plant(tmp_path, {CARD: 500}) as site:
        assert site.link is not None
        (account,) = site.cards
        site.link.cut()
        acknowledged = {await site.start("c2", account, "money", 250): account}
        acknowledged[await site.start("c3", account, "money", 250)] = account
        with pytest.raises(StageError, match="may be spent"):
            await site.start("c1", account)
        await site.until("both cut-offs", lambda status: not running(status))
        site.link.mend()
        await site.sold_out()
        found = await site.audit(acknowledged)
        assert {body.reason for body in found.closed.values()} == {"LocalOutOfCredit"}
        assert found.state.overrun_fen == 0
        assert site.books().spent <= 500
