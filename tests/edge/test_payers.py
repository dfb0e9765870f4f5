"""Several payers at the site: commands name them, headquarters is asked about each, a session takes one more."""

from __future__ import annotations

from pathlib import Path

import pytest
from desk_rig import CARD, CREDENTIAL_KEY, FULL, Till, a_till

from edge.till.start import Ask, Refusal, Refused, Source, ask_of
from edge.till.state import OpenSession
from protocols.trade import hotlist
from protocols.trade.codec import encode
from protocols.trade.documents import Document
from protocols.trade.grants import hide_credential
from protocols.trade.records import CNY, Hold, Origin, Preset
from protocols.trade.wire import Command

PANEL = Origin("panel", b"", 0, "li")
OTHER = "04FFFFFF"


def command(till: Till, number: int, account: str) -> bytes:
    boot = till.clock.stamp().boot
    expires_s = till.time.wall_ms // 1000 + 60
    return encode(Command("hz-1", boot, number, "start", "c1", account, Preset("money", 500), 0, "", False, expires_s))


class Asked:
    """A headquarters that grants each account so much, and notes who was asked about."""

    def __init__(self, till: Till, **free: int) -> None:
        self.till = till
        self.free = free
        self.log: list[tuple[str, int, str]] = []

    async def __call__(self, credential: bytes, account: str, want: int, asset: str) -> bool:
        self.log.append((account, want, asset))
        granted = min(want, self.free.get(account, 0))
        return granted > 0 and await self.till.grant(granted, account, OTHER if account != "ann" else CARD) > 0


async def test_a_command_may_name_several_payers(tmp_path: Path) -> None:
    """As headquarters' app orders it: her money, then the guest's; a name that makes no sense starts nothing."""
    async with a_till(tmp_path, granted_fen=300) as till:
        await till.grant(400, "guest", OTHER)
        assert await till.site.command(command(till, 1, "ann+")) == "unknown-account"
        assert await till.site.command(command(till, 2, "ann+guest")) == "started"
        (session,) = till.desk.state.sessions.values()
        assert session.holds == (Hold("ann", CNY, 300), Hold("guest", CNY, 200))
        assert till.desk.state.command[1] == 2


async def test_headquarters_is_asked_about_each_payer_once_in_their_order(tmp_path: Path) -> None:
    """She has 1.00 more there, the guest all that is missing: two questions, and the second is for what is left."""
    async with a_till(tmp_path, granted_fen=300) as till:
        asked = till.site.ask_for_grant = Asked(till, ann=400, guest=10_000)
        outcome = await till.site.start(ask_of("c1", "ann+guest", Preset("money", 900), PANEL))
        assert isinstance(outcome, OpenSession)
        assert asked.log == [("ann", 900, CNY), ("guest", 500, CNY)]
        assert outcome.holds == (Hold("ann", CNY, 400), Hold("guest", CNY, 500))


async def test_what_was_granted_for_a_payer_goes_back_when_another_is_refused(tmp_path: Path) -> None:
    """Nobody's money waits at a site because somebody else had none."""
    async with a_till(tmp_path, granted_fen=0) as till:
        till.site.ask_for_grant = Asked(till, ann=400)
        refused = await till.site.start(ask_of("c1", "ann+guest", Preset("money", 900), PANEL))
        assert isinstance(refused, Refused)
        assert till.lease().returned == 400


async def test_a_further_payer_is_asked_about_online(tmp_path: Path) -> None:
    """A running session and a card that this site has never seen; then one that is reported stolen."""
    async with a_till(tmp_path) as till:
        session = await till.start()
        asked = till.site.ask_for_grant = Asked(till, guest=200)
        extended = await till.site.extend(session.seq, Source("guest"), 150)
        assert isinstance(extended, OpenSession)
        assert extended.holds[1:] == (Hold("guest", CNY, 150),)
        assert asked.log == [("guest", 150, CNY)]
        hidden = hide_credential(CREDENTIAL_KEY, OTHER)
        listed = hotlist.make(1, 0, CREDENTIAL_KEY.version, [hidden])
        await till.site.take_documents([encode(Document(hotlist.KIND, "hz-1", 1, encode(listed), bytes(64)))])
        refused = await till.site.extend(session.seq, Source("", hidden))
        assert isinstance(refused, Refused)
        assert refused.refusal == Refusal.HOT_LISTED
        gone = await till.site.extend(999, Source("guest"))
        assert isinstance(gone, Refused)
        assert gone.refusal == Refusal.NO_SESSION
        await till.finish()


@pytest.mark.parametrize("account", ["operator-risk", "ann:POINTS"])
async def test_the_risk_pool_and_unknown_assets_pay_nothing(tmp_path: Path, account: str) -> None:
    """Neither by name nor by a list of names."""
    async with a_till(tmp_path) as till:
        await till.grant(900, "operator-risk", OTHER)
        ask = ask_of("c1", account, FULL, PANEL)
        assert isinstance(ask, Ask)
        refused = await till.site.start(ask)
        assert isinstance(refused, Refused)
        assert refused.refusal == Refusal.UNKNOWN_ACCOUNT
