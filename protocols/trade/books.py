"""What do a log's moves do to the books? Pure double entry: one transfer for each move, a fold, and its invariants.

    log            effect     debited                       credited
    a site's       used       lease:{account}:{site}:{epoch}  revenue:{site}
                   returned   lease:{account}:{site}:{epoch}  cust:{account}
                              of a DEPOSIT, instead           deposit:{account}
                   overrun    overrun:{site}                  revenue:{site}
    headquarters'  paid-in    channel:{place}:clearing        cust:{account}
                   paid-out   cust:{account}                  channel:{place}:clearing
                   granted    cust:{account}                  lease:{account}:{site}:{epoch}, place being `site/epoch`
                   freed      lease, as above                 cust:{account}
                   loaned     operator:offline-risk           cust:{account}, place as above
                   repaid     lease, as above                 operator:offline-risk
                   charged    cust:{account}                  operator:offline-risk, place as above
                   forked     operator:offline-risk           revenue:{site} of the place
                   refund-due cust:{account}                  refund:{place}
                   refunded   refund:{place}                  channel:{place}:clearing
                   deposit-   back, kept, unkept: of a deposit, place being the site that took it
                       back   deposit:{account}               cust:{account}
                       kept   deposit:{account}               revenue:{place}
                     unkept   revenue:{place}                 cust:{account}
                   sold       cust:{account}                  prepaid:{place}, the plan that was sold
    either         any other  suspense:quarantine             suspense:unknown

Headquarters' own log is the one of site "". Customers' money is a liability, so the balance of cust, lease and deposit
is credits minus debits. A move that nobody here understands stays inside suspense: it is counted and seen, and moves no
customer's money. A transfer that would overdraw a customer, a lease, a refund or a deposit is posted `quarantined`
instead: a capture still credits revenue, and suspense:quarantine holds the debt until a person decides who owes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import msgspec

from protocols.trade.records import Effect, Move, Record
from protocols.trade.records_pack import DEPOSIT, DEPOSIT_WAIVED

QUARANTINE = "suspense:quarantine"
UNKNOWN = "suspense:unknown"
OPERATOR_RISK = "operator:offline-risk"
"""What the operator has paid in place of sites that were silent, cloned or out of reach. Its own loss, if it stays."""

HQ = ""
"""The site of headquarters' own log."""

_SITE_EFFECTS = frozenset({Effect.USED, Effect.RETURNED, Effect.OVERRUN})
_AT_A_LEASE = frozenset({Effect.GRANTED, Effect.FREED, Effect.LOANED, Effect.REPAID, Effect.CHARGED, Effect.FORKED})
_AT_A_CHANNEL = frozenset({Effect.PAID_IN, Effect.PAID_OUT, Effect.REFUND_DUE, Effect.REFUNDED})
_OF_A_DEPOSIT = frozenset({Effect.DEPOSIT_BACK, Effect.DEPOSIT_KEPT, Effect.DEPOSIT_UNKEPT})
_HQ_EFFECTS = _AT_A_LEASE | _AT_A_CHANNEL | _OF_A_DEPOSIT | {Effect.SOLD}
DEPOSITS = frozenset({DEPOSIT, DEPOSIT_WAIVED})
"""Assets that are no revenue when a site uses them: they wait at headquarters for what they are the deposit of."""
GUARDED = ("cust:", "lease:", "refund:", "deposit:")
"""Ledger accounts that never go below zero."""


class Transfer(msgspec.Struct, frozen=True):
    """`amount` (above 0, in the asset's smallest unit) moves from the debited account to the credited one."""

    debit: str
    credit: str
    asset: str
    amount: int


def cust(account: str) -> str:
    return f"cust:{account}"


def lease(account: str, site: str, epoch: int) -> str:
    """What has been granted to the account at this site and epoch and is neither used nor returned."""
    return f"lease:{account}:{site}:{epoch}"


def revenue(site: str) -> str:
    return f"revenue:{site}"


def overrun(site: str) -> str:
    return f"overrun:{site}"


def channel(place: str) -> str:
    return f"channel:{place}:clearing"


def refund(place: str) -> str:
    """What is owed to customers through this channel and has not been paid yet."""
    return f"refund:{place}"


def deposit(account: str) -> str:
    """What the account has lying as deposits for the packs that it has."""
    return f"deposit:{account}"


def prepaid(place: str) -> str:
    """What customers have paid for this plan. What they use of it is counted in the plan's own asset."""
    return f"prepaid:{place}"


def transfers(site: str, epoch: int, record: Record) -> list[Transfer]:
    """One transfer for each move, in order. A move of 0 moves nothing and has none."""
    return [transfer_of(site, epoch, move) for move in record.moves if move.amount]


def transfer_of(site: str, epoch: int, move: Move) -> Transfer:
    """What this move means. One that means nothing here goes from QUARANTINE to UNKNOWN; see `why_unknown`."""
    if why_unknown(site, move):
        return Transfer(QUARANTINE, UNKNOWN, move.asset, move.amount)
    debit, credit = _accounts(site, epoch, move)
    return Transfer(debit, credit, move.asset, move.amount)


def why_unknown(site: str, move: Move) -> str:
    """Why the move has no accounts of its own; empty when it has."""
    known = _SITE_EFFECTS if site else _HQ_EFFECTS
    if move.effect not in known:
        owner = "a site's" if site else "headquarters'"
        return f"effect {move.effect!r} is none of {owner} effects: {', '.join(sorted(known))}"
    if ":" in move.account and move.effect != Effect.OVERRUN:  # an overrun's account is not part of its code
        return f"account {move.account!r} has a colon in it, so its ledger account could be another one's"
    if site and move.place:
        return f"a site moves value at its own place, which is written empty; got {move.place!r}"
    if not site and move.effect in _AT_A_LEASE and _split_lease(move.place) is None:
        return f"the place of {move.effect!r} is `site/epoch`; got {move.place!r}"
    if not site and (not move.place or ":" in move.place):
        return f"expected the name of a channel, site or plan without a colon; got {move.place!r}"
    return ""


def _accounts(site: str, epoch: int, move: Move) -> tuple[str, str]:
    """(debited, credited) of a move that is known."""
    match move.effect:
        case Effect.USED:
            held = move.asset in DEPOSITS
            return lease(move.account, site, epoch), deposit(move.account) if held else revenue(site)
        case Effect.RETURNED:
            return lease(move.account, site, epoch), cust(move.account)
        case Effect.OVERRUN:
            return overrun(site), revenue(site)
        case Effect.PAID_IN:
            return channel(move.place), cust(move.account)
        case Effect.PAID_OUT:
            return cust(move.account), channel(move.place)
        case Effect.REFUND_DUE:
            return cust(move.account), refund(move.place)
        case Effect.REFUNDED:
            return refund(move.place), channel(move.place)
        case Effect.LOANED:
            return OPERATOR_RISK, cust(move.account)
        case Effect.CHARGED:
            return cust(move.account), OPERATOR_RISK
        case Effect.DEPOSIT_BACK:
            return deposit(move.account), cust(move.account)
        case Effect.DEPOSIT_KEPT:
            return deposit(move.account), revenue(move.place)
        case Effect.DEPOSIT_UNKEPT:
            return revenue(move.place), cust(move.account)
        case Effect.SOLD:
            return cust(move.account), prepaid(move.place)
    at = _split_lease(move.place)
    assert at is not None, move
    match move.effect:
        case Effect.FREED:
            return lease(move.account, *at), cust(move.account)
        case Effect.REPAID:
            return lease(move.account, *at), OPERATOR_RISK
        case Effect.FORKED:
            return OPERATOR_RISK, revenue(at[0])
    assert move.effect == Effect.GRANTED, move
    return cust(move.account), lease(move.account, *at)


def _split_lease(place: str) -> tuple[str, int] | None:
    """(site, epoch) of `site/epoch`; None for anything else."""
    site, _, epoch = place.rpartition("/")
    if not site or ":" in site or not (epoch.isascii() and epoch.isdecimal()) or epoch.startswith("0"):
        return None
    return site, int(epoch)


def quarantined(transfer: Transfer) -> Transfer:
    """How a transfer is posted that cannot be posted as meant: suspense owes it until a person decides.

    What was captured for goods delivered is revenue all the same. Anything else stays inside suspense; above all, what
    a site says it gave back is no money for a customer until somebody agrees.
    """
    captured = transfer.debit.startswith("lease:") and transfer.credit.startswith("revenue:")
    return Transfer(QUARANTINE, transfer.credit if captured else UNKNOWN, transfer.asset, transfer.amount)


# --- the fold --------------------------------------------------------------------------------------------------------


class Balance(NamedTuple):
    """All that was ever debited and credited, both only growing."""

    debits: int = 0
    credits: int = 0

    @property
    def owed(self) -> int:
        """Credits minus debits: the balance of a liability (cust, lease) and of revenue."""
        return self.credits - self.debits


Books: TypeAlias = Mapping[tuple[str, str], Balance]
"""(account code, asset) -> its balance."""

EMPTY = Balance()


def fold(books: Books, posted: Iterable[Transfer]) -> dict[tuple[str, str], Balance]:
    """The books after these transfers. Order makes no difference to the result."""
    after = dict(books)
    for transfer in posted:
        debit, credit = (transfer.debit, transfer.asset), (transfer.credit, transfer.asset)
        held = after.get(debit, EMPTY)
        after[debit] = Balance(held.debits + transfer.amount, held.credits)
        held = after.get(credit, EMPTY)
        after[credit] = Balance(held.debits, held.credits + transfer.amount)
    return after


def overdraws(books: Books, transfer: Transfer) -> bool:
    """Would it take an account below zero that must never be?"""
    held = books.get((transfer.debit, transfer.asset), EMPTY)
    return transfer.debit.startswith(GUARDED) and held.owed < transfer.amount


# --- what must always be true ----------------------------------------------------------------------------------------


class Lease(NamedTuple):
    """The key of a grant: value of one asset, set apart for one account at one site and epoch."""

    account: str
    asset: str
    site: str
    epoch: int


class LeaseCounters(NamedTuple):
    """What headquarters has granted, has seen used and returned, and has freed once the epoch had closed (to the
    customer or, up to what was loaned, to the operator). All cumulative."""

    granted: int = 0
    used: int = 0
    returned: int = 0
    freed: int = 0

    @property
    def rights(self) -> int:
        """What the site may still have, as far as headquarters can know."""
        return self.granted - self.used - self.returned - self.freed


class Breach(msgspec.Struct, frozen=True):
    """An invariant that does not hold. expected and got are in the asset's smallest unit."""

    rule: str
    account: str
    asset: str
    expected: int
    got: int


def breaches(books: Books, leases: Mapping[Lease, LeaseCounters] | None = None) -> list[Breach]:
    """Every broken invariant, in the order of the accounts; empty for sound books.

    Debits equal credits in each asset; no customer, lease, refund or deposit is below zero; each lease is G - U - R
    less what was freed. leases: None leaves the last one out; a lease that books know and `leases` does not counts as
    never granted.
    """
    found: list[Breach] = []
    for asset in sorted({asset for _, asset in books}):
        debited = sum(held.debits for (_, its), held in books.items() if its == asset)
        credited = sum(held.credits for (_, its), held in books.items() if its == asset)
        if debited != credited:
            found.append(Breach("debits-equal-credits", "", asset, debited, credited))
    for (code, asset), held in sorted(books.items()):
        if code.startswith(GUARDED) and held.owed < 0:
            found.append(Breach("never-negative", code, asset, 0, held.owed))
    if leases is None:
        return found
    meant = {(lease(key.account, key.site, key.epoch), key.asset): counters for key, counters in leases.items()}
    held_codes = {code for code in books if code[0].startswith("lease:")}
    for code, asset in sorted(meant.keys() | held_codes):
        counters = meant.get((code, asset), LeaseCounters())
        owed = books.get((code, asset), EMPTY).owed
        if owed != counters.rights:
            found.append(Breach("lease-is-what-is-left-of-the-grant", code, asset, counters.rights, owed))
    return found


# --- counters --------------------------------------------------------------------------------------------------------


class CounterKey(NamedTuple):
    """What a move's counter counts, within one log."""

    effect: str
    account: str
    asset: str
    place: str


class CounterBreak(msgspec.Struct, frozen=True):
    """A move whose counter is not the one before it plus its amount: a record is missing, doubled or altered."""

    key: CounterKey
    amount: int
    expected: int
    got: int


def check_counters(last: Mapping[CounterKey, int], moves: Sequence[Move]) -> list[CounterBreak]:
    """Every break in these moves of one record. last: each counter before the record; one not in it stood at 0."""
    seen: dict[CounterKey, int] = {}
    found: list[CounterBreak] = []
    for move in moves:
        key = counter_key(move)
        expected = seen.get(key, last.get(key, 0)) + move.amount
        if move.counter != expected:
            found.append(CounterBreak(key, move.amount, expected, move.counter))
        seen[key] = move.counter
    return found


def counters_after(moves: Sequence[Move]) -> dict[CounterKey, int]:
    """Where these moves leave their counters: to be merged into `last` of the next record."""
    return {counter_key(move): move.counter for move in moves}


def counter_key(move: Move) -> CounterKey:
    return CounterKey(move.effect, move.account, move.asset, move.place)


def lease_counters(site: str, epoch: int, counters: Mapping[CounterKey, int]) -> dict[Lease, LeaseCounters]:
    """What one log's counters tell of leases: a site's log tells what was used and returned, headquarters' (site "")
    what was granted. To be added over all logs. Counters of moves that have no accounts of their own tell nothing.
    """
    told: dict[Lease, LeaseCounters] = {}
    for key, total in counters.items():
        field = _LEASE_FIELDS.get(key.effect)
        if field is None or why_unknown(site, Move(*key, 0, 0)):
            continue
        at = _split_lease(key.place) if site == HQ else (site, epoch)
        assert at is not None, key
        lease_key = Lease(key.account, key.asset, *at)
        so_far = told.get(lease_key, LeaseCounters())
        told[lease_key] = so_far._replace(**{field: getattr(so_far, field) + total})
    return told


_LEASE_FIELDS: dict[str, str] = {
    Effect.GRANTED: "granted",
    Effect.USED: "used",
    Effect.RETURNED: "returned",
    Effect.FREED: "freed",
    Effect.REPAID: "freed",
}
