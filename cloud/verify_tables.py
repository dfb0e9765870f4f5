"""Do the tables beside the books say what headquarters' own log says: whose keys, whose cards, which acts are done?

A row of theirs moves no money by itself, and yet whoever edits one decides who may: a key that is believed, a card that
draws on an account, a payment that may be booked again, a refund's way back. So each is held against the log, and the
log against the key files, which no database holds:

    key files -> signed head of headquarters' log -> its records -> key directory -> keys of every site's log
                                                                 -> cards, numbers of acts, guests' payments, refunds,
                                                                    frozen accounts, the hot list
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import sha256
from typing import NamedTuple

import sqlalchemy as sa

from cloud import hot_list, key_directory, schema
from cloud.key_directory import DEVICE, LOG, RETIRED, Key
from cloud.keys import HqKeys
from protocols.proof import checkpoint
from protocols.proof.ed25519 import public_of
from protocols.proof.errors import Unproven
from protocols.proof.tree import Frontier, leaf_hash
from protocols.trade import hotlist
from protocols.trade.books import HQ
from protocols.trade.codec import NotCanonical, decode
from protocols.trade.finding import Findings
from protocols.trade.records import AccountActed, Effect, KeyPublished, Record, TechnicianAct, body_of

CARD_ADDED = "card added, "
"""Begins an act's detail; the credential follows as KEYVERSION:HEX, which says nothing without the fleet's key."""
REFERENCE = ", reference "
"""Ends an act's detail, before the number under which it was ordered."""
STATUSES = ("open", "frozen")
CHUNK = 2_000
_HOT_LIST = re.compile(r"version (?P<version>\d+), (?P<hash>[0-9a-f]{64}): .*", re.S)
_REFUND_DONE = re.compile(r"refund (?P<ours>.+) paid back as (?P<theirs>.+)", re.S)


class Refund(NamedTuple):
    """One that became due."""

    reference: str
    account: str
    channel: str
    amount: int
    why: str


class Payment(NamedTuple):
    """What was paid in, and the channel's number of it."""

    channel: str
    amount: int
    reference: str


class Told:
    """What headquarters' log says of these tables: a fold of its records."""

    def __init__(self) -> None:
        self.keys: dict[Key, tuple[int, int | None]] = {}  # seq of publication, of retirement
        self.cards: dict[tuple[int, bytes], str] = {}
        self.acts: dict[int, str] = {}  # by seq: an act's detail, where it ends in a reference
        self.paid_in: dict[str, Payment] = {}  # an account's last: a guest's has no other
        self.refunds: dict[int, Refund] = {}
        self.paid_back: dict[str, str] = {}
        self.hot_lists: dict[int, bytes] = {}  # SHA-256 by version
        self.statuses: dict[str, str] = {}

    def take(self, seq: int, record: Record) -> None:
        """The next record. Raises NotCanonical for a body that is none."""
        match body_of(record):
            case KeyPublished() as body:
                key = Key(body.role, body.subject, body.public)
                retired = body.state == RETIRED
                self.keys[key] = (self.keys.get(key, (seq, None))[0], seq if retired else None)
            case AccountActed() as body:
                self._act(seq, body, record)
            case TechnicianAct(verb=hotlist.KIND) as body if listed := _HOT_LIST.fullmatch(body.detail):
                self.hot_lists[int(listed["version"])] = bytes.fromhex(listed["hash"])

    def _act(self, seq: int, body: AccountActed, record: Record) -> None:
        if body.detail.startswith(CARD_ADDED):
            version, _, hidden = body.detail.removeprefix(CARD_ADDED).partition(":")
            self.cards[int(version), bytes.fromhex(hidden)] = body.account
        elif body.detail in STATUSES:
            self.statuses[body.account] = body.detail
        elif REFERENCE in body.detail:
            self.acts[seq] = body.detail
        for move in record.moves:
            if move.effect == Effect.PAID_IN:
                self.paid_in[body.account] = Payment(move.place, move.amount, body.detail.rpartition(REFERENCE)[2])
            elif move.effect == Effect.REFUND_DUE:
                reference, _, why = body.detail.removeprefix("refund ").rpartition(": ")
                self.refunds[seq] = Refund(reference, body.account, move.place, move.amount, why)
            elif move.effect == Effect.REFUNDED and (done := _REFUND_DONE.fullmatch(body.detail)):
                self.paid_back[done["ours"]] = done["theirs"]


def verify_tables(connection: sa.Connection, hq: HqKeys) -> Findings:
    """Everything that does not follow from the log that the key files sign. In one view of the database."""
    findings = Findings()
    told = _read(connection, hq, findings)
    if told is not None:
        _compare_keys(connection, told, findings)
        _compare_cards(connection, told, findings)
        _compare_hot_lists(connection, told, findings)
        _compare_acts(connection, told, findings)
        _compare_guests(connection, told, findings)
        _compare_refunds(connection, told, findings)
    return findings


def _read(connection: sa.Connection, hq: HqKeys, findings: Findings) -> Told | None:
    """The fold of headquarters' log; None where the log itself is not the one that the key files have signed."""
    epochs, records = schema.epochs, schema.records
    head = connection.execute(sa.select(epochs).where(epochs.c.site == HQ)).one()
    if head.log_key != public_of(hq.log):
        findings.add(
            "signature",
            None,
            "key of headquarters' log",
            f"the key file's {public_of(hq.log).hex()}",
            head.log_key.hex(),
        )
        return None
    try:
        signed = checkpoint.verify_checkpoint(head.cosigned, hq.log_vkey)
        checkpoint.verify_cosignature(head.cosigned, hq.cosign_vkey)
    except Unproven as error:
        findings.add("signature", None, "headquarters' log, by its key files", error.expected, error.got)
        return None
    told, frontier = Told(), Frontier()
    query = sa.select(records.c.seq, records.c.bytes).where(records.c.log == head.id).order_by(records.c.seq)
    for chunk in connection.execute(query.execution_options(yield_per=CHUNK)).partitions():
        frontier = frontier.append_many([leaf_hash(data) for _, data in chunk])
        for seq, data in chunk:
            try:
                told.take(seq, decode(data, Record))
            except (NotCanonical, ValueError) as error:
                findings.add("not-canonical", seq, "record of headquarters' log", "one that can be read", str(error))
    if (frontier.size, frontier.root()) != (signed.size, signed.root):
        expected, got = f"{signed.size}, {signed.root.hex()}", f"{frontier.size}, {frontier.root().hex()}"
        findings.add("root", None, "size and root of headquarters' log, as signed", expected, got)
        return None
    return told


def _compare_keys(connection: sa.Connection, told: Told, findings: Findings) -> None:
    listed = {entry.key: (entry.published, entry.retired) for entry in key_directory.entries(connection)}
    for key in sorted(told.keys.keys() | listed.keys()):
        if told.keys.get(key) != listed.get(key):
            what = f"{key.role} key {key.public.hex()} {key.subject}".rstrip() + ", published and retired at records"
            findings.add("certificate", None, what, str(told.keys.get(key)), str(listed.get(key)))
    epochs = schema.epochs
    columns = (epochs.c.site, epochs.c.epoch, epochs.c.log_key, epochs.c.device_key)
    for site, epoch, log_key, device_key in connection.execute(sa.select(*columns).where(epochs.c.site != HQ)):
        for key in (Key(LOG, f"{site}/{epoch}", log_key), Key(DEVICE, site, device_key)):
            if key not in told.keys:
                what = f"{key.role} key of {site}/{epoch}"
                findings.add("certificate", None, what, "one that headquarters' log has published", key.public.hex())


def _compare_cards(connection: sa.Connection, told: Told, findings: Findings) -> None:
    cards, accounts = schema.credentials, schema.accounts
    rows = connection.execute(sa.select(cards.c.key_version, cards.c.hmac, cards.c.account))
    linked = {(version, bytes(hidden)): account for version, hidden, account in rows}
    for card in sorted(told.cards.keys() | linked.keys()):
        meant, got = told.cards.get(card), linked.get(card)
        if meant != got:
            what = f"card {card[0]}:{card[1].hex()}"
            findings.add(
                "books", None, what, f"account {meant}" if meant else "none", f"account {got}" if got else "none"
            )
    for account, status in connection.execute(sa.select(accounts.c.id, accounts.c.status)):
        if status != (meant := told.statuses.get(account, "open")):
            findings.add("books", None, f"status of account {account}", meant, status)


def _compare_hot_lists(connection: sa.Connection, told: Told, findings: Findings) -> None:
    """Each version's hash; and the newest list itself, as it is stored and as its entries make it."""
    table = schema.hot_list_versions
    rows = {row.version: row for row in connection.execute(sa.select(table))}
    for version in sorted(told.hot_lists.keys() | rows.keys()):
        meant, row = told.hot_lists.get(version, b""), rows.get(version)
        got = [] if row is None else [row.hash]
        if row is not None and version == max(rows):
            got += [sha256(row.payload or b"").digest(), sha256(hot_list.made_again(connection, row)).digest()]
        if any(hashed != meant for hashed in got) or not got:
            shown = ", ".join(hashed.hex() for hashed in got) or "none"
            findings.add(
                "document", None, f"hot list {version}: its hash, content, entries", meant.hex() or "none", shown
            )


def _compare_acts(connection: sa.Connection, told: Told, findings: Findings) -> None:
    """A number whose row is gone could be used again: the same payment would be booked twice."""
    table = schema.acts
    noted = {seq: reference for reference, seq in connection.execute(sa.select(table.c.reference, table.c.seq))}
    for seq in sorted(told.acts.keys() | noted.keys()):
        detail, reference = told.acts.get(seq, ""), noted.get(seq)
        if reference is None or not detail.endswith(REFERENCE + reference):
            findings.add("books", seq, "number of the act", detail or "none", reference or "none")


def _compare_guests(connection: sa.Connection, told: Told, findings: Findings) -> None:
    """Where a guest's unused money will go back to."""
    table = schema.guests
    columns = (table.c.account, table.c.channel, table.c.amount, table.c.reference)
    for account, *payment in connection.execute(sa.select(*columns)):
        meant, got = told.paid_in.get(account), Payment(*payment)
        if meant != got:
            findings.add("books", None, f"payment of guest {account}", str(meant or "none"), str(got))


def _compare_refunds(connection: sa.Connection, told: Told, findings: Findings) -> None:
    table = schema.refunds
    rows = {row.seq: row for row in connection.execute(sa.select(table))}
    for seq in sorted(told.refunds.keys() | rows.keys()):
        meant, row = told.refunds.get(seq), rows.get(seq)
        got = None if row is None else Refund(row.reference, row.account, row.channel, row.amount, row.why)
        if meant != got:
            findings.add("books", seq, "refund", str(meant or "none"), str(got or "none"))
        elif row is not None:
            done = told.paid_back.get(row.reference)
            for what, expected, found in _ways_back(row, done):
                findings.add("books", seq, f"refund {row.reference}, {what}", expected, found)


def _ways_back(row: sa.Row[tuple[object, ...]], done: str | None) -> Iterator[tuple[str, str, str]]:
    """What a refund's row says of its payment and of its end, where the log says otherwise."""
    if row.reference.rpartition("-r")[0] != row.payment:
        yield "of the payment", row.reference.rpartition("-r")[0], row.payment
    if row.done_reference != done:
        yield "paid back as", str(done or "not yet"), str(row.done_reference or "not yet")
