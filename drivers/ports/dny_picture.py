"""What has a DNY board said of its ports so far, and what does it wait to have acknowledged? Pure: no I/O, no clock.

A board says most things by itself: states every few minutes, power and order of a charging port every five, alarms when
they come. So what is known after a restart of ours grows within minutes, and settlements come until acknowledged.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from drivers.api import Quality, Reading
from drivers.port_board import PortEnd, PortState, PortStatus, Settlement
from drivers.ports import dny_words as words
from protocols.fieldbus import dny_board as board
from protocols.fieldbus import dny_codes as codes
from protocols.fieldbus.dny_codes import AlarmKind, StopReason

WAITING_MAX: Final = 256
"""Settlements kept for one board; what comes beyond is left to come again, for it is not answered."""
OVER_MAX: Final = 512
"""Settlements remembered as acknowledged, days of a busy board; older ones are known by the journal."""
ALARMS_MAX: Final = 32
ALARM_STANDS_MS: Final = 600_000
"""An alarm that is not repeated for so long is over: no message says so, and boards repeat what goes on."""

Key = tuple[bytes, int, int, int, int]


@dataclass(frozen=True, slots=True)
class Ticket:
    """What acknowledges a settlement. message_id: of the frame that brought it last."""

    key: Key
    message_id: int


@dataclass(frozen=True, slots=True)
class BoardAlarm:
    """What a board or cabinet raised. port: None: of the whole. at_ms: monotonic, since when it is raised; said_ms:
    when it was last said. over: why it is taken to be over; empty: it stands. of_door: it is about a door.
    """

    kind: str
    port: int | None
    at_ms: int
    said_ms: int
    over: str = ""
    of_door: bool = False


@dataclass(slots=True)
class _Port:
    """state, reason: None and "" until told. The others are of the order that runs, None where not told."""

    state: PortState | None = None
    reason: str = ""
    order: bytes | None = None
    energy_wh: int | None = None
    elapsed_s: int | None = None
    power_w: int | None = None
    peak_w: int | None = None
    temp_c: int | None = None
    finished: str | None = None  # of a cabinet: why its order ended, which is not settled yet
    ended: PortEnd | None = None  # the same, in a till's words
    at_ms: int = 0

    def forget_order(self) -> None:
        self.order = self.energy_wh = self.elapsed_s = self.power_w = self.peak_w = self.finished = self.ended = None


class DnyPicture:
    """One board, as it told of itself."""

    def __init__(self, ports: int, *, doors: bool, silent_ms: int) -> None:
        """silent_ms: after so long without a word the board is out."""
        self.registered: board.Register | None = None
        self.voltage_mv: int | None = None
        self.rssi: int | None = None
        self.temp_c: int | None = None
        self.fans: int | None = None
        self._alarms: deque[BoardAlarm] = deque(maxlen=ALARMS_MAX)
        self.heard_ms: int | None = None
        self.beats = 0
        self._ports = {number: _Port() for number in range(1, ports + 1)}
        self._doors: int | None = None
        self._has_doors = doors
        self._silent_ms = silent_ms
        self._waiting: OrderedDict[Key, Settlement] = OrderedDict()
        self._over: OrderedDict[Key, None] = OrderedDict()

    # What is asked of it.

    @property
    def ports(self) -> tuple[int, ...]:
        return tuple(self._ports)

    def alarms(self, now_ms: int) -> Sequence[BoardAlarm]:
        """That it raised lately, oldest first."""
        self._end_alarms("it was not repeated", lambda one: now_ms - one.said_ms > ALARM_STANDS_MS)
        return tuple(self._alarms)

    def out(self, now_ms: int) -> bool:
        """It has missed two heartbeats, or never said anything."""
        return self.heard_ms is None or now_ms - self.heard_ms > self._silent_ms

    def status(self, number: int, now_ms: int) -> Reading[PortStatus]:
        port = self._ports[number]
        if port.state is None:
            return Reading(None, Quality.NONE, None)
        out = self.out(now_ms)
        said = port.state
        reason = port.reason if port.finished is None else f"finished, the door is shut: {port.finished}"
        plugged = None if said in (PortState.FAULT, PortState.OUT) else said is not PortState.IDLE
        status = PortStatus(
            state=PortState.OUT if out else said,
            reason=f"silent; before, {reason}" if out else reason,
            order=port.order,
            energy_wh=port.energy_wh,
            elapsed_s=port.elapsed_s,
            power_w=port.power_w,
            peak_w=port.peak_w,
            plugged=plugged,
            door_open=None if self._doors is None or not self._has_doors else bool(self._doors >> number - 1 & 1),
            ended=port.ended,
        )
        return Reading(status, Quality.STALE if out else Quality.GOOD, port.at_ms)

    def temperature_c(self, number: int) -> int | None:
        """Of one port, as last reported."""
        return self._ports[number].temp_c

    def runs(self, number: int) -> bool | None:
        """Whether an order runs on it, by its last word. None: not told yet."""
        port = self._ports[number]
        return None if port.state is None else port.state is PortState.CHARGING or port.order is not None

    def order(self, number: int) -> bytes | None:
        """That runs on it, as far as known."""
        return self._ports[number].order

    def is_over(self, order: bytes) -> bool:
        """Whether its settlement has come, as far as remembered."""
        return any(key[0] == order for key in (*self._waiting, *self._over))

    def waiting(self) -> Sequence[Settlement]:
        """Settlements to be stored and acknowledged, oldest first."""
        return tuple(self._waiting.values())

    # What it is told.

    def hear(self, message: board.Report, message_id: int, now_ms: int) -> bool:
        """The board said so. Whether it may be answered now: not a settlement that nobody has stored."""
        self.heard_ms = now_ms
        match message:
            case board.Register():
                self.registered = message
            case board.Heartbeat():
                self._beat(message, now_ms)
            case board.PowerReport():
                self._power(message, now_ms)
            case board.Settlement():
                return self._settled(message, message_id, now_ms)
            case board.Finished():
                self._finished(message, now_ms)
            case board.CabinetState():
                self._doors, self.fans = message.doors, message.fans
                shut = "its door is shut"
                self._end_alarms(shut, lambda one: one.of_door and not message.doors >> (one.port or 1) - 1 & 1)
            case board.Alarm():
                of_port = message.kind in (AlarmKind.HOT_MELT, AlarmKind.DOOR_SPRUNG)
                of_door = message.kind == AlarmKind.DOOR_SPRUNG
                kind = words.name(AlarmKind, message.kind)
                self._raise(kind, message.port if of_port else None, now_ms, of_door=of_door)
                if message.kind == AlarmKind.DOOR_SPRUNG and self._doors is not None:
                    self._doors |= 1 << message.port
            case board.PortNotice():
                self._raise(f"44 {message.kind:02X} door not closed", message.port, now_ms, of_door=True)
        return True

    def heard_something(self, now_ms: int) -> None:
        """An answer, which says at least that it is there."""
        self.heard_ms = now_ms

    def parted(self) -> None:
        """The way to it has ended. Doors are told of as they move, so nobody knows how they stand from now on."""
        self._doors = None

    def switched(self, number: int, order: bytes, now_ms: int) -> None:
        """It has taken this order; that it has begun, it says itself. Nothing, if its settlement has overtaken this."""
        port = self._ports[number]
        if port.order == order or self.is_over(order):
            return
        port.forget_order()
        port.order, port.state, port.reason, port.at_ms = order, PortState.PLUGGED, "ordered", now_ms
        port.energy_wh, port.elapsed_s = 0, 0

    def acknowledged(self, ticket: Ticket) -> Ticket | None:
        """It is stored. The newest ticket, if the board still waits for an answer; from now on it gets one at once."""
        waiting = self._waiting.pop(ticket.key, None)
        self._over[ticket.key] = None
        self._over.move_to_end(ticket.key)
        while len(self._over) > OVER_MAX:
            self._over.popitem(last=False)
        newest = None if waiting is None else waiting.ticket
        return newest if isinstance(newest, Ticket) else None

    def _beat(self, message: board.Heartbeat, now_ms: int) -> None:
        self.beats += 1
        self.voltage_mv, self.rssi, self.temp_c = message.voltage_mv, message.rssi, message.temp_c
        for number, code in enumerate(message.states, 1):
            if number in self._ports:
                self._say(number, code, now_ms)

    def _say(self, number: int, code: int, now_ms: int) -> None:
        port = self._ports[number]
        port.state, port.reason, port.at_ms = words.state(code), words.name(codes.PortState, code), now_ms
        waits = port.state is PortState.PLUGGED and self._has_doors  # in a cabinet, for the charger to be plugged in
        if port.state is PortState.IDLE or (port.state is PortState.PLUGGED and not waits):
            port.forget_order()
        elif port.state is not PortState.CHARGING:
            port.power_w = None

    def _power(self, message: board.PowerReport, now_ms: int) -> None:
        number = message.port + 1
        port = self._ports.get(number)
        if port is None:
            return
        self._say(number, message.state, now_ms)
        if self.is_over(message.order):
            return  # older than its settlement
        port.order, port.energy_wh, port.elapsed_s = message.order, message.energy_wh, message.duration_s
        port.power_w, port.peak_w = message.power_mw // 1000, -(-message.power_max_mw // 1000)
        port.temp_c = message.port_c

    def _finished(self, message: board.Finished, now_ms: int) -> None:
        port = self._ports.get(message.port + 1)
        if port is None or self.is_over(message.order):
            return
        port.state, port.at_ms = PortState.FULL, now_ms
        port.finished, port.ended = words.name(StopReason, message.reason), words.end(message.reason)
        port.order, port.energy_wh, port.elapsed_s = message.order, message.energy_wh, message.duration_s
        port.power_w, port.peak_w = None, -(-message.power_max_mw // 1000)

    def _settled(self, message: board.Settlement, message_id: int, now_ms: int) -> bool:
        key = (message.order, message.port, message.duration_s, message.energy_wh, message.reason)
        self._end(message, now_ms)
        if key in self._over:
            return True
        if key not in self._waiting and len(self._waiting) >= WAITING_MAX:
            return False
        self._waiting[key] = words.settlement(message, Ticket(key, message_id))
        return False

    def _end(self, message: board.Settlement, now_ms: int) -> None:
        """Its port is free again, if it is this order that runs there; what comes late ends nothing."""
        port = self._ports.get(message.port + 1)
        if port is None or port.order != message.order:
            return
        port.forget_order()
        unplugged = message.reason in (StopReason.UNPLUGGED, StopReason.UNPLUGGED_CONTACT)
        full = message.reason == StopReason.FULL
        port.state = PortState.IDLE if unplugged else PortState.FULL if full else PortState.PLUGGED
        port.reason, port.at_ms = f"settled: {words.name(StopReason, message.reason)}", now_ms

    def _raise(self, kind: str, port: int | None, now_ms: int, *, of_door: bool) -> None:
        number = None if port is None else port + 1
        for at, one in enumerate(self._alarms):
            if (one.kind, one.port, one.over) == (kind, number, ""):
                self._alarms[at] = replace(one, said_ms=now_ms)
                return
        self._alarms.append(BoardAlarm(kind, number, now_ms, now_ms, of_door=of_door))

    def _end_alarms(self, why: str, is_over: Callable[[BoardAlarm], bool]) -> None:
        for at, one in enumerate(self._alarms):
            if not one.over and is_over(one):
                self._alarms[at] = replace(one, over=why)
