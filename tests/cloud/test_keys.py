"""The key directory, and headquarters' keys exchanged while boxes are away: old ones go on verifying old things."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import sqlalchemy as sa
from hq_box import Box, admit, balance

from cloud import accounts, documents, key_directory, rotation, schema, store
from cloud import keys as hq_keys
from cloud.acts import Denied
from cloud.key_directory import COSIGN, DEVICE, GRANT, HQ_LOG, LOG, RETIRED, VALID
from cloud.keys import HqKeys, KeyFiles
from cloud.service import Headquarters
from protocols.proof import checkpoint, receipt
from protocols.proof import keys as proof_keys
from protocols.proof.ed25519 import public_of
from protocols.proof.errors import BadSignature
from protocols.proof.receipt import Receipt
from protocols.trade import books, grants
from protocols.trade import documents as papers
from protocols.trade.codec import decode
from protocols.trade.documents import Document
from protocols.trade.key_set import KIND, KeySet
from protocols.trade.records import EpochClosed, KeyPublished, Record, body_of
from protocols.trade.tariff import Offset, Period, Tariff

SITE = "pudong-1"
TARIFF = Tariff("t", 1, "UTC", [Offset(0, 0)], [Period(0, "flat", 1, 1)], 0, 0, 0)


@pytest.fixture
def home(light_hq: Headquarters, tmp_path: Path) -> Headquarters:
    """Headquarters with its keys in files, as a server has them."""
    hq_keys.create(tmp_path / "keys")
    held = KeyFiles(tmp_path / "keys")
    with store.writing(light_hq.engine) as connection:
        heads = schema.epochs
        log_key = public_of(held.current().log)
        connection.execute(heads.update().where(heads.c.site == books.HQ).values(log_key=log_key))
    return Headquarters(light_hq.engine, held, light_hq.clock)


@pytest.fixture
def box(home: Headquarters) -> Box:
    """An enrolled box that has reported."""
    made = Box(SITE)
    admit(home, made)
    made.enrol(home)
    made.send(home, 0)
    return made


def rotate(home: Headquarters, path: Path, role: str) -> HqKeys:
    """The keys as they were before."""
    before = home.keys
    rotation.rotate(home.engine, path / "keys", home.clock, role)
    return before


def states(home: Headquarters, *roles: str) -> list[tuple[str, str, str]]:
    with store.reading(home.engine) as connection:
        return [(it.key.role, it.key.subject, it.state) for it in key_directory.entries(connection, roles or None)]


def key_sets(home: Headquarters) -> list[Document]:
    table = schema.documents
    with store.reading(home.engine) as connection:
        query = sa.select(table.c.document).where(table.c.kind == KIND).order_by(table.c.version)
        return [decode(data, Document) for data in connection.scalars(query)]


def check(document: Document, key: bytes) -> None:
    """A box's look at a document. Raises BadSignature."""
    signed = papers.signed_part(document.kind, document.site, document.version, document.payload)
    proof_keys.verify(key, papers.DOMAIN, signed, document.signature)


# --- the directory ---------------------------------------------------------------------------------------------------


def test_every_key_is_published_once(home: Headquarters, box: Box) -> None:
    """Headquarters' own, each box's and each log's; enrolling again adds nothing."""
    expected = [
        (GRANT, "", VALID),
        (COSIGN, "", VALID),
        (HQ_LOG, "", VALID),
        (DEVICE, SITE, VALID),
        (LOG, f"{SITE}/1", VALID),
    ]
    assert states(home) == expected
    box.enrol(home)
    assert states(home) == expected


def test_each_entry_is_proven_by_headquarters_log(home: Headquarters, box: Box) -> None:
    """With the log's key alone, a stranger can check that this very key was published, and where."""
    with store.reading(home.engine) as connection:
        for entry in key_directory.entries(connection):
            found = key_directory.proof(connection, entry.published)
            assert found is not None
            record, text = found
            proven = receipt.verify(Receipt.parse(text), record, home.keys.log_vkey, home.keys.cosign_vkey)
            assert (proven.index, proven.final) == (entry.published, True)
            body = body_of(decode(record, Record))
            assert body == KeyPublished(*entry.key, VALID)
        assert key_directory.proof(connection, 10_000) is None
        shown = key_directory.as_json(connection)
    assert checkpoint.parse(str(shown["checkpoint"]).encode()).origin == shown["log"] == "fieldtill/hq/1"


def test_a_new_device_retires_the_old_one_with_its_last_log(home: Headquarters, box: Box) -> None:
    """Admitting another box leaves the first one's keys valid while its log is open: it may still sign late records."""
    later = Box(SITE)
    admit(home, later)
    later.enrol(home)
    assert states(home, DEVICE) == [(DEVICE, SITE, VALID)] * 2
    box.add(EpochClosed("replaced"))
    box.send(home, 0)
    assert states(home, DEVICE, LOG) == [
        (DEVICE, SITE, RETIRED),
        (LOG, f"{SITE}/1", RETIRED),
        (DEVICE, SITE, VALID),
        (LOG, f"{SITE}/2", VALID),
    ]


# --- rotation --------------------------------------------------------------------------------------------------------


def test_the_grant_key_is_handed_on_by_the_one_before(home: Headquarters, box: Box, tmp_path: Path) -> None:
    """Boxes learn of each new key from the key they know; new grants and stored documents carry the new signature."""
    with store.writing(home.engine) as connection:
        documents.publish(connection, home.keys, home.clock, papers.TARIFF, 1, TARIFF, [SITE])
        account = accounts.open_account(connection, home.keys, home.clock, home_site=None)
        accounts.top_up(connection, home.keys, home.clock, account, 9_000, channel="c", reference="r")
    first = rotate(home, tmp_path, GRANT)
    second = rotate(home, tmp_path, GRANT)
    now = home.keys

    one, other = key_sets(home)
    check(one, public_of(first.grant))
    check(other, public_of(second.grant))
    assert decode(other.payload, KeySet) == KeySet(
        2, [public_of(now.grant), public_of(second.grant), public_of(first.grant)], [public_of(now.cosign)]
    )
    with store.reading(home.engine) as connection:
        check(decode(documents.fetch(connection, SITE, papers.TARIFF, 1), Document), public_of(now.grant))
    _, payload, signature = grants.split(box.ask(home, account, 500).grant)
    proof_keys.verify(public_of(now.grant), grants.DOMAIN, payload, signature)
    assert [state for _, _, state in states(home, GRANT)] == [RETIRED, RETIRED, VALID]


def test_a_withdrawn_key_is_believed_no_more(home: Headquarters, box: Box, tmp_path: Path) -> None:
    """The newest key alone remains in the set, which it signs itself; grants that wait are signed again by it."""
    with store.writing(home.engine) as connection:
        account = accounts.open_account(connection, home.keys, home.clock, home_site=None)
        accounts.top_up(connection, home.keys, home.clock, account, 9_000, channel="c", reference="r")
    waiting = grants.split(box.ask(home, account, 500).grant)[0]
    rotate(home, tmp_path, GRANT)
    assert rotation.withdraw(home.engine, tmp_path / "keys", home.clock, GRANT) == 1
    newest = key_sets(home)[-1]
    check(newest, public_of(home.keys.grant))
    assert decode(newest.payload, KeySet).grant == [public_of(home.keys.grant)]
    (signed,) = box.send(home, len(box.leaves)).grants
    grant, payload, signature = grants.split(signed)
    proof_keys.verify(public_of(home.keys.grant), grants.DOMAIN, payload, signature)
    assert (grant.granted, grant.serial) == (500, waiting.serial + 1)
    with pytest.raises(Denied, match="one grant key alone"):
        rotation.withdraw(home.engine, tmp_path / "keys", home.clock, GRANT)


def test_a_new_cosigning_key_acknowledges_what_is_here_again(home: Headquarters, box: Box, tmp_path: Path) -> None:
    """A repeat is answered with a note that boxes go on believing; the old note goes on verifying with the old key."""
    old_note = box.send(home, 0).cosigned
    before = rotate(home, tmp_path, COSIGN)
    note = box.send(home, 0).cosigned
    assert checkpoint.verify_cosignature(note, home.keys.cosign_vkey) == home.clock.now_ms() // 1000
    with pytest.raises(BadSignature):
        checkpoint.verify_cosignature(note, before.cosign_vkey)
    assert checkpoint.verify_cosignature(old_note, before.cosign_vkey)
    assert checkpoint.verify_checkpoint(note, proof_keys.log_verifier(SITE, 1, box.log_public)).size == 1
    box.sell("A", 1)
    assert checkpoint.verify_cosignature(box.send(home, 1).cosigned, home.keys.cosign_vkey)


def test_headquarters_log_goes_on_under_another_key(home: Headquarters, box: Box, tmp_path: Path) -> None:
    """The last head that the old key signs holds the new key; everything after it is the new key's."""
    before = rotate(home, tmp_path, HQ_LOG)
    with store.reading(home.engine) as connection:
        shown = key_directory.as_json(connection)
        entry = key_directory.entries(connection, [HQ_LOG])[-1]
    note = str(shown["checkpoint"]).encode()
    assert checkpoint.verify_checkpoint(note, home.keys.log_vkey).size == entry.published + 2
    with pytest.raises(BadSignature):
        checkpoint.verify_checkpoint(note, before.log_vkey)
    with store.writing(home.engine) as connection:
        account = accounts.open_account(connection, home.keys, home.clock, home_site=None)
        accounts.top_up(connection, home.keys, home.clock, account, 100, channel="c", reference="r")
    assert balance(home, books.cust(account)) == 100


def test_a_process_with_stale_keys_writes_nothing(home: Headquarters, box: Box, tmp_path: Path) -> None:
    """It would sign headquarters' log with a key that counts no more."""
    before = rotate(home, tmp_path, HQ_LOG)
    with pytest.raises(Exception, match="another key by now"), store.writing(home.engine) as connection:
        accounts.open_account(connection, before, home.clock, home_site=None)


@pytest.mark.parametrize("role", [GRANT, COSIGN, HQ_LOG])
@pytest.mark.parametrize("committed", [False, True], ids=["before the commit", "after it"])
def test_a_crash_leaves_the_key_that_the_directory_names(
    home: Headquarters, box: Box, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, role: str, committed: bool
) -> None:
    """The file is exchanged inside the transaction: whichever half is lost, opening headquarters settles it."""
    before, path = home.keys, tmp_path / "keys"

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    if committed:
        monkeypatch.setattr(hq_keys, "settle", die)
    else:
        really = hq_keys.take_up
        monkeypatch.setattr(hq_keys, "take_up", lambda path, role: (really(path, role), die()))
    with pytest.raises(KeyboardInterrupt):
        rotation.rotate(home.engine, path, home.clock, role)
    monkeypatch.undo()
    rotation.recover(home.engine, path)

    assert (home.keys.vkeys() == before.vkeys()) is not committed
    with store.reading(home.engine) as connection:
        valid = {it.key for it in key_directory.entries(connection) if it.state == VALID}
    assert set(key_directory.own(home.keys)) <= valid
    assert sorted(os.listdir(path)) == ["cosign.pem", "grant.pem", "log.pem"]
    assert all((path / name).stat().st_mode & 0o777 == 0o600 for name in os.listdir(path))
    assert box.send(home, 0).cosigned
