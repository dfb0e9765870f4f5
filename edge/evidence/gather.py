"""How does a receipt come out of a journal? Its session's records, their proofs under one head, the prices."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from edge.journal import reading
from edge.journal.errors import JournalDamaged, JournalPruned
from edge.journal.step import Identity
from protocols.proof import tree
from protocols.proof.keys import LogKeyCertificate
from protocols.proof.lines import Mark
from protocols.proof.receipt import Receipt
from protocols.proof.receipt_file import PinnedDocument, ProvenRecord, ReceiptFile
from protocols.proof.receipt_story import (
    BETWEEN,
    ENDS,
    AnyOpened,
    PortStory,
    Story,
    read_story,
    session_of,
)
from protocols.proof.receipt_view import view
from protocols.proof.statement import state
from protocols.trade import documents
from protocols.trade.codec import Wire, decode
from protocols.trade.documents import TARIFF, Document
from protocols.trade.fuel_prices import KIND as FUEL_PRICES
from protocols.trade.fuel_prices import PriceList
from protocols.trade.port_prices import KIND as PORT_PRICES
from protocols.trade.port_prices import PortPrices
from protocols.trade.records import KINDS, EpochOpened, Record, SessionOpened, body_of
from protocols.trade.records_fuel import FillingOpened
from protocols.trade.records_pack import SwapOpened
from protocols.trade.records_port import LockerOpened, PortOpened
from protocols.trade.swap_terms import KIND as SWAP_TERMS
from protocols.trade.swap_terms import SwapTerms
from protocols.trade.tariff import Tariff
from protocols.trade.tender import KIND as TENDERS

Pricing: TypeAlias = Tariff | PriceList | SwapTerms | PortPrices
"""What a session costs by. It names periods and grades, and its zone is that of the bill's times."""

_CHUNK = 200
_CHUNK_BYTES = 4 * 1024 * 1024
_PRICED: Mapping[type[Wire], str] = {
    SessionOpened: TARIFF,
    FillingOpened: FUEL_PRICES,
    SwapOpened: SWAP_TERMS,
    PortOpened: PORT_PRICES,
    LockerOpened: PORT_PRICES,
}
"""The kind of document that says what a session costs, by what opens it."""
_PRICINGS: Mapping[str, type[Pricing]] = {
    TARIFF: Tariff,
    FUEL_PRICES: PriceList,
    SWAP_TERMS: SwapTerms,
    PORT_PRICES: PortPrices,
}
_OF_A_SESSION = {KINDS[body][0] for ways in (*BETWEEN.values(), *ENDS.values()) for body in ways}
_LAST = tuple(body for ways in ENDS.values() for body in ways)


class NoReceipt(Exception):
    """There is none to give. `remedy`: what to do next."""

    def __init__(self, code: str, what: str, remedy: str) -> None:
        super().__init__(what)
        self.code = code
        self.what = what
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Gathered:
    """A receipt and the pinned documents whole, with headquarters' signature, as the journal keeps them."""

    file: ReceiptFile
    story: Story
    documents: tuple[Document, ...]
    final: bool  # headquarters has cosigned the head that the proofs are under

    @property
    def pricing(self) -> Pricing | None:
        """The document that priced this session, in whose zone its bill is. None: the journal has it no more; UTC."""
        kind = TARIFF if _by_the_hour(self.story) else _PRICED[type(self.story.opened)]
        payload = next((one.payload for one in self.documents if one.kind == kind), None)
        return None if payload is None else decode(payload, _PRICINGS[kind], bytes_max=documents.BYTES_MAX)

    @property
    def handed_out(self) -> tuple[Document, ...]:
        """The pinned documents that a receipt carries."""
        return tuple(one for one in self.documents if one.kind in handed_out(self.story))


def handed_out(story: Story) -> tuple[str, ...]:
    """Kinds of pinned documents that its receipt carries: what said the price, of a port the tariff too, which may have
    said it, and the rates of other value.

    A hot list is long, and is about other people's cards; so are the terms of fuel cards.
    """
    tariff = (TARIFF,) if isinstance(story, PortStory) else ()
    return (_PRICED[type(story.opened)], *tariff, TENDERS)


def _by_the_hour(story: Story) -> bool:
    """Whether a port cost what the tariff says."""
    return isinstance(story, PortStory) and story.closed is not None and bool(story.closed.slices)


def receipt_of(connection: sqlite3.Connection, seq: int) -> Gathered:
    """The receipt of the session that record `seq` opened. Raises NoReceipt, JournalDamaged, JournalError."""
    identity = reading.read_identity(connection)
    if identity is None:
        raise NoReceipt("no-log", "there is no log yet", "The daemon begins one when it has an epoch.")
    device_key, certificate = _box(connection, identity)
    records = _session(connection, seq)
    head, cosigned = reading.read_head(connection), reading.read_cosigned(connection)
    last = records[-1][0]
    final = cosigned is not None and last < cosigned[0]
    size, note = cosigned if cosigned is not None and final else (head.size, head.note)
    node = reading.node_reader(connection)
    proven = tuple(
        ProvenRecord(data, Receipt(index, tree.inclusion_proof(node, index, size), note, certificate.to_bytes()))
        for index, data in records
    )
    story = read_story(identity.site, identity.epoch, records)
    pinned = tuple(_pinned(connection, story.opened))
    given = tuple(PinnedDocument(one.kind, one.payload) for one in pinned if one.kind in handed_out(story))
    file = ReceiptFile(device_key, proven, given, view(story))
    _require_sound(file)
    return Gathered(file, story, pinned, final)


def session_seq(connection: sqlite3.Connection, session: str) -> int:
    """The opening record's seq, of `14` or `shanghai-7/3/14`. Raises NoReceipt."""
    place, _, number = session.rpartition("/")
    identity = reading.read_identity(connection)
    if identity is not None and place not in ("", f"{identity.site}/{identity.epoch}"):
        here = f"{identity.site}/{identity.epoch}"
        raise NoReceipt("bad-request", f"{session} is not of this log, {here}", "Name that box's journal: --journal.")
    if not (number.isascii() and number.isdecimal()) or len(number) > 18:
        raise NoReceipt("bad-request", f"{session!r} is no session", "Its number, or site/epoch/number.")
    return int(number)


def _require_sound(file: ReceiptFile) -> None:
    """A receipt is checked before it is given out: a bit that flipped on the disk must not leave the house."""
    told = state(file, [], [])
    if told.story is None:
        broken = next(line for line in told.lines if line.mark is Mark.FAILED)
        seq = broken.facts.get("seq")
        raise JournalDamaged(f"its proof does not hold: {broken.code}", seq=seq if isinstance(seq, int) else None)


def _box(connection: sqlite3.Connection, identity: Identity) -> tuple[bytes, LogKeyCertificate]:
    """The device key, and its certificate of the log's key: from the log's first record."""
    found = reading.read_records(connection, 0, 1, 1)
    body = body_of(decode(found[0], Record)) if found else None
    if not isinstance(body, EpochOpened):
        raise JournalDamaged("the log's first record does not open its epoch", seq=0)
    return body.device_key, LogKeyCertificate(body.site, body.epoch, identity.log_key, body.certificate)


def _session(connection: sqlite3.Connection, seq: int) -> list[tuple[int, bytes]]:
    """The session's records, opening first and end last."""
    found: list[tuple[int, bytes]] = []
    for at, data in _from(connection, seq):
        record = decode(data, Record)
        if at == seq:
            if not isinstance(body_of(record), tuple(ENDS)):
                raise NoReceipt("bad-request", f"record {seq} opens no session", "`fieldtill records` lists them.")
            found.append((at, data))
        elif record.kind in _OF_A_SESSION:
            body = body_of(record)
            if session_of(body) == seq:
                found.append((at, data))
                if isinstance(body, _LAST):
                    return found
    if not found:
        raise NoReceipt("bad-request", f"there is no record {seq}", "`fieldtill records` lists them.")
    raise NoReceipt("still-open", f"session {seq} has no bill yet", "`fieldtill sessions` shows how it stands.")


def _from(connection: sqlite3.Connection, first: int) -> Iterator[tuple[int, bytes]]:
    while True:
        try:
            chunk = reading.read_records(connection, first, _CHUNK, _CHUNK_BYTES)
        except JournalPruned as pruned:  # between the records of a session that was open for long
            first = pruned.next_seq
            continue
        if not chunk:
            return
        yield from enumerate(chunk, first)
        first += len(chunk)


def _pinned(connection: sqlite3.Connection, opened: AnyOpened) -> Iterator[Document]:
    """Each pinned document that the journal still has."""
    for pin in opened.pins:
        data = reading.read_document(connection, pin.kind, pin.version, pin.hash)
        if data is not None:
            yield decode(data, Document, bytes_max=documents.BYTES_MAX)
