"""What happens at boards with outlets: plugs, packs behind doors, orders, and what the board remembers to tell.

`PortStand` is the physical board: the twins' own world of outlets under virtual time. It outlives every daemon; what
its orders truly delivered, and what it has told of them, is what bills are held against. `sim_boards` talks to it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from random import Random

from drivers.port_board import PortEnd, PortOrder, PortState, PortStatus, PortTraits, Settlement
from drivers.twins.ports.battery import Battery
from drivers.twins.ports.board import Event, Happened, No, PortWorld
from drivers.twins.ports.outlet import Ended, Job, Rules

WH = 3_600_000
"""A watt-hour in the unit in which energy is exact."""
RULES = Rules(detect_ms=15_000, float_ms=20_000, unplug_ms=4_000)
"""Boards wait an hour to be sure that a pack is full; these are in more of a hurry."""
ASKED_MS = 15_000
"""So long after their last impatient look somebody is still near a door that they asked for."""
BY_HAND = "staff"
STEP_MS = 5_000
"""Flow is noted in pieces no longer than this."""
AGAIN_MS = 4_000
"""What is not acknowledged is told again after this."""
ENDS = {
    Ended.FULL: PortEnd.FULL,
    Ended.TIME: PortEnd.LIMIT,
    Ended.ENERGY: PortEnd.LIMIT,
    Ended.TIME_MAX: PortEnd.LIMIT,
    Ended.UNPLUGGED: PortEnd.UNPLUGGED,
    Ended.TOLD: PortEnd.STOPPED,
    Ended.OVERLOAD: PortEnd.OVERLOAD,
    Ended.FIRE_HERE: PortEnd.HAZARD,
    Ended.FIRE_ELSEWHERE: PortEnd.HAZARD,
    Ended.POWER: PortEnd.POWER_LOSS,
}


@dataclass(frozen=True)
class Build:
    """How a board is made. price: of its ports. asks: it answers when it is asked; else it tells by itself alone.

    report_s: how often it tells by itself. pile: it reckons a bill of its own.
    """

    price: str
    ports: int
    step_wh: int = 10
    power_w_max: int = 20_000
    doors: bool = False
    feels_doors: bool = True
    feels_plug: bool = True
    counts_energy: bool = True
    asks: bool = True
    pile: bool = False
    report_s: int = 10

    @property
    def traits(self) -> PortTraits:
        return PortTraits(
            ports=tuple(range(1, self.ports + 1)),
            doors=self.doors,
            feels_plug=self.feels_plug,
            counts_energy=self.counts_energy,
            energy_step_wh=self.step_wh,
            power_w_max=self.power_w_max,
            time_max_s=1_200,
        )


@dataclass
class Told:
    """A settlement that a board has to tell, in the order of ids. job: the order it is of; None: made up.

    due_ms: not before. more: so often again after it was acknowledged. gone: it will never be told (any more).
    """

    id: int
    settlement: Settlement
    job: Job | None
    due_ms: int
    more: int = 0
    acknowledged: bool = False
    gone: bool = False


class PortStand:
    """One board, whatever hangs on it, and whoever stands there.

    silent: nothing of it is heard, nor does it hear; deaf: it hears no orders; odds_of_lost: that it does as told and
    its answer is lost; stuck: doors that do not open. next_*: what befalls its next settlement. excused: a daemon with
    other records than those that it was ordered by talks to it. packs: whose is what lies behind a door. asked: when
    somebody last asked for a door, by port and name. opened_to: what a door was last opened for, as a screen says it.
    """

    def __init__(self, name: str, build: Build, random: Random, now_ms: Callable[[], int]) -> None:
        self.name, self.build, self.random, self.now_ms = name, build, random, now_ms
        self.world = PortWorld(build.ports, doors=build.doors, needs_plug=build.feels_plug, rules=RULES)
        self.world.listeners.append(self._happened)
        self.silent = self.deaf = False
        self.odds_of_lost = 0.0
        self.stuck: set[int] = set()
        self.next_late_s = 0
        self.next_more = 0
        self.next_lost = self.next_renumbered = self.next_second = False
        self.excused = False
        self.packs: dict[int, str] = {}
        self.asked: dict[tuple[int, str], int] = {}
        self.opened_to: dict[int, str] = {}
        self.opened_ms: dict[int, int] = {}
        """When a door was last told to open, and could: one that stands open from before is for nobody new."""
        self.known: dict[bytes, Job] = {}
        self.flows: dict[bytes, list[tuple[int, int, int]]] = {}
        """By order: (from_ms, to_ms, energy)."""
        self.told: list[Told] = []
        self.news = 0
        self.on_start: Callable[[PortStand, Job], None] = lambda stand, job: None
        self.on_door: Callable[[PortStand, int], None] = lambda stand, port: None
        self.on_forget: Callable[[PortStand, Told], None] = lambda stand, told: None
        self._forgets = False
        self._registers_wh = dict.fromkeys(self.world.outlets, random.randrange(1_000_000))
        self.world.now_ms = now_ms()

    def twin(self) -> PortStand:
        """Another board of the same make; nobody is there, and it has been told nothing."""
        twin = PortStand(self.name, self.build, self.random, self.now_ms)
        twin.excused, twin.odds_of_lost = True, self.odds_of_lost
        return twin

    def settle(self) -> None:
        """Let the time since the last call have passed."""
        world = self.world
        while (left_ms := self.now_ms() - world.now_ms) > 0:
            from_ms = world.now_ms
            before = {port: (one.job, one.job.energy_mj) for port, one in world.outlets.items() if one.job is not None}
            world.run(min(left_ms, STEP_MS))
            for job, mj in before.values():
                if job.energy_mj > mj:
                    self.flows[job.number].append((from_ms, world.now_ms, job.energy_mj - mj))

    # --- hands and the world -----------------------------------------------------------------------------------------

    def place(self, port: int) -> str:
        return f"{self.name}.{port}"

    def is_free(self, port: int) -> bool:
        self.settle()
        return self.world.outlets[port].battery is None

    def is_open(self, port: int) -> bool:
        self.settle()
        return self.world.outlets[port].door_open

    def runs(self, port: int) -> bool:
        self.settle()
        return self.world.outlets[port].job is not None

    def plug(self, port: int, battery: Battery) -> None:
        self.settle()
        self.world.plug(port, battery)

    def unplug(self, port: int) -> None:
        self.settle()
        self.world.unplug(port)

    def put_in(self, port: int, who: str, battery: Battery) -> None:
        """Into a locker whose door stands open; the door stays open."""
        self.plug(port, battery)
        self.packs[port] = who

    def take_out(self, port: int) -> None:
        self.unplug(port)
        self.packs.pop(port, None)

    def shut(self, port: int) -> None:
        self.settle()
        if self.world.outlets[port].door_open:
            self.world.shut_door(port)

    def ask(self, port: int, who: str) -> None:
        """Somebody stands there and wants its door."""
        self.asked[port, who] = self.now_ms()

    def is_asked(self, port: int) -> bool:
        """Whether a customer stands there, too."""
        now_ms = self.now_ms()
        return any(at == port and who != BY_HAND and now_ms - ms <= ASKED_MS for (at, who), ms in self.asked.items())

    def draw_more(self, port: int, extra_w: int) -> None:
        self.settle()
        self.world.draw(port, extra_w)

    def power(self, on: bool, *, forgets: bool = False) -> None:
        """Of the board. forgets: what it had still to tell, too."""
        self.settle()
        if not on:
            self._forgets |= forgets
            self.world.cut_power()
            return
        if self._forgets:
            for one in self.told:
                one.gone |= not one.acknowledged
        self.world.return_power()
        self._forgets = False

    def break_down(self, kind: str) -> Callable[[], None] | None:
        """Something goes wrong. What ends it; None: it does so by itself."""
        self.settle()
        match kind:
            case "silent" | "deaf":
                setattr(self, kind, True)
                return partial(setattr, self, kind, False)
            case "dark" | "dark-and-blank":
                self.power(False, forgets=kind != "dark")
                return partial(self.power, True)
            case "smoke":
                self.world.raise_smoke(self.random.choice(list(self.world.outlets)))
                return self.world.clear_smoke
            case "stuck":
                self.stuck.add(port := self.random.choice(list(self.world.outlets)))
                return partial(self.stuck.discard, port)
            case "late":
                self.next_late_s = self.random.choice((20, 60, 400))
            case "more":
                self.next_more = self.random.randint(1, 3)
            case "lost" | "renumbered" | "second":
                setattr(self, f"next_{kind}", True)
            case "again":
                self.tell_again()
        return None

    def tell_again(self) -> None:
        """Something long acknowledged comes once more, as from a board that was restored."""
        old = [one for one in self.told if one.acknowledged and not one.gone]
        if old:
            one = self.random.choice(old)
            one.acknowledged, one.due_ms = False, self.now_ms()

    def excuse(self) -> None:
        self.excused = True

    def heal(self) -> None:
        """Nothing is wrong any more, everybody has fetched what is theirs and open to them, and all doors are shut."""
        self.power(True)
        self.silent = self.deaf = self.next_lost = self.next_renumbered = self.next_second = False
        self.odds_of_lost, self.next_late_s, self.next_more = 0.0, 0, 0
        self.stuck.clear()
        self.world.clear_smoke()
        for one in self.told:
            one.due_ms, one.more = min(one.due_ms, self.now_ms()), 0
        for port, outlet in self.world.outlets.items():
            if outlet.door_open:  # whoever stands before it takes what is theirs
                self.take_out(port)
                self.shut(port)
            elif self.build.doors:
                continue
            elif outlet.battery is not None:
                self.unplug(port)

    # --- what is true ------------------------------------------------------------------------------------------------

    def to_tell(self) -> list[Told]:
        """What is due, oldest first."""
        now_ms = self.now_ms()
        return [one for one in self.told if not one.acknowledged and not one.gone and one.due_ms <= now_ms]

    def untold(self) -> list[Told]:
        """What it will still tell, now or later."""
        return [one for one in self.told if not one.acknowledged and not one.gone]

    def shown_wh(self, job: Job) -> int:
        """What its counter shows of an order."""
        return job.energy_mj // WH // self.build.step_wh * self.build.step_wh

    def status(self, port: int) -> PortStatus:
        """What it says of an outlet, if it can."""
        outlet, build = self.world.outlets[port], self.build
        job, plugged = outlet.job, outlet.battery is not None
        if job is not None:
            state = PortState.FULL if outlet.floats else PortState.CHARGING
        elif build.feels_plug and plugged:
            ended = [one for one in self.world.truth if one.port == port][-1:]
            state = PortState.FULL if ended and ended[0].ended is Ended.FULL else PortState.PLUGGED
        else:
            state = PortState.IDLE
        return PortStatus(
            state,
            state.value,
            order=None if job is None else job.number,
            energy_wh=self.shown_wh(job) if job is not None and build.counts_energy else None,
            elapsed_s=None if job is None else job.elapsed_s,
            power_w=outlet.power_w if job is not None and build.counts_energy else None,
            peak_w=job.peak_w if job is not None and build.counts_energy else None,
            plugged=plugged if build.feels_plug else None,
            door_open=outlet.door_open if build.doors and build.feels_doors else None,
        )

    # --- what a line carries -----------------------------------------------------------------------------------------

    @property
    def hears(self) -> bool:
        return self.world.powered and not self.silent

    def start(self, port: int, order: PortOrder) -> No | None:
        """The same number again changes nothing."""
        self.settle()
        if order.number in self.known:
            return None
        limit_ms = order.limit * 1000 if order.kind == "time" else None
        limit_mj = order.limit * WH if order.kind == "energy" else None
        job = Job(order.number, port, limit_ms, limit_mj)
        job.time_max_ms = (order.time_max_s or self.build.traits.time_max_s) * 1000
        job.overload_mw = (order.power_w_max or self.build.power_w_max) * 1000
        return self.world.start(job)

    def stop(self, port: int, number: bytes) -> None:
        self.settle()
        self.world.stop(port, number)

    def open_door(self, port: int) -> None:
        self.settle()
        if port not in self.stuck or not self.build.feels_doors:  # else nobody could know that it has not opened
            if not self.world.outlets[port].door_open:
                self.on_door(self, port)
            self.world.open_door(port)
            self.opened_ms[port] = self.now_ms()

    def acknowledge(self, ticket: int) -> None:
        """It need not be told again."""
        one = self.told[ticket]
        if one.acknowledged:
            return
        self.on_forget(self, one)
        if one.more:
            one.more, one.due_ms = one.more - 1, self.now_ms() + self.random.randrange(1_000, 60_000)
            return
        one.acknowledged = True

    # --- how ---------------------------------------------------------------------------------------------------------

    def _happened(self, event: Event) -> None:
        self.news += 1
        if event.job is not None and event.what is Happened.STARTED:
            self.known[event.job.number] = event.job
            self.flows[event.job.number] = []
            self.on_start(self, event.job)
        if event.job is not None and event.what is Happened.SETTLED:
            self._to_tell(event.job)

    def _to_tell(self, job: Job) -> None:
        random, now_ms, build = self.random, self.world.now_ms, self.build
        assert job.ended is not None
        before_wh = self._registers_wh[job.port]
        wh = self.shown_wh(job)
        self._registers_wh[job.port] += wh
        settlement = Settlement(
            port=job.port,
            number=job.number,
            end=ENDS[job.ended],
            reason=job.ended.value,
            energy_wh=wh if build.counts_energy else None,
            elapsed_s=job.elapsed_s,
            peak_w=job.peak_w if build.counts_energy else None,
            amount_fen=wh // 7 if build.pile else None,
            register_wh=(before_wh, before_wh + wh) if build.pile else None,
        )
        if self.next_renumbered:
            settlement = replace(settlement, number=b"\xaa" * 12 + random.randbytes(4))
        told = self._add(settlement, job, now_ms + self.next_late_s * 1000, self.next_more)
        told.gone = self.next_lost or self._forgets
        if self.next_second and build.counts_energy:
            self._add(replace(settlement, energy_wh=wh + build.step_wh), None, now_ms + 20_000, 0)
        self.next_lost = self.next_renumbered = self.next_second = False
        self.next_late_s = self.next_more = 0

    def _add(self, settlement: Settlement, job: Job | None, due_ms: int, more: int) -> Told:
        told = Told(len(self.told), settlement, job, due_ms, more)
        self.told.append(told)
        return told


def drawn(name: str, random: Random, now_ms: Callable[[], int]) -> PortStand:
    """A board as it might have been installed."""
    ports, report_s = random.choice((1, 2, 2, 3)), random.choice((3, 10, 25))
    plug, asks = random.random() < 0.6, random.random() < 0.7
    made = [
        Build("energy", ports, 10, feels_plug=plug, asks=asks, report_s=report_s),
        Build("time", ports, 10, feels_plug=plug, asks=asks, report_s=report_s),
        Build("time", ports, counts_energy=False, feels_plug=False, asks=asks, report_s=report_s),
        Build("lockers", ports, 10, doors=True, feels_plug=plug, report_s=report_s),
        Build("lockers", ports, 10, doors=True, feels_plug=True, feels_doors=plug, report_s=report_s),
        Build(random.choice(("tariff", "energy")), ports, 1, 22_000, pile=True, report_s=report_s),
    ]
    return PortStand(name, random.choice(made), random, now_ms)
