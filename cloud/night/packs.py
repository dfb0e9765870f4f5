"""What did a site's cabinets do on a business day, and where is the whole fleet of packs? Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from cloud.night.day import Site, bounds_ms
from cloud.night.reconcile.findings import Finding, Leg
from cloud.night.reconcile.log import LogFacts
from cloud.night.reconcile.packs import CabinetBook, custody_findings, read_cabinets, scan_findings
from cloud.night.reconcile.swaps import Swapped, TermsByHash, interval_breaches, reconcile_swaps, swapped
from cloud.night.report_model import CabinetDay, FleetNow, ShopDay
from protocols.trade.books import Books, deposit
from protocols.trade.custody import At, Custody, fold
from protocols.trade.pack_facts import Fact, facts_of
from protocols.trade.records import Effect, Pin
from protocols.trade.records_pack import DEPOSIT, ShopDayClosed, SwapOpened
from protocols.trade.swap_terms import SwapTerms


@dataclass(slots=True)
class Fleet:
    """What is gathered of packs while one site after the other is read."""

    facts: dict[str, list[Fact]] = field(default_factory=dict)
    cabinets: dict[str, dict[str, CabinetBook]] = field(default_factory=dict)
    swaps: list[Swapped] = field(default_factory=list)

    def hear(self, logs: Iterable[LogFacts], terms: TermsByHash) -> None:
        """Take in what the logs of one site, or headquarters' own, say of packs."""

        def terms_of(pinned: Pin) -> SwapTerms | None:
            return terms.get(pinned.hash)

        for facts in logs:

            def opened(seq: int, facts: LogFacts = facts) -> SwapOpened | None:
                swap = facts.swaps.get(seq)
                return None if swap is None else swap.opened

            for told in facts.packs:
                key = facts.key
                for fact in facts_of(key.site, key.epoch, told.at.seq, told.record, told.body, opened, terms_of):
                    self.facts.setdefault(fact.code.replace("\x00", "\ufffd"), []).append(fact)


def site_shop(
    site: Site, day: date, logs: Sequence[LogFacts], terms: TermsByHash, fleet: Fleet
) -> tuple[ShopDay | None, list[Finding]]:
    """The site's cabinets on this date, and what does not add up in its swaps. None: it has never had any."""
    fleet.hear(logs, terms)
    books = fleet.cabinets[site.id] = read_cabinets(logs)
    fleet.swaps += swapped(logs, terms)
    findings = list(reconcile_swaps(logs, terms))
    if not books and not any(facts.swaps for facts in logs):
        return None, findings
    findings += _day_closes(logs)
    iso = day.isoformat()
    outcomes, units, deposit_fen = Counter[str](), Counter[str](), 0
    for facts in logs:
        for swap in facts.swaps.values():
            if swap.closed is None or swap.ended is None or swap.ended.date != iso:
                continue
            outcomes[swap.closed.outcome] += 1
            for move in swap.moves:
                if move.effect == Effect.USED and move.asset == DEPOSIT:
                    deposit_fen += move.amount
                elif move.effect == Effect.USED and move.asset == swap.opened.offer:
                    units[move.asset] += move.amount
    made = ShopDay(
        swapped=outcomes["swapped"],
        taken=outcomes["taken"],
        returned=outcomes["returned"],
        cancelled=outcomes["cancelled"],
        kept=outcomes["kept"],
        plan_units=dict(sorted(units.items())),
        deposit_fen=deposit_fen,
        cabinets=[_cabinet(name, book) for name, book in sorted(books.items())],
    )
    return made, findings


def fleet_findings(fleet: Fleet, hq: Site, day: date) -> tuple[FleetNow | None, list[Custody], list[Finding]]:
    """Where all packs are, and what does not hold together over the sites. None: no pack was ever named."""
    packs = [fold(code, facts) for code, facts in sorted(fleet.facts.items())]
    begins_ms, ends_ms = bounds_ms(hq, day)
    findings = [it for site, books in sorted(fleet.cabinets.items()) for it in scan_findings(site, books, fleet.facts)]
    findings += custody_findings(packs, begins_ms, ends_ms)
    findings += interval_breaches(fleet.swaps, begins_ms)
    return (_now(packs, ends_ms) if packs else None), packs, findings


def ledger_findings(packs: Iterable[Custody], stored: Mapping[str, tuple[object, ...]]) -> Iterator[Finding]:
    """Headquarters' own table of packs against the fold of the records. stored: (at, site, cabinet, slot, account)."""
    folded = {pack.code: pack for pack in packs}
    for code in sorted(folded.keys() | stored.keys()):
        pack = folded.get(code)
        place = None if pack is None else pack.place
        ours = None if place is None else (place.at.value, place.site, place.cabinet, place.slot, place.account)
        if stored.get(code) != ours:
            yield Finding(
                code="pack-ledger-differs",
                leg=Leg.PACKS,
                site="",
                subject=f"pack {code}",
                source="records of all sites / table of packs",
                detail=f"the records give {ours or 'nothing'}, the table has {stored.get(code) or 'nothing'}",
            )


def deposit_findings(packs: Iterable[Custody], books: Books) -> Iterator[Finding]:
    """What the books hold as deposits against the packs that are out: of each account and asset."""
    due: Counter[tuple[str, str]] = Counter()
    for pack in packs:
        for rental in pack.rentals:
            if rental.open:
                for it in rental.deposits:
                    due[it.account, it.asset] += it.amount
    prefix, held = deposit(""), dict[tuple[str, str], int]()
    for (code, asset), balance in books.items():
        if code.startswith(prefix):
            held[code.removeprefix(prefix), asset] = balance.owed
    for account, asset in sorted(due.keys() | held.keys()):
        there = held.get((account, asset), 0)
        if there != due[account, asset]:
            yield Finding(
                code="deposit-differs",
                leg=Leg.PACKS,
                site="",
                subject=f"account {account}",
                source=f"rentals that are out / {deposit(account)}",
                detail=f"{asset}: packs that are out have {due[account, asset]}, the books hold {there}",
                difference_fen=due[account, asset] - there if asset == DEPOSIT else None,
            )


def _day_closes(logs: Iterable[LogFacts]) -> Iterator[Finding]:
    """The site's own totals of swaps against the sessions that ended since the total before."""
    for facts in logs:
        ends = {it.ended.seq: it.closed for it in facts.swaps.values() if it.ended is not None}
        sums: Counter[str] = Counter()
        for told in facts.packs:
            if isinstance(told.body, ShopDayClosed):
                names = ("swapped", "taken", "returned", "cancelled", "kept", "amount_fen")
                ours, theirs = tuple(sums[name] for name in names), tuple(getattr(told.body, name) for name in names)
                if ours != theirs:
                    yield Finding(
                        code="shop-day-differs",
                        leg=Leg.PACKS,
                        site=facts.key.site,
                        subject=f"{facts.key} day {told.body.day}",
                        source=f"record {facts.key}/{told.at.seq} / its sessions",
                        detail=f"{', '.join(names)}: the sessions give {ours}, the site's total says {theirs}",
                        difference_fen=ours[-1] - theirs[-1],
                        since_ms=told.at.at_ms,
                    )
                sums.clear()
            elif (closed := ends.get(told.at.seq)) is not None:
                sums[closed.outcome] += 1
                sums["amount_fen"] += closed.amount_fen


def _cabinet(name: str, book: CabinetBook) -> CabinetDay:
    states = Counter(one.state for one in book.seen)
    return CabinetDay(
        cabinet=name,
        scanned_ms=None if book.last is None else book.last.at_ms,
        slots=len(book.seen),
        packs=states["pack"],
        empty=states["empty"],
        unsure=states["unsure"],
        by_records=sum(bool(code) for code in book.packs.values()),
        scans=book.scans,
        differences=len(book.differences),
    )


def _now(packs: Sequence[Custody], ends_ms: int) -> FleetNow:
    places = Counter(pack.place.at for pack in packs)
    rentals = [rental for pack in packs for rental in pack.rentals]
    cycles = [pack.cycles for pack in packs if pack.cycles is not None]
    return FleetNow(
        packs=len(packs),
        in_slots=places[At.SLOT],
        with_riders=places[At.RIDER],
        with_staff=places[At.STAFF],
        lost=places[At.LOST],
        unknown=places[At.UNKNOWN],
        hot=sum(pack.hot for pack in packs),
        rented=sum(rental.open for rental in rentals),
        late=sum(rental.is_late(ends_ms // 1000) for rental in rentals),
        overdue=sum(0 < pack.inspect_by_s * 1000 < ends_ms for pack in packs),
        deposits_fen=sum(
            it.amount for rental in rentals if rental.open for it in rental.deposits if it.asset == DEPOSIT
        ),
        cycles_max=max(cycles, default=None),
    )
