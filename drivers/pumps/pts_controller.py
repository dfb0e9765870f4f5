"""Who asks a PTS-2 controller, and when? One request at a time; the polls of many pumps in one envelope."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Final, NoReturn, Protocol

from drivers.errors import DeviceError, Garbled, Misconfigured
from drivers.line_meter import LineMeter, LineStats
from drivers.pumps.pts_config import ControllerConfig
from drivers.pumps.pts_http import Courier
from drivers.pumps.pts_says import refused
from protocols.fieldbus.jsonpts import Answer, Asker
from protocols.fieldbus.jsonpts_errors import Code, Malformed, Refusal
from protocols.fieldbus.jsonpts_packets import (
    GetSystemDecimalDigits,
    GetUniqueIdentifier,
    Packet,
    PumpEmergencyStop,
    SystemDecimalDigits,
    UniqueIdentifier,
)

PUMPS_IN_ONE: Final = 16  # pumps polled in one envelope; halved where the controller finds the request too long
PAUSE_MAX_S: Final = 5.0  # between tries at a controller that does not answer
PAUSE_REFUSED_S: Final = 30.0  # at one that refuses the login: some lock a user out


class Polled(Protocol):
    """A pump as its controller's poll sees it."""

    poll_s: float

    def questions(self) -> list[Packet]:
        """What it wants to be asked this time."""

    def polled(self, questions: Sequence[Packet], answers: Sequence[Answer], took_ms: float) -> None:
        """The answers to these, in their order."""

    def unreachable(self, error: DeviceError) -> None:
        """The controller could not be asked."""


class PtsController:
    """One PTS-2 and the pumps behind it. Keep `run()` in a task; commands may be asked without it."""

    def __init__(self, config: ControllerConfig) -> None:
        """No I/O."""
        self.config = config
        self.id = config.id
        self.pumps: list[Polled] = []
        self.pts_id: str | None = None  # the controller's own number; None: not told yet
        self.digits: SystemDecimalDigits | None = None  # the decimals it is set to; None: not told
        self._asker = Asker()
        self._courier = Courier(config)
        self._turn = asyncio.Lock()
        self._meter = LineMeter()
        self._asked_at: float | None = None
        self._waiting = 0
        self._met = False
        self._in_one = PUMPS_IN_ONE
        self._error: DeviceError | None = None

    def attach(self, pump: Polled) -> None:
        """From now on its polls travel with the others'."""
        self.pumps.append(pump)

    @property
    def up(self) -> bool:
        """Whether it answered last time."""
        return self._courier.up and self._error is None

    @property
    def stalled_s(self) -> float:
        """How long one request has been under way."""
        return 0.0 if self._asked_at is None else time.monotonic() - self._asked_at

    def stats(self) -> LineStats:
        """How it does, as of now."""
        self._meter.opened = self._courier.opened
        error = None if self._error is None else f"{self._error}. {self._error.remedy}"
        return self._meter.stats(up=self.up, error=error, queue_depth=self._waiting)

    async def ask(self, questions: Sequence[Packet]) -> list[Answer]:
        """Ask all of them in one envelope, in turn. The answers in their order; a Refusal is an answer.

        Raises LineDown, Silent, Garbled or Misconfigured. After Silent and Garbled it is open what was done.
        """
        self._waiting += 1
        try:
            async with self._turn:
                return await self._ask(questions)
        finally:
            self._waiting -= 1

    async def emergency_stop(self) -> None:
        """Close every valve. Raises as `ask`, and for a refusal."""
        (answer,) = await self.ask([PumpEmergencyStop(pump=0)])
        if isinstance(answer, Refusal):
            raise refused(answer, "PumpEmergencyStop", self.id)

    async def run(self) -> NoReturn:
        """Meet the controller and poll its pumps, until cancelled. Survives whatever it does."""
        loop = asyncio.get_running_loop()
        pause_s = 0.0
        try:
            while True:
                started = loop.time()
                period_s = min([self.config.poll_s, *(pump.poll_s for pump in self.pumps)])
                try:
                    if not self._met:
                        await self.meet()
                    await self._poll()
                    pause_s = 0.0
                except Misconfigured:
                    pause_s = PAUSE_REFUSED_S
                except DeviceError:
                    pause_s = min(PAUSE_MAX_S, max(period_s, pause_s * 2))
                await asyncio.sleep(max(pause_s, period_s - (loop.time() - started), 0.0))
        finally:
            self._courier.close()

    async def meet(self) -> None:
        """Find out who it is and what decimals it is set to. Raises as `ask`."""
        try:
            said, digits = await self.ask([GetUniqueIdentifier(), GetSystemDecimalDigits()])
        except DeviceError as error:
            self._tell(self.pumps, error)
            raise
        self.pts_id = said.id if isinstance(said, UniqueIdentifier) else None
        self.digits = digits if isinstance(digits, SystemDecimalDigits) else None
        self._met = True

    def close(self) -> None:
        """End the connection; the next question opens another."""
        self._courier.close()

    async def _poll(self) -> None:
        size = self._in_one
        for first in range(0, len(self.pumps), size):
            pumps = self.pumps[first : first + size]
            started = time.monotonic()
            asked = [pump.questions() for pump in pumps]
            try:
                answers = await self.ask([question for questions in asked for question in questions])
            except DeviceError as error:
                self._tell(pumps, error)
                raise
            took_ms = (time.monotonic() - started) * 1000
            if len(pumps) > 1 and _too_long(answers):
                self._in_one = max(1, len(pumps) // 2)
                return
            for pump, questions in zip(pumps, asked, strict=True):
                pump.polled(questions, answers[: len(questions)], took_ms)
                del answers[: len(questions)]

    def _tell(self, pumps: Sequence[Polled], error: DeviceError) -> None:
        for pump in pumps:
            pump.unreachable(error)

    async def _ask(self, questions: Sequence[Packet]) -> list[Answer]:
        started = self._asked_at = time.monotonic()
        try:
            body = await self._courier.post(self._asker.ask(questions))
            answers = self._asker.receive(body)
        except Malformed as error:
            self._courier.close()
            self._error = Garbled(str(error), where=self.id)
            raise self._error from None
        except DeviceError as error:
            self._error = error
            self._met = False  # it may have been restarted, or be another one
            raise
        finally:
            self._asked_at = None
            self._meter.busy(started, time.monotonic())
        self._error = None
        return answers


def _too_long(answers: Sequence[Answer]) -> bool:
    """Whether the whole envelope was refused for its length."""
    return all(isinstance(one, Refusal) and one.known is Code.JSON_REQUEST_IS_TOO_LONG for one in answers)
