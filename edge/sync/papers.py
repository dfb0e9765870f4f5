"""How does a newer document come to the site? Fetched, or made from the one here and what changes in it; then checked.

A hot list of 100,000 cards is 0.8 MB, what changes in it some ten bytes. A patch is never trusted for itself: the
signature covers the whole document, so whatever a wrong patch makes is found out, and the whole list is fetched.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import structlog

from edge.journal.journal import Journal
from edge.sync import trust
from edge.sync.client import Hq
from edge.sync.trust import HqKeys
from protocols.door import Fault
from protocols.proof.errors import Unproven
from protocols.trade import (
    documents,
    fuel_prices,
    fuel_terms,
    hotlist,
    pack_list,
    port_prices,
    swap_terms,
    tariff_file,
    tender,
)
from protocols.trade.codec import NotCanonical, decode, encode
from protocols.trade.documents import TARIFF, Document, Patched
from protocols.trade.fuel_prices import PriceList
from protocols.trade.fuel_terms import FuelTerms
from protocols.trade.grants import CredentialKey
from protocols.trade.hotlist import BadHotList
from protocols.trade.pack_list import PackList
from protocols.trade.port_prices import PortPrices
from protocols.trade.records import Pin
from protocols.trade.swap_terms import SwapTerms
from protocols.trade.tariff import Tariff
from protocols.trade.tender import Tenders
from protocols.trade.wire import DocumentAsk, DocumentRef

log = structlog.get_logger()


async def fetch(hq: Hq, pinned: HqKeys, journal: Journal, ref: DocumentRef, held: Pin | None) -> Document:
    """The document that `ref` names, signed for this site. held: the one of its kind in force here.

    Raises HqError, Unproven, NotCanonical.
    """
    base = _held(journal, held) if ref.kind == hotlist.KIND else None
    if base is not None:
        reply = await hq.document(DocumentAsk(ref.kind, ref.version, base.version))
        if reply.document:
            return trust.check_document(pinned, reply.document, journal.site, ref)
        try:
            return await asyncio.to_thread(_made_whole, pinned, base, reply.patched, journal.site, ref)
        except (NotCanonical, BadHotList, Unproven) as error:
            log.warning("what changed in a document does not fit", kind=ref.kind, version=ref.version, why=str(error))
    reply = await hq.document(DocumentAsk(ref.kind, ref.version, 0))
    return trust.check_document(pinned, reply.document, journal.site, ref)


def faults_in(document: Document, key: CredentialKey) -> list[Fault]:
    """Why this software cannot put the document in force, though it is signed. key: the one that cards here are hidden
    under. Raises NotCanonical.
    """
    return CONTENT[document.kind](document.payload, key)


def _made_whole(pinned: HqKeys, base: Document, patched: bytes, site: str, ref: DocumentRef) -> Document:
    """In a thread: 100,000 cards take a tenth of a second, and on a small box many times that, in which lines and
    sessions must be looked after.
    """
    told = decode(patched, Patched, bytes_max=documents.BYTES_MAX)
    return trust.check_document(pinned, encode(hotlist.whole(base, told)), site, ref)


def _held(journal: Journal, held: Pin | None) -> Document | None:
    """The document in force, whole; None: there is none yet."""
    data = None if held is None else journal.document(held.kind, held.version, held.hash)
    return None if data is None else decode(data, Document, bytes_max=documents.BYTES_MAX)


def _tariff(payload: bytes, key: CredentialKey) -> list[Fault]:
    return tariff_file.disorder(decode(payload, Tariff))


def _tenders(payload: bytes, key: CredentialKey) -> list[Fault]:
    return tender.disorder(decode(payload, Tenders))


def _hot_list(payload: bytes, key: CredentialKey) -> list[Fault]:
    """A list under another key names nobody here: the one before it stays in force."""
    try:
        listed = hotlist.read(payload)
    except BadHotList as error:
        return [Fault("entries", "8 bytes each, rising", str(error))]
    if listed.key_version == key.version:
        return []
    return [Fault("key_version", f"{key.version}, the fleet's credential key here", str(listed.key_version))]


def _fuel_prices(payload: bytes, key: CredentialKey) -> list[Fault]:
    return fuel_prices.disorder(decode(payload, PriceList))


def _fuel_terms(payload: bytes, key: CredentialKey) -> list[Fault]:
    return fuel_terms.disorder(decode(payload, FuelTerms, bytes_max=documents.BYTES_MAX))


def _swap_terms(payload: bytes, key: CredentialKey) -> list[Fault]:
    return swap_terms.disorder(decode(payload, SwapTerms))


def _pack_list(payload: bytes, key: CredentialKey) -> list[Fault]:
    return pack_list.disorder(decode(payload, PackList, bytes_max=documents.BYTES_MAX))


def _port_prices(payload: bytes, key: CredentialKey) -> list[Fault]:
    return port_prices.disorder(decode(payload, PortPrices))


CONTENT: Mapping[str, Callable[[bytes, CredentialKey], list[Fault]]] = {
    TARIFF: _tariff,
    tender.KIND: _tenders,
    hotlist.KIND: _hot_list,
    fuel_prices.KIND: _fuel_prices,
    fuel_terms.KIND: _fuel_terms,
    swap_terms.KIND: _swap_terms,
    pack_list.KIND: _pack_list,
    port_prices.KIND: _port_prices,
}
"""What this software can put in force. Documents of other kinds are left for the version that knows them."""
