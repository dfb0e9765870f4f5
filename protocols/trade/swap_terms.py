"""What does a swap or a rented pack cost at a site, by which plans, and which packs are the fleet's? Signed by HQ.

A session pins the version it began under. Prices are exact and rounded once (`Bill`); a plan's swap costs units of the
plan's own asset and no money. What is known of single packs changes more often, and is a document of its own
(`pack_list`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Literal

import msgspec

from protocols.door import Fault
from protocols.trade import local_time
from protocols.trade.codec import Wire
from protocols.trade.quantities import largest_remainder, round_half_up, round_up
from protocols.trade.record_parts import CNY, Amount, BillLine, Name
from protocols.trade.records_pack import DEPOSIT, DEPOSIT_WAIVED, Permille
from protocols.trade.tariff import DAY_S, Offset

KIND = "swap-terms"
"""The document's kind."""

Rule = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[0-9A-Z?]+\*?\Z")]
"""Which codes: `?` is any one character, `*` at the end any rest. A code without either is that one pack."""


class SwapOffer(Wire, frozen=True):
    """One way to pay for a swap. name: what the opening record says.

    single: price_e3 each. energy: price_e3 per kWh by which the taken pack is fuller than the returned one, at least
    floor_fen and at most cap_fen. plan: `units` of `asset`, which the plan's sale has given; no price.
    asset: CNY unless it is a plan. interval_s: least time between two swaps of a rider by this offer; 0: none.
    full_permille: a pack below it is offered only with the rider's consent (`SwapTerms.consent_permille`).
    """

    name: Name
    kind: Literal["single", "energy", "plan"]
    asset: Name
    units: Amount
    price_e3: Amount
    floor_fen: Amount
    cap_fen: Amount
    interval_s: Amount
    full_permille: Permille


class RentOffer(Wire, frozen=True):
    """One term of rent: a day, a month. price_e3: of the whole term. models: that it is for; empty: all.

    late_e3: per day begun after the term. grace_s: so long after the term nothing is late yet.
    """

    name: Name
    models: list[Name]
    days: Annotated[int, msgspec.Meta(ge=1, le=3660)]
    price_e3: Amount
    grace_s: Amount
    late_e3: Amount


class Model(Wire, frozen=True):
    """Packs that may stand in for one another. rules: which codes are of it. fits: other models that this one's riders
    may be given. deposit_fen: for one rented pack; 0: none is asked.
    """

    name: Name
    rules: list[Rule]
    fits: list[Name]
    deposit_fen: Amount


class SwapTerms(Wire, frozen=True):
    """The document. swaps: in the order in which they are tried, plans as well as prices. models: the fleet's, the
    first that a code matches is its. consent_permille: nothing below is ever given out. offsets: as of a tariff, for
    the local time of bills.
    """

    version: Amount
    zone: Name
    offsets: list[Offset]
    swaps: list[SwapOffer]
    rents: list[RentOffer]
    models: list[Model]
    consent_permille: Permille


NO_SWAPS = SwapTerms(0, "UTC", [Offset(0, 0)], [], [], [], 0)
"""What holds before the first document: nothing is offered, and no pack is known as the fleet's."""


# --- which packs, which offer ----------------------------------------------------------------------------------------


def model_of(terms: SwapTerms, code: str) -> Model | None:
    """The fleet's model of this pack, by its code as read (upper case). None: it is not the fleet's."""
    return next((model for model in terms.models if any(_matches(rule, code) for rule in model.rules)), None)


def is_fleet(terms: SwapTerms, code: str) -> bool:
    return model_of(terms, code) is not None


def may_follow(terms: SwapTerms, returned: str, taken: str) -> bool:
    """May a rider who returned a pack of this code be given one of that? Both by their codes; False unless both are the
    fleet's.
    """
    old, new = model_of(terms, returned), model_of(terms, taken)
    return old is not None and new is not None and (new.name == old.name or new.name in old.fits)


def ways_to_pay(terms: SwapTerms) -> list[SwapOffer]:
    """How a rider's next swap may be paid, to be tried in this order: each plan, then the first price. A swap that a
    plan pays costs no money; whoever has none pays that price, and no other that is not asked for.
    """
    price = next((one for one in terms.swaps if one.kind != "plan"), None)
    return [*(one for one in terms.swaps if one.kind == "plan"), *(() if price is None else (price,))]


def swap_named(terms: SwapTerms, name: str) -> SwapOffer | None:
    return next((one for one in terms.swaps if one.name == name), None)


def rent_named(terms: SwapTerms, name: str) -> RentOffer | None:
    return next((one for one in terms.rents if one.name == name), None)


def rents_for(terms: SwapTerms, code: str) -> list[RentOffer]:
    """The terms by which the pack of this code may be rented, in the document's order; none for a foreign one."""
    model = model_of(terms, code)
    return [] if model is None else [one for one in terms.rents if not one.models or model.name in one.models]


def deposits_for(terms: SwapTerms, code: str) -> list[tuple[str, int]]:
    """(asset, units) of which one is to be held for renting the pack of this code, to be tried in this order: a waiver
    before money. Empty: no deposit is asked.
    """
    model = model_of(terms, code)
    if model is None or model.deposit_fen == 0:
        return []
    return [(DEPOSIT_WAIVED, 1), (DEPOSIT, model.deposit_fen)]


# --- what it costs ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Bill:
    """exact: fen before the one rounding, half up, that gives amount_fen. The lines add up to amount_fen."""

    lines: tuple[BillLine, ...]
    exact: Fraction
    amount_fen: int


FREE = Bill((), Fraction(0), 0)
"""Of a session in which nothing is charged."""


def price_swap(offer: SwapOffer, energy_wh: int | None) -> Bill:
    """A swap's bill in money; a plan's is one line of nothing. energy_wh: by how much the taken pack is fuller.

    By energy: None, or a pack that is no fuller, costs the floor; where floor or cap decides, the line says it as one
    swap at that price.
    """
    if offer.kind != "energy":
        return _bill([("swap", 1, offer.price_e3, Fraction(offer.price_e3, 1000))])
    gained_wh = max(0, energy_wh or 0)
    exact = Fraction(offer.price_e3 * gained_wh, 1_000_000)
    for limit_fen in (max(Fraction(offer.floor_fen), exact), min(Fraction(offer.cap_fen), exact)):
        if limit_fen != exact:
            return _bill([("swap", 1, int(limit_fen) * 1000, limit_fen)])
    return _bill([("energy", gained_wh, offer.price_e3, exact)])


def hold_for(offer: SwapOffer) -> int:
    """Units of the offer's asset that surely pay one swap: fen, or the plan's units."""
    match offer.kind:
        case "plan":
            return offer.units
        case "energy":
            return offer.cap_fen
        case "single":
            return round_up(Fraction(offer.price_e3, 1000))


def price_rent(rent: RentOffer) -> Bill:
    """One term, paid before."""
    return _bill([("rent", 1, rent.price_e3, Fraction(rent.price_e3, 1000))])


def rented_until_s(from_lb_s: int, from_ub_s: int | None, rent: RentOffer) -> int:
    """Unix time to which one term lasts that began within these bounds: the latest that may be meant."""
    return (from_lb_s if from_ub_s is None else max(from_lb_s, from_ub_s)) + rent.days * DAY_S


def late_days(grace_s: int, until_s: int, returned_lb_s: int) -> int:
    """Days begun after the term, for a pack that was surely out until returned_lb_s; 0 within the grace."""
    over_s = returned_lb_s - until_s
    return 0 if over_s <= grace_s else -(-over_s // DAY_S)


def price_late(grace_s: int, late_e3: int, until_s: int, returned_lb_s: int) -> Bill:
    """What comes on top for a late return, by the rent's own terms; FREE where it is in time."""
    days = late_days(grace_s, until_s, returned_lb_s)
    return _bill([("late", days, late_e3, Fraction(late_e3 * days, 1000))]) if days and late_e3 else FREE


def together(bills: Iterable[Bill]) -> Bill:
    """One bill of several: their exact sum, rounded once."""
    parts = [(line.code, line.quantity, line.price_e3, _exact(line)) for bill in bills for line in bill.lines]
    return _bill(parts)


def _exact(line: BillLine) -> Fraction:
    per = 1_000_000 if line.code == "energy" else 1000
    return Fraction(line.price_e3 * line.quantity, per)


def _bill(parts: Sequence[tuple[str, int, int, Fraction]]) -> Bill:
    exact = sum((part for *_, part in parts), Fraction(0))
    amount_fen = round_half_up(exact)
    shares = largest_remainder(amount_fen, [part for *_, part in parts]) if amount_fen else [0] * len(parts)
    lines = tuple(
        BillLine(code, 0, quantity, price_e3, fen)
        for (code, quantity, price_e3, _), fen in zip(parts, shares, strict=True)
    )
    return Bill(lines, exact, amount_fen)


# --- what must hold --------------------------------------------------------------------------------------------------


def disorder(terms: SwapTerms) -> list[Fault]:
    """What the types do not hold against it; empty for a document that may be put in force."""
    faults = local_time.disorder(terms)
    faults += _twice("swaps", [one.name for one in terms.swaps] + [one.name for one in terms.rents])
    faults += _twice("models", [model.name for model in terms.models])
    for index, offer in enumerate(terms.swaps):
        faults += _offer_faults(f"swaps[{index}]", offer, terms.consent_permille)
    models = {model.name for model in terms.models}
    for index, rent in enumerate(terms.rents):
        faults += _unknown(f"rents[{index}].models", rent.models, models)
        if not rent.price_e3:
            faults.append(Fault(f"rents[{index}].price_e3", "more than 0", "0"))
    for index, model in enumerate(terms.models):
        faults += _unknown(f"models[{index}].fits", model.fits, models - {model.name})
        if not model.rules:
            faults.append(Fault(f"models[{index}].rules", "at least one", "none", 'Like "BT3072020*".'))
    return faults


def _offer_faults(at: str, offer: SwapOffer, consent_permille: int) -> list[Fault]:
    faults: list[Fault] = []
    is_plan = offer.kind == "plan"
    if is_plan == (offer.asset in (CNY, DEPOSIT, DEPOSIT_WAIVED)) or offer.asset in (DEPOSIT, DEPOSIT_WAIVED):
        faults.append(Fault(f"{at}.asset", "an asset of its own" if is_plan else CNY, offer.asset))
    if is_plan != bool(offer.units):
        faults.append(Fault(f"{at}.units", "at least 1" if is_plan else "0: it costs money", str(offer.units)))
    if is_plan == bool(offer.price_e3):
        faults.append(Fault(f"{at}.price_e3", "0: a plan is paid before" if is_plan else "more than 0", "another"))
    if offer.kind == "energy" and not 0 < offer.cap_fen >= offer.floor_fen:
        faults.append(Fault(f"{at}.cap_fen", "more than 0, and not below the floor", str(offer.cap_fen)))
    if offer.kind != "energy" and (offer.cap_fen or offer.floor_fen):
        faults.append(Fault(f"{at}.cap_fen", "0: only prices by energy have floor and cap", str(offer.cap_fen)))
    if offer.full_permille < consent_permille:
        expected = f"at least {consent_permille}, below which nothing is given out"
        faults.append(Fault(f"{at}.full_permille", expected, str(offer.full_permille)))
    return faults


def _twice(at: str, names: Sequence[str]) -> list[Fault]:
    again = sorted({name for name in names if names.count(name) > 1})
    return [Fault(at, "each name once", ", ".join(again))] if again else []


def _unknown(at: str, names: Sequence[str], known: Iterable[str]) -> list[Fault]:
    odd = sorted(set(names) - set(known))
    return [Fault(at, f"some of {', '.join(sorted(known)) or '(none)'}", ", ".join(odd))] if odd else []


def _matches(rule: str, code: str) -> bool:
    stem, rest = (rule[:-1], True) if rule.endswith("*") else (rule, False)
    if not code or (len(code) < len(stem) if rest else len(code) != len(stem)):
        return False
    return all(wanted in ("?", got) for wanted, got in zip(stem, code, strict=False))
