"""Rights that nobody will use here go back at once: the customer may want them at another site, or paid out."""

from __future__ import annotations

import asyncio
from pathlib import Path

from edge.till.start import Refusal, Refused
from edge.till.state import OpenSession
from protocols.trade.grants import Grant, join
from protocols.trade.records import CNY, Preset, ValueReturned
from tests.edge.desk_rig import Till, a_till, turns


async def test_what_came_for_a_start_that_was_refused_goes_back(tmp_path: Path) -> None:
    """The car leaves while headquarters grants 10.00: they are not locked up at a site that sells nothing for them."""
    async with a_till(tmp_path, granted_fen=0) as till:

        async def ask(credential: bytes, account: str, want: int, asset: str) -> bool:
            till.bays["c1"].plugged = False
            return await till.grant(want) > 0

        till.site.ask_for_grant = ask
        assert isinstance(await till.site.start(till.ask()), Refused)
        assert (till.lease().granted, till.lease().returned, till.lease().rights) == (1_000, 1_000, 0)


async def test_too_little_for_the_preset_goes_back(tmp_path: Path) -> None:
    """Headquarters could grant 3.00 of the 5.00 wanted; home may keep its allowance of 1.00."""
    async with a_till(tmp_path, granted_fen=100, may_stay=100) as till:

        async def ask(credential: bytes, account: str, want: int, asset: str) -> bool:
            return await till.grant(400, may_stay=100) > 0

        till.site.ask_for_grant = ask
        outcome = await till.site.start(till.ask(preset=Preset("money", 500)))
        assert isinstance(outcome, Refused)
        assert outcome.refusal == Refusal.NOT_ENOUGH
        assert (till.lease().returned, till.lease().rights) == (300, 100)


async def test_an_answer_that_comes_too_late_goes_back(tmp_path: Path) -> None:
    """The customer has been refused; what headquarters had granted arrives with the next batch."""
    async with a_till(tmp_path, granted_fen=0) as till:
        till.site.ask_for_grant = nobody_answers
        assert isinstance(await till.site.start(till.ask()), Refused)
        await till.grant(1_000)
        assert (till.lease().returned, till.lease().rights) == (1_000, 0)
        await till.grant(1_500)  # and what is placed here afterwards stays until it has been used
        assert till.lease().rights == 500


async def test_without_a_link_what_is_here_stays_here(tmp_path: Path) -> None:
    """A preset that is too high, and nobody to ask: the next try for less is served."""
    async with a_till(tmp_path, granted_fen=400) as till:
        till.site.ask_for_grant = nobody_answers
        assert isinstance(await till.site.start(till.ask(preset=Preset("money", 500))), Refused)
        assert isinstance(await till.site.start(till.ask(preset=Preset("money", 300))), OpenSession)


async def test_nothing_is_taken_from_a_start_that_is_going_on(tmp_path: Path) -> None:
    """A late grant and a second start of the same customer meet: the start gets it."""
    async with a_till(tmp_path, granted_fen=0) as till:
        till.site.ask_for_grant = nobody_answers
        assert isinstance(await till.site.start(till.ask("c1")), Refused)
        answered = asyncio.Event()

        async def ask(credential: bytes, account: str, want: int, asset: str) -> bool:
            await answered.wait()
            return False

        till.site.ask_for_grant = ask
        starting = asyncio.create_task(till.site.start(till.ask("c2")))
        await turns()
        await till.grant(1_000)
        answered.set()
        outcome = await starting
        assert isinstance(outcome, OpenSession)
        assert outcome.hold_fen == 1_000


async def test_a_frozen_account_gets_its_money_back_from_here(tmp_path: Path) -> None:
    """Headquarters freezes it: what no running session holds goes back, and can be paid out there."""
    async with a_till(tmp_path, granted_fen=5_000, may_stay=5_000) as till:
        await till.start("c1")
        await freeze(till)
        assert till.lease().held == 1_000
        assert (till.lease().returned, till.lease().rights) == (4_000, 0)
        await till.wait(50)
        await till.finish()
        assert till.lease().used + till.lease().returned == 5_000
        assert len(till.bodies(ValueReturned)) == 2


async def nobody_answers(credential: bytes, account: str, want: int, asset: str) -> bool:
    return False


async def freeze(till: Till) -> None:
    """As `cloud.grants` signs it: the same total, no cards, no limit, nothing may stay."""
    lease = till.lease()
    grant = Grant("ann", CNY, "hz-1", 1, lease.serial + 1, lease.granted, 0, 4_000_000_000, 0, 0, 1, [])
    assert await till.site.take_grants([join(grant, bytes(64))]) == 1
