"""A headquarters and boxes for its tests: real keys, real trees, real signatures, no daemon."""

from __future__ import annotations

import zlib
from base64 import b64encode
from collections.abc import Iterable
from typing import TypeVar

import sqlalchemy as sa
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cloud import accounts, bulk, hqlog, keys, schema, store
from cloud.clock import SetClock
from cloud.service import Answer, Headquarters, Request
from protocols.proof import checkpoint, ed25519
from protocols.proof import keys as proof_keys
from protocols.proof.checkpoint import Checkpoint
from protocols.proof.tree import Frontier, leaf_hash
from protocols.trade import wire
from protocols.trade.codec import BYTES_MAX, decode, encode
from protocols.trade.records import (
    CNY,
    ClockQuality,
    Draft,
    Effect,
    EpochOpened,
    GrantAccepted,
    Move,
    Notice,
    Stamp,
    ValueReturned,
    seal,
)
from protocols.trade.wire import Batch, BatchReply, EnrolAsk, EnrolReply, GrantAsk, GrantReply, Refusal

NOON_MS = 1_780_000_000_000
ZONE = "Asia/Shanghai"
BOOT = b"boot0001"

W = TypeVar("W")


def open_headquarters(url: str, clock: SetClock | None = None) -> Headquarters:
    """A headquarters with an empty book, on a fresh database."""
    engine = store.open_store(url)
    store.migrate(engine)
    hq, clock = keys.generate(), clock or SetClock(NOON_MS)
    with store.writing(engine) as connection:
        hqlog.create(connection, hq, clock, ZONE)
        accounts.ensure_key(connection, clock)
    return Headquarters(engine, hq, clock)


def admit(hq: Headquarters, box: Box) -> None:
    """A person admits this box's device key for its site."""
    columns = ("id", "title", "device", "status", "zone", "day_starts_h", "added_ms")
    row = (box.site, box.site, box.fingerprint, "admitted", ZONE, 0, hq.clock.now_ms())
    with store.writing(hq.engine) as connection:
        bulk.upsert(connection, schema.sites, columns, [row], update=["device"])


class Box:
    """A site's box as headquarters sees one: it seals records, signs heads and requests."""

    def __init__(self, site: str) -> None:
        self.site = site
        self.device = ec.generate_private_key(ec.SECP256R1())
        self.log_key = Ed25519PrivateKey.generate()
        self.epoch = 0
        self.leaves: list[bytes] = []
        self.counters: dict[tuple[str, str, str], int] = {}
        self.wall_ms = NOON_MS

    @property
    def device_key(self) -> bytes:
        return proof_keys.spki(self.device.public_key())

    @property
    def fingerprint(self) -> str:
        return proof_keys.fingerprint(self.device_key)

    @property
    def log_public(self) -> bytes:
        return ed25519.public_of(self.log_key)

    # --- the log ---

    def open_epoch(self, epoch: int) -> None:
        """Take up the epoch that headquarters gave; leaf 0 says so."""
        self.epoch, self.leaves, self.counters = epoch, [], {}
        certificate = proof_keys.certify_log_key(self.device, self.site, epoch, self.log_public).signature
        self.add(EpochOpened(self.site, epoch, self.log_public, self.device_key, certificate, "test"))

    def add(self, body: object, moves: Iterable[Move] = ()) -> int:
        """Append a record; its seq."""
        stamp = Stamp(BOOT, len(self.leaves), self.wall_ms, ClockQuality.SYNCHRONISED, self.wall_ms, self.wall_ms)
        self.leaves.append(encode(seal(Draft(body, tuple(moves)), stamp)))
        return len(self.leaves) - 1

    def move(self, effect: str, account: str, amount: int, asset: str = CNY) -> Move:
        """A move with the right counter."""
        key = (effect, account, asset)
        self.counters[key] = self.counters.get(key, 0) + amount
        return Move(effect, account, asset, "", amount, self.counters[key])

    def sell(self, account: str, amount: int, asset: str = CNY) -> int:
        """A sale, as far as headquarters' books care."""
        body = Notice("sale", "connector-1", "") if not amount else ValueReturned(account, asset)
        return self.add(body, [self.move(Effect.USED, account, amount, asset)])

    def give_back(self, account: str, amount: int) -> int:
        return self.add(ValueReturned(account, CNY), [self.move(Effect.RETURNED, account, amount)])

    def accept(self, signed: bytes) -> int:
        return self.add(GrantAccepted(signed))

    # --- requests ---

    def checkpoint(self, size: int) -> bytes:
        frontier = Frontier().append_many([leaf_hash(leaf) for leaf in self.leaves[:size]])
        head = Checkpoint(proof_keys.origin(self.site, self.epoch), size, frontier.root())
        return checkpoint.sign_checkpoint(head, self.log_key)

    def batch(self, first: int, end: int | None = None) -> Batch:
        end = len(self.leaves) if end is None else end
        return Batch(first, self.leaves[first:end], self.checkpoint(end), BOOT, len(self.leaves), self.wall_ms)

    def enrol_request(self) -> Request:
        message = wire.ENROL_DOMAIN.encode() + b"\n" + wire.enrol_payload(self.site, self.device_key, self.log_public)
        signature = self.device.sign(message, ec.ECDSA(hashes.SHA256()))
        return Request(
            wire.PATH_ENROL, encode(EnrolAsk(self.site, self.device_key, self.log_public, "test", signature))
        )

    def request(self, path: str, struct: object, *, deflate: bool = True) -> Request:
        body = zlib.compress(encode(struct)) if deflate else encode(struct)
        payload = wire.request_payload("POST", path, self.site, self.epoch, body)
        signature = b64encode(proof_keys.sign(self.log_key, wire.REQUEST_DOMAIN, payload)).decode()
        return Request(path, body, deflate, self.site, self.epoch, signature)

    # --- whole exchanges ---

    def enrol(self, hq: Headquarters) -> EnrolReply:
        reply = read(hq.answer(self.enrol_request()), EnrolReply)
        if reply.epoch != self.epoch:
            self.open_epoch(reply.epoch)
        return reply

    def send(self, hq: Headquarters, first: int, end: int | None = None) -> BatchReply:
        return read(hq.answer(self.request(wire.PATH_BATCH, self.batch(first, end))), BatchReply)

    def ask(self, hq: Headquarters, account: str, want: int, asset: str = CNY) -> GrantReply:
        return read(hq.answer(self.request(wire.PATH_GRANT, self.grant_ask(account, want, asset))), GrantReply)

    def grant_ask(self, account: str, want: int, asset: str = CNY) -> GrantAsk:
        return GrantAsk(0, b"", account, asset, want, self.checkpoint(len(self.leaves)))


def read(answer: Answer, into: type[W], *, bytes_max: int = BYTES_MAX) -> W:
    """The struct of a good answer; a refusal fails the test with what it says."""
    assert answer.status == 200, decode(answer.body, Refusal)
    return decode(answer.body, into, bytes_max=bytes_max)


def refused(answer: Answer) -> Refusal:
    assert answer.status >= 400, answer
    return decode(answer.body, Refusal)


def balance(hq: Headquarters, code: str, asset: str = CNY) -> int:
    """Credits minus debits of one ledger account; 0 where there is none."""
    with store.reading(hq.engine) as connection:
        table = schema.ledger
        query = sa.select(table.c.credits - table.c.debits).where(table.c.code == code, table.c.asset == asset)
        return connection.execute(query).scalar() or 0


def dump(hq: Headquarters) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table: two dumps are equal when nothing has changed."""
    with store.reading(hq.engine) as connection:
        return {
            table.name: sorted((tuple(row) for row in connection.execute(sa.select(table))), key=repr)
            for table in schema.metadata.sorted_tables
        }
