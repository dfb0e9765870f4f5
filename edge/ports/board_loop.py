"""One board's loop: looks at its ports, lets the till decide, and does what it says. Nothing is decided here.

    a port with a session    look -> what is due is committed -> START, STOP or READ
    a locker that is taken   look at its door -> what is due is committed -> told to open
    a settlement             its session closed by it, or written down; durable; then acknowledged

What a board fails to do is a fact for the next look. After any crash the loop begins anew from the log and the board.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import structlog

from drivers.errors import DeviceError, Transient
from drivers.port_board import PortBoard, PortState, PortStatus, Settlement
from edge.clock import Clock
from edge.device_loop import DeviceLoop
from edge.journal.errors import JournalFull
from edge.ports.locker_desk import LockerDesk
from edge.ports.port_desk import PortDesk
from edge.till.port.door import DoorAct
from edge.till.port.place import PortPlace
from edge.till.port.sight import PortSight
from edge.till.port.watch import PortAct
from edge.till.state import OpenPort, OpenStay

DOOR_AGAIN_S = 2.0
"""A door that has not opened is told again after this, as long as its customer waits."""
AGAIN_S = 5.0
"""What a board has refused, or not answered, is asked again after this."""
STRAY_S = 30.0
"""A port that charges for a session that has ended is told to stop again after this."""
SETTLEMENTS_AT_ONCE = 16
"""Settlements taken in one turn: a board that has been away for days keeps no session waiting."""

STRANGE_MAX = 256
STRANGE_EVERY_S = 20.0
"""Settlements of nobody's that a board may have written down at once, and how soon each is made good. Those beyond stay
with the board, and come again."""

log = structlog.get_logger()


class BoardLoop(DeviceLoop):
    """One board's."""

    look_s = 0.25

    def __init__(
        self,
        board: PortBoard,
        places: Mapping[int, PortPlace],
        ports: PortDesk,
        lockers: LockerDesk,
        clock: Clock,
        changed: Callable[[], None],
    ) -> None:
        """places: by the number of the port."""
        super().__init__(board.id, clock)
        self.board = board
        self.places = places
        self.error: DeviceError | None = None
        """Why it has not done the last thing that it was told; None: it has."""
        self._ports = ports
        self._lockers = lockers
        self._changed = changed
        self._strange_left, self._strange_ms = STRANGE_MAX, self.looked_ms

    async def turn(self) -> None:
        """One look at every port with a session, and at what the board settles."""
        settled = self._settlements()
        for session, _ in self._ports.sessions():
            if session.opened.board == self.board.id:
                await self._serve(session, settled)
        for stay, _ in self._lockers.stays():
            if stay.opened.board == self.board.id:
                await self._keep_door(stay, settled)
        await self._stop_strays()
        taken = 0
        for settlement in self._settlements():
            taken += taken < SETTLEMENTS_AT_ONCE and await self._acknowledge(settlement)

    def sight(self, port: int) -> PortSight:
        """As last told. No I/O."""
        return self._sight(port, self._settlements())

    async def look_closely(self, port: int) -> PortSight:
        """The port asked now; whatever does not answer is old."""
        try:
            await self.board.read_status(port)
        except DeviceError as error:
            log.info("port not read", board=self.board.id, port=port, error=str(error))
        return self.sight(port)

    # --- how ---------------------------------------------------------------------------------------------------------

    async def _serve(self, session: OpenPort, settled: list[Settlement]) -> None:
        port = session.opened.port
        place = self.places.get(port) or self._place_of(session)
        sight = self._sight(port, settled, self._ports.order_of(session).number)
        if await self._look(session, sight, place):
            log.info("port session ended", port=session.place, session=session.seq)
            return
        act = self._ports.act(session, sight)
        if act is PortAct.NONE or self._must_wait(act, session.seq):
            return
        self._put_off(act, AGAIN_S, session.seq)
        try:
            await self._do(act, session)
            self.error = None
        except DeviceError as error:
            self.error = error
            log.debug("port does not do as told", port=session.place, error=str(error))
        self.wake()

    async def _look(self, session: OpenPort, sight: PortSight, place: PortPlace) -> bool:
        """Whether it has ended, durably. A full disk keeps nobody from stopping a port."""
        if self._must_wait("disk", session.seq):
            return False
        before = self._ports.desk.state.size
        try:
            return await self._ports.look(session, sight, place)
        except JournalFull as error:
            self._put_off("disk", AGAIN_S, session.seq)
            self._tell_of_disk(error)
            return False
        finally:
            if self._ports.desk.state.size != before:
                self._changed()

    async def _do(self, act: PortAct, session: OpenPort) -> None:
        order = self._ports.order_of(session)
        match act:
            case PortAct.START:
                await self._start(session)
            case PortAct.STOP:
                await self.board.stop(session.opened.port, order.number)
                await self._ports.took_stop(session)
            case PortAct.READ:
                await self.board.read_status(session.opened.port)
            case PortAct.NONE:
                pass

    async def _start(self, session: OpenPort) -> None:
        await self._ports.telling(session)
        try:
            await self.board.start(session.opened.port, self._ports.order_of(session))
        except DeviceError as error:
            log.warning("port not started", port=session.place, session=session.seq, error=str(error))
            if not isinstance(error, Transient):  # it says no: asking again would change nothing
                await self._ports.refused(session, f"not started: {error.what}")
            raise
        await self._ports.begun(session)
        log.info("port started", port=session.place, session=session.seq)

    async def _keep_door(self, stay: OpenStay, settled: list[Settlement]) -> None:
        before = self._ports.desk.state.size
        if self._lockers.waits_for_door(stay):
            await self.look_closely(stay.opened.port)  # boards tell of a door minutes later
        try:
            act = await self._lockers.look(stay, self._sight(stay.opened.port, settled))
        except JournalFull as error:  # what was seen is kept, and other doors are looked at
            self._tell_of_disk(error)
            return
        if self._ports.desk.state.size != before:
            log.info("locker", place=stay.place, stay=stay.seq, act=act.value)
            self._changed()
        if act is not DoorAct.OPEN or self._must_wait(act, stay.seq):
            return
        self._put_off(act, DOOR_AGAIN_S, stay.seq)
        try:
            await self._lockers.telling(stay)
        except JournalFull as error:  # then it is not told
            self._tell_of_disk(error)
            return
        try:
            await self.board.open_door(stay.opened.port)
            self.error = None
            self._lockers.answered(stay, opens=True)
        except DeviceError as error:
            self.error = error
            log.warning("locker not opened", place=stay.place, error=str(error))
            if isinstance(error, Transient):  # else it has said no
                self._lockers.answered(stay, opens=False)
        self.wake()

    async def _acknowledge(self, settlement: Settlement) -> bool:
        """Once the log has it. A board that does not hear that tells it again, and hears it again. False: not now."""
        key = (settlement.port, settlement.number)
        if self._must_wait("acknowledge", key):
            return False
        before = self._ports.desk.state.size
        if not await self._ports.write_down(self.board.id, settlement, may_write=self._may_write()):
            return False
        if self._ports.desk.state.size != before:
            log.warning("settlement without a session", board=self.board.id, port=settlement.port)
            self._wrote()
            self._changed()
        self._put_off("acknowledge", AGAIN_S, key)
        try:
            await self.board.acknowledge(settlement)
        except DeviceError as error:
            log.debug("settlement not acknowledged", board=self.board.id, error=str(error))
        return True

    def _may_write(self) -> bool:
        """Whether one more settlement of nobody's is written down now: who makes them up does not fill the disk."""
        now_ms = self._clock.mono_ms()
        gained, rest_ms = divmod(now_ms - self._strange_ms, int(STRANGE_EVERY_S * 1000))
        self._strange_left, self._strange_ms = min(STRANGE_MAX, self._strange_left + gained), now_ms - rest_ms
        return self._strange_left > 0

    def _wrote(self) -> None:
        self._strange_left -= 1
        if self._strange_left == 0:
            log.warning("no more of its settlements are written down for now", board=self.board.id)

    async def _stop_strays(self) -> None:
        """An order whose session has ended must not go on: nobody would pay for what it delivers."""
        for port, reading in self.board.status().items():
            status = reading.value
            if status is None or status.order is None or status.state is not PortState.CHARGING:
                continue
            if not self._ports.has_ended(status.order) or self._must_wait("stray", status.order):
                continue
            self._put_off("stray", STRAY_S, status.order)
            log.warning("a port charges for a session that has ended", board=self.board.id, port=port)
            try:
                await self.board.stop(port, status.order)
            except DeviceError as error:
                log.debug("port does not do as told", board=self.board.id, port=port, error=str(error))

    def _settlements(self) -> list[Settlement]:
        return list(self.board.settlements())

    def _sight(self, port: int, settled: list[Settlement], number: bytes | None = None) -> PortSight:
        """number: of the order there; a settlement of it is seen, whatever port it names."""
        reading = self.board.status().get(port)
        status: PortStatus | None = None
        status_ms: int | None = None
        if reading is not None and reading.value is not None and reading.at_ms is not None:
            status, status_ms = reading.value, self._on_our_clock(reading.at_ms)
        own = tuple(one for one in settled if port == one.port or number == one.number)
        return PortSight(self._clock.stamp(), status, status_ms, own)

    def _on_our_clock(self, monotonic_ms: int) -> int:
        """Drivers count from CLOCK_MONOTONIC; the box's clock goes on while the box sleeps."""
        return max(0, self._clock.mono_ms() - (time.monotonic_ns() // 1_000_000 - monotonic_ms))

    def _place_of(self, session: OpenPort) -> PortPlace:
        """A port that the config does not name any more, as its board has it."""
        return PortPlace(self.board.id, session.opened.port, session.opened.price, self.board.traits)
