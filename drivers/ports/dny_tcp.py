"""Which connection leads to which DNY board, when boards, or hosts with boards behind them, connect to us?

A board is known by the number in its frames alone. So the newest connection that a board's frames come on is the way to
it: one that was lost without a word would otherwise block the board until it times out.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Final, NoReturn

import structlog

from drivers.api import Link, LinkState
from drivers.errors import LineDown
from drivers.ports.config import PortBoardConfig, UnixMs
from drivers.ports.dny import DnyBoard
from drivers.ports.dny_identity import device_of
from drivers.ports.dny_options import DnyOptions
from drivers.ports.dny_talk import Board
from drivers.ports.listener import Caller, Listener
from drivers.ports.strangers import Strangers
from protocols.fieldbus import dny_board as board
from protocols.fieldbus import dny_platform as platform
from protocols.fieldbus.dny import Answered, Noise, PlatformSide, Reported, answer
from protocols.fieldbus.dny_frames import DeviceType, Frame, Iccid, device_kind, encode_frame, printed_number
from protocols.fieldbus.expect import NEED_MORE

log = structlog.get_logger()

REMEDY: Final = "Give it a [[port_board]] with this `device`, or take it off the network."
HOSTS: Final = (DeviceType.HOST, DeviceType.LEAKAGE_HOST)


class Call:
    """One connection, and the boards whose frames came on it last."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.side = PlatformSide()
        self.iccid: str | None = None
        self.devices: set[int] = set()

    def send(self, frame: Frame) -> None:
        """Raises LineDown."""
        self.caller.send(encode_frame(frame))


class DnySwitchboard:
    """Every DNY board of one listener."""

    def __init__(self) -> None:
        self.ways: dict[int, DnyTcpWay] = {}
        self.unix_ms: UnixMs = lambda: None
        self.strangers = Strangers("board", REMEDY)

    async def serve(self, caller: Caller) -> None:
        call = Call(caller)
        try:
            while data := await caller.receive():
                call.side.receive_data(data)
                while (event := call.side.next_event()) is not NEED_MORE:
                    match event:
                        case Reported(frame=frame) | Answered(frame=frame):
                            self._take(call, frame)
                        case Iccid(number=number):
                            call.iccid = number
                        case Noise(size=size):
                            for device in call.devices:
                                self.ways[device].count("noise", size)
        finally:
            for device in list(call.devices):
                self.ways[device].ended(call)

    def _take(self, call: Call, frame: Frame) -> None:
        way = self.ways.get(frame.device)
        if way is not None:
            call.caller.known = True
            way.heard(call, frame)
        elif device_kind(frame.device) in HOSTS and frame.command == board.HostAskTime.COMMAND:
            unix_ms = self.unix_ms()
            if unix_ms is not None:
                call.send(answer(frame, platform.Time(unix_ms // 1000)))
        elif device_kind(frame.device) not in HOSTS:
            number = f"{printed_number(frame.device)} (kind {device_kind(frame.device):02X})"
            self.strangers.met(number, call.caller.peer)


class DnyTcpWay:
    """The way to one board: the connection that its last frame came on."""

    def __init__(self, listener: Listener, switchboard: DnySwitchboard, name: str, device: int) -> None:
        self.where = f"{listener.id}:{name}"
        self.device = device
        self._board: Board | None = None
        self._call: Call | None = None
        self._since_ms = self._last_ms = _now_ms()
        self._met = False
        self._state = LinkState.NEW
        self._counts: dict[str, int] = {}
        self._asked: dict[tuple[int, int], float] = {}
        self._took_ms: deque[float] = deque(maxlen=128)
        switchboard.ways[device] = self

    def lead_to(self, board: Board) -> None:
        self._board = board

    def frame(self, message: platform.Request) -> Frame:
        return self._connected().side.ask(self.device, message)

    async def send(self, frame: Frame) -> None:
        call = self._connected()
        call.send(frame)
        if frame.command in platform.REQUESTS:
            self._asked = {(frame.message_id, frame.command): time.monotonic()}
            self.count("asked")

    async def run(self) -> NoReturn:
        """Nothing to do: the board calls."""
        await asyncio.get_running_loop().create_future()
        raise AssertionError("never resolved")

    def link(self, *, out: bool) -> Link:
        """ONLINE while it is connected and has not missed its heartbeats."""
        error = None
        if not self._met:
            error = f"{self.where}: it has not connected yet. Check its network, and the address it is told to call."
        elif self._call is None:
            error = f"{self.where}: its connection has ended. It calls again by itself; check its network."
        elif out:
            error = f"{self.where}: connected, and silent. Check its power and its signal."
        state = LinkState.NEW if not self._met else LinkState.OFFLINE if error else LinkState.ONLINE
        if state is not self._state:
            self._state, self._since_ms = state, _now_ms()
        took = sorted(self._took_ms)
        latency = {f"p{n}": took[min(len(took) - 1, len(took) * n // 100)] for n in (50, 90, 99)} if took else {}
        return Link(state, self._since_ms, self._last_ms if self._met else None, error, dict(self._counts), latency)

    def count(self, kind: str, count: int = 1) -> None:
        self._counts[kind] = self._counts.get(kind, 0) + count

    def heard(self, call: Call, frame: Frame) -> None:
        """A frame of the board came on this connection."""
        assert self._board is not None, "a way leads to a board from its beginning"
        self._last_ms = _now_ms()
        if self._call is not call:
            self._change_to(call)
        asked_at = self._asked.pop((frame.message_id, frame.command), None)
        if asked_at is not None:
            self._took_ms.append(round(1000 * (time.monotonic() - asked_at), 3))
            self.count("answered")
        reply = self._board.hear(frame)
        if reply is not None:
            call.send(reply)

    def ended(self, call: Call) -> None:
        """This connection has."""
        call.devices.discard(self.device)
        if self._call is call:
            self._call = None
            self._lost("the connection has ended")

    def _change_to(self, call: Call) -> None:
        assert self._board is not None
        old, self._call = self._call, call
        call.devices.add(self.device)
        self._met = True
        self.count("connected")
        if old is not None:
            self._lost("it has connected anew")
            old.devices.discard(self.device)
            self.count("taken_over")
            if not old.devices:
                old.caller.hang_up()
        self._board.returned()

    def _lost(self, why: str) -> None:
        if self._board is not None:
            self._board.lost(LineDown(why, where=self.where))

    def _connected(self) -> Call:
        if self._call is None:
            raise LineDown("it is not connected", where=self.where)
        return self._call


def dny_on_listener(listener: Listener, config: PortBoardConfig, unix_ms: UnixMs) -> DnyBoard:
    """Raises door.Refused."""
    switchboard = listener.switchboard
    assert isinstance(switchboard, DnySwitchboard)
    options = config.options_as(DnyOptions)
    switchboard.unix_ms = unix_ms
    way = DnyTcpWay(listener, switchboard, config.id, device_of(config, options))
    return DnyBoard(config, options, way, unix_ms)


def _now_ms() -> int:
    return int(time.monotonic() * 1000)
