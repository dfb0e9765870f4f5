"""What does a slot hold: a pack, nothing, or can nobody tell? Four predicates that are not each other's opposites.

| predicate | rule | used to |
| --- | --- | --- |
| strictly full | presence, code and voltage all say so | accept what was put in, offer what is given out |
| loosely full | any one says so | warn; never to open it as an empty one |
| strictly empty | none says so, and each that there is says the contrary | choose the slot that opens empty |
| loosely empty | any one says that nothing is there | begin to look whether the pack was taken |

A wrong "empty" gives a pack away, a wrong "full" loses one: so each is as careful as its use needs, and where witnesses
contradict each other nothing is inferred (facts: cabinets 3). A witness that a slot does not have is left out; one that
it has and that does not answer says nothing, which is neither.

A pack link says that nothing is there by its silence, where it has been asked on a line that is there: a line, relay or
board that is dead says nothing, and noise is somebody. Beside a switch that says the same, silence is enough. Without a
switch a sleeping pack, a cut wire and an empty slot are silent alike; so silence counts only where the slot's own board
vouches for it, where the link spoke until the door was opened, or where the log, or a person who has had the slot open,
had it empty before. Where several slots of one line fall silent behind shut doors it is the line that is dead.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from drivers.cabinet import Hazard, PackWord, SlotSight, SlotTraits
from edge.till.swap.policy import SwapPolicy
from protocols.fieldbus.pack import PackReading
from protocols.trade.records import Stamp

CODE_MAX = 64
"""Longest code in a record."""


@dataclass(frozen=True, slots=True)
class Track:
    """A slot as it has been seen, on the box's monotonic clock.

    open_ms, shut_ms: since when its door has been seen open, shut, without a break; None: it is not seen so now.
    asked_ms: when all its witnesses were last asked at once; None: never. Polls go on asking its pack. opened_ms: when
    its door was last surely open; None: not since the daemon started. vouched: its silence has a reason: a pack spoke
    in it until its door was opened, or the log, or a person, had it empty, and no pack has spoken there since. mute:
    the line of its pack link is dead, by what is known of the other slots on it.
    """

    traits: SlotTraits
    sight: SlotSight = SlotSight()  # noqa: RUF009  # frozen
    open_ms: int | None = None
    shut_ms: int | None = None
    asked_ms: int | None = None
    opened_ms: int | None = None
    vouched: bool = False
    mute: bool = False


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
    been asked since and did not answer; vacant: and that means that nothing is there, without a switch, too. dead: it
    cannot be asked. present: None: the switch does not answer, or there is none.
    """

    has_switch: bool
    has_link: bool
    present: bool | None
    code: str
    voltage_mv: int | None
    silent: bool
    vacant: bool
    dead: bool
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
        if self.has_switch:
            says_so = self.present is False and (self.silent or not self.has_link)
        else:
            says_so = self.has_link and self.vacant
        return says_so and not self.loosely_full

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
    asked_ms = track.sight.pack_asked_ms
    return _witness(track, since_ms, policy, asked=asked_ms is not None and asked_ms >= since_ms)


def lately(track: Track, now_ms: int, policy: SwapPolicy) -> Witness:
    """As `witness`, of a slot that nobody has touched for a while: what polls have last brought."""
    return _witness(track, now_ms - policy.pack_age_s * 1000, policy, asked=True)


def empty_of_late(track: Track, now_ms: int, policy: SwapPolicy) -> bool:
    """Whether it need not be asked again to be opened as an empty one: its link was asked a while ago, with the door
    shut then and ever since, so nothing can have come in. Its door and its switch are polled all the time.
    """
    asked_ms = track.sight.pack_asked_ms
    if asked_ms is None or now_ms - asked_ms > policy.pack_age_s * 1000:
        return False
    shut = track.shut_ms is not None and track.shut_ms <= asked_ms
    return shut and lately(track, now_ms, policy).strictly_empty


def code_of(pack: PackReading) -> str:
    """A pack's code as records have it; empty: it tells none. What it says of itself may be anything, and some letters
    become two in upper case.
    """
    return (pack.serial or "").strip().upper()[:CODE_MAX]


def _witness(track: Track, since_ms: int, policy: SwapPolicy, *, asked: bool) -> Witness:
    traits, sight = track.traits, track.sight
    silent = asked and traits.pack_link and sight.pack_word in (PackWord.SILENT, PackWord.VACANT)
    vacant = sight.pack_word is PackWord.VACANT or (track.vouched and not track.mute)
    heard = sight.pack is not None and sight.pack_at_ms is not None and sight.pack_at_ms >= since_ms
    pack = sight.pack if heard and sight.pack is not None else PackReading()
    return Witness(
        has_switch=traits.presence,
        has_link=traits.pack_link,
        present=sight.present if traits.presence else None,
        code=code_of(pack),
        voltage_mv=pack.voltage_mv,
        silent=silent,
        vacant=silent and vacant,
        dead=traits.pack_link and sight.pack_word is PackWord.DEAD,
        voltage_mv_min=policy.voltage_mv_min,
    )


def follow(before: Track, sight: SlotSight, now_ms: int, policy: SwapPolicy, asked_ms: int | None = None) -> Track:
    """The slot after one more look. asked_ms: all its witnesses were asked for this, then."""
    door = _door(before.traits, sight, now_ms, policy)
    open_ms = (before.open_ms if before.open_ms is not None else now_ms) if door is True else None
    shut_ms = (before.shut_ms if before.shut_ms is not None else now_ms) if door is False else None
    after = replace(
        before,
        sight=sight,
        open_ms=open_ms,
        shut_ms=shut_ms,
        asked_ms=before.asked_ms if asked_ms is None else asked_ms,
    )
    spoke = sight.pack_word is PackWord.SAID
    if is_open(after, now_ms, policy):
        return replace(after, opened_ms=now_ms, vouched=before.vouched or spoke)
    since_open = spoke and (sight.pack_at_ms or 0) > (before.opened_ms or 0)
    return replace(after, vouched=before.vouched and not since_open)


def listen(tracks: Mapping[int, Track]) -> dict[int, Track]:
    """The slots of one cabinet, each with whether its pack line is dead: at least two that should speak are silent
    behind shut doors, and nobody else on it is heard. One alone may sleep.
    """
    lines: dict[str, list[Track]] = {}
    for track in tracks.values():
        if track.traits.pack_line:
            lines.setdefault(track.traits.pack_line, []).append(track)
    mute = {line for line, its in lines.items() if sum(_ought_to_speak(one) for one in its) >= 2 and not _heard(its)}
    return {slot: replace(track, mute=track.traits.pack_line in mute) for slot, track in tracks.items()}


def _ought_to_speak(track: Track) -> bool:
    """It spoke, nobody has opened its door since, and it is silent."""
    return track.sight.pack_at_ms is not None and track.sight.pack is None and not track.vouched


def _heard(tracks: Iterable[Track]) -> bool:
    return any(track.sight.pack is not None for track in tracks)


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
