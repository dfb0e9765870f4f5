"""Which rights does a session set aside, of whom, in which order? And when does the operator's risk pool stand in?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from edge.till import purse
from edge.till.ask import Refusal, Refused, Source, Want
from edge.till.state import Lease, TillState, lease_key
from protocols.trade.records import CNY, RISK, Hold
from protocols.trade.tender import HOLDS_MAX, Tender, Tenders, all_worth_fen, tender_of, units_for, worth_fen


@dataclass(frozen=True, slots=True)
class Need:
    """What a session wants to hold.

    target_fen: exact: by all payers together, no less; otherwise at most by each account, and as much as there is.
    least_fen: with less it cannot start. suffices: whether these holds could pay that, whatever lines it falls on.
    """

    target_fen: int
    exact: bool
    least_fen: int
    suffices: Callable[[Sequence[Hold]], bool]


@dataclass(slots=True)
class Aside:
    """The holds of all payers so far, in their order. rights_fen: what they might spend here, held or not.

    missing_fen: of the target, what is short for want of rights (and not because of a limit on one session).
    """

    holds: list[Hold] = field(default_factory=list)
    wants: list[Want] = field(default_factory=list)
    rights_fen: int = 0
    missing_fen: int = 0


def set_aside(
    state: TillState, sources: Sequence[Source], need: Need, tenders: Tenders, clock_lb_ms: int
) -> Aside | Refused:
    """The holds for `need` from these sources. Every source must be fit to pay, or nothing is held."""
    aside = Aside()
    left_fen, short_fen = need.target_fen, 0
    by_account: dict[str, int] = {}
    for source in sources:
        lease = purse.lease_of(state, account=source.account, credential=source.credential, asset=source.asset)
        tender = tender_of(source.asset, tenders)
        if tender is None or source.account == RISK:
            return Refused(Refusal.UNKNOWN_ACCOUNT, f"{source.asset} of {source.account} pays nothing at this site")
        account_fen = need.target_fen - by_account.get(lease.account if lease else source.account, 0)
        allowed = units_for(max(0, left_fen if need.exact else account_fen), tender)
        if lease is None:
            what = f"account {source.account}" if source.account else "the card"
            aside.wants.append(Want(source, allowed))
            return Refused(Refusal.UNKNOWN_ACCOUNT, f"{what} is not known at this site", tuple(aside.wants))
        if lease.session_limit:
            allowed = min(allowed, lease.session_limit)
        already = sum(hold.amount for hold in aside.holds if (hold.account, hold.asset) == (lease.account, lease.asset))
        want = Want(Source(lease.account, source.credential, lease.asset), purse.want(lease, already + allowed))
        unfit = _unfit(lease, clock_lb_ms)
        if unfit is not None:
            return Refused(unfit[0], unfit[1], (*aside.wants, want))
        rights = lease.rights - already
        units = min(allowed, rights)
        if units < allowed:
            aside.wants.append(want)
            short_fen += worth_fen(allowed, tender) - worth_fen(units, tender)
        worth = _hold(aside, lease, tender, units)
        aside.rights_fen += worth_fen(rights, tender)
        left_fen -= worth
        by_account[lease.account] = by_account.get(lease.account, 0) + worth
    aside.missing_fen = min(max(0, left_fen), short_fen) if need.exact else short_fen
    return _enough(aside, need, tenders)


def who_pays(
    state: TillState,
    sources: Sequence[Source],
    credential: bytes,
    need: Need,
    tenders: Tenders,
    clock_lb_ms: int,
    *,
    risk_fen: int,
) -> Aside | Refused:
    """The holds for `need` from these sources, or, where they are short, the operator's risk pool's for up to risk_fen
    of this credential.
    """
    aside = set_aside(state, sources, need, tenders, clock_lb_ms)
    if not isinstance(aside, Refused):
        return aside
    short = aside.refusal in (Refusal.UNKNOWN_ACCOUNT, Refusal.NOT_ENOUGH) and bool(aside.wants)
    at_risk = from_the_risk_pool(state, credential, need, clock_lb_ms, risk_fen if short else 0)
    return aside if at_risk is None else Aside(holds=at_risk)


def from_the_risk_pool(
    state: TillState, credential: bytes, need: Need, clock_lb_ms: int, per_card_fen: int
) -> list[Hold] | None:
    """The one hold of a sale at the operator's own risk: all of it is the operator's, nothing the customer's.

    At most per_card_fen for one credential in an epoch, at most the pool's limit in one session, and at most what the
    pool has left. None: the pool does not stand in.
    """
    lease = state.leases.get(lease_key(RISK, CNY))
    if not credential or lease is None or _unfit(lease, clock_lb_ms) is not None:
        return None
    hold_fen = min(need.target_fen, per_card_fen - state.risk_used.get(credential, 0), lease.rights)
    if lease.session_limit:
        hold_fen = min(hold_fen, lease.session_limit)
    if hold_fen < need.least_fen or (need.exact and hold_fen < need.target_fen):
        return None
    return [Hold(RISK, CNY, hold_fen)]


def _unfit(lease: Lease, clock_lb_ms: int) -> tuple[Refusal, str] | None:
    if lease.frozen:
        return Refusal.ACCOUNT_FROZEN, "headquarters has frozen the account"
    if purse.expired(lease, clock_lb_ms):
        return Refusal.GRANT_EXPIRED, "what the site knows of this account is too old"
    return None


def _hold(aside: Aside, lease: Lease, tender: Tender, units: int) -> int:
    """Hold so many units, each by itself where they cannot be divided. What the holds are worth, in fen."""
    room = HOLDS_MAX - len(aside.holds)
    parts = [units] if tender.divisible else [1] * units
    held = [Hold(lease.account, lease.asset, part) for part in parts[:room] if part]
    aside.holds += held
    return sum(worth_fen(hold.amount, tender) for hold in held)


def _enough(aside: Aside, need: Need, tenders: Tenders) -> Aside | Refused:
    held_fen = all_worth_fen(aside.holds, tenders)
    wanted_fen = held_fen + aside.missing_fen
    wants = tuple(aside.wants)
    if need.exact and wanted_fen < need.least_fen:
        return Refused(
            Refusal.NOT_ENOUGH, f"the preset holds {wanted_fen} fen, the least that can start is {need.least_fen} fen"
        )
    if held_fen < need.least_fen or (need.exact and aside.missing_fen):
        needed_fen = wanted_fen if need.exact else need.least_fen
        detail = f"{aside.rights_fen} fen may be spent here, {needed_fen} fen are needed"
        return Refused(Refusal.NOT_ENOUGH, detail, wants)
    if not need.suffices(aside.holds):
        detail = f"what is held may not pay every line of the {need.least_fen} fen that a start may cost"
        return Refused(Refusal.NOT_ENOUGH, detail, wants)
    if need.exact and not aside.missing_fen:
        aside.wants = []
    return aside
