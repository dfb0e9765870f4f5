"""What does a slot hold: a pack, nothing, or can nobody tell? Four predicates that are not each other's opposites.

| predicate | rule | used to |
| --- | --- | --- |
| strictly full | presence, code and voltage all say so | accept what was put in, offer what is given out |
| loosely full | any one says so | warn; never to open it as an empty one |
| strictly empty | none says so, and each that there is has been asked | choose the slot that opens empty |
| loosely empty | any one says that nothing is there | begin to look whether the pack was taken |

A wrong "empty" gives a pack away, a wrong "full" loses one: so each is as careful as its use needs, and where witnesses
contradict each other nothing is inferred (facts: cabinets 3). A witness that a slot does not have is left out; one that
it has and that does not answer says nothing, which is neither.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from drivers.cabinet import Hazard, SlotSight, SlotTraits
from edge.till.swap.policy import SwapPolicy
from protocols.fieldbus.pack import PackReading
from protocols.trade.records import Stamp


@dataclass(frozen=True, slots=True)
class Track:
    """A slot as it has been seen, on the box's monotonic clock.

    open_ms, shut_ms: since when its door has been seen open, shut, without a break; None: it is not seen so now.
    asked_ms: when all its witnesses were last asked at once; None: never. Polls go on asking its pack.
    """

    traits: SlotTraits
    sight: SlotSight = SlotSight()  # noqa: RUF009  # frozen
    open_ms: int | None = None
    shut_ms: int | None = None
    asked_ms: int | None = None


@dataclass(frozen=True, slots=True)
class View:
    """A cabinet at one instant: what its slots have said, and what concerns them all. mains: None: nobody tells."""

    cabinet: str
    now: Stamp
    slots: Mapping[int, Track]
    hazards: frozenset[Hazard] = frozenset()
    mains: bool | None = None
    silent: tuple[str, ...] = ()

    @property
    def now_ms(self) -> int:
        return self.now.mono_ms


@dataclass(frozen=True, slots=True)
class Witness:
    """What the witnesses of a slot say together. code, voltage_mv: of a pack that has answered; silent: its link has
    been asked since and did not answer. present: None: the switch does not answer, or there is none.
    """

    has_switch: bool
    has_link: bool
    present: bool | None
    code: str
    voltage_mv: int | None
    silent: bool
    voltage_mv_min: int

    @property
    def powered(self) -> bool:
        return self.voltage_mv is not None and self.voltage_mv > self.voltage_mv_min

    @property
    def strictly_full(self) -> bool:
        return (self.present is True or not self.has_switch) and bool(self.code) and self.powered

    @property
    def loosely_full(self) -> bool:
        return self.present is True or bool(self.code) or self.powered

    @property
    def strictly_empty(self) -> bool:
        asked = (self.present is False or not self.has_switch) and (self.silent or not self.has_link)
        return asked and (self.has_switch or self.has_link) and not self.loosely_full

    @property
    def loosely_empty(self) -> bool:
        return self.present is False or (self.has_link and self.silent)

    @property
    def contradicted(self) -> bool:
        """One says that something is there, another that nothing is."""
        return self.loosely_full and self.loosely_empty

    @property
    def gone(self) -> bool:
        """What was there has surely been taken: somebody says that nothing is there, nobody contradicts, and nobody
        who could is silent. A broken switch, or a pack that sleeps, takes nothing (F-13).
        """
        return self.loosely_empty and self.strictly_empty


def witness(track: Track, since_ms: int, policy: SwapPolicy) -> Witness:
    """What has been said since then: a pack that answered before tells nothing of now."""
    asked = track.asked_ms is not None and track.asked_ms >= since_ms
    return _witness(track, since_ms, policy, silent=asked and track.sight.pack is None)


def lately(track: Track, now_ms: int, policy: SwapPolicy) -> Witness:
    """As `witness`, of a slot that nobody has touched for a while: what polls have last brought."""
    silent = track.asked_ms is not None and track.sight.pack is None
    return _witness(track, now_ms - policy.pack_age_s * 1000, policy, silent=silent)


def _witness(track: Track, since_ms: int, policy: SwapPolicy, *, silent: bool) -> Witness:
    traits, sight = track.traits, track.sight
    heard = sight.pack is not None and sight.pack_at_ms is not None and sight.pack_at_ms >= since_ms
    pack = sight.pack if heard and sight.pack is not None else PackReading()
    return Witness(
        has_switch=traits.presence,
        has_link=traits.pack_link,
        present=sight.present if traits.presence else None,
        code=(pack.serial or "").strip().upper(),
        voltage_mv=pack.voltage_mv,
        silent=traits.pack_link and silent,
        voltage_mv_min=policy.voltage_mv_min,
    )


def follow(before: Track, sight: SlotSight, now_ms: int, policy: SwapPolicy, asked_ms: int | None = None) -> Track:
    """The slot after one more look. asked_ms: all its witnesses were asked for this, then."""
    door = _door(before.traits, sight, now_ms, policy)
    open_ms = (before.open_ms if before.open_ms is not None else now_ms) if door is True else None
    shut_ms = (before.shut_ms if before.shut_ms is not None else now_ms) if door is False else None
    return Track(before.traits, sight, open_ms, shut_ms, before.asked_ms if asked_ms is None else asked_ms)


def is_open(track: Track, now_ms: int, policy: SwapPolicy) -> bool:
    """Surely open: seen so for long enough."""
    return track.open_ms is not None and now_ms - track.open_ms >= policy.door_open_ms


def is_shut(track: Track, now_ms: int, policy: SwapPolicy) -> bool:
    """Surely shut: it has stopped bouncing."""
    return track.shut_ms is not None and now_ms - track.shut_ms >= policy.door_shut_ms


def _door(traits: SlotTraits, sight: SlotSight, now_ms: int, policy: SwapPolicy) -> bool | None:
    """Open or shut, by the door's own sensor, else by the lock's feedback. None: nobody says so, or not of late."""
    if sight.at_ms is None or now_ms - sight.at_ms > policy.silence_s * 1000:
        return None
    if traits.door:
        return sight.door_open
    return None if not traits.feedback or sight.locked is None else not sight.locked
