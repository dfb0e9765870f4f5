"""Known-bad software at ports and lockers: production with one thing made wrong, as somebody has built it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from unittest import mock

from msgspec.structs import replace as changed
from sim_world import Variant

import edge.till.port.door
import edge.till.port.late
import edge.till.port.locker
import edge.till.port.watch
from drivers.errors import DeviceError
from drivers.port_board import Settlement
from edge.ports.board_loop import BoardLoop
from edge.ports.lockers import Lockers
from edge.ports.port_desk import PortDesk
from edge.till.ask import Opening, Refused
from edge.till.port import watch
from edge.till.port.ask import StayAsk
from edge.till.port.door import DoorRow
from edge.till.port.place import PortPlace
from edge.till.port.progress import Last, PortEnds, PortPhase, PortProgress
from edge.till.port.sight import PortSight
from edge.till.state import OpenPort, OpenStay

PORTS: dict[str, Any] = {"ports": 100, "port_every_s": 60, "port_answers": 0.1, "port_bills": True}
"""What worlds need in which ports matter."""
KILLS: dict[str, Any] = {**PORTS, "kill_every_s": 60}
OFTEN: dict[str, Any] = {**PORTS, "kill_every_s": 30, "port_every_s": 20, "port_answers": 0.4}


def _patched(name: str, target: object, attribute: str, new: object, faults: dict[str, Any]) -> Variant:
    patch = mock.patch.object(target, attribute, new)
    return Variant(name, faults=faults, patches=lambda: [patch])


def early_acknowledgement() -> Variant:
    """The board may forget a settlement as soon as it has been heard; the record follows."""
    serve = BoardLoop._serve

    async def hasty(self: BoardLoop, session: OpenPort, settled: list[Settlement]) -> None:
        for one in settled:
            try:
                await self.board.acknowledge(one)
            except DeviceError:
                pass  # it will come again
        await serve(self, session, settled)

    name = "a settlement acknowledged before its record is durable"
    return _patched(name, BoardLoop, "_serve", hasty, PORTS)


def any_settlement() -> Variant:
    """A settlement of a port ends whatever session is there, whatever order it names."""
    advance = watch.advance

    def careless(session: OpenPort, progress: PortProgress, sight: PortSight, *rest: Any) -> PortProgress:
        number = session.number(rest[-1])
        own = tuple(replace(one, number=number) for one in sight.settlements)
        return advance(session, progress, replace(sight, settlements=own), *rest)

    name = "a settlement billed to whoever is at the port"
    return _patched(name, watch, "advance", careless, PORTS)


def news_each_time() -> Variant:
    """What has been settled is settled once more when its settlement is repeated."""
    name = "a repeated settlement taken twice"
    return _patched(name, edge.till.port.late, "is_told", lambda ports, board, one: False, PORTS)


def eager_lockers() -> Variant:
    """The door springs open on what has been decided; the record follows."""
    store = Lockers._store

    async def eager(self: Lockers, loop: BoardLoop, place: PortPlace, ask: StayAsk) -> OpenStay | Refused:
        if isinstance(self.desk._decide(ask, await loop.look_closely(place.port)), Opening):
            try:
                await loop.board.open_door(place.port)
            except DeviceError:
                pass  # the loop will try again
        return await store(self, loop, place, ask)

    return _patched("a locker opened before the record is durable", Lockers, "_store", eager, PORTS)


def any_card_opens() -> Variant:
    """Whoever shows a card at a locker has its door opened."""
    return _patched("a locker that opens to any card", edge.till.port.locker, "owns", lambda *_: True, PORTS)


def doors_after_a_restart() -> Variant:
    """A daemon that starts does what the one before it had still to do: doors of a while ago open now."""

    def goes_on(row: DoorRow, *_: Any) -> DoorRow:
        return row

    name = "a locker opened for somebody who has gone"
    return _patched(name, edge.till.port.door, "resume", goes_on, OFTEN)


def forgotten_orders() -> Variant:
    """Which port runs for whom is in memory alone: a restart lets all of them go."""
    recover = PortDesk._recover

    def forgetful(self: PortDesk) -> dict[int, PortProgress]:
        return {seq: changed(one, never=True, reason=PortEnds.OTHER) for seq, one in recover(self).items()}

    return _patched("an order forgotten over a kill", PortDesk, "_recover", forgetful, KILLS)


def impatience() -> Variant:
    """What was seen last is billed as soon as the port says that it is over; its settlement comes too late."""
    act = watch.advance

    def hasty(session: OpenPort, progress: PortProgress, sight: PortSight, *rest: Any) -> PortProgress:
        after = act(session, progress, sight, *rest)
        if after.phase is PortPhase.ENDED and after.last is None and not after.never:
            seen = (after.energy_wh, after.elapsed_s, after.peak_w)
            return changed(after, last=Last(PortEnds.OTHER, "", *seen, None), reason=PortEnds.OTHER)
        return after

    return _patched("billed by what was seen last", watch, "advance", hasty, PORTS)


PORT_VARIANTS = (
    early_acknowledgement(), any_settlement(), news_each_time(), eager_lockers(), any_card_opens(),
    doors_after_a_restart(), forgotten_orders(), impatience(),
)  # fmt: skip
