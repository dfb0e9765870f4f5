"""What an account may spend here, what a session sets aside, what it captures, and what goes back to headquarters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from edge.till.state import Lease, Open, TillState, lease_key
from protocols.trade.grants import split
from protocols.trade.records import CNY, Draft, Effect, Move, ValueReturned
from protocols.trade.tender import MONEY_ALONE, Tenders, draw


def lease_of(state: TillState, *, account: str = "", credential: bytes = b"", asset: str = CNY) -> Lease | None:
    """The lease of an account in this asset, or the richest that a credential opens. None: not known at this site."""
    if account:
        return state.leases.get(lease_key(account, asset))
    found = [state.leases[key] for key in state.wallets.get(credential, ())]
    fitting = [lease for lease in found if lease.asset == asset]
    return max(fitting, key=lambda lease: (lease.rights, lease.account), default=None)


def may_stop(state: TillState, session: Open, credential: bytes) -> bool:
    """Whether this credential may end the session: the one that opened it, or one that opens an account that pays."""
    opened_it = bool(credential) and session.opened.origin.credential == credential
    return opened_it or any(opens(state, credential, hold.account) for hold in session.holds)


def opens(state: TillState, credential: bytes, account: str) -> bool:
    """Whether this credential may draw on the account, and so also stop what it pays for."""
    return any(state.leases[key].account == account for key in state.wallets.get(credential, ()))


def expired(lease: Lease, clock_lb_ms: int) -> bool:
    """Soft expiry: provably past its time, so no new holds. The money stays where it is."""
    return clock_lb_ms >= lease.expires_s * 1000


def want(lease: Lease | None, need: int) -> int:
    """The total that headquarters should have granted so that `need` can be held. Asking twice changes nothing."""
    return need if lease is None else lease.used + lease.returned + lease.held + need


def captures(
    state: TillState, session: Open, owed: Mapping[str, int], tenders: Tenders = MONEY_ALONE
) -> tuple[list[Move], int]:
    """Draw what is owed (fen by line code) from the session's holds in their order. The moves, and what the holds did
    not cover."""
    drawn = draw(owed, session.holds, tenders)
    moves: list[Move] = []
    used: dict[str, int] = {}
    for hold, capture in zip(session.holds, drawn.captures, strict=True):
        if capture.units == 0:
            continue
        key = lease_key(hold.account, hold.asset)
        used[key] = used.get(key, state.leases[key].used) + capture.units
        moves.append(Move(Effect.USED, hold.account, hold.asset, "", capture.units, used[key]))
    return moves, drawn.overrun_fen


def returns(state: TillState, keys: Iterable[str], *, all_of_it: bool = False) -> list[Draft]:
    """Rights beyond what each grant lets stay at the site, given back. all_of_it: whatever may stay, as at CLOSE."""
    drafts: list[Draft] = []
    for key in dict.fromkeys(keys):
        lease = state.leases[key]
        excess = lease.rights - (0 if all_of_it else lease.may_stay)
        if excess > 0:
            move = Move(Effect.RETURNED, lease.account, lease.asset, "", excess, lease.returned + excess)
            drafts.append(Draft(ValueReturned(lease.account, lease.asset), (move,)))
    return drafts


def is_news(state: TillState, signed: bytes) -> bool:
    """Whether a grant for this site and epoch says more than the log already knows."""
    grant, _, _ = split(signed)
    if (grant.site, grant.epoch) != (state.site, state.epoch):
        return False
    lease = state.leases.get(lease_key(grant.account, grant.asset))
    return lease is None or grant.serial > lease.serial or grant.granted > lease.granted
