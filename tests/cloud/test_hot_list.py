"""The hot list at headquarters: every change a version, every version signed for each site, and patches that fit."""

from __future__ import annotations

import hashlib
import random
from itertools import combinations

import pytest
from hq_box import Box, admit, dump, read, refused
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloud import accounts, hot_list, schema, store
from cloud.acts import Denied
from cloud.hot_list import Changed
from cloud.service import Headquarters
from protocols.proof import keys
from protocols.proof.ed25519 import public_of
from protocols.trade import documents, hotlist, wire
from protocols.trade.codec import decode, encode
from protocols.trade.documents import Document, Patched
from protocols.trade.grants import hide_credential
from protocols.trade.hotlist import HotList
from protocols.trade.wire import DocumentAsk, DocumentRef, DocumentReply, RefusalCode


@pytest.fixture
def box(hq: Headquarters) -> Box:
    return a_box(hq)


def a_box(hq: Headquarters) -> Box:
    box = Box("S1")
    admit(hq, box)
    box.enrol(hq)
    box.send(hq, 0)
    return box


def add(hq: Headquarters, *cards: str, account: str | None = None) -> Changed:
    with store.writing(hq.engine) as connection:
        return hot_list.add(connection, hq.keys, hq.clock, cards=cards, account=account, why="lost")


def remove(hq: Headquarters, *cards: str, account: str | None = None) -> Changed:
    with store.writing(hq.engine) as connection:
        return hot_list.remove(connection, hq.keys, hq.clock, cards=cards, account=account, why="found")


def hidden(hq: Headquarters, card: str) -> bytes:
    with store.reading(hq.engine) as connection:
        return hide_credential(accounts.current_key(connection), card)


def reference(hq: Headquarters, box: Box) -> DocumentRef:
    (ref,) = [one for one in box.send(hq, 0).documents if one.kind == hotlist.KIND]
    return ref


def ask(hq: Headquarters, box: Box, version: int, have: int = 0) -> DocumentReply:
    asked = DocumentAsk(hotlist.KIND, version, have)
    return read(hq.answer(box.request(wire.PATH_DOCUMENT, asked)), DocumentReply, bytes_max=documents.BYTES_MAX)


def checked(hq: Headquarters, document: Document, ref: DocumentRef) -> HotList:
    """As a site checks it: signature, hash, order."""
    part = documents.signed_part(document.kind, document.site, document.version, document.payload)
    keys.verify(public_of(hq.keys.grant), documents.DOMAIN, part, document.signature)
    assert (document.site, hashlib.sha256(document.payload).digest()) == ("S1", ref.hash)
    return hotlist.read(document.payload)


def test_a_card_is_listed_and_taken_off(hq: Headquarters, box: Box) -> None:
    """Each change is a version that sites hear of; a change of nothing is none."""
    assert add(hq, "04A1", "04A2") == Changed(1, 2, 0, 2)
    assert add(hq, "04a1") == Changed(1, 0, 0, 2)
    ref = reference(hq, box)
    assert ref.version == 1
    listed = checked(hq, decode(ask(hq, box, 1).document, Document), ref)
    assert hotlist.contains(listed, hidden(hq, "04A1"))
    assert not hotlist.contains(listed, hidden(hq, "04A3"))
    assert remove(hq, "04A1", "04A9") == Changed(2, 0, 1, 1)
    assert remove(hq, "04A1") == Changed(2, 0, 0, 1)
    with store.reading(hq.engine) as connection:
        (entry,) = hot_list.show(connection, 10)
    assert (entry.hmac, entry.why, entry.listed_in) == (hidden(hq, "04A2").hex(), "lost", 1)


def test_an_account_is_listed_by_all_its_cards(hq: Headquarters, box: Box) -> None:
    """So whoever answers the telephone need not know their numbers."""
    with store.writing(hq.engine) as connection:
        account = accounts.open_account(connection, hq.keys, hq.clock, home_site=None)
        for card in ("04B1", "04B2"):
            accounts.add_card(connection, hq.keys, hq.clock, account, card)
    assert add(hq, account=account) == Changed(1, 2, 0, 2)
    with store.reading(hq.engine) as connection:
        assert {entry.account for entry in hot_list.show(connection, 10)} == {account}
    assert remove(hq, account=account) == Changed(2, 0, 2, 0)
    with store.writing(hq.engine) as connection:
        bare = accounts.open_account(connection, hq.keys, hq.clock, home_site=None)
    before = dump(hq)
    for nobody, says in ((bare, "no card"), ("NOBODY", "no account")):
        with pytest.raises(Denied, match=says):
            add(hq, account=nobody)
    assert dump(hq) == before


def test_a_site_gets_what_changed_since(hq: Headquarters, box: Box) -> None:
    """A patch of the version that it names, whose result is what was signed; else the whole list."""
    for version, card in enumerate(("04A1", "04A2", "04A3"), 1):
        assert add(hq, card).version == version
    remove(hq, "04A2")
    ref = reference(hq, box)
    base = decode(ask(hq, box, 2).document, Document)
    reply = ask(hq, box, 4, have=2)
    assert reply.document == b""
    later = hotlist.whole(base, decode(reply.patched, Patched))
    assert encode(later) == ask(hq, box, 4).document
    assert hotlist.credentials(checked(hq, later, ref)) == sorted([hidden(hq, "04A1"), hidden(hq, "04A3")])
    for have in (0, 4, 5, 99):
        assert ask(hq, box, 4, have=have).patched == b""


def test_only_the_newest_list_is_kept_whole(hq: Headquarters, box: Box) -> None:
    """Older ones are made again from the entries, to the byte, for sites and for disputes."""
    add(hq, "04A1")
    first = ask(hq, box, 1).document
    add(hq, "04A2")
    remove(hq, "04A1")
    with store.reading(hq.engine) as connection:
        table = schema.hot_list_versions
        kept = {row.version for row in connection.execute(table.select()) if row.payload is not None}
    assert kept == {3}
    assert ask(hq, box, 1).document == first


def test_no_such_version(hq: Headquarters, box: Box) -> None:
    """Before the first card there is no list at all."""
    assert all(ref.kind != hotlist.KIND for ref in box.send(hq, 0).documents)
    answer = hq.answer(box.request(wire.PATH_DOCUMENT, DocumentAsk(hotlist.KIND, 1, 0)))
    assert refused(answer).code == RefusalCode.NOT_FOUND


cards = st.sets(st.sampled_from(["04A1", "04A2", "04A3", "04A4"]), min_size=1)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.booleans(), cards), min_size=2, max_size=6))
def test_any_patch_leads_to_the_list(light_hq: Headquarters, changes: list[tuple[bool, set[str]]]) -> None:
    """Cards come and go and come again: from any version to any later one."""
    hq = light_hq
    box = a_box(hq)
    first = ask_newest(hq) + 1
    for listing, chosen in changes:
        (add if listing else remove)(hq, *sorted(chosen))
    versions = range(first, ask_newest(hq) + 1)
    whole = {version: decode(ask(hq, box, version).document, Document) for version in versions}
    for have, version in combinations(versions, 2):
        reply = ask(hq, box, version, have)
        if reply.patched:
            assert hotlist.whole(whole[have], decode(reply.patched, Patched)) == whole[version]


def ask_newest(hq: Headquarters) -> int:
    with store.reading(hq.engine) as connection:
        ref = hot_list.in_force(connection)
    return 0 if ref is None else ref.version


def test_a_hundred_thousand_cards(light_hq: Headquarters) -> None:
    """Whole 800 kB; one more card is told in 200 bytes."""
    hq = light_hq
    box = a_box(hq)
    numbers = [f"{number:016X}" for number in random.Random(7).sample(range(2**60), 100_000)]
    assert add(hq, *numbers).entries == 100_000
    whole = ask(hq, box, 1).document
    assert len(whole) < 801_000
    assert add(hq, "04A1").entries == 100_001
    reply = ask(hq, box, 2, have=1)
    assert len(encode(reply)) < 200
    later = hotlist.whole(decode(whole, Document, bytes_max=documents.BYTES_MAX), decode(reply.patched, Patched))
    assert len(hotlist.credentials(checked(hq, later, reference(hq, box)))) == 100_001
