"""A simulated board with outlets: what it keeps over a power cut, what befalls it, and what it would say. No I/O.

Time passes only by `run`. Whatever happens is told to `listeners` in order, for the twin of any protocol to say it.
`truth` holds every order that ever ran, to the millijoule, for auditors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from drivers.twins.ports.battery import Battery
from drivers.twins.ports.outlet import Ended, Job, Outlet, Rules

FOR_EVER_MS = 1 << 60


class Happened(Enum):
    """What listeners are told of."""

    STARTED = "started"
    ENDED = "ended"  # current is off; of a cabinet not settled yet
    SETTLED = "settled"
    PLUGGED = "plugged"
    UNPLUGGED = "unplugged"
    DOOR = "door"
    SPRUNG = "sprung"  # a door came open by itself
    SMOKE = "smoke"
    WATER = "water"
    DARK = "dark"
    LIGHT = "light"


class No(Enum):
    """Why it does not do what it is told, in order of precedence."""

    DARK = "dark"
    SMOKE = "smoke"
    NO_SUCH_PORT = "no-such-port"
    BUSY = "busy"
    NO_CHARGER = "no-charger"
    OTHER_ORDER = "other-order"  # a stop names an order that is not the port's


@dataclass(frozen=True, slots=True)
class Event:
    """port: None: of the whole board. job: of STARTED, ENDED and SETTLED."""

    what: Happened
    at_ms: int
    port: int | None = None
    job: Job | None = None


class PortWorld:
    """One board. Read its attributes freely.

    doors: a cabinet, whose orders are settled when the door opens after they ended. needs_plug: it starts no port that
    nothing is plugged into. total_w_max: of all ports.
    """

    def __init__(
        self, ports: int, *, doors: bool = False, needs_plug: bool = False, rules: Rules | None = None
    ) -> None:
        self.outlets = {port: Outlet(port, rules or Rules()) for port in range(1, ports + 1)}
        self.doors = doors
        self.needs_plug = needs_plug
        self.now_ms = 0
        self.powered = True
        self.smoke = False
        self.truth: list[Job] = []
        self.unsettled: dict[int, Job] = {}  # of a cabinet: ended, the door is still shut
        self.listeners: list[Callable[[Event], None]] = []
        self._later: list[tuple[int, Callable[[], None]]] = []

    # What it is told over its link.

    def start(self, job: Job) -> No | None:
        """Close the relay for an order. None: done."""
        outlet = self.outlets.get(job.port)
        if not self.powered:
            return No.DARK
        if self.smoke:
            return No.SMOKE
        if outlet is None:
            return No.NO_SUCH_PORT
        if outlet.job is not None or job.port in self.unsettled:
            return No.BUSY
        if self.needs_plug and outlet.battery is None:
            return No.NO_CHARGER
        outlet.job = job
        self.truth.append(job)
        self._tell(Happened.STARTED, job.port, job)
        self._end_if_due(outlet)
        return None

    def stop(self, port: int, number: bytes) -> No | None:
        """End that order. None: done."""
        outlet = self.outlets.get(port)
        if not self.powered:
            return No.DARK
        if outlet is None:
            return No.NO_SUCH_PORT
        job = outlet.job
        if job is None:
            return No.BUSY
        if job.number != number:
            return No.OTHER_ORDER
        self._end(outlet, Ended.TOLD)
        return None

    def open_door(self, port: int) -> No | None:
        """Of a cabinet: spring it open. An order that has ended is settled by that."""
        outlet = self.outlets.get(port)
        if not self.powered:
            return No.DARK
        if outlet is None:
            return No.NO_SUCH_PORT
        outlet.door_open = True
        self._tell(Happened.DOOR, port)
        self._settle(port)
        return None

    # What hands and chance do.

    def plug(self, port: int, battery: Battery) -> None:
        """Raises ValueError where something is plugged in."""
        outlet = self.outlets[port]
        if outlet.battery is not None:
            raise ValueError(f"port {port} is taken")
        outlet.battery = battery
        self._tell(Happened.PLUGGED, port)
        self._end_if_due(outlet)

    def unplug(self, port: int) -> Battery | None:
        """What was plugged in."""
        outlet = self.outlets[port]
        battery, outlet.battery = outlet.battery, None
        if battery is not None:
            self._tell(Happened.UNPLUGGED, port)
        return battery

    def draw(self, port: int, extra_w: int) -> None:
        """The load on it becomes another: so much more than its battery, or less."""
        outlet = self.outlets[port]
        if outlet.battery is not None:
            outlet.battery.extra_w = extra_w
            self._end_if_due(outlet)

    def shut_door(self, port: int) -> None:
        self.outlets[port].door_open = False
        self._tell(Happened.DOOR, port)

    def spring(self, port: int) -> None:
        """A door comes open by itself, or is forced."""
        self.outlets[port].door_open = True
        self._tell(Happened.SPRUNG, port)
        self._settle(port)

    def weld(self, port: int, *, welded: bool = True) -> None:
        """Its relay stays closed, whatever it is told."""
        self.outlets[port].welded = welded

    def raise_smoke(self, port: int = 1, *, for_ms: int | None = None) -> None:
        """Every order ends, that of `port` as where the fire is."""
        self.smoke = True
        self._tell(Happened.SMOKE, port)
        for outlet in self.outlets.values():
            if outlet.job is not None:
                self._end(outlet, Ended.FIRE_HERE if outlet.port == port else Ended.FIRE_ELSEWHERE)
        if for_ms is not None:
            self.after(for_ms, self.clear_smoke)

    def clear_smoke(self) -> None:
        self.smoke = False

    def raise_water(self) -> None:
        self._tell(Happened.WATER)

    def cut_power(self, for_ms: int | None = None) -> None:
        """Dark: nothing flows, nothing is heard. What orders have counted is kept."""
        if not self.powered:
            return
        self.powered = False
        for outlet in self.outlets.values():
            outlet.fed = False
        self._tell(Happened.DARK)
        if for_ms is not None:
            self.after(for_ms, self.return_power)

    def return_power(self) -> None:
        """Light again: every order that ran is over, and said to be."""
        if self.powered:
            return
        self.powered = True
        for outlet in self.outlets.values():
            outlet.fed = True
        self._tell(Happened.LIGHT)
        for outlet in self.outlets.values():
            if outlet.job is not None:
                self._end(outlet, Ended.POWER)

    def after(self, ms: int, what: Callable[[], None]) -> None:
        """Do this then."""
        self._later.append((self.now_ms + ms, what))

    # Time.

    def next_ms(self) -> int | None:
        """Until something happens by itself. None: nothing will."""
        found = [max(0, at_ms - self.now_ms) for at_ms, _ in self._later]
        found += [ms for outlet in self.outlets.values() if (ms := outlet.next_ms()) is not None]
        return min(found) if found else None

    def run(self, ms: int) -> None:
        """So much time passes."""
        end_ms = self.now_ms + ms
        while True:
            self._befall()
            left_ms = end_ms - self.now_ms
            if left_ms <= 0:
                return
            next_ms = self.next_ms()
            step_ms = left_ms if next_ms is None else min(left_ms, max(1, next_ms))
            self.now_ms += step_ms
            for outlet in self.outlets.values():
                ended = outlet.pass_ms(step_ms)
                if ended is not None:
                    self._end(outlet, ended)

    def _befall(self) -> None:
        for due in sorted((one for one in self._later if one[0] <= self.now_ms), key=lambda one: one[0]):
            self._later.remove(due)
            due[1]()

    def _end_if_due(self, outlet: Outlet) -> None:
        ended = outlet.verdict()
        if ended is not None:
            self._end(outlet, ended)

    def _end(self, outlet: Outlet, ended: Ended) -> None:
        job, outlet.job = outlet.job, None
        assert job is not None
        job.ended = ended
        self._tell(Happened.ENDED, outlet.port, job)
        self.unsettled[outlet.port] = job
        if not self.doors or outlet.door_open:
            self._settle(outlet.port)

    def _settle(self, port: int) -> None:
        job = self.unsettled.pop(port, None)
        if job is not None:
            self._tell(Happened.SETTLED, port, job)

    def _tell(self, what: Happened, port: int | None = None, job: Job | None = None) -> None:
        event = Event(what, self.now_ms, port, job)
        for listener in tuple(self.listeners):
            listener(event)
