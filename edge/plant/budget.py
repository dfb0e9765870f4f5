"""How much may each load draw now, so that the site's connection is never asked for more than it has?

Pure: wishes and what is seen go in, set-points come out. Two sums are kept apart. *Set-points* are what loads are told:
at every tick they add up to no more than the room there is. What a load *may draw* is the most that it was told and has
not yet been seen to leave: a load that was lowered counts at its old value until it has come down, and another is
raised only into what is free even so. So a slow car, a lost order or a silent charger never adds up to an overload.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal

import msgspec

SETTLE_MS = 5_000
"""A car has so long to follow a new limit (IEC 61851-1, annex A); what is read before says nothing of it."""
STUBBORN_MS = 20_000
"""A load that draws more than its set-point for so long will go on doing so."""
CALM_MS = 10_000
"""Between a change of a set-point and the next raise of it, so that a restless meter does not wear out relays."""

Watts = Annotated[int, msgspec.Meta(ge=0, le=10_000_000)]


class Budget(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The `[budget]` table: what the site's connection bears. Power in W."""

    limit_w: Annotated[int, msgspec.Meta(ge=100, le=10_000_000)]
    """The most that may be drawn: of everything behind `meter`, or, without one, of chargers and cabinets alone."""
    meter: str | None = None
    """A [[device]] with a meter's profile that measures the whole connection, with what else hangs on it."""
    blind_w: Watts = 0
    """What chargers and cabinets may draw together while that meter is silent; 0: nothing."""
    margin_w: Watts = 0
    """Kept free below the limit, for what else may be switched on between two readings of the meter."""
    silence_s: Annotated[int, msgspec.Meta(ge=2, le=300)] = 10
    """A meter silent for longer than this counts as blind."""
    turn_s: Annotated[int, msgspec.Meta(ge=60, le=86_400)] = 900
    """Where not all can be served at once: after so long those that wait take their turn."""
    first: Literal["cars", "cabinets"] = "cars"
    """Who is served before whom where it does not suffice for both."""


@dataclass(frozen=True, slots=True)
class Load:
    """Something that can be told how much to draw.

    least_w: of the smallest set-point above 0. most_w: of the largest; the same as least_w for a switch. step_w:
    between set-points. rank: lower ones are served first.
    """

    id: str
    least_w: int
    most_w: int
    step_w: int = 1
    rank: int = 0

    def down_to_step(self, power_w: int) -> int:
        """The greatest set-point of at most power_w; 0: none is so small."""
        if power_w < self.least_w:
            return 0
        return self.least_w + (min(power_w, self.most_w) - self.least_w) // self.step_w * self.step_w


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of a load now. wants: somebody is to be served.

    obeyed_ms: monotonic, when it last acknowledged a set-point; None: never. drawn_w: by its meter or its own word,
    read at seen_ms; None: unknown. A charger that is silent for longer than its fail-safe draws 0.
    """

    wants: bool
    obeyed_ms: int | None = None
    drawn_w: int | None = None
    seen_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """A load's set-point, and what it may draw.

    power_w: the set-point. at_ms: since when. may_draw_w: never below the set-point. served_ms, waits_ms: since when it
    has been above 0, or has wanted to be; None: it has not. over_ms: since when it has been seen above its set-point.
    """

    power_w: int = 0
    at_ms: int = 0
    may_draw_w: int = 0
    served_ms: int | None = None
    waits_ms: int | None = None
    over_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Shares:
    """What every load was told. It does not survive a restart: see `unknown`."""

    told: Mapping[str, Told] = field(default_factory=dict)

    def power_w(self, load: str) -> int:
        told = self.told.get(load)
        return 0 if told is None else told.power_w

    @property
    def set_w(self) -> int:
        """The sum of all set-points."""
        return sum(told.power_w for told in self.told.values())

    @property
    def may_draw_w(self) -> int:
        return _may_draw_w(self.told)


def unknown(loads: Iterable[Load], now_ms: int) -> Shares:
    """At the start nobody knows what the loads were told before: each may draw its most until it is seen to obey."""
    return Shares({load.id: Told(0, now_ms, load.most_w) for load in loads})


def room_w(budget: Budget, metered_w: int | None, age_ms: int | None, ours_w: int) -> int:
    """What chargers and cabinets may draw together.

    metered_w: by the connection's meter, age_ms ago; None: it has never answered. ours_w: what chargers and cabinets
    were seen to draw of it; what nobody sees counts as somebody else's, which errs to the safe side.
    """
    if budget.meter is None:
        return max(0, budget.limit_w - budget.margin_w)
    if metered_w is None or age_ms is None or age_ms > budget.silence_s * 1000:
        return min(budget.blind_w, budget.limit_w)
    others_w = max(0, metered_w - ours_w)
    return max(0, budget.limit_w - budget.margin_w - others_w)


def share(
    before: Shares, loads: Sequence[Load], seen: Mapping[str, Seen], available_w: int, now_ms: int, turn_s: int
) -> Shares:
    """The next set-points. What is lowered is lowered at once; what is raised waits for what it needs to be free."""
    told = {load.id: _watch(before.told.get(load.id, Told()), seen.get(load.id, Seen(False)), now_ms) for load in loads}
    order = _in_order(loads, told, now_ms, turn_s)
    stubborn = {name: one for name, one in told.items() if _is_stubborn(one, now_ms)}
    obedient = [load for load in order if load.id not in stubborn]
    meant = {**dict.fromkeys(stubborn, 0), **_meant(obedient, told, available_w - _may_draw_w(stubborn))}
    free_w = available_w - _may_draw_w(told)
    after: dict[str, Told] = {}
    for load in order:
        one = told[load.id]
        power_w = min(one.power_w, meant[load.id])
        reachable_w = load.down_to_step(min(meant[load.id], one.may_draw_w + max(0, free_w)))
        if reachable_w > power_w and now_ms - one.at_ms >= CALM_MS:
            free_w -= max(0, reachable_w - one.may_draw_w)
            power_w = reachable_w
        after[load.id] = _tell(one, power_w, now_ms)
    return Shares(after)


def _watch(told: Told, seen: Seen, now_ms: int) -> Told:
    """What it may draw, now that it has been seen; and whether it waits."""
    may_draw_w, over_ms = told.may_draw_w, told.over_ms
    if seen.drawn_w is not None and seen.seen_ms is not None:
        obeyed = seen.obeyed_ms is not None and seen.obeyed_ms >= told.at_ms
        settled = obeyed and seen.seen_ms >= (seen.obeyed_ms or 0) + SETTLE_MS
        may_draw_w = seen.drawn_w if settled else max(may_draw_w, seen.drawn_w)
        over_ms = (now_ms if over_ms is None else over_ms) if seen.drawn_w > told.power_w else None
    waits_ms = (told.waits_ms if told.waits_ms is not None else now_ms) if seen.wants else None
    return replace(told, may_draw_w=max(told.power_w, may_draw_w), waits_ms=waits_ms, over_ms=over_ms)


def _is_stubborn(told: Told, now_ms: int) -> bool:
    """Whether it draws more than it was told and will not leave it. It is told to stop, and the others make room."""
    return told.over_ms is not None and now_ms - told.over_ms >= STUBBORN_MS


def _may_draw_w(told: Mapping[str, Told]) -> int:
    return sum(one.may_draw_w for one in told.values())


def _tell(told: Told, power_w: int, now_ms: int) -> Told:
    at_ms = told.at_ms if power_w == told.power_w else now_ms
    served_ms = None if not power_w else told.served_ms if told.served_ms is not None else now_ms
    waits_ms = None if power_w else told.waits_ms
    return Told(power_w, at_ms, max(told.may_draw_w, power_w), served_ms, waits_ms, told.over_ms)


def _meant(order: Sequence[Load], told: Mapping[str, Told], available_w: int) -> Mapping[str, int]:
    """The set-points that would be best if every load obeyed at once: the least for as many as possible in their order,
    then the rest in equal parts, rank by rank. They add up to no more than available_w.
    """
    meant = {load.id: 0 for load in order}
    left_w = max(0, available_w)
    served: list[Load] = []
    for load in order:
        if told[load.id].waits_ms is not None and load.least_w <= left_w:
            meant[load.id] = load.least_w
            left_w -= load.least_w
            served.append(load)
    for rank in sorted({load.rank for load in served}):
        left_w -= _widen([load for load in served if load.rank == rank], meant, left_w)
    return meant


def _widen(loads: list[Load], meant: dict[str, int], left_w: int) -> int:
    """Raise these evenly, as far as left_w goes; what was taken of it."""
    taken_w = 0
    growing = sorted(loads, key=lambda load: load.most_w - load.least_w)
    for index, load in enumerate(growing):
        part_w = load.down_to_step(meant[load.id] + (left_w - taken_w) // (len(growing) - index)) - meant[load.id]
        meant[load.id] += part_w
        taken_w += part_w
    return taken_w


def _in_order(loads: Sequence[Load], told: Mapping[str, Told], now_ms: int, turn_s: int) -> list[Load]:
    """Whom to serve first: by rank; then those that are being served, unless they have had their turn and others
    wait.
    """
    somebody_waits = any(one.waits_ms is not None and not one.power_w for one in told.values())

    def place(load: Load) -> tuple[int, int, int]:
        one = told[load.id]
        if one.served_ms is None:
            return load.rank, 1, now_ms if one.waits_ms is None else one.waits_ms
        had_its_turn = somebody_waits and now_ms - one.served_ms >= turn_s * 1000
        return load.rank, 2 if had_its_turn else 0, one.served_ms

    return sorted(loads, key=place)
