"""The list of stolen cards at the till: kept with the log, in force after a restart, and named by every session."""

from __future__ import annotations

from pathlib import Path

from edge.site import Tapped
from edge.till.start import Refusal
from protocols.trade import hotlist
from protocols.trade.codec import encode
from protocols.trade.documents import Document, pin
from protocols.trade.grants import hide_credential
from protocols.trade.records import SessionClosed, SessionOpened
from tests.edge.desk_rig import CARD, CREDENTIAL_KEY, Till, a_till, reopen

CROWD = [at.to_bytes(8, "big") for at in range(100_000)]
"""Cards of other people."""


def signed(version: int, *cards: str) -> Document:
    """The crowd's cards and these."""
    listed = hotlist.make(version, 0, 1, [*CROWD, *(hide_credential(CREDENTIAL_KEY, card) for card in cards)])
    return Document(hotlist.KIND, "hz-1", version, encode(listed), bytes(64))


def why(tapped: Tapped) -> Refusal | None:
    return None if tapped.refused is None else tapped.refused.refusal


async def test_100_000_cards_are_800_kb_and_outlive_a_restart(tmp_path: Path) -> None:
    """As bytes, not as objects; the daemon reads them from its journal when it starts."""
    async with a_till(tmp_path) as till:
        await till.site.take_documents([encode(signed(1, CARD))])
        assert why(await till.site.tap("c1", CARD)) == Refusal.HOT_LISTED
        await reopen(till, tmp_path, boot=b"boot-002")
        listed = till.desk.hot_list
        assert listed is not None
        assert len(listed.entries) == 8 * 100_001
        assert why(await till.site.tap("c1", CARD)) == Refusal.HOT_LISTED


async def test_a_session_names_the_list_that_let_it_in(tmp_path: Path) -> None:
    """Who bears a stolen card's session is told by the version that was in force; the next list does not end it."""
    async with a_till(tmp_path) as till:
        await till.site.take_documents([encode(signed(1))])
        assert (await till.site.tap("c1", CARD)).session is not None
        till.obey()
        await till.wait(30)
        await till.site.take_documents([encode(signed(2, CARD))])
        await till.wait(30)
        assert till.desk.wants_delivery("c1")
        await till.finish()
        (opened,), (closed,) = till.bodies(SessionOpened), till.bodies(SessionClosed)
        assert pin(signed(1)) in opened.pins
        assert closed.energy_wh >= 100
        assert why(await till.site.tap("c1", CARD)) == Refusal.HOT_LISTED


async def test_a_card_off_the_list_is_served_again(tmp_path: Path) -> None:
    """Found behind the sofa: the next version lets it in."""
    async with a_till(tmp_path) as till:
        await till.site.take_documents([encode(signed(1, CARD))])
        await till.site.take_documents([encode(signed(2))])
        assert (await till.site.tap("c1", CARD)).session is not None


async def test_the_owner_of_a_stolen_card_may_stop_its_session(tmp_path: Path) -> None:
    """A tap that ends delivery is always heard."""
    async with a_till(tmp_path) as till:
        assert (await till.site.tap("c1", CARD)).session is not None
        await till.site.take_documents([encode(signed(1, CARD))])
        assert (await till.site.tap("c1", CARD)).ended


async def test_money_without_a_card_is_not_on_the_list(tmp_path: Path) -> None:
    """A start by the account's name (a command, a code) presents no card."""
    async with a_till(tmp_path) as till:
        await till.site.take_documents([encode(signed(1, CARD))])
        assert isinstance(await started(till), int)


async def started(till: Till) -> int:
    return (await till.start("c1")).seq
