"""Leg 4 for packs: does every cabinet hold what its site's records say, and does the fleet's ledger hold together?

    records of a site:   slot 1 <- A      slot 2 -> B      |scan: 1 A, 2 empty, 3 C|
    the site's ledger:   1 A, 2 B         1 A, 2 nothing    3 nothing: C is unrecorded

The first scan of a cabinet is its opening stock. Each later one is compared, slot by slot, with what the records before
it leave there; then the scan stands. A missing pack is looked for in all logs: where a later record has it, it was
found.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from cloud.night.reconcile.findings import Finding, Leg
from cloud.night.reconcile.log import Instant, LogFacts, OfPacks
from protocols.trade.custody import At, Custody, Doubt, in_order, place_of
from protocols.trade.pack_facts import Fact, What
from protocols.trade.records_pack import PackNoted, PacksScanned, ScannedSlot, SwapClosed, SwapOpened

Slot = tuple[str, int]
"""(cabinet, number)"""


@dataclass(frozen=True, slots=True)
class Difference:
    """A slot in which a scan saw something else than the records leave there. ledger, seen: codes; "": empty."""

    cabinet: str
    slot: int
    ledger: str
    seen: str
    at: Instant
    record: str
    record_key: tuple[int, int]


@dataclass(slots=True)
class CabinetBook:
    """A cabinet over all logs of its site. scans: how many were compared. last: the newest, with what it saw.

    packs: by slot, as the records after it leave them; a slot that nothing is known of is not in it.
    """

    scans: int = 0
    last: Instant | None = None
    seen: list[ScannedSlot] = field(default_factory=list)
    packs: dict[int, str] = field(default_factory=dict)
    differences: list[Difference] = field(default_factory=list)


def read_cabinets(logs: Iterable[LogFacts]) -> dict[str, CabinetBook]:
    """The cabinets of one site by name, over all its epochs in order: packs outlive the box."""
    books: dict[str, CabinetBook] = {}
    for facts in sorted(logs, key=lambda facts: facts.key):
        running: dict[int, str] = {}
        for told in facts.packs:
            _hear(books, running, facts, told)
    return books


def _hear(books: dict[str, CabinetBook], running: dict[int, str], facts: LogFacts, told: OfPacks) -> None:
    """running: the cabinets of sessions that have begun and not ended in this log."""
    match told.body:
        case SwapOpened():
            running[told.at.seq] = told.body.cabinet
        case SwapClosed():
            cabinet = running.pop(told.body.session)
            packs = books.setdefault(cabinet, CabinetBook()).packs
            if told.body.returned is not None and told.body.returned_slot is not None:
                packs[told.body.returned_slot] = told.body.returned.code.upper()
            if told.body.taken is not None and told.body.taken_slot is not None:
                packs[told.body.taken_slot] = ""
        case PackNoted():
            _note(books.setdefault(told.body.cabinet, CabinetBook()).packs, told.body)
        case PacksScanned():
            book = books.setdefault(told.body.cabinet, CabinetBook())
            _scan(book, facts, told, told.body, quiet=told.body.cabinet not in running.values())


def _note(packs: dict[int, str], note: PackNoted) -> None:
    match note.what:
        case "appeared" | "changed" | "put-in" | "quarantined" | "found" | "foreign":
            packs[note.slot] = note.code.upper()
        case "vanished" | "taken-out":
            packs[note.slot] = ""


def _scan(book: CabinetBook, facts: LogFacts, told: OfPacks, scan: PacksScanned, *, quiet: bool) -> None:
    """Compare, unless a session is at work in the cabinet; then what was seen stands. A slot whose witnesses disagree
    says nothing.
    """
    for one in scan.slots:
        if one.state == "unsure":
            continue
        seen = "" if one.state == "empty" or one.pack is None else one.pack.code.upper()
        if one.state == "pack" and not seen:
            continue  # it does not say which
        ledger = book.packs.get(one.slot)
        if quiet and ledger is not None and ledger != seen:
            record = f"{facts.key}/{told.at.seq}"
            book.differences.append(
                Difference(scan.cabinet, one.slot, ledger, seen, told.at, record, (facts.key.epoch, told.at.seq))
            )
        book.packs[one.slot] = seen
    book.scans += quiet
    book.last, book.seen = told.at, list(scan.slots)


# --- findings --------------------------------------------------------------------------------------------------------


def scan_findings(
    site: str, books: Mapping[str, CabinetBook], by_code: Mapping[str, Sequence[Fact]]
) -> Iterator[Finding]:
    """What scans have found and no later record explains. by_code: the facts of all sites."""
    for name, book in sorted(books.items()):
        for it in book.differences:
            if it.ledger and not _heard_of_since(by_code.get(it.ledger, ()), site, it):
                detail = f"the records leave {it.ledger} there, the scan saw {it.seen or 'nothing'}"
                yield _finding("pack-missing", site, name, it, detail)
            if it.seen and not _explained(by_code.get(it.seen, ()), site, it):
                detail = f"the scan saw {it.seen}, the records leave {it.ledger or 'nothing'} there"
                yield _finding("pack-unrecorded", site, name, it, detail)


def _heard_of_since(facts: Sequence[Fact], site: str, it: Difference) -> bool:
    """Has any record placed the pack after the scan that missed it?"""
    ordered = in_order(facts)
    before = [at for at, fact in enumerate(ordered) if fact.site == site and fact.record_key < it.record_key]
    later = ordered[before[-1] + 1 :] if before else ordered
    return any(fact.what in _PLACING for fact in later)


def _explained(facts: Sequence[Fact], site: str, it: Difference) -> bool:
    """Has it moved on from that slot since, by a record?"""
    return any(fact.site == site and fact.record_key > it.record_key for fact in facts if fact.what in _PLACING)


_PLACING = (What.PUT_IN, What.TAKEN, What.STANDS, What.STAFF, What.LOST)


def _finding(code: str, site: str, cabinet: str, it: Difference, detail: str) -> Finding:
    return Finding(
        code=code,
        leg=Leg.PACKS,
        site=site,
        subject=f"{site} {cabinet} slot {it.slot}",
        source=f"records before {it.record} / its scan",
        detail=detail,
        since_ms=it.at.at_ms,
    )


_QUESTIONS = {
    Doubt.TWO_PLACES: "pack-in-two-places",
    Doubt.NOT_THERE: "pack-not-there",
    Doubt.OTHER_RIDER: "pack-changed-hands",
    Doubt.RENTED_STANDS: "pack-rented-stands",
    Doubt.LOST_TURNED_UP: "pack-turned-up",
    Doubt.EITHER_WAY: "pack-either-way",
}


def custody_findings(packs: Iterable[Custody], begins_ms: int, ends_ms: int) -> Iterator[Finding]:
    """What does not hold together in the fleet's ledger, and what is overdue. begins_ms, ends_ms: of the business day:
    a question that a later record has answered is told on its own day alone.
    """
    for pack in packs:
        for it in pack.questions:
            if it.fact is pack.since or it.doubt is Doubt.EITHER_WAY or it.fact.at_ms >= begins_ms:
                before = "nothing" if it.before is None else f"record {it.before.record}"
                yield Finding(
                    code=_QUESTIONS[it.doubt],
                    leg=Leg.PACKS,
                    site=it.fact.site,
                    subject=f"pack {pack.code}",
                    source=f"{before} / record {it.fact.record}",
                    detail=f"it was with {it.believed}, and then {place_of(it.fact)}",
                    since_ms=it.fact.at_ms,
                )
        yield from _overdue(pack, ends_ms)


def _overdue(pack: Custody, ends_ms: int) -> Iterator[Finding]:
    def finding(code: str, detail: str, since_ms: int, fen: int | None = None) -> Finding:
        return Finding(
            code=code,
            leg=Leg.PACKS,
            site=pack.place.site,
            subject=f"pack {pack.code}",
            source=f"with {pack.place}",
            detail=detail,
            difference_fen=fen,
            since_ms=since_ms,
        )

    if 0 < pack.inspect_by_s * 1000 < ends_ms and pack.place.at is not At.LOST:
        yield finding("inspection-overdue", "it is given out no more", pack.inspect_by_s * 1000)
    if pack.place.at is At.UNKNOWN and pack.place.account and pack.since is not None:
        detail = f"nobody paid for it, nor knows where it is, since record {pack.since.record}"
        yield finding("pack-out-of-sight", detail, pack.since.at_ms)
    for rental in pack.rentals:
        if rental.is_late(ends_ms // 1000) and rental.until_s is not None:
            yield finding("rental-late", f"rental {rental.name} of {rental.account}", rental.until_s * 1000)
        elif rental.uncovered_fen and rental.ended is not None:
            detail = f"{rental.account} owes it for rental {rental.name}; no deposit covers it"
            yield finding("late-fee-owed", detail, rental.ended.at_ms, rental.uncovered_fen)
