"""Where is a pack, who answers for it, and what became of it? A pure fold of its facts, from the logs of all sites.

Records of different sites come in any order, so the fold sorts first. The rule, in this order:

1. Facts of one site stand as in its log: epoch, seq, position.
2. Of two sites, what surely happened before stands before: its upper bound is below the other's lower bound.
3. Otherwise by the estimated time, kept within the bounds that 1 and 2 give; then by site.

A fact that does not follow from those before it (a pack in two places, taken from where it was not) is a doubt with
both records named, and the fold goes on from the later one. Where even the last place is open, because facts of two
sites may have happened either way round, the latest scan decides: it saw the pack.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from protocols.trade.pack_facts import Fact, What
from protocols.trade.records_pack import PackSeen
from protocols.trade.rentals import Rental


class At(StrEnum):
    """Who has it."""

    SLOT = "slot"
    RIDER = "rider"
    STAFF = "staff"
    LOST = "lost"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Place:
    """site: where it is, or was seen last; empty: nowhere known. cabinet, slot: "" and 0 unless it stands in a slot.
    account: the rider who has it or, where nobody knows, in whose session it went out of sight.
    """

    at: At
    site: str = ""
    cabinet: str = ""
    slot: int = 0
    account: str = ""

    def __str__(self) -> str:
        match self.at:
            case At.SLOT:
                return f"{self.site} {self.cabinet} slot {self.slot}"
            case At.RIDER:
                return f"rider {self.account}"
            case At.STAFF:
                return f"staff of {self.site or 'headquarters'}"
            case At.UNKNOWN if self.account:
                return f"unknown, out of sight in a session of {self.account}"
            case _:
                return self.at.value


NOWHERE = Place(At.UNKNOWN)


class Doubt(StrEnum):
    """Why a fact does not follow from those before it."""

    TWO_PLACES = "two-places"  # it stood in one slot and turns up in another
    NOT_THERE = "not-there"  # it was taken from where it was not
    OTHER_RIDER = "other-rider"  # one rider had it, another put it in
    RENTED_STANDS = "rented-stands"  # a rented pack stands in a slot and was not returned
    LOST_TURNED_UP = "lost-turned-up"
    EITHER_WAY = "either-way"  # which of two places is the last one cannot be told


@dataclass(frozen=True, slots=True)
class Question:
    """A doubt, the place that was believed, and the two records that do not fit together."""

    doubt: Doubt
    believed: Place
    before: Fact | None
    fact: Fact


@dataclass(frozen=True, slots=True)
class Custody:
    """A pack as it stands. since: the fact that put it there. seen: its newest reading; None: never read.

    cycles: the most that it ever said. inspect_by_s: Unix time; 0: no date. number: its network number; 0: none.
    """

    code: str
    place: Place = NOWHERE
    since: Fact | None = None
    seen: PackSeen | None = None
    seen_ms: int = 0
    cycles: int | None = None
    hot: bool = False
    inspect_by_s: int = 0
    number: int = 0
    rentals: tuple[Rental, ...] = ()
    questions: tuple[Question, ...] = ()

    @property
    def answers(self) -> str:
        """Who answers for it: the rider who has it, or in whose session it went out of sight, else the site that had it
        last; empty: nobody.
        """
        return self.place.account or self.place.site

    @property
    def rental(self) -> Rental | None:
        """The one that has not ended; None: there is none."""
        return next((one for one in reversed(self.rentals) if one.open), None)


def fold(code: str, facts: Iterable[Fact]) -> Custody:
    """The pack of this code after all these facts of it, given in any order."""
    ordered = in_order(facts)
    custody = Custody(code)
    for fact in ordered:
        custody = _after(custody, fact)
    return _settle_the_last(custody, ordered)


# --- the order -------------------------------------------------------------------------------------------------------


def in_order(facts: Iterable[Fact]) -> list[Fact]:
    """By the rule above; the same for any order in which they come, and each once."""
    by_site: dict[str, list[Fact]] = {}
    for fact in facts:
        by_site.setdefault(fact.site, []).append(fact)
    timed: list[tuple[int, str, int, int, int, Fact]] = []
    for site, its in by_site.items():
        its.sort(key=lambda one: (one.epoch, one.seq, one.position))
        last: tuple[int, int, int] | None = None
        for instant, one in zip(_instants(its), its, strict=True):
            if (here := (one.epoch, one.seq, one.position)) != last:
                timed.append((instant, site, *here, one))
            last = here
    timed.sort(key=lambda row: row[:-1])
    return [row[-1] for row in timed]


def _instants(of_a_site: Sequence[Fact]) -> list[int]:
    """One instant for each fact of a site, in its order: within its bounds and never falling. Choosing one within the
    bounds keeps whatever the bounds prove.
    """
    highest: list[int | None] = []
    most: int | None = None
    for fact in reversed(of_a_site):
        most = fact.ub_ms if most is None else most if fact.ub_ms is None else min(most, fact.ub_ms)
        highest.append(most)
    instants: list[int] = []
    least: int | None = None
    for fact, upper in zip(of_a_site, reversed(highest), strict=True):
        instant = max(fact.lb_ms, fact.at_ms if upper is None else min(fact.at_ms, upper))
        least = instant if least is None else max(least, instant)
        instants.append(least)
    return instants


def _surely_before(one: Fact, other: Fact) -> bool:
    """Did `one` happen before `other`, whatever the clocks were?"""
    if one.site == other.site:
        return (one.epoch, one.seq, one.position) < (other.epoch, other.seq, other.position)
    return one.ub_ms is not None and one.ub_ms < other.lb_ms


# --- one fact after the other ----------------------------------------------------------------------------------------


def _after(custody: Custody, fact: Fact) -> Custody:
    if fact.pack is not None:
        cycles = max((it for it in (custody.cycles, fact.pack.cycles) if it is not None), default=None)
        custody = replace(custody, seen=fact.pack, seen_ms=fact.at_ms, cycles=cycles)
    match fact.what:
        case What.HOT:
            return replace(custody, hot=True)
        case What.CLEAR:
            return replace(custody, hot=False)
        case What.INSPECTED:
            return replace(custody, inspect_by_s=fact.value) if fact.value else custody
        case What.NUMBERED:
            return replace(custody, number=fact.value)
        case What.EXTENDED:
            return replace(custody, rentals=_last(custody.rentals, lambda one: one.extended(fact.value)))
    doubt = _doubt(custody, fact)
    if doubt is not None:
        question = Question(doubt, custody.place, custody.since, fact)
        custody = replace(custody, questions=(*custody.questions, question))
    rentals = custody.rentals
    word_of_hq = not fact.site
    if fact.what is What.PUT_IN or (fact.what is What.STAFF and word_of_hq):
        rentals = _last(rentals, lambda one: one.returned(fact))
    elif fact.what is What.LOST:
        rentals = _last(rentals, lambda one: one.lost(fact))
    elif fact.what is What.TAKEN:
        # Whoever had rented it gave it back unseen: when it was seen to stand somewhere, or by now at the latest.
        seen = custody.since if custody.since is not None and custody.since.what is What.STANDS else fact
        rentals = tuple(one if one.goes_on_with(fact) or not one.open else one.returned(seen) for one in rentals)
        if fact.rent is not None:
            rentals = (*rentals, Rental.begin(fact, fact.rent))
    hot = custody.hot or fact.what is What.LOST
    return replace(custody, place=place_of(fact), since=fact, rentals=rentals, hot=hot)


def place_of(fact: Fact) -> Place:
    """Where a fact leaves the pack."""
    match fact.what:
        case What.PUT_IN | What.STANDS:
            return Place(At.SLOT, fact.site, fact.cabinet, fact.slot)
        case What.TAKEN:
            return Place(At.RIDER, fact.site, account=fact.account)
        case What.STAFF:
            return Place(At.STAFF, fact.site or fact.cabinet)
        case What.LOST:
            return Place(At.LOST, fact.site)
        case _:
            return Place(At.UNKNOWN, fact.site, account=fact.account)


def _doubt(custody: Custody, fact: Fact) -> Doubt | None:
    """What is wrong with this fact here; None: it follows."""
    was, is_at = custody.place, place_of(fact)
    if fact.what in (What.LOST, What.STAFF) and not fact.site:
        return None  # headquarters' word is an answer
    if was.at is At.LOST:
        return Doubt.LOST_TURNED_UP if is_at.at in (At.SLOT, At.RIDER) else None
    match fact.what:
        case What.TAKEN if was.at in (At.RIDER, At.SLOT) and (was.at is At.RIDER or _slot(was) != _slot_of(fact)):
            return Doubt.NOT_THERE
        case What.PUT_IN if was.at is At.RIDER and was.account != fact.account:
            return Doubt.OTHER_RIDER
        case What.PUT_IN if was.at is At.SLOT and was != is_at:
            return Doubt.TWO_PLACES
        case What.STANDS if was.at is At.SLOT and was != is_at:
            return Doubt.TWO_PLACES
        case What.STANDS if was.at is At.RIDER:
            return Doubt.RENTED_STANDS if custody.rental is not None else Doubt.OTHER_RIDER
        case What.GONE | What.STAFF if was.at is At.SLOT and _slot(was) != _slot_of(fact):
            return Doubt.NOT_THERE
    return None


def _slot(place: Place) -> tuple[str, str, int]:
    return (place.site, place.cabinet, place.slot)


def _slot_of(fact: Fact) -> tuple[str, str, int]:
    return (fact.site, fact.cabinet, fact.slot)


def _last(rentals: tuple[Rental, ...], change: Callable[[Rental], Rental]) -> tuple[Rental, ...]:
    """The newest rental changed; one that has ended may be ended anew by its own rules."""
    return (*rentals[:-1], change(rentals[-1])) if rentals else ()


def _settle_the_last(custody: Custody, ordered: Sequence[Fact]) -> Custody:
    """Where a slot of another site may have had the pack after the last fact, as far as clocks tell: a question, and
    the latest scan among them is believed.
    """
    placed = [fact for fact in ordered if fact.what in _PLACING]
    if not placed or placed[-1].what is What.LOST or not placed[-1].site:
        return custody
    newest = placed[-1]
    last_of_site = {fact.site: fact for fact in placed}
    others = [
        fact
        for fact in last_of_site.values()
        if fact.site != newest.site and place_of(fact).at is At.SLOT and not _surely_before(fact, newest)
    ]
    if not others:
        return custody
    questions = [Question(Doubt.EITHER_WAY, place_of(newest), newest, fact) for fact in others]
    custody = replace(custody, questions=(*custody.questions, *questions))
    scans = [fact for fact in placed if fact.scan and (fact is newest or fact in others)]
    return replace(custody, place=place_of(scans[-1]), since=scans[-1]) if scans else custody


_PLACING = (What.PUT_IN, What.TAKEN, What.STANDS, What.GONE, What.STAFF, What.LOST)
