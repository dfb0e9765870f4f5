"""The list of stolen cards on its way to a site: whole at first, then what changes; never one that was not signed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sync_box import BAY, Box, all_sent, enrolled, running, until
from sync_hq import Headquarters

from cloud import hot_list, store
from edge.sync import papers
from edge.sync.client import Hq
from edge.till.start import Refusal
from protocols.trade import hotlist
from protocols.trade.codec import encode
from protocols.trade.grants import CredentialKey, hide_credential
from protocols.trade.records import SessionOpened, body_of
from protocols.trade.wire import DocumentAsk, DocumentReply

STOLEN, HERS = "CARD-STOLEN", "CARD-HERS"


@pytest.fixture(scope="module")
def hq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Headquarters]:
    """One of its own: its list goes to every site."""
    headquarters = Headquarters(tmp_path_factory.mktemp("hq-hot"))
    yield headquarters
    headquarters.close()


def report(hq: Headquarters, *cards: str) -> int:
    with store.writing(hq.engine) as connection:
        return hot_list.add(connection, hq.keys, hq.clock, cards=cards, why="lost").version


def find(hq: Headquarters, card: str) -> int:
    with store.writing(hq.engine) as connection:
        return hot_list.remove(connection, hq.keys, hq.clock, cards=[card], why="found").version


def version_of(box: Box) -> int | None:
    listed = box.site.desk.hot_list
    return None if listed is None else listed.version


class Overheard:
    """Headquarters, and what it was asked for and answered; `spoil` may change an answer."""

    def __init__(self, hq: Hq, spoil: Callable[[DocumentReply], DocumentReply] = lambda reply: reply) -> None:
        self._hq = hq
        self._spoil = spoil
        self.lists: list[tuple[DocumentAsk, DocumentReply]] = []
        self.batch, self.grant, self.close = hq.batch, hq.grant, hq.close

    def asked(self) -> list[tuple[int, int]]:
        """Version wanted and version held, of each question for the list."""
        return [(ask.version, ask.have) for ask, _ in self.lists]

    async def document(self, ask: DocumentAsk) -> DocumentReply:
        reply = await self._hq.document(ask)
        if ask.kind == hotlist.KIND:
            reply = self._spoil(reply)
            self.lists.append((ask, reply))
        return reply


async def test_whole_at_first_then_what_changes(hq: Headquarters, tmp_path: Path) -> None:
    """2,000 cards once; from then on some ten bytes for each card, into the very list that headquarters has."""
    async with enrolled(hq, tmp_path, "hot-delta") as box:
        first = report(hq, *(f"CARD-{at:06}" for at in range(2_000)))
        uplink = box.uplink()
        uplink._hq = overheard = Overheard(uplink._hq)  # type: ignore[assignment]  # it stands in for it
        async with running(uplink):
            await until(lambda: version_of(box) == first)
            second = report(hq, "CARD-NEXT")
            await until(lambda: version_of(box) == second)
            third = find(hq, "CARD-000007")
            await until(lambda: version_of(box) == third)
            await all_sent(uplink)
    assert overheard.asked() == [(first, 0), (second, first), (third, second)]
    answers = [(len(reply.document) > 16_000, 0 < len(reply.patched) < 200) for _, reply in overheard.lists]
    assert answers == [(True, False), (False, True), (False, True)]


@pytest.mark.parametrize("what", ["noise", "another card", "nothing"])
async def test_a_patch_that_does_not_fit_is_replaced_by_the_whole(hq: Headquarters, tmp_path: Path, what: str) -> None:
    """Whatever a patch makes, the signature of the whole list says whether it is that one; else the list is fetched."""

    def spoil(reply: DocumentReply) -> DocumentReply:
        if not reply.patched:
            return reply
        at = len(reply.patched) - 70  # in what is added, before what is removed and the signature
        other = reply.patched[:at] + bytes([reply.patched[at] ^ 1]) + reply.patched[at + 1 :]
        return DocumentReply(b"", {"noise": b"\xff", "another card": other, "nothing": b""}[what])

    async with enrolled(hq, tmp_path, f"hot-{what.replace(' ', '-')}") as box:
        first = report(hq, f"CARD-BEFORE-{what}")
        uplink = box.uplink()
        uplink._hq = overheard = Overheard(uplink._hq, spoil)  # type: ignore[assignment]  # it stands in for it
        async with running(uplink):
            await until(lambda: version_of(box) == first)
            second = report(hq, f"CARD-AFTER-{what}")
            await until(lambda: version_of(box) == second)
    assert overheard.asked() == [(first, 0), (second, first), (second, 0)]


async def test_a_listed_card_is_refused(hq: Headquarters, tmp_path: Path) -> None:
    """Nobody asks headquarters for its money; and every session that is opened says by which list it was let in."""
    async with enrolled(hq, tmp_path, "hot-refused") as box:
        for card in (HERS, STOLEN):
            hq.customer(card, 5_000)
        hq.publish(box.name)
        version = report(hq, STOLEN)
        async with running(box.uplink()):
            await until(lambda: version_of(box) == version and box.site.desk.tariff is not None)
            tapped = await box.site.tap(BAY, STOLEN)
            assert tapped.refused is not None
            assert (tapped.refused.refusal, box.site.desk.state.leases) == (Refusal.HOT_LISTED, {})
            await box.sell(HERS, 500)
        (opened,) = [body for body in map(body_of, box.journal.records()) if isinstance(body, SessionOpened)]
        assert [pin.version for pin in opened.pins if pin.kind == hotlist.KIND] == [version]


def test_a_list_under_another_key_names_nobody_here() -> None:
    """Its entries would match no card, or the wrong one: the list before it stays in force."""
    key, other = CredentialKey(1, bytes(32)), CredentialKey(2, b"k" * 32)
    listed = hotlist.make(4, 0, other.version, [hide_credential(other, STOLEN)])
    (fault,) = papers.CONTENT[hotlist.KIND](encode(listed), key)
    assert "credential key" in fault.expected
    assert papers.CONTENT[hotlist.KIND](encode(listed), other) == []
