"""Who stands at a pump: hands that lift, squeeze, pause, top up, take the wrong nozzle, and drive off.

A customer is a list of steps. Nothing here looks at a clock: steps are measured in the pump's own time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from random import Random

from drivers.twins.pumps.dispenser import Dispenser
from drivers.twins.pumps.parts import Phase

MAY_FLOW = (Phase.AUTHORISED, Phase.DELIVERING)
_UNDER_WAY = (*MAY_FLOW, Phase.SUSPENDED)
_PATIENCE_MS = 600_000


@dataclass(frozen=True, slots=True)
class Wait:
    """Do nothing for so long."""

    ms: int


@dataclass(frozen=True, slots=True)
class WaitFor:
    """Look at the pump until it is in one of these phases; leave it all after `ms_max`."""

    phases: tuple[Phase, ...]
    ms_max: int = _PATIENCE_MS


@dataclass(frozen=True, slots=True)
class Park:
    """Bring a tank with so much room; None: no end."""

    room_ml: int | None


@dataclass(frozen=True, slots=True)
class Lift:
    nozzle: int


@dataclass(frozen=True, slots=True)
class HangUp:
    """The nozzle; None: the one that is selected."""

    nozzle: int | None = None


@dataclass(frozen=True, slots=True)
class Squeeze:
    """Hold the trigger until `ml` have flowed, the nozzle shuts itself, or the pump ends the sale."""

    ml_s: int = 700
    ml: int | None = None
    ms_max: int = _PATIENCE_MS


@dataclass(frozen=True, slots=True)
class TopUp:
    """The tank settles and takes `ml` more, slowly."""

    ml: int
    ml_s: int = 80


Step = Wait | WaitFor | Park | Lift | HangUp | Squeeze | TopUp


class Customer:
    """Does its steps one after the other; whoever loses patience hangs everything up and leaves."""

    def __init__(self, steps: Sequence[Step], name: str = "customer") -> None:
        self.name = name
        self._steps = list(steps)
        self._at = 0
        self._since_ms: int | None = None  # when the present step began

    def step(self, pump: Dispenser) -> bool:
        """Do what can be done now. True: gone."""
        while self._at < len(self._steps):
            if self._since_ms is None:
                self._since_ms = pump.now_ms
                self._begin(self._steps[self._at], pump)
            if not self._over(self._steps[self._at], pump, pump.now_ms - self._since_ms):
                return False
            self._at, self._since_ms = self._at + 1, None
        return True

    def _begin(self, step: Step, pump: Dispenser) -> None:
        match step:
            case Park(room_ml):
                pump.park(room_ml)
            case Lift(nozzle):
                pump.lift(nozzle)
            case HangUp(nozzle):
                pump.hang_up(nozzle)
            case Squeeze(ml_s, ml):
                pump.squeeze(ml_s, ml)
            case TopUp(ml, ml_s):
                if pump.tank_ul is not None:
                    pump.park(ml)
                pump.squeeze(ml_s, ml)
            case Wait() | WaitFor():
                pass

    def _over(self, step: Step, pump: Dispenser, ms: int) -> bool:
        match step:
            case Wait(wait_ms):
                return ms >= wait_ms
            case WaitFor(phases, ms_max):
                if ms >= ms_max and pump.phase not in phases:
                    self._leave(pump)
                    return True
                return pump.powered and pump.phase in phases
            case Squeeze() | TopUp():
                longest_ms = step.ms_max if isinstance(step, Squeeze) else _PATIENCE_MS
                let_go = pump.trigger_ml_s == 0 or pump.phase not in _UNDER_WAY or not pump.powered
                if not let_go and ms < longest_ms:
                    return False
                pump.release_trigger()
                return True
            case Park() | Lift() | HangUp():
                return True

    def _leave(self, pump: Dispenser) -> None:
        for nozzle in (*pump.blocked, pump.out):
            if nozzle is not None:
                pump.hang_up(nozzle)
        self._at = len(self._steps)


def fills(nozzle: int, ml: int | None = None, *, ml_s: int = 700, room_ml: int | None = None) -> Customer:
    """Lifts, waits to be allowed, fills until `ml`, a full tank or the pump's limit, hangs up."""
    steps = (Park(room_ml), Lift(nozzle), WaitFor(MAY_FLOW), Squeeze(ml_s, ml), Wait(500), HangUp())
    return Customer(steps, "fills")


def pauses(nozzle: int, squirts_ml: Sequence[int], *, ml_s: int = 700, pause_ms: int = 2_000) -> Customer:
    """As `fills`, letting go of the trigger in between."""
    squirts = [step for ml in squirts_ml for step in (Squeeze(ml_s, ml), Wait(pause_ms))]
    return Customer((Park(None), Lift(nozzle), WaitFor(MAY_FLOW), *squirts, HangUp()), "pauses")


def tops_up(nozzle: int, room_ml: int, squirts_ml: Sequence[int], *, ml_s: int = 700) -> Customer:
    """Fills the tank until the nozzle shuts itself, then squeezes in a little more, and more."""
    squirts = [step for ml in squirts_ml for step in (Wait(800), TopUp(ml))]
    steps = (Park(room_ml), Lift(nozzle), WaitFor(MAY_FLOW), Squeeze(ml_s), *squirts, Wait(500), HangUp())
    return Customer(steps, "tops-up")


def takes_wrong_first(wrong: int, nozzle: int, ml: int | None = None, *, ml_s: int = 700) -> Customer:
    """Lifts the wrong grade, sees it, puts it back before any flow, takes the right one."""
    first = (Park(None), Lift(wrong), Wait(1_500), HangUp(wrong), Wait(700))
    return Customer((*first, Lift(nozzle), WaitFor(MAY_FLOW), Squeeze(ml_s, ml), Wait(500), HangUp()), "wrong-first")


def returns_nozzle(nozzle: int, *, authorised: bool = True) -> Customer:
    """Lifts, and hangs up before any flow; `authorised`: only after the pump was allowed to deliver."""
    waits: Step = WaitFor(MAY_FLOW) if authorised else Wait(1_500)
    return Customer((Park(None), Lift(nozzle), waits, Wait(500), HangUp()), "returns-nozzle")


def drives_off(nozzle: int, ml: int | None = None, *, ml_s: int = 700, after_ms: int = 60_000) -> Customer:
    """Fills, and leaves with the nozzle in the tank; it is hung up by somebody `after_ms` later."""
    steps = (Park(None), Lift(nozzle), WaitFor(MAY_FLOW), Squeeze(ml_s, ml), Wait(after_ms), HangUp())
    return Customer(steps, "drives-off")


def lifts_two(nozzle: int, other: int, ml: int | None = None, *, ml_s: int = 700) -> Customer:
    """Lifts a second nozzle while the first is out; it must stay dead."""
    lifts = (Park(None), Lift(nozzle), Lift(other), WaitFor(MAY_FLOW), Squeeze(ml_s, ml))
    return Customer((*lifts, HangUp(other), Wait(500), HangUp(nozzle)), "lifts-two")


def random_customer(random: Random, nozzles: Sequence[int], *, room_ml: tuple[int, int] = (5_000, 60_000)) -> Customer:
    """Mostly one who fills the tank; now and then each of the others. The same `random` gives the same customer."""
    nozzle = random.choice(nozzles)
    room, ml_s = random.randint(*room_ml), random.randint(250, 800)
    other = random.choice([n for n in nozzles if n != nozzle] or [nozzle])
    kind = random.randrange(100)
    if kind < 45:
        return fills(nozzle, ml_s=ml_s, room_ml=room)
    if kind < 60:
        return fills(nozzle, random.randint(100, room), ml_s=ml_s)
    if kind < 72:
        return tops_up(nozzle, room, [random.randint(20, 400) for _ in range(random.randint(1, 4))], ml_s=ml_s)
    if kind < 82:
        return pauses(nozzle, [random.randint(10, room // 2) for _ in range(random.randint(2, 4))], ml_s=ml_s)
    if kind < 88 and other != nozzle:
        return takes_wrong_first(other, nozzle, room, ml_s=ml_s)
    if kind < 92 and other != nozzle:
        return lifts_two(nozzle, other, room, ml_s=ml_s)
    if kind < 97:
        return returns_nozzle(nozzle, authorised=random.random() < 0.5)
    return drives_off(nozzle, room, ml_s=ml_s)


def random_customers(
    seed: int,
    nozzles: Sequence[int],
    *,
    gap_ms: int = 20_000,
    count: int | None = None,
    room_ml: tuple[int, int] = (5_000, 60_000),
) -> Iterator[Customer]:
    """One after the other, about `gap_ms` apart; None: without end. The same seed gives the same queue."""
    random = Random(seed)  # noqa: S311  (replayable on purpose)
    served = 0
    while count is None or served < count:
        customer = random_customer(random, nozzles, room_ml=room_ml)
        yield Customer((Wait(random.randint(gap_ms // 2, gap_ms * 3 // 2)),), "arrives")
        yield customer
        served += 1


def parse_customers(words: Sequence[str], seed: int, nozzles: Sequence[int]) -> Iterator[Customer]:
    """Customers from a command line or a file, one after the other; `random` comes last and never ends.

    Raises ValueError at once for a word that is none of `CUSTOMER_WORDS`.
    """
    scripted: list[Customer] = []
    endless: Iterator[Customer] = iter(())
    for word in words:
        kind, *rest = word.split(":")
        try:
            numbers = [[int(number) for number in part.split(",")] for part in rest]
            if kind == "random":
                endless = random_customers(seed, nozzles, gap_ms=numbers[0][0] if numbers else 20_000)
            else:
                scripted.append(_scripted(kind, numbers, nozzles))
        except (ValueError, IndexError, TypeError, KeyError):
            known = ", ".join(CUSTOMER_WORDS)
            raise ValueError(f"customer {word!r}: expected one of {known}; nozzles are {list(nozzles)}") from None
    return chain(scripted, endless)


CUSTOMER_WORDS = (
    "random[:GAP_MS]",
    "fills:NOZZLE[:ML]",
    "pauses:NOZZLE:ML,ML..",
    "tops-up:NOZZLE:ROOM_ML:ML,ML..",
    "wrong-first:WRONG:NOZZLE[:ML]",
    "lifts-two:NOZZLE:OTHER[:ML]",
    "returns:NOZZLE",
    "drives-off:NOZZLE[:ML]",
)


def _scripted(kind: str, numbers: list[list[int]], nozzles: Sequence[int]) -> Customer:
    """Raises ValueError or LookupError."""
    two = kind in ("wrong-first", "lifts-two")
    if any(number < 0 for part in numbers for number in part) or any(n[0] not in nozzles for n in numbers[: 1 + two]):
        raise ValueError
    first = numbers[0][0]
    match kind, numbers[1:]:
        case "fills", ([] | [[_]]) as rest:
            return fills(first, *(part[0] for part in rest))
        case "drives-off", ([] | [[_]]) as rest:
            return drives_off(first, *(part[0] for part in rest))
        case "pauses", [squirts]:
            return pauses(first, squirts)
        case "tops-up", [[room], squirts]:
            return tops_up(first, room, squirts)
        case "wrong-first", ([[_]] | [[_], [_]]) as rest:
            return takes_wrong_first(first, *(part[0] for part in rest))
        case "lifts-two", ([[_]] | [[_], [_]]) as rest:
            return lifts_two(first, *(part[0] for part in rest))
        case "returns", []:
            return returns_nozzle(first)
    raise ValueError
