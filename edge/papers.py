"""What do the documents say that headquarters has signed for this site? By the pins that name them, decoded once."""

from __future__ import annotations

from collections.abc import Iterable

from edge.journal.journal import Journal
from protocols.trade import documents, fuel_prices, fuel_terms, hotlist, pack_list, port_prices, swap_terms, tender
from protocols.trade.codec import decode
from protocols.trade.documents import TARIFF, Document
from protocols.trade.fuel_prices import PriceList
from protocols.trade.fuel_terms import NO_TERMS, FuelTerms
from protocols.trade.hotlist import HotList
from protocols.trade.pack_list import NO_PACKS, PackList
from protocols.trade.port_prices import PortPrices
from protocols.trade.records import Pin
from protocols.trade.swap_terms import NO_SWAPS, SwapTerms
from protocols.trade.tariff import Tariff
from protocols.trade.tender import MONEY_ALONE, Tenders


class Papers:
    """The documents of one journal. Of hot lists, fuel terms and pack lists the last is kept, of all others each that
    was read.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._tariffs: dict[bytes, Tariff] = {}
        self._tenders: dict[bytes, Tenders] = {}
        self._hot_list: tuple[bytes, HotList] | None = None
        self._prices: dict[bytes, PriceList] = {}
        self._terms: tuple[bytes, FuelTerms] | None = None
        self._port_prices: dict[bytes, PortPrices] = {}
        self._swap_terms: dict[bytes, SwapTerms] = {}
        self._packs: tuple[bytes, PackList] | None = None

    def remember(self, document: Document, pinned: Pin) -> None:
        """It is in force for whoever comes while its commit runs, before it can be read back."""
        self._decode(document, pinned)

    def tariff(self, pins: Iterable[Pin]) -> Tariff | None:
        """None: none has come from headquarters yet."""
        pinned = _of_kind(TARIFF, pins)
        if pinned is not None and pinned.hash not in self._tariffs:
            self._decode(self._read(pinned), pinned)
        return None if pinned is None else self._tariffs[pinned.hash]

    def tenders(self, pins: Iterable[Pin]) -> Tenders:
        """What assets may pay; money alone while headquarters has said nothing else."""
        pinned = _of_kind(tender.KIND, pins)
        if pinned is not None and pinned.hash not in self._tenders:
            self._decode(self._read(pinned), pinned)
        return MONEY_ALONE if pinned is None else self._tenders[pinned.hash]

    def hot_list(self, pins: Iterable[Pin]) -> HotList | None:
        """None: none has come from headquarters yet."""
        pinned = _of_kind(hotlist.KIND, pins)
        if pinned is None:
            return None
        if self._hot_list is None or self._hot_list[0] != pinned.hash:
            self._decode(self._read(pinned), pinned)
        assert self._hot_list is not None
        return self._hot_list[1]

    def prices(self, pins: Iterable[Pin]) -> PriceList | None:
        """What fuel costs. None: no list has come from headquarters yet."""
        pinned = _of_kind(fuel_prices.KIND, pins)
        if pinned is not None and pinned.hash not in self._prices:
            self._decode(self._read(pinned), pinned)
        return None if pinned is None else self._prices[pinned.hash]

    def fuel_terms(self, pins: Iterable[Pin]) -> FuelTerms:
        """What cards and accounts may have; everything while headquarters has said nothing else."""
        pinned = _of_kind(fuel_terms.KIND, pins)
        if pinned is None:
            return NO_TERMS
        if self._terms is None or self._terms[0] != pinned.hash:
            self._decode(self._read(pinned), pinned)
        assert self._terms is not None
        return self._terms[1]

    def swap_terms(self, pins: Iterable[Pin]) -> SwapTerms:
        """What swaps and rented packs cost; nothing is offered while headquarters has said nothing."""
        pinned = _of_kind(swap_terms.KIND, pins)
        if pinned is not None and pinned.hash not in self._swap_terms:
            self._decode(self._read(pinned), pinned)
        return NO_SWAPS if pinned is None else self._swap_terms[pinned.hash]

    def packs(self, pins: Iterable[Pin]) -> PackList:
        """What is said of single packs; nothing while headquarters has said nothing."""
        pinned = _of_kind(pack_list.KIND, pins)
        if pinned is None:
            return NO_PACKS
        if self._packs is None or self._packs[0] != pinned.hash:
            self._decode(self._read(pinned), pinned)
        assert self._packs is not None
        return self._packs[1]

    def port_prices(self, pins: Iterable[Pin]) -> PortPrices | None:
        """What charging ports and lockers cost. None: no list has come from headquarters yet."""
        pinned = _of_kind(port_prices.KIND, pins)
        if pinned is not None and pinned.hash not in self._port_prices:
            self._decode(self._read(pinned), pinned)
        return None if pinned is None else self._port_prices[pinned.hash]

    def _read(self, pinned: Pin) -> Document:
        data = self._journal.document(pinned.kind, pinned.version, pinned.hash)
        assert data is not None, f"the log pins {pinned.kind} {pinned.version}, whose content is missing"
        return decode(data, Document, bytes_max=documents.BYTES_MAX)

    def _decode(self, document: Document, pinned: Pin) -> None:
        if document.kind == TARIFF:
            self._tariffs[pinned.hash] = decode(document.payload, Tariff)
        elif document.kind == tender.KIND:
            self._tenders[pinned.hash] = decode(document.payload, Tenders)
        elif document.kind == hotlist.KIND:
            self._hot_list = pinned.hash, hotlist.read(document.payload)
        elif document.kind == fuel_prices.KIND:
            self._prices[pinned.hash] = decode(document.payload, PriceList)
        elif document.kind == fuel_terms.KIND:
            self._terms = pinned.hash, decode(document.payload, FuelTerms, bytes_max=documents.BYTES_MAX)
        elif document.kind == port_prices.KIND:
            self._port_prices[pinned.hash] = decode(document.payload, PortPrices)
        elif document.kind == swap_terms.KIND:
            self._swap_terms[pinned.hash] = decode(document.payload, SwapTerms)
        elif document.kind == pack_list.KIND:
            self._packs = pinned.hash, decode(document.payload, PackList, bytes_max=documents.BYTES_MAX)


def _of_kind(kind: str, pins: Iterable[Pin]) -> Pin | None:
    return next((pinned for pinned in pins if pinned.kind == kind), None)
