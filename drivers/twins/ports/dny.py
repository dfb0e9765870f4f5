"""A simulated board's end of DNY (AP3000 V8.6): what it says, and when, and what it does when told. Frames, no I/O.

What is to be said stands in `outbox`; on TCP it goes out at once, on RS-485 one frame for each poll. Times are the
world's. Settlements stay in `kept`, which is the board's EEPROM, until they are answered.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from drivers.twins.ports.battery import MJ_PER_WH
from drivers.twins.ports.board import Event, Happened, No, PortWorld
from drivers.twins.ports.faults import PortFaultKind, PortFaults
from drivers.twins.ports.outlet import Ended, Job, Outlet
from protocols.fieldbus import dny_board as board
from protocols.fieldbus import dny_platform as platform
from protocols.fieldbus.dny import answer, report, said_by_platform
from protocols.fieldbus.dny_codes import (
    DOOR_NOT_CLOSED,
    PORT_ANY,
    START,
    AlarmKind,
    ChangeMode,
    ChangeResult,
    Command,
    Mode,
    PortState,
    StartKind,
    StopReason,
    SwitchResult,
)
from protocols.fieldbus.dny_frames import Frame

NO_CARD: Final = bytes(4)
OFFLINE_AFTER: Final = 2
"""Heartbeats without an answer, and the board counts itself as offline."""

_REASONS: Final[Mapping[Ended, StopReason]] = {
    Ended.FULL: StopReason.FULL,
    Ended.TIME: StopReason.TIME_UP,
    Ended.ENERGY: StopReason.ENERGY_UP,
    Ended.TIME_MAX: StopReason.TIME_MAX,
    Ended.UNPLUGGED: StopReason.UNPLUGGED,
    Ended.TOLD: StopReason.SERVER,
    Ended.OVERLOAD: StopReason.OVERLOAD,
    Ended.FIRE_HERE: StopReason.FIRE_HERE,
    Ended.FIRE_ELSEWHERE: StopReason.FIRE_ELSEWHERE,
    Ended.POWER: StopReason.UNDER_VOLTAGE,  # no document says; there is no code that fits better
}
_REFUSALS: Final[Mapping[No, SwitchResult]] = {
    No.SMOKE: SwitchResult.SMOKE,
    No.NO_SUCH_PORT: SwitchResult.NO_SUCH_PORT,
    No.BUSY: SwitchResult.ALREADY,
    No.NO_CHARGER: SwitchResult.NO_CHARGER,
}


@dataclass(slots=True)
class Kept:
    """A settlement in the EEPROM. ids: message ids that it was said under. again_ms: when it is said next."""

    said: board.Settlement
    ids: set[int] = field(default_factory=set)
    again_ms: int = 0


@dataclass(frozen=True, slots=True)
class Pace:
    """How often it says what, in seconds; as the document has them."""

    heartbeat_s: int = 180
    power_s: int = 300
    repeat_s: int = 1800
    register_s: int = 10  # until it is answered; no document says how often
    time_s: int = 43_200


class DnyTwin:
    """One board. device: its number in frames. virtual_id: on a line."""

    def __init__(
        self,
        world: PortWorld,
        device: int,
        faults: PortFaults | None = None,
        *,
        virtual_id: int = 0,
        firmware: int = 126,
        pace: Pace = Pace(),
    ) -> None:
        self.world = world
        self.device = device
        self.virtual_id = virtual_id
        self.faults = PortFaults() if faults is None else faults
        self.pace = pace
        self.firmware = firmware
        self.outbox: deque[Frame] = deque()
        self.kept: list[Kept] = []
        self.asked: list[platform.Request] = []  # everything that it was told and understood
        self.answered: list[platform.Answer] = []  # everything that its reports were answered with
        self.floating = platform.FLOATING_FACTORY
        self.load = platform.LOAD_FACTORY
        self.limits = platform.Limits(platform.TIME_MAX_S_FACTORY, 2_000_000, 270_000, 100_000)
        self.unanswered_beats = 0
        self._last_id = 0
        self._registered = False
        self._unix_offset_ms: int | None = None  # Unix ms less the world's; None: it knows no time
        self._due: dict[str, int] = {}
        self._full: dict[int, object] = {}  # port -> the battery that is full on it
        world.listeners.append(self._on_event)
        self._boot()

    @property
    def offline(self) -> bool:
        """It has missed so many answers that it would call again."""
        return self.unanswered_beats >= OFFLINE_AFTER

    # Time.

    def tick(self) -> None:
        """Say what is due by now."""
        world = self.world
        if not world.powered:
            return
        if not self._registered and self._is_due("register", self.pace.register_s):
            self._say_newest(self._register())
        if self._unix_offset_ms is None and self._is_due("time", self.pace.register_s):
            self._say_newest(board.AskTime())
        if self._is_due("beat", self.floating.heartbeat_s or self.pace.heartbeat_s):
            self._beat()
        for outlet in world.outlets.values():
            if outlet.job is not None and self._is_due(f"power {outlet.port}", self.pace.power_s):
                self._say(self._power(outlet))
        for kept in self.kept:
            if world.now_ms >= kept.again_ms:
                kept.again_ms = world.now_ms + 1000 * self.pace.repeat_s
                kept.ids.add(self._say(kept.said))

    def connected(self) -> None:
        """A new connection: it registers anew, and says at once what it has kept."""
        self.outbox.clear()
        self.unanswered_beats = 0
        self._registered = False
        self._due = {name: at_ms for name, at_ms in self._due.items() if name.startswith("power")}
        for kept in self.kept:
            kept.again_ms = self.world.now_ms

    def show_card(self, uid: bytes, port: int = PORT_ANY, kind: int = 1) -> None:
        """Somebody holds a card to it. port: from 0, as on the wire."""
        self._say(board.CardShown(uid, kind, port, 0))

    # What it hears.

    def hear(self, frame: Frame) -> None:
        """A frame to this board."""
        if not self.world.powered:
            return
        message = said_by_platform(frame)
        if message is None:
            return
        if isinstance(message, platform.Answer):
            self.answered.append(message)
            self._take_answer(frame, message)
            return
        self.asked.append(message)
        reply = self._do(message)
        if reply is not None and not self.faults.take(PortFaultKind.LOST_ANSWER):
            self.outbox.appendleft(answer(frame, reply))  # before whatever waits to be said

    def _take_answer(self, frame: Frame, message: platform.Answer) -> None:
        match message:
            case platform.Time(unix_s=unix_s):
                self._unix_offset_ms = 1000 * unix_s - self.world.now_ms
            case platform.Taken(code=0) if frame.command == Command.SETTLEMENT:
                self.kept = [kept for kept in self.kept if frame.message_id not in kept.ids]
            case platform.Taken(code=0) if frame.command == Command.REGISTER:
                self._registered = True
            case platform.Taken() if frame.command == Command.HEARTBEAT:
                self.unanswered_beats = 0

    def _do(self, message: platform.Request) -> board.Answer | None:
        match message:
            case platform.Query():
                self._say(self._register())
                self._beat()
                return None
            case platform.Switch():
                return self._switch(message)
            case platform.StopKeepShut(port=port, order=order):
                refusal = self.world.stop(port + 1, order)
                if refusal in (No.OTHER_ORDER, No.DARK):
                    return None
                return board.Stopped(SwitchResult.OK if refusal is None else _REFUSALS[refusal], order)
            case platform.CabinetOrder(port=port):
                return board.Result(0 if self.world.doors and self.world.open_door(port + 1) is None else 1)
            case platform.Change():
                return board.Result(self._change(message))
            case platform.Floating() | platform.Load() | platform.Limits():
                if not self.faults.take(PortFaultKind.FORGETS_SETTINGS):
                    self._set(message)
                return board.Result(0)
            case platform.ReadFloating():
                return self.floating
            case platform.ReadLoad():
                return self.load
            case platform.ReadLimits():
                return self.limits
            case platform.Reboot():
                self.world.cut_power(1_000)
                return None

    def _switch(self, message: platform.Switch) -> board.Switched | None:
        port, waiting = message.port, 0
        if port == PORT_ANY:
            found = [o.port for o in self.world.outlets.values() if o.battery is not None and o.job is None]
            waiting = sum(1 << one - 1 for one in found)
            if len(found) != 1:
                result = SwitchResult.SEVERAL_WAIT if found else SwitchResult.NO_CHARGER
                return board.Switched(result, message.order, port, waiting)
            port = found[0] - 1
        told = self.faults.take(PortFaultKind.REFUSE)
        if told is not None and told.amount_or_usual not in (SwitchResult.PORT_FAULT, SwitchResult.RELAY_WELDED):
            return board.Switched(told.amount_or_usual, message.order, port, waiting)
        if message.action == START:
            refusal = self.world.start(self._job(port + 1, message))
        else:
            refusal = self.world.stop(port + 1, message.order)
        if refusal in (No.OTHER_ORDER, No.DARK):
            return None
        result = SwitchResult.OK if refusal is None else _REFUSALS[refusal]
        if refusal is None and told is not None:
            result = SwitchResult(told.amount_or_usual)
        elif refusal is None and message.action == START and self.world.outlets[port + 1].welded:
            result = SwitchResult.RELAY_WELDED
        return board.Switched(result, message.order, port, waiting)

    def _job(self, port: int, message: platform.Switch) -> Job:
        by_energy = message.mode == Mode.ENERGY
        limit = message.limit or None
        return Job(
            message.order,
            port,
            limit_ms=None if by_energy or limit is None else 1000 * limit,
            limit_mj=10 * MJ_PER_WH * limit if by_energy and limit is not None else None,
            time_max_ms=1000 * (message.time_max_s or self.limits.time_max_s),
            overload_mw=message.overload_mw or self.limits.overload_mw,
        )

    def _change(self, message: platform.Change) -> ChangeResult:
        outlet = self.world.outlets.get(message.port + 1)
        if outlet is None or message.mode not in list(ChangeMode):
            return ChangeResult.BAD
        job = outlet.job
        if job is None:
            return ChangeResult.NOT_CHARGING
        if message.mode == ChangeMode.ENERGY_OR_FULL:
            job.limit_ms, job.limit_mj = None, 10 * MJ_PER_WH * message.limit
            below = job.energy_mj > job.limit_mj
        else:
            job.limit_ms, job.limit_mj = 1000 * message.limit, None
            below = job.elapsed_ms > job.limit_ms
        return ChangeResult.BELOW_USED if below else ChangeResult.OK

    def _set(self, message: platform.Floating | platform.Load | platform.Limits) -> None:
        match message:
            case platform.Floating():
                self.floating = replace(message, heartbeat_s=message.heartbeat_s or self.floating.heartbeat_s)
                for outlet in self.world.outlets.values():
                    rules = outlet.rules
                    rules.float_percent, rules.unplug_ms = message.float_percent, 1000 * message.unplug_s
                    rules.detect_ms, rules.float_ms = 1000 * message.detect_s, 1000 * message.float_s
            case platform.Load():
                self.load = message
            case platform.Limits():
                self.limits = message

    # What it says.

    def _on_event(self, event: Event) -> None:
        port, job = event.port, event.job
        match event.what:
            case Happened.STARTED if port is not None:
                self._due[f"power {port}"] = event.at_ms + 1000 * self.pace.power_s
            case Happened.ENDED if port is not None and job is not None:
                self._full[port] = self.world.outlets[port].battery if job.ended is Ended.FULL else None
                if self.world.doors and not self.world.outlets[port].door_open:
                    said = self._settlement(job)
                    self._say(
                        board.Finished(
                            said.duration_s, said.power_max_mw, said.energy_wh, said.port, said.started_by, said.card,
                            said.reason, said.order,
                        )
                    )  # fmt: skip
            case Happened.SETTLED if job is not None:
                self.kept.append(Kept(self._settlement(job), again_ms=event.at_ms))
            case Happened.SMOKE:
                self._say(board.Alarm(AlarmKind.SMOKE, 0, 0))
            case Happened.WATER:
                self._say(board.Alarm(AlarmKind.WATER, 0, 0))
            case Happened.SPRUNG if port is not None:
                self._say(board.Alarm(AlarmKind.DOOR_SPRUNG, port - 1, 0))
                self._say(self._doors())
            case Happened.DOOR:
                self._say(self._doors())
            case Happened.DARK:
                self.outbox.clear()
            case Happened.LIGHT:
                self._boot()

    def notice_open_door(self, port: int) -> None:
        """It says that this door was not closed."""
        job = self.world.outlets[port].job
        self._say(board.PortNotice(DOOR_NOT_CLOSED, port - 1, bytes(16) if job is None else job.number))

    def _boot(self) -> None:
        self._registered = False
        self._unix_offset_ms = None
        self._due.clear()
        self.unanswered_beats = 0
        for kept in self.kept:
            kept.again_ms = self.world.now_ms

    def _say(self, message: board.Report) -> int:
        """Its message id."""
        self._last_id = self._last_id % 0xFFFF + 1
        self.outbox.append(report(self.device, self._last_id, message))
        return self._last_id

    def _say_newest(self, message: board.Report) -> None:
        """In place of what it wanted to say of this kind before and has not been asked for: a host that polls after an
        hour hears how things stand, not an hour of it.
        """
        self._say(message)
        newest = self.outbox[-1]
        for frame in [one for one in self.outbox if one.command == newest.command and one is not newest]:
            self.outbox.remove(frame)

    def _is_due(self, name: str, every_s: int) -> bool:
        if self.world.now_ms < self._due.get(name, 0):
            return False
        self._due[name] = self.world.now_ms + 1000 * every_s
        return True

    def _register(self) -> board.Register:
        kind = 0x20 + min(1, len(self.world.outlets) // 3)
        return board.Register(self.firmware, len(self.world.outlets), self.virtual_id, kind, 0b10)

    def _beat(self) -> None:
        self.unanswered_beats += 1
        states = bytes(self._state(outlet) for outlet in self.world.outlets.values())
        self._say_newest(board.Heartbeat(221_200, states, 20, 31))

    def _state(self, outlet: Outlet) -> PortState:
        if outlet.welded:
            return PortState.RELAY_WELDED
        if outlet.job is not None:
            if outlet.battery is None and self.world.doors:
                return PortState.PLUGGED
            return PortState.FLOATING if outlet.floats else PortState.CHARGING
        if outlet.port in self.world.unsettled:
            return PortState.FULL
        if outlet.battery is None:
            return PortState.IDLE
        return PortState.FULL if self._full.get(outlet.port) is outlet.battery else PortState.PLUGGED

    def _power(self, outlet: Outlet) -> board.PowerReport:
        job = outlet.job
        assert job is not None
        power_mw = 1000 * min(6_553, outlet.power_w)
        peak_mw = 1000 * min(6_553, job.peak_w)
        return board.PowerReport(
            outlet.port - 1, self._state(outlet), job.elapsed_s, job.energy_wh, StartKind.SERVER, power_mw, peak_mw,
            power_mw, power_mw, job.number, 0, peak_mw, 221_200, min(0xFFFF, outlet.power_w * 1000 // 221), 31, 35,
        )  # fmt: skip

    def _settlement(self, job: Job) -> board.Settlement:
        assert job.ended is not None
        peak_mw = 1000 * min(6_553, job.peak_w)
        offset_ms = self._unix_offset_ms
        ended_s = None if offset_ms is None else (self.world.now_ms + offset_ms) // 1000
        return board.Settlement(
            job.elapsed_s, peak_mw, job.energy_wh, job.port - 1, StartKind.SERVER, NO_CARD, _REASONS[job.ended],
            job.number, peak_mw, ended_s,
        )  # fmt: skip

    def _doors(self) -> board.CabinetState:
        doors = sum(1 << outlet.port - 1 for outlet in self.world.outlets.values() if outlet.door_open)
        return board.CabinetState(len(self.world.outlets), doors, 0)
