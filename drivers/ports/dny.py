"""A DNY (AP3000 V8.6) port board or charging cabinet, as the daemon's port-board kind, on a line or over TCP.

    start -> 82 taken -> 06 every five minutes, 21 every three -> 03 settled, repeated -> acknowledge -> 03 answered

The board counts and ends by itself, whether we are there or not. A settlement is answered only once it is stored; until
then the board keeps it over power cuts and says it every half hour. Whatever else it says is answered at once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final, NoReturn

import structlog

from drivers.api import Link, Point, Reading
from drivers.errors import DeviceError, DeviceFault, Misconfigured, Silent, Transient, Unsupported
from drivers.port_board import PortOrder, PortStatus, PortTraits, Settlement
from drivers.ports import dny_words as words
from drivers.ports.cards import UNREGISTERED, OnCard, Verdict
from drivers.ports.config import PortBoardConfig, UnixMs
from drivers.ports.dny_options import DnyOptions
from drivers.ports.dny_picture import BoardAlarm, DnyPicture, Ticket
from drivers.ports.dny_points import points
from drivers.ports.dny_settings import Settings
from drivers.ports.dny_talk import DnyTalk, Way
from protocols.fieldbus import dny_board as board
from protocols.fieldbus import dny_platform as platform
from protocols.fieldbus.dny import answer, said_by_board
from protocols.fieldbus.dny_codes import FORCE_OPEN, OK, PORT_ANY, Command, SwitchResult
from protocols.fieldbus.dny_frames import Frame

log = structlog.get_logger()

MISSED_BEATS: Final = 2
TELLS_WITHIN_S: Final = 5.0
"""From a query until the heartbeat that it provokes; or `answer_s`, if that is less."""
CARD_S: Final = 10.0
"""A card's answer that takes longer is none: the board has told its customer so."""
CARDS_MAX: Final = 4
"""Cards of one board that are looked up at a time; more are a reader gone mad."""
TRY_AGAIN_S: Final = 10.0

_DONE: Final = frozenset(int(result) for result in SwitchResult if result.done)


class DnyBoard:
    """A `drivers.port_board.PortBoard`. Nothing is sent until `run` or a method that asks; on TCP the board calls."""

    def __init__(self, config: PortBoardConfig, options: DnyOptions, way: Way, unix_ms: UnixMs) -> None:
        """way: what leads to it."""
        self.id = config.id
        self.profile_id = config.protocol
        self.on_card: OnCard | None = None  # None: every card is unregistered
        self._options = options
        self._unix_ms = unix_ms
        silent_ms = int(1000 * (MISSED_BEATS * options.heartbeat_s + options.heartbeat_s / 2))
        self._picture = DnyPicture(config.ports, doors=options.doors, silent_ms=silent_ms)
        self._way = way
        self._talk = DnyTalk(way, options)
        self._settings = Settings(self._talk, options)
        self._traits = PortTraits(
            ports=config.numbers,
            doors=options.doors,
            feels_plug=options.feels_plug,
            counts_energy=options.counts_energy,
            energy_step_wh=words.ENERGY_STEP_WH,
            power_w_max=options.power_w_max,
            time_max_s=options.time_max_s,
        )
        self._acting = {port: asyncio.Lock() for port in config.numbers}
        self._tried: dict[int, bytes] = {}  # port -> the order that was sent last: its answer may have been lost
        self._beat = asyncio.Event()
        self._due = asyncio.Event()  # to be set up
        self._due.set()
        self._cards: dict[tuple[int, bytes], asyncio.Task[None]] = {}
        self._alarmed: set[tuple[str, int | None]] = set()  # alarms that stood when they were told of last
        self._error: DeviceError | None = None  # of the settings
        way.lead_to(self)

    # What is known. No I/O.

    @property
    def traits(self) -> PortTraits:
        return self._traits

    def link(self) -> Link:
        link = self._way.link(out=self._picture.out(_now_ms()))
        if link.error is None and self._error is not None:
            return replace(link, error=f"{self._error}. {self._error.remedy}")
        return link

    def points(self) -> list[Point]:
        return points(self._picture, _now_ms())

    def status(self) -> Mapping[int, Reading[PortStatus]]:
        now_ms = _now_ms()
        return {port: self._picture.status(port, now_ms) for port in self._picture.ports}

    def settlements(self) -> Sequence[Settlement]:
        return self._picture.waiting()

    def alarms(self) -> Sequence[BoardAlarm]:
        """What it raised lately, oldest first: smoke, water, heat, a door sprung; with what is taken to be over."""
        return self._picture.alarms(_now_ms())

    # What is asked.

    async def read_status(self, port: int) -> Reading[PortStatus]:
        self._there(port)
        self._beat.clear()
        await self._talk.query()
        within_s = min(TELLS_WITHIN_S, self._options.answer_s)
        try:
            async with asyncio.timeout(within_s):
                await self._beat.wait()
        except TimeoutError:
            raise Silent(f"no heartbeat within {within_s:g} s of a query", where=self._way.where) from None
        return self._picture.status(port, _now_ms())

    async def start(self, port: int, order: PortOrder) -> None:
        self._there(port)
        try:
            message = words.switch(port, order, self._options.time_max_s)
        except ValueError as error:
            raise Misconfigured(f"port {port} is ordered {error}", where=self._way.where) from None
        if order.kind == "energy" and not self._options.counts_energy:
            raise Misconfigured(f"port {port} counts no energy", where=self._way.where)
        async with self._acting[port]:
            if self._picture.is_over(order.number):
                raise DeviceFault(f"port {port}: this order is settled already", where=self._way.where)
            running = self._picture.order(port)
            if running == order.number:
                return
            ours = self._tried.get(port) == order.number  # and its answer may have been lost
            if running is not None or (self._picture.runs(port) and not ours):
                raise self._refused(port, SwitchResult.ALREADY)
            self._tried[port] = order.number
            said, tries = await self._talk.ask_counting(message)
            if not isinstance(said, board.Switched):
                raise self._refused(port, SwitchResult.NO_ANSWER)
            repeated = (ours or tries > 1) and self._picture.order(port) in (None, order.number)
            already = said.result == SwitchResult.ALREADY and repeated and said.order in (None, order.number)
            if not _done(said.result) and not already:
                self._tried.pop(port, None)
                raise self._refused(port, said.result)
            self._picture.switched(port, order.number, _now_ms())

    async def stop(self, port: int, number: bytes) -> None:
        self._there(port)
        async with self._acting[port]:
            running = self._picture.order(port)
            if self._picture.is_over(number) or (running is not None and running != number):
                return
            forgotten = (
                self._traits.doors or self._tried.get(port) == number
            )  # it may wait for a charger, or have it yet
            if running is None and self._picture.runs(port) is False and not forgotten:
                return
            message = platform.StopKeepShut(port - 1, number) if self._traits.doors else platform.stop(port - 1, number)
            try:
                said = await self._talk.ask(message)
            except Silent:  # a board does not answer to another order's number
                if (await self._still(port, number)) is not False:
                    raise
                return
            result = said.result if isinstance(said, board.Switched | board.Stopped) else SwitchResult.NO_ANSWER
            if not _done(result) and result not in (SwitchResult.ALREADY, SwitchResult.NO_CHARGER):
                raise self._refused(port, result)

    async def acknowledge(self, settlement: Settlement) -> None:
        """Harmless while the board is not there: it gets its answer when the settlement comes again."""
        ticket = settlement.ticket
        if not isinstance(ticket, Ticket):
            raise TypeError(f"{settlement} is none of this board's")
        waiting = self._picture.acknowledged(ticket)
        if waiting is not None:
            frame = Frame(self._way.device, waiting.message_id, Command.SETTLEMENT)
            with suppress(Transient):
                await self._way.send(answer(frame, platform.Taken()))

    async def open_door(self, port: int) -> None:
        self._there(port)
        if not self._traits.doors:
            raise Unsupported("it has no doors", where=self._way.where)
        said = await self._talk.ask(platform.CabinetOrder(FORCE_OPEN, port - 1))
        if not isinstance(said, board.Result) or said.code != OK:
            raise DeviceFault(f"door {port} is not opened: {said}", where=self._way.where)

    # What the board says.

    def hear(self, frame: Frame) -> Frame | None:
        """One frame of it; what is to be answered at once. Nothing that comes off a wire raises here."""
        message, now_ms = said_by_board(frame), _now_ms()
        if message is None:
            log.info("not understood", board=self.id, command=f"{frame.command:02X}", data=frame.data.hex())
            return None
        if isinstance(message, board.Answer):
            self._picture.heard_something(now_ms)
            if not self._talk.heard(frame, message) and isinstance(message, board.Switched):
                self._late(message, now_ms)
            return None
        known = self._picture.registered
        may_answer = self._picture.hear(message, frame.message_id, now_ms)
        self._tell_of_alarms(now_ms)
        match message:
            case board.Register():
                if message != known:
                    self._due.set()
                if message.ports != len(self._traits.ports):
                    log.warning("its ports are not as configured", board=self.id, ports=message.ports)
                return answer(frame, platform.Taken())
            case board.Heartbeat():
                self._beat.set()
                return answer(frame, platform.Taken())
            case board.Settlement():
                return answer(frame, platform.Taken()) if may_answer else None
            case board.AskTime() | board.HostAskTime():
                unix_ms = self._unix_ms()
                return None if unix_ms is None else answer(frame, platform.Time(unix_ms // 1000))
            case board.CardShown():
                self._show(frame, message)
        return None

    def lost(self, error: DeviceError) -> None:
        self._picture.parted()
        self._talk.fail(error)

    def returned(self) -> None:
        self._due.set()

    async def run(self) -> NoReturn:
        """Keep the way open, write what it is to keep, and ask when it is silent; until cancelled."""
        tasks = [
            asyncio.create_task(self._way.run(), name=f"way to {self.id}"),
            asyncio.create_task(self._keep(), name=f"keeper of {self.id}"),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            done.pop().result()
            raise AssertionError("neither task ends but by an error")
        finally:
            tasks += self._cards.values()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep(self) -> None:
        """Whenever the board is back: its settings. When it has been silent for a heartbeat: a query."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._options.heartbeat_s):
                    await self._due.wait()
            self._tell_of_alarms(_now_ms())
            try:
                if self._due.is_set():
                    self._due.clear()
                    if self._picture.registered is None:
                        await self._talk.query()
                    await self._settings.write()
                elif self._silent_for_a_beat():
                    await self._talk.query()
                self._error = None
            except Transient:
                await asyncio.sleep(min(TRY_AGAIN_S, self._options.heartbeat_s))
                self._due.set()
            except DeviceError as error:  # a person is needed; it works as it is
                if str(error) != str(self._error):
                    log.warning("settings not kept", board=self.id, error=str(error))
                self._error = error

    def _silent_for_a_beat(self) -> bool:
        heard_ms = self._picture.heard_ms
        return heard_ms is None or _now_ms() - heard_ms > 1000 * self._options.heartbeat_s

    def _tell_of_alarms(self, now_ms: int) -> None:
        """In the log, what has come and what has ended since."""
        stood = self._alarmed
        stand = {(one.kind, one.port) for one in self._picture.alarms(now_ms) if not one.over}
        for kind, port in sorted(stand - stood, key=str):
            log.warning("alarm", board=self.id, kind=kind, port=port)
        for kind, port in sorted(stood - stand, key=str):
            log.info("alarm over", board=self.id, kind=kind, port=port)
        self._alarmed = stand

    def _late(self, message: board.Switched, now_ms: int) -> None:
        """An answer that nobody waits for any more still tells that an order was taken."""
        for port, order in self._tried.items():
            if message.order == order and message.port == port - 1 and _done(message.result):
                self._picture.switched(port, order, now_ms)

    # Cards.

    def _show(self, frame: Frame, message: board.CardShown) -> None:
        """Look it up beside everything else. What is repeated meanwhile is answered once."""
        key = (frame.message_id, message.uid)
        if key in self._cards or len(self._cards) >= CARDS_MAX:
            return
        task = asyncio.get_running_loop().create_task(self._answer_card(frame, message), name=f"card at {self.id}")
        self._cards[key] = task
        task.add_done_callback(lambda _: self._cards.pop(key, None))

    async def _answer_card(self, frame: Frame, message: board.CardShown) -> None:
        text = words.card_text(message)
        verdict = UNREGISTERED
        if text is not None and self.on_card is not None:
            verdict = await self._verdict(self.on_card, None if message.port == PORT_ANY else message.port + 1, text)
        with suppress(Transient):
            await self._way.send(answer(frame, words.card_answer(message, verdict)))

    async def _verdict(self, on_card: OnCard, port: int | None, text: str) -> Verdict:
        try:
            async with asyncio.timeout(CARD_S):
                return await on_card(port, text)
        except TimeoutError:
            return UNREGISTERED
        except Exception as error:  # a fault of ours: the customer at the board must still hear something
            log.error("card not looked up", board=self.id, error=repr(error))
            return UNREGISTERED

    # Helpers.

    def _there(self, port: int) -> None:
        if port not in self._acting:
            raise Misconfigured(f"there is no port {port}", where=self._way.where)

    async def _still(self, port: int, number: bytes) -> bool | None:
        """Whether that order runs there, asked now. None: the board does not say."""
        with suppress(DeviceError):
            await self.read_status(port)
            if not self._picture.runs(port):
                return False
            order = self._picture.order(port)
            return None if order is None else order == number
        return None

    def _refused(self, port: int, result: int) -> DeviceFault:
        what = f"port {port} refuses: {words.name(SwitchResult, result)}"
        return DeviceFault(what, where=self._way.where, remedy=words.remedy(result))


def _done(result: int) -> bool:
    """Whether the board does what it was told."""
    return result in _DONE


def _now_ms() -> int:
    return int(time.monotonic() * 1000)
