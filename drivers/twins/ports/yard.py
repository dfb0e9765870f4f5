"""The simulated port boards and piles of one file: built, served until closed, and told who plugs what in where."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec

from drivers.ports.dny_options import KIND_OF_PORTS
from drivers.twins.car import UJ_PER_WH, Car
from drivers.twins.ports.battery import MJ_PER_WH, Battery
from drivers.twins.ports.board import PortWorld
from drivers.twins.ports.dny import DnyTwin
from drivers.twins.ports.wire import DnyCaller, DnyLine
from drivers.twins.ports.ykc import YkcTwin
from drivers.twins.ports.ykc_serve import YkcCaller, calling
from protocols.door import Fault, Refused
from protocols.fieldbus.dny_frames import device_id

CAR_WH: Final = 60_000

Number = Annotated[int, msgspec.Meta(ge=1, le=255)]
Speed = Annotated[int, msgspec.Meta(ge=1, le=1_000)]


class TwinBoardConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[port_board]]`: a DNY board on an RS-485 line of its own, a pty with a symlink at `link` if given; or, with
    `port`, one that calls its gateway at `host`:`port`, and calls again.

    device: the number printed on it. address: its virtual id on a line. doors: a cabinet with a door for each port.
    speed: how much faster its time runs than the clock's.
    """

    id: str
    device: Annotated[int, msgspec.Meta(ge=1, lt=1 << 24)]
    address: Annotated[int, msgspec.Meta(ge=0, le=49)] = 20
    ports: int = 10
    doors: bool = False
    link: str | None = None
    host: str = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=1, le=65_535)] | None = None
    speed: Speed = 1

    def __post_init__(self) -> None:
        if self.ports not in KIND_OF_PORTS:
            raise ValueError(f"a board has {', '.join(map(str, KIND_OF_PORTS))} ports, not {self.ports}")
        if self.link is not None and self.port is not None:
            raise ValueError("a board is on a line with a `link`, or calls a `port`")


class TwinPileConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[pile]]`: a YKC pile that calls its platform at `host`:`port`, and calls again. code: as set in it."""

    id: str
    code: Annotated[str, msgspec.Meta(pattern="^[0-9]{14}$")]
    port: Annotated[int, msgspec.Meta(ge=1, le=65_535)]
    host: str = "127.0.0.1"
    guns: Annotated[int, msgspec.Meta(ge=1, le=16)] = 1
    speed: Speed = 1


class PlugIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="do", tag="plug-in"):
    """A bike at a port, or a car at a pile's gun, that takes up to `power_w` and is full after `room_wh`."""

    board: str
    port: Number
    room_wh: Annotated[int, msgspec.Meta(ge=1, le=CAR_WH)] = 500
    power_w: Annotated[int, msgspec.Meta(ge=1, le=22_000)] = 200


class PlugOut(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="do", tag="plug-out"):
    """It leaves."""

    board: str
    port: Number


class ShutDoor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="do", tag="shut-door"):
    """A hand shuts the door of a cabinet's port."""

    board: str
    port: Number


class Dark(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="do", tag="board-dark"):
    """The power of a board or a pile is gone for so long, in its own time."""

    board: str
    for_ms: Annotated[int, msgspec.Meta(ge=1)] = 5_000


AnyPortCommand = PlugIn | PlugOut | ShutDoor | Dark


class Yard:
    """`async with Yard(...)` serves until the block ends. Raises Refused where two have one id."""

    def __init__(
        self, boards: Iterable[TwinBoardConfig], piles: Iterable[TwinPileConfig], *, source: str = "site"
    ) -> None:
        self.boards: dict[str, DnyTwin] = {}
        self.lines: dict[str, DnyLine] = {}
        self.callers: dict[str, DnyCaller] = {}
        self.piles: dict[str, YkcCaller] = {}
        self._piles = tuple(piles)
        for board in boards:
            world, device = (
                PortWorld(board.ports, doors=board.doors),
                device_id(KIND_OF_PORTS[board.ports], board.device),
            )
            twin = DnyTwin(world, device, virtual_id=board.address)
            self._is_new(board.id, source)
            self.boards[board.id] = twin
            if board.port is not None:
                self.callers[board.id] = DnyCaller(twin, board.host, board.port, speed=board.speed)
            else:
                link = None if board.link is None else Path(board.link)
                self.lines[board.id] = DnyLine([twin], speed=board.speed, link=link)
        for pile in self._piles:
            self._is_new(pile.id, source)
        self._stack = AsyncExitStack()

    async def open(self) -> None:
        """Every line is there, and every board and pile calls that does."""
        for way in (*self.lines.values(), *self.callers.values()):
            await self._stack.enter_async_context(way)
        for pile in self._piles:
            caller = YkcCaller(YkcTwin(pile.code, guns=pile.guns), pile.host, pile.port, speed=pile.speed)
            self.piles[pile.id] = await self._stack.enter_async_context(calling(caller))

    async def close(self) -> None:
        """Repeating it is harmless."""
        await self._stack.aclose()

    def obey(self, command: AnyPortCommand) -> dict[str, Any]:
        """Carry it out; how the board stands then. Raises ValueError, LookupError."""
        pile = self.piles.get(command.board)
        match command:
            case PlugIn(port=port, room_wh=room_wh, power_w=power_w) if pile is not None:
                energy_wh = CAR_WH - room_wh
                car = Car(capacity_wh=CAR_WH, energy_wh=energy_wh, power_w_max=power_w, phases=1, curve=_FLAT)
                pile.twin.plug(port, car, pile.now_ms)
            case PlugOut(port=port) if pile is not None:
                pile.twin.unplug(port, pile.now_ms)
            case Dark(for_ms=for_ms) if pile is not None:
                pile.twin.reboot(pile.now_ms, for_ms)
            case ShutDoor(board=board, port=port):
                self._cabinet(board).shut_door(port)
            case Dark(board=board, for_ms=for_ms):
                self.boards[board].world.cut_power(for_ms)
            case PlugIn(board=board, port=port, room_wh=room_wh, power_w=power_w):
                self.boards[board].world.plug(port, Battery.usual(room_wh, power_w))
            case PlugOut(board=board, port=port):
                self.boards[board].world.unplug(port)
        stands: dict[str, Any] = self.state()[command.board]
        return stands

    def state(self) -> dict[str, Any]:
        """Every outlet by board and number: what it has delivered, and what of it no order asked for."""
        boards: dict[str, Any] = {
            name: {
                str(port): {
                    "plugged": outlet.battery is not None,
                    "door_open": outlet.door_open,
                    "charging": outlet.job is not None,
                    "power_w": outlet.power_w,
                    "delivered_wh": outlet.delivered_mj // MJ_PER_WH,
                    "leaked_wh": outlet.leaked_mj // MJ_PER_WH,
                }
                for port, outlet in twin.world.outlets.items()
            }
            for name, twin in self.boards.items()
        }
        return boards | {name: _guns(pile.twin) for name, pile in self.piles.items()}

    def _cabinet(self, board: str) -> PortWorld:
        if board in self.piles or not self.boards[board].world.doors:
            raise ValueError(f"{board} has no doors")
        return self.boards[board].world

    def _is_new(self, name: str, source: str) -> None:
        if name in self.boards:
            raise Refused(source, [Fault("port_board", "ids that differ", repr(name))])


_FLAT: Final = ((0, 1000), (1000, 1000))


def _guns(pile: YkcTwin) -> dict[str, Any]:
    return {
        str(number): {
            "plugged": gun.plugged,
            "charging": gun.running is not None,
            "delivered_wh": sum(charge.energy_uj for charge in pile.charges if charge.gun == number) // UJ_PER_WH,
        }
        for number, gun in pile.guns.items()
    }
