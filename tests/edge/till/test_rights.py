"""Rights are spent once: proven by exhaustion for a small world, and tried at random in a larger one.

The small world: one customer with two fen, two sites, headquarters, and a network that loses, doubles, delays and
reorders whatever was ever sent. Every state that can be reached is visited, with the real functions of both sides.
The same search finds the overspending in protocols that are known to be wrong, so it would find it in ours.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec.structs import replace as changed

from cloud.grants import raise_for
from edge.till import purse
from edge.till.fold import apply
from edge.till.start import Opening
from edge.till.state import Lease, OpenSession, TillState, lease_key
from protocols.trade import books
from protocols.trade.books import Books
from protocols.trade.grants import Grant, join
from protocols.trade.records import (
    CNY,
    Draft,
    Effect,
    GrantAccepted,
    Hold,
    Move,
    Preset,
    Record,
    SessionClosed,
    SessionOpened,
    seal,
)
from tests.edge.till.story import CARD, Story

PAID_IN = 2
GRANTED_MAX = 3
"""Totals grow for ever as value goes out and comes back; three is enough for every interleaving of two fen."""
STATES_MAX = 400_000
KEY = lease_key("ann", CNY)


class At(NamedTuple):
    """A site's counters for the one account, and the holds of its open sessions."""

    granted: int = 0
    used: int = 0
    returned: int = 0
    holds: tuple[int, ...] = ()

    @property
    def spent(self) -> int:
        return self.used + sum(self.holds)


class Half(NamedTuple):
    """One site: what is true there, what headquarters has granted it and heard of it, and every message there ever was
    between the two.
    """

    at: At = At()
    granted: int = 0
    used: int = 0  # as headquarters has heard
    returned: int = 0
    sent: frozenset[tuple[object, ...]] = frozenset()

    @property
    def out(self) -> int:
        return self.granted - self.used - self.returned


class World(NamedTuple):
    """free: what headquarters may still grant."""

    free: int
    halves: tuple[Half, Half]


@dataclass(frozen=True)
class Rules:
    """The protocol, and what may be wrong with it."""

    deltas: bool = False  # a grant says "one more" instead of "so much in total"
    reclaims: bool = False  # headquarters takes back what a silent site has not used
    forgets: bool = False  # a site's disk may be rolled back to the day it was installed


BEGIN = World(PAID_IN, (Half(), Half()))
STORY = Story().grant(0)


# --- one site, by the real fold ---------------------------------------------------------------------------------------


def load(at: At) -> TillState:
    """The till's state with these counters; sessions get the first numbers."""
    lease = Lease("ann", CNY, at.granted, at.used, at.returned, sum(at.holds), credentials=(CARD,))
    sessions = {seq: _session(seq, hold) for seq, hold in enumerate(at.holds)}
    return changed(STORY.state, leases={KEY: lease}, sessions=sessions, size=max(STORY.state.size, len(sessions)))


def save(state: TillState) -> At:
    lease = state.leases[KEY]
    holds = tuple(sorted(session.hold_fen for session in state.sessions.values()))
    assert lease.held == sum(holds)
    return At(lease.granted, lease.used, lease.returned, holds)


def put(state: TillState, *drafts: Draft) -> TillState:
    for draft in drafts:
        state = apply(state, seal(draft, STORY.stamp()))
    return state


@cache
def acts(at: At) -> tuple[tuple[str, At], ...]:
    """All that a site may do by itself: hold a fen, end a session having used all of its hold or none, give back."""
    state, found = load(at), []
    if state.leases[KEY].rights >= 1:
        found.append(("hold", put(state, Draft(changed(OPENED, holds=[Hold("ann", CNY, 1)])))))
    for seq, session in state.sessions.items():
        for amount in {0, session.hold_fen}:
            moves, missing = purse.captures(state, session, {"energy": amount})
            assert missing == 0
            found.append((f"capture {amount}", put(state, Draft(changed(CLOSED, session=seq), tuple(moves)))))
    given_back = purse.returns(state, [KEY])
    if given_back:
        found.append(("return", put(state, *given_back)))
    return tuple((name, save(after)) for name, after in found)


@cache
def wants(at: At) -> int:
    return purse.want(load(at).leases[KEY], 1)


@cache
def accept(at: At, granted: int) -> At:
    grant = Grant("ann", CNY, STORY.site, 1, granted, granted, 0, 1, 0, 0, 1, [CARD])
    return save(put(load(at), Draft(GrantAccepted(join(grant, bytes(64))))))


# --- the whole world --------------------------------------------------------------------------------------------------


def steps(world: World, rules: Rules) -> Iterator[tuple[str, World]]:
    """Everything that can happen next."""
    for site, half in enumerate(world.halves):
        for what, free, after in _at_one(world.free, half, rules):
            halves = (after, world.halves[1]) if site == 0 else (world.halves[0], after)
            yield f"site {site}: {what}", World(free, halves)


def _at_one(free: int, half: Half, rules: Rules) -> Iterator[tuple[str, int, Half]]:
    at = half.at
    for name, after in acts(at):
        yield name, free, half._replace(at=after)
    for message in (("ask", wants(at)), ("tell", at.used, at.returned)):
        if message not in half.sent:
            yield f"{message} is sent", free, half._replace(sent=half.sent | {message})
    if rules.forgets and at != At():
        yield "rolled back", free, half._replace(at=At())
    if rules.reclaims and half.out:
        yield "taken back", free + half.out, half._replace(granted=half.granted - half.out)
    for message in half.sent:  # each may arrive at any time, again and again, or never
        yield f"{message} arrives", *_arrive(free, half, message, rules)


def _arrive(free: int, half: Half, message: tuple[object, ...], rules: Rules) -> tuple[int, Half]:
    match message:
        case ("ask", int(want)):
            step = raise_for(min(want, GRANTED_MAX), half.granted, half.out, free, PAID_IN)
            grant = ("grant", step if rules.deltas else half.granted + step)
            return free - step, half._replace(granted=half.granted + step, sent=half.sent | {grant})
        case ("grant", int(total)):
            total = min(GRANTED_MAX, half.at.granted + total) if rules.deltas else total
            return free, half._replace(at=accept(half.at, total))
        case ("tell", int(used), int(returned)):
            used, returned = max(used, half.used), max(returned, half.returned)
            return free + returned - half.returned, half._replace(used=used, returned=returned)
    raise AssertionError(message)


def mirrored(world: World) -> World:
    """One of the two worlds that differ only in which site is called the first."""
    first, second = world.halves
    return world if hash(first) <= hash(second) else World(world.free, (second, first))


def explore(rules: Rules) -> tuple[int, list[str] | None]:
    """Breadth first from the beginning. How many states there are, and the shortest way to an overspending, if any."""
    came: dict[World, tuple[World, str] | None] = {BEGIN: None}
    queue = deque([BEGIN])
    while queue:
        world = queue.popleft()
        if sum(half.at.spent for half in world.halves) > PAID_IN:
            return len(came), way_to(came, world)
        for name, after in steps(world, rules):
            known = mirrored(after) if rules == Rules() else after  # a way that is to be told keeps its names
            if known not in came:
                came[known] = (world, name)
                queue.append(known)
        assert len(came) < STATES_MAX
    for world in came:
        check(world)
    return len(came), None


def check(world: World) -> None:
    """Beyond not overspending: nobody is ever below zero, and headquarters' books hold all the money."""
    assert world.free >= 0
    assert world.free + sum(half.out + half.used for half in world.halves) == PAID_IN
    for half in world.halves:
        at = half.at
        assert at.granted - at.used - at.returned - sum(at.holds) >= 0
        assert at.granted <= half.granted
        assert half.used <= at.used
        assert half.returned <= at.returned


def way_to(came: dict[World, tuple[World, str] | None], world: World) -> list[str]:
    path: list[str] = []
    while (before := came[world]) is not None:
        world, name = before
        path.append(name)
    return path[::-1]


def test_no_order_loss_or_repetition_overspends() -> None:
    """Every reachable state of two sites and two fen: never more is captured and held than was paid in."""
    states, way = explore(Rules())
    assert way is None, "\n".join(way or [])
    assert states > 10_000, "the search has not been anywhere"
    print(f"{states} states")


@pytest.mark.parametrize("wrong", [Rules(deltas=True), Rules(reclaims=True), Rules(forgets=True)], ids=str)
def test_the_search_finds_what_is_known_to_be_wrong(wrong: Rules) -> None:
    """Grants by the piece, taking back on a time-out, and a disk rolled back: each is caught, with the way to it."""
    _, way = explore(wrong)
    assert way
    print(" -> ".join(way))


def _session(seq: int, hold: int) -> OpenSession:
    return OpenSession(seq, STORY.stamp(), OPENED, (Hold("ann", CNY, hold),))


def _one_of_each() -> tuple[SessionOpened, SessionClosed]:
    """A real opening and a real closing record, to be filled in."""
    story = Story().grant(100)
    seq = story.start()
    opened = story.state.sessions[seq].opened
    story.pass_time(10).stop().pass_time(3)
    return opened, story.bills[0]


OPENED, CLOSED = _one_of_each()


# --- at random, larger ------------------------------------------------------------------------------------------------

ACCOUNTS = {"ann": b"card-ann", "bob": b"card-bob"}
SITES = ("hz-1", "hz-2")


@dataclass
class Headquarters:
    """Folds the sites' logs and its own acts with the books that both sides share."""

    books: Books = field(default_factory=dict)
    granted: dict[tuple[str, str], int] = field(default_factory=dict)
    counters: dict[str, dict[books.CounterKey, int]] = field(default_factory=lambda: {site: {} for site in SITES})
    sizes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SITES, 0))

    def act(self, effect: Effect, account: str, place: str, amount: int) -> None:
        transfer = books.transfer_of(books.HQ, 1, Move(effect, account, CNY, place, amount, 0))
        assert not books.overdraws(self.books, transfer)
        self.books = books.fold(self.books, [transfer])

    def free(self, account: str) -> int:
        return self.books.get((books.cust(account), CNY), books.EMPTY).owed

    def outstanding(self, account: str, site: str) -> int:
        return self.books.get((books.lease(account, site, 1), CNY), books.EMPTY).owed

    def ingest(self, site: str, first: int, records: list[Record]) -> None:
        """A batch from `first` on: what is known is skipped, a gap is refused."""
        if first > self.sizes[site]:
            return
        for record in records[self.sizes[site] - first :]:
            assert books.check_counters(self.counters[site], record.moves) == []
            for transfer in books.transfers(site, 1, record):
                assert not books.overdraws(self.books, transfer)
                self.books = books.fold(self.books, [transfer])
            self.counters[site] |= books.counters_after(record.moves)
            self.sizes[site] += 1


class Fleet(RuleBasedStateMachine):
    """Two sites, two customers, headquarters; messages are kept and arrive in any order, any number of times."""

    @initialize()
    def begin(self) -> None:
        self.hq = Headquarters()
        self.sites = {site: Story(site=site) for site in SITES}
        self.post: list[tuple[object, ...]] = []
        self.paid_in = dict.fromkeys(ACCOUNTS, 0)
        for account in ACCOUNTS:
            self.pay_in(account, 1_000)

    @rule(account=st.sampled_from(list(ACCOUNTS)), amount=st.integers(1, 2_000))
    def pay_in(self, account: str, amount: int) -> None:
        self.hq.act(Effect.PAID_IN, account, "cash", amount)
        self.paid_in[account] += amount

    @rule(
        site=st.sampled_from(SITES),
        account=st.sampled_from(list(ACCOUNTS)),
        need=st.integers(1, 1_500),
        online=st.booleans(),
    )
    def ask(self, site: str, account: str, need: int, online: bool) -> None:
        """Online, question and answer arrive at once; they may arrive again later all the same."""
        self.post.append(("ask", site, account, purse.want(self.sites[site].lease(account), need)))
        if online:
            self.arrive(self.post[-1])
            self.arrive(self.post[-1])

    @rule(
        site=st.sampled_from(SITES),
        account=st.sampled_from(list(ACCOUNTS)),
        preset=st.sampled_from([Preset("full", 0), Preset("money", 90), Preset("energy", 60), Preset("time", 20)]),
    )
    def start(self, site: str, account: str, preset: Preset) -> None:
        story = self.sites[site]
        if isinstance(story.ask(preset, card=ACCOUNTS[account]), Opening):
            story.start(preset, card=ACCOUNTS[account])
            story.pass_time(15)

    @rule(site=st.sampled_from(SITES), seconds=st.integers(1, 60))
    def wait(self, site: str, seconds: int) -> None:
        self.sites[site].pass_time(seconds)

    @rule(site=st.sampled_from(SITES))
    def stop(self, site: str) -> None:
        self.sites[site].stop().pass_time(3)

    @rule(site=st.sampled_from(SITES), power=st.booleans())
    def restart(self, site: str, power: bool) -> None:
        story = self.sites[site]
        if power:
            story.reboot()
        else:
            story.restart()

    @rule(site=st.sampled_from(SITES), back=st.integers(0, 20), count=st.integers(1, 30))
    def upload(self, site: str, back: int, count: int) -> None:
        """From somewhere at or before what headquarters has; now or never or much later."""
        first = max(0, self.hq.sizes[site] - back)
        self.post.append(("batch", site, first, self.sites[site].log[first : first + back + count]))

    @precondition(lambda self: self.post)
    @rule(picks=st.lists(st.integers(0, 1_000), min_size=1, max_size=8))
    def deliver(self, picks: list[int]) -> None:
        """Some of all messages ever sent, in any order; none is used up."""
        for pick in picks:
            self.arrive(self.post[-1 - pick % len(self.post)])

    def arrive(self, message: tuple[object, ...]) -> None:
        match message:
            case ("ask", str(site), str(account), int(want)):
                granted = self.hq.granted.get((site, account), 0)
                out, free = self.hq.outstanding(account, site), self.hq.free(account)
                step = raise_for(want, granted, out, free, 2_000)
                if step:
                    self.hq.act(Effect.GRANTED, account, f"{site}/1", step)
                self.hq.granted[site, account] = granted + step
                self.post.append(("grant", site, account, granted + step))
            case ("grant", str(site), str(account), int(total)):
                card = ACCOUNTS[account]
                grant = Grant(account, CNY, site, 1, total, total, 0, 4_000_000_000, 0, total % 97, 1, [card])
                signed = join(grant, bytes(64))
                if purse.is_news(self.sites[site].state, signed):
                    self.sites[site].write(Draft(GrantAccepted(signed)))
            case ("batch", str(site), int(first), list(records)):
                self.hq.ingest(site, first, records)

    @invariant()
    def nobody_is_below_zero(self) -> None:
        for story in self.sites.values():
            for lease in story.state.leases.values():
                assert lease.rights >= 0
                assert lease.held == sum(
                    session.hold_fen for session in story.state.sessions.values() if session.account == lease.account
                )
                assert lease.granted <= self.hq.granted.get((story.site, lease.account), 0)
        assert books.breaches(self.hq.books) == []

    @invariant()
    def nobody_spends_more_than_was_paid_in(self) -> None:
        for account, paid_in in self.paid_in.items():
            leases = [story.lease(account) for story in self.sites.values()]
            assert sum(lease.used + lease.held for lease in leases) <= paid_in
            truth = [lease.granted - lease.returned for lease in leases]
            assert sum(truth) <= paid_in

    def teardown(self) -> None:
        """The network heals: everything is told, and both folds agree to the fen."""
        for site, story in self.sites.items():
            story.plugged = False
            story.stop().pass_time(4)
            assert story.state.sessions == {}
            self.hq.ingest(site, 0, story.log)
        for account, paid_in in self.paid_in.items():
            leases = {site: story.lease(account) for site, story in self.sites.items()}
            for site, lease in leases.items():
                out = self.hq.granted.get((site, account), 0) - lease.used - lease.returned
                assert self.hq.outstanding(account, site) == out >= lease.rights
            out = sum(self.hq.outstanding(account, site) for site in SITES)
            assert self.hq.free(account) + out + sum(lease.used for lease in leases.values()) == paid_in
        overrun = sum(story.state.overrun_fen for story in self.sites.values())
        billed = sum(closed.amount_fen for story in self.sites.values() for closed in story.bills)
        revenue = sum(held.owed for (code, _), held in self.hq.books.items() if code.startswith("revenue:"))
        assert revenue == billed
        assert overrun == 0


Fleet.TestCase.settings = settings(max_examples=60, stateful_step_count=50, deadline=None)
TestFleet = Fleet.TestCase
