"""Which riders come to a cabinet: the usual one and every unusual one, by name, scripted or from a seed.

Every visit begins at the cabinet's reader, where there is something to show. A script knows nothing of the gateway: it
reacts to doors. `CASES` names the fault cases of `docs/cabinets.md` that each provokes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from random import Random
from typing import Final

from drivers.twins.cabinets.pack import Brick, Pack, Sleeper, pack_code
from drivers.twins.cabinets.rider import (
    Bring,
    Force,
    Put,
    Ride,
    Rider,
    Show,
    Shut,
    Slam,
    Step,
    Take,
    Wait,
    WaitDoor,
)

_LOOK_MS: Final = 1_500  # to see which door opened, and to walk there
_HANDLE_MS: Final = 2_000  # to lift a pack
_LEAVES_OPEN_MS: Final = 200_000  # longer than any gateway waits
_FOREIGN: Final = 9_000  # numbers of packs that no fleet has


@dataclass(frozen=True, slots=True)
class Manners:
    """How fast this rider is."""

    look_ms: int = _LOOK_MS
    handle_ms: int = _HANDLE_MS


_Script = Callable[[Manners, str], Sequence[Step]]
"""(manners, the rider's name)"""


def swaps(who: Manners, name: str) -> Sequence[Step]:
    """Puts the old pack into the door that opens, shuts it, takes the new one from the next, shuts that."""
    return (*_puts(who), *_takes(who))


def rents(who: Manners, name: str) -> Sequence[Step]:
    """Takes a pack, having none."""
    return _takes(who)


def returns(who: Manners, name: str) -> Sequence[Step]:
    """Puts the pack in, and goes."""
    return _puts(who)


def walks_away(who: Manners, name: str) -> Sequence[Step]:
    """Shows the card, and is gone; the door that opened is shut by a passer-by."""
    return (WaitDoor(), Wait(_LEAVES_OPEN_MS), Shut())


def never_shuts(who: Manners, name: str) -> Sequence[Step]:
    """Puts the pack in and leaves that door open; a passer-by shuts it."""
    return (WaitDoor(), Wait(who.look_ms), Put(), Wait(_LEAVES_OPEN_MS), Shut())


def shuts_empty(who: Manners, name: str) -> Sequence[Step]:
    """Shuts the empty door again with nothing behind it; and does it well if it is opened once more."""
    return (WaitDoor(), Wait(who.look_ms), Shut(), *swaps(who, name))


def shuts_empty_and_goes(who: Manners, name: str) -> Sequence[Step]:
    """The same, every time, without ever giving the pack."""
    return (WaitDoor(), Wait(who.look_ms), Shut(), WaitDoor(60_000), Wait(who.look_ms), Shut())


def brings_foreign(who: Manners, name: str) -> Sequence[Step]:
    """Puts a pack in that no fleet knows; takes it back when the door opens again."""
    return _brings(who, Pack(pack_code(_FOREIGN, maker="XXXX"), name=f"{name}-foreign", soc_permille=200))


def brings_sleeping(who: Manners, name: str) -> Sequence[Step]:
    """A pack whose BMS says nothing until a charger wakes it."""
    pack = Pack(pack_code(_FOREIGN + 1), name=f"{name}-sleeping", soc_permille=300, sleeper=Sleeper(deep_after_ms=500))
    return _brings(who, pack)


def brings_nameless(who: Manners, name: str) -> Sequence[Step]:
    """A pack that says UNKNOWN instead of its code."""
    return _brings(who, Pack("UNKNOWN", name=f"{name}-nameless", soc_permille=300))


def brings_brick(who: Manners, name: str) -> Sequence[Step]:
    """Something that presses the switch and says nothing."""
    return _brings(who, Brick(f"{name}-brick"))


def takes_back(who: Manners, name: str) -> Sequence[Step]:
    """Puts the pack in, takes it out again, shuts the door; then, if asked again, does it well."""
    first = (WaitDoor(), Wait(who.look_ms), Put(), Wait(who.handle_ms), Take(), Wait(who.handle_ms), Shut())
    return (*first, *swaps(who, name))


def keeps_both(who: Manners, name: str) -> Sequence[Step]:
    """Puts the pack in and shuts; forces that door again and takes the pack back, and the new one too."""
    first = (WaitDoor(), Wait(who.look_ms), Put(), Wait(who.handle_ms), Shut(), Wait(500))
    return (*first, Force(), Take(), Shut(), *_takes(who))


def takes_nothing(who: Manners, name: str) -> Sequence[Step]:
    """Puts the old pack in; shuts the second door with the new one still behind it; takes it if it is opened again."""
    return (*_puts(who), WaitDoor(), Wait(who.look_ms), Shut(), *_takes(who))


def takes_nothing_and_goes(who: Manners, name: str) -> Sequence[Step]:
    """The same, and never takes it."""
    return (*_puts(who), WaitDoor(), Wait(who.look_ms), Shut(), WaitDoor(60_000), Wait(who.look_ms), Shut())


def takes_and_leaves_open(who: Manners, name: str) -> Sequence[Step]:
    """Takes the new pack and rides off; a passer-by shuts the door."""
    return (*_puts(who), WaitDoor(), Wait(who.look_ms), Take(), Wait(_LEAVES_OPEN_MS), Shut())


def puts_brick_back(who: Manners, name: str) -> Sequence[Step]:
    """Takes the new pack and leaves a brick in its place."""
    swap = (WaitDoor(), Wait(who.look_ms), Take(), Wait(who.handle_ms))
    return (*_puts(who), Bring(Brick(f"{name}-brick")), *swap, Put(f"{name}-brick"), Wait(who.handle_ms), Shut())


def puts_other_back(who: Manners, name: str) -> Sequence[Step]:
    """Takes the new pack and leaves a foreign one in its place."""
    other = Pack(pack_code(_FOREIGN + 2, maker="XXXX"), name=f"{name}-other", soc_permille=100)
    swap = (WaitDoor(), Wait(who.look_ms), Take(), Wait(who.handle_ms))
    return (*_puts(who), Bring(other), *swap, Put(other.name), Wait(who.handle_ms), Shut())


def forces(who: Manners, name: str) -> Sequence[Step]:
    """Breaks the second door open and takes what is there; shuts it. Shows no card."""
    return (Force(beside=1), Wait(who.look_ms), Take(), Wait(who.handle_ms), Shut())


def robs_neighbour(who: Manners, name: str) -> Sequence[Step]:
    """While the empty door is open, breaks the one beside it and takes its pack; shuts both."""
    first = (WaitDoor(), Wait(who.look_ms), Put(), Wait(who.handle_ms), Shut())
    return (*first, Force(beside=1), Wait(who.look_ms), Take(), Shut(), *_takes(who))


def bounces(who: Manners, name: str) -> Sequence[Step]:
    """Slams both doors, which spring back twice before they hold."""
    first = (WaitDoor(), Wait(who.look_ms), Put(), Wait(who.handle_ms), Slam())
    return (*first, WaitDoor(), Wait(who.look_ms), Take(), Wait(who.handle_ms), Slam())


def _puts(who: Manners) -> tuple[Step, ...]:
    return (WaitDoor(), Wait(who.look_ms), Put(), Wait(who.handle_ms), Shut())


def _takes(who: Manners) -> tuple[Step, ...]:
    return (WaitDoor(), Wait(who.look_ms), Take(), Wait(who.handle_ms), Shut())


def _brings(who: Manners, thing: Pack | Brick) -> tuple[Step, ...]:
    """Puts that in, and takes out whatever is behind the next door that opens: mostly the same one."""
    put = (WaitDoor(), Wait(who.look_ms), Put(thing.name), Wait(who.handle_ms), Shut())
    return (Bring(thing), *put, WaitDoor(60_000), Wait(who.look_ms), Take(), Wait(who.handle_ms), Shut())


SCRIPTS: Final[Mapping[str, _Script]] = {
    "swaps": swaps, "rents": rents, "returns": returns, "walks-away": walks_away, "never-shuts": never_shuts,
    "shuts-empty": shuts_empty, "shuts-empty-and-goes": shuts_empty_and_goes, "brings-foreign": brings_foreign,
    "brings-sleeping": brings_sleeping, "brings-nameless": brings_nameless, "brings-brick": brings_brick,
    "takes-back": takes_back, "keeps-both": keeps_both, "takes-nothing": takes_nothing,
    "takes-nothing-and-goes": takes_nothing_and_goes, "takes-and-leaves-open": takes_and_leaves_open,
    "puts-brick-back": puts_brick_back, "puts-other-back": puts_other_back, "forces": forces,
    "robs-neighbour": robs_neighbour, "bounces": bounces,
}  # fmt: skip

CASES: Final[Mapping[str, tuple[str, ...]]] = {
    "swaps": (), "rents": (), "returns": (), "walks-away": ("F-20",), "never-shuts": ("F-20",),
    "shuts-empty": ("F-21",), "shuts-empty-and-goes": ("F-21",), "brings-foreign": ("F-23",),
    "brings-sleeping": ("F-22",), "brings-nameless": ("F-24",), "brings-brick": ("F-22", "F-26"),
    "takes-back": ("F-21", "F-28"), "keeps-both": ("F-28", "F-43"), "takes-nothing": ("F-41",),
    "takes-nothing-and-goes": ("F-41",), "takes-and-leaves-open": ("F-40",), "puts-brick-back": ("F-42",),
    "puts-other-back": ("F-42",), "forces": ("F-43", "F-54"), "robs-neighbour": ("F-43", "F-54"),
    "bounces": ("F-61",),
}  # fmt: skip


def rider(kind: str, cabinet: str, name: str, credential: str = "", who: Manners | None = None) -> Rider:
    """One that does `kind`, at once. Raises KeyError for a kind that is not there."""
    steps = SCRIPTS[kind](Manners() if who is None else who, name)
    return Rider(name, cabinet, (*_shows(kind, credential), *steps), kind=kind)


def _shows(kind: str, credential: str) -> tuple[Step, ...]:
    """Everybody but a thief, who has something to show."""
    return (Show(credential), Wait(200)) if credential and kind != "forces" else ()


def random_riders(
    seed: int,
    cabinet: str,
    people: Mapping[str, str],
    *,
    gap_ms: int = 60_000,
    usual_permille: int = 700,
    count: int | None = None,
) -> Iterator[Rider]:
    """One after the other, about `gap_ms` apart; None: without end. The same seed gives the same queue.

    people: credentials by name. Between two visits somebody rides, and has used a part of the charge. A name that
    comes twice brings new foreign things each time, told apart by their number.
    """
    random = Random(seed)  # noqa: S311  (replayable on purpose)
    names, unusual = list(people), [kind for kind in SCRIPTS if kind not in ("swaps", "rents", "returns")]
    came = 0
    while count is None or came < count:
        came += 1
        name = random.choice(names)
        who = Manners(random.randint(500, 4_000), random.randint(500, 6_000))
        kind = "swaps" if random.randrange(1_000) < usual_permille else random.choice(unusual)
        steps = SCRIPTS[kind](who, f"{name}-{came}")
        away: tuple[Step, ...] = (Ride(random.randint(gap_ms // 2, gap_ms * 3 // 2), random.randint(100, 700)),)
        yield Rider(name, cabinet, (*away, *_shows(kind, people[name]), *steps), kind=kind)


def parse_riders(words: Sequence[str], seed: int, cabinet: str, people: Mapping[str, str]) -> Iterator[Rider]:
    """Riders from a command line or a file, one after the other: `KIND[:NAME]` or `random[:GAP_MS]`, which comes last
    and never ends. people: credentials by name; without NAME it is the first. Raises ValueError at once."""
    scripted: list[Rider] = []
    endless: Iterator[Rider] = iter(())
    for word in words:
        kind, _, rest = word.partition(":")
        name = rest or next(iter(people), "rider")
        if kind == "random" and people and (not rest or rest.isdecimal()):
            endless = random_riders(seed, cabinet, people, gap_ms=int(rest or 60_000))
        elif kind in SCRIPTS and (name in people or not people):
            scripted.append(rider(kind, cabinet, name, people.get(name, "")))
        else:
            known = ", ".join(("random[:GAP_MS]", *(f"{kind}[:NAME]" for kind in SCRIPTS)))
            raise ValueError(f"rider {word!r}: expected one of {known}; people are {list(people)}")
    return chain(scripted, endless)
