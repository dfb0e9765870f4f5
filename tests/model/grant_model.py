"""Every order of everything that can happen to two units of money at two sites, for good and for bad protocols.

A world is a value; `moves` gives all that may happen next. Messages are a set of which nothing is ever taken out, so
each may be lost, late, doubled, or overtaken by others. What is decided in a world is decided by production's own pure
functions: headquarters' raise, the till's fold and purse, the transfers of the books.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple, TypeVar

from msgspec.structs import replace

from cloud.grants import raise_for
from cloud.loans import Held, to_charge, to_lend, to_settle
from edge.till import purse
from edge.till.fold import apply
from edge.till.state import Lease, OpenSession, TillState, lease_key
from protocols.trade import books
from protocols.trade.grants import SIGNATURE_BYTES, Grant, join
from protocols.trade.records import (
    CNY,
    ClockQuality,
    Draft,
    Effect,
    EpochClosed,
    GrantAccepted,
    Hold,
    Move,
    Origin,
    Preset,
    Record,
    Register,
    SessionOpened,
    SessionVoided,
    Stamp,
    seal,
)

FUNDED = 2
"""Units that the customer has paid in."""
SITES = (0, 1)
T = TypeVar("T")
ACCOUNT, KEY, HELD = "A", lease_key("A", CNY), Held("A", CNY)
STAMP = Stamp(bytes(8), 0, 0, ClockQuality.SYNCHRONISED, 0, 0)


class Site(NamedTuple):
    """A site's lease, and its records that headquarters has not seen: the till's fold and the log, cut to what counts.

    expired: it takes no more holds (variant C).
    """

    granted: int = 0
    used: int = 0
    returned: int = 0
    held: int = 0
    closed: bool = False
    expired: bool = False
    unsent: tuple[str, ...] = ()


class World(NamedTuple):
    """free, leases, revenue: headquarters' books. granted: G of each lease. sent: grants under way, for ever.

    delivered: goods that customers have had, whatever any book says. lent: by the operator for what lies at a lost
    site, and not back yet. saved: a copy of site 0's disk; None: not made.
    """

    sites: tuple[Site, Site] = (Site(), Site())
    free: int = FUNDED
    leases: tuple[int, int] = (0, 0)
    revenue: int = 0
    granted: tuple[int, int] = (0, 0)
    sent: tuple[frozenset[int], frozenset[int]] = (frozenset(), frozenset())
    delivered: int = 0
    lost: tuple[bool, bool] = (False, False)
    lent: tuple[int, int] = (0, 0)
    saved: Site | None = None
    restored: bool = False


@dataclass(frozen=True)
class Protocol:
    """What may happen beside the ordinary. deltas: a grant says "so much more" instead of "so much in all".

    granted_max: no lease is raised further, as rights that come back could go out again for ever.
    """

    deltas: bool = False
    timeout: bool = False
    expiry: bool = False
    close: bool = False
    loans: bool = False
    rollback: bool = False
    granted_max: int = 3


class Step(NamedTuple):
    """What happens, in a few words, and the world after it."""

    what: str
    world: World


@dataclass(frozen=True)
class Verdict:
    """trace: the shortest way to a world with more delivered than paid in and lent, or with a customer below zero;
    None: there is none among `worlds`.
    """

    worlds: int
    trace: tuple[str, ...] | None


def explore(protocol: Protocol) -> Verdict:
    """Breadth first, so that the first bad world has the shortest trace."""
    start = World()
    came_from: dict[World, tuple[str, World] | None] = {start: None}
    waiting = deque([start])
    while waiting:
        world = waiting.popleft()
        for what, after in moves(world, protocol):
            if after in came_from:
                continue
            came_from[after] = (what, world)
            _check_books(after)
            if after.delivered > FUNDED + sum(after.lent) or after.free < 0:
                return Verdict(len(came_from), _trace(came_from, after))
            waiting.append(after)
    return Verdict(len(came_from), None)


def moves(world: World, protocol: Protocol) -> Iterator[Step]:
    """Everything that may happen next."""
    for at in SITES:
        yield from _at_headquarters(world, at, protocol)
        yield from _at_site(world, at, protocol)
    if protocol.rollback and world.saved is None:
        yield Step("copy the disk of s0", world._replace(saved=world.sites[0]))
    if protocol.rollback and world.saved is not None and not world.restored:
        yield Step("set back the disk of s0", _put(world, 0, world.saved)._replace(restored=True))


# --- headquarters ----------------------------------------------------------------------------------------------------


def _at_headquarters(world: World, at: int, protocol: Protocol) -> Iterator[Step]:
    site, granted = world.sites[at], world.granted[at]
    told_closed = site.closed and "closed" not in site.unsent
    for want in range(
        granted + 1, protocol.granted_max + 1
    ):  # whatever a site may ever have asked for, in a message of any age
        step = raise_for(want, granted, world.leases[at], world.free, FUNDED)
        if step and granted + step <= protocol.granted_max and not told_closed and not world.lost[at]:
            after = _post(world, books.HQ, Record("account-acted", 1, STAMP, [_granting(at, step, granted)], b""))
            message = step if protocol.deltas else granted + step
            yield Step(
                f"grant s{at} {message}{' more' if protocol.deltas else ''}",
                after._replace(
                    granted=_changed(world.granted, at, granted + step),
                    sent=_changed(world.sent, at, world.sent[at] | {message}),
                ),
            )
    if site.unsent and not (world.restored and at == 0):
        first, rest = site.unsent[0], site.unsent[1:]
        after = _put(world, at, site._replace(unsent=rest))
        after = _settle(after, at) if first == "closed" else _post(after, f"s{at}", _reported(first))
        if first == "returned":
            after = _charge_back(after, at)
        yield Step(f"s{at}'s {first!r} arrives", after)
    if protocol.loans and not told_closed and not world.lost[at]:
        yield Step(f"s{at} is lost", world._replace(lost=_changed(world.lost, at, True)))
    if world.lost[at]:
        more = to_lend({HELD: world.leases[at]}, {HELD: world.lent[at]}).get(HELD, 0)
        if more:
            yield Step(f"lend {more} for s{at}", _lent(world, at, Effect.LOANED, more))
    if world.leases[at] > 0 and (protocol.timeout or (protocol.expiry and site.expired)):
        yield Step(f"reclaim {world.leases[at]} from s{at}", _free(world, at))


def _post(world: World, site: str, record: Record) -> World:
    """The record's transfers, as the books tell them."""
    free, leases, revenue = world.free, list(world.leases), world.revenue
    for debit, credit, amount in _transfers(site, record.kind, tuple(record.moves)):
        for code, change in ((debit, -amount), (credit, amount)):
            match code.split(":"):
                case ["cust", _]:
                    free += change
                case ["lease", _, place, _]:
                    leases[int(place[1:])] += change
                case ["revenue", _]:
                    revenue += change
                case ["operator", "offline-risk"]:
                    pass  # the other side of a loan: `lent` counts it
                case _:
                    raise AssertionError(code)
    return world._replace(free=free, leases=(leases[0], leases[1]), revenue=revenue)


@cache
def _transfers(site: str, kind: str, record_moves: tuple[Move, ...]) -> list[tuple[str, str, int]]:
    record = Record(kind, 1, STAMP, list(record_moves), b"")
    return [(one.debit, one.credit, one.amount) for one in books.transfers(site, 1, record)]


def _free(world: World, at: int) -> World:
    """Give the customer all that stands in this lease."""
    return _act(world, at, Effect.FREED, world.leases[at])


def _settle(world: World, at: int) -> World:
    """The log has closed: what its lease still holds is the operator's, up to the loan, and else the customer's."""
    for repaid, freed in to_settle({HELD: world.leases[at]}, {HELD: world.lent[at]}).values():
        world = _act(_lent(world, at, Effect.REPAID, repaid), at, Effect.FREED, freed)
    return world


def _charge_back(world: World, at: int) -> World:
    """One unit has come back to the customer: on to the operator, if it was lent."""
    charged = to_charge({HELD: 1}, {HELD: world.lent[at]}).get(HELD, 0)
    return _lent(world, at, Effect.CHARGED, charged)


def _lent(world: World, at: int, effect: Effect, amount: int) -> World:
    lent = world.lent[at] + (amount if effect is Effect.LOANED else -amount)
    return _act(world, at, effect, amount)._replace(lent=_changed(world.lent, at, lent))


def _act(world: World, at: int, effect: Effect, amount: int) -> World:
    move = Move(effect, ACCOUNT, CNY, f"s{at}/1", amount, amount)
    return _post(world, books.HQ, Record("account-acted", 1, STAMP, [move], b""))


def _granting(at: int, step: int, granted: int) -> Move:
    return Move(Effect.GRANTED, ACCOUNT, CNY, f"s{at}/1", step, granted + step)


def _reported(what: str) -> Record:
    """The record of one unit, used or returned; its counter does not concern the books."""
    return Record("session-closed", 1, STAMP, [Move(Effect(what), ACCOUNT, CNY, "", 1, 1)], b"")


def _check_books(world: World) -> None:
    """Double entry never loses a unit, in good protocols or in bad ones."""
    assert world.free + sum(world.leases) + world.revenue == FUNDED + sum(world.lent), world


# --- a site ----------------------------------------------------------------------------------------------------------


def _at_site(world: World, at: int, protocol: Protocol) -> Iterator[Step]:
    site = world.sites[at]
    if site.closed:
        return  # what the real fold says to a record after the last is pinned beside the verdicts
    for message in sorted(world.sent[at]):
        after = _take(site, site.granted + message if protocol.deltas else message)
        if after != site and after.granted <= protocol.granted_max + FUNDED:
            yield Step(f"s{at} takes grant {message}", _put(world, at, after))
    if _rights(site) and not site.expired:
        yield Step(f"s{at} holds 1", _put(world, at, _hold(site)))
    if site.held:
        yield Step(f"s{at} captures 1", _put(world, at, _capture(site))._replace(delivered=world.delivered + 1))
        yield Step(f"s{at} releases 1", _put(world, at, _release(site)))
    if _rights(site):
        yield Step(f"s{at} returns {_rights(site)}", _put(world, at, _give_back(site)))
    if protocol.expiry and not site.expired and not site.held:
        yield Step(f"s{at} expires", _put(world, at, site._replace(expired=True)))
    if protocol.close and not site.held:
        yield Step(f"s{at} closes", _put(world, at, _close(site)))


@cache
def _take(site: Site, granted: int) -> Site:
    grant = Grant(ACCOUNT, CNY, "s", 1, granted, granted, 0, 2**40, 9, 9, 1, [])
    return _folded(site, Draft(GrantAccepted(join(grant, bytes(SIGNATURE_BYTES)))))


@cache
def _hold(site: Site) -> Site:
    return _folded(site, Draft(_opened()))


@cache
def _capture(site: Site) -> Site:
    state = _till(site)
    session = state.sessions[0]
    drawn, missing = purse.captures(state, session, {"energy": 1})
    assert not missing
    return _folded(site, Draft(SessionVoided(0, "Local"), tuple(drawn)), "used")


@cache
def _release(site: Site) -> Site:
    return _folded(site, Draft(SessionVoided(0, "Local")))


@cache
def _give_back(site: Site) -> Site:
    drafts = purse.returns(_till(site), [KEY], all_of_it=True)
    units = _rights(site)
    for draft in drafts:
        site = _folded(site, draft)
    return site._replace(unsent=(*site.unsent, *["returned"] * units))


@cache
def _close(site: Site) -> Site:
    return _folded(site, Draft(EpochClosed("re-provisioned")), "closed")


def _folded(site: Site, draft: Draft, told: str = "") -> Site:
    """The site after this record; told: what it tells headquarters."""
    state = apply(_till(site), seal(draft, STAMP))
    lease = state.leases.get(KEY) or Lease(ACCOUNT, CNY)
    unsent = (*site.unsent, told) if told else site.unsent
    return Site(lease.granted, lease.used, lease.returned, lease.held, state.closed, site.expired, unsent)


@cache
def _till(site: Site) -> TillState:
    """The till's state that `site` stands for: one lease, and a session for each unit that is held."""
    lease = Lease(
        ACCOUNT, CNY, site.granted, site.used, site.returned, site.held,
        serial=site.granted, expires_s=2**40, session_limit=9, may_stay=9,
    )  # fmt: skip
    opened = _opened()
    sessions = {seq: OpenSession(seq, STAMP, opened, tuple(opened.holds)) for seq in range(site.held)}
    state = TillState(site="s", epoch=1, size=100, leases={KEY: lease}, sessions=sessions)
    return replace(state, closed=site.closed)


@cache
def _opened() -> SessionOpened:
    begin = Register("m", 0, 0, 0)
    return SessionOpened("c", [Hold(ACCOUNT, CNY, 1)], Preset("full", 0), Origin("panel", b"", 0, ""), begin, [], 0, 0)


def _rights(site: Site) -> int:
    return _till(site).leases[KEY].rights


# --- small -----------------------------------------------------------------------------------------------------------


def _put(world: World, at: int, site: Site) -> World:
    return world._replace(sites=_changed(world.sites, at, site))


def _changed(pair: tuple[T, T], at: int, value: T) -> tuple[T, T]:
    return (value, pair[1]) if at == 0 else (pair[0], value)


def _trace(came_from: dict[World, tuple[str, World] | None], world: World) -> tuple[str, ...]:
    steps: list[str] = []
    while (before := came_from[world]) is not None:
        what, world = before
        steps.append(what)
    return tuple(reversed(steps))
