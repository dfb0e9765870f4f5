"""What can be asked of one Sanki pump? Its answers in its own digits, and its refusals as errors."""

from __future__ import annotations

from typing import Final

from drivers.errors import DeviceFault, Garbled, Silent
from drivers.line import DevicePolicy, Line, LineDevice, Priority
from drivers.pumps.sanki_options import SankiOptions
from protocols.fieldbus.sanki import SankiExpect, request_frame
from protocols.fieldbus.sanki_app import (
    Command,
    LastSale,
    Outcome,
    Question,
    State,
    Status,
    Totals,
    authorise,
    next_chain,
    outcome,
    preset,
)

RETRIES: Final = 2  # the source tries 5 times; the next poll does that too
LATE_S: Final = 0.2  # after the time-out; an answer that comes later still is none


class SankiTalk:
    """One fuelling point on a line, and the chain of our presets and authorisations to it.

    Every method that asks raises DeviceError. chained: the pump has had a chain byte of ours.
    """

    def __init__(self, line: Line, name: str, point: int, options: SankiOptions) -> None:
        policy = DevicePolicy(
            timeout_s=options.timeout_ms / 1000,
            retries=RETRIES,
            late_s=LATE_S,
            request_gap_s=options.gap_ms / 1000,
        )
        self.device: LineDevice = line.attach(name, policy)
        self.where = self.device.where
        self.chained = False
        self._point = point
        self._chain = 0

    async def status(self, priority: Priority) -> Status:
        data = await self.ask(Question(Command.STATUS), priority)
        status = Status.decode(data)
        if status is None:
            raise self._garbled(data)
        return status

    async def totals(self) -> Totals:
        data = await self.ask(Question(Command.TOTALS))
        totals = Totals.decode(data)
        if totals is None:
            raise self._garbled(data)
        return totals

    async def last_sale(self) -> LastSale | None:
        """None: it has none."""
        data = await self.ask(Question(Command.SALE))
        if outcome(data) is Outcome.REFUSED:
            return None
        sale = LastSale.decode(data)
        if sale is None:
            raise self._garbled(data)
        return sale

    async def preset(self, command: Command, digits: int) -> bool:
        """Whether it took it. command: PRESET_VOLUME or PRESET_AMOUNT."""
        data = await self.ask(preset(command, digits, self._next_chain()))
        self.chained = True
        return outcome(data) is Outcome.DONE

    async def authorise(self) -> None:
        """Sent once. Raises DeviceFault for a refusal; another error leaves open whether it was heard."""
        await self.act(authorise(self._next_chain()), retries=0)

    async def attempt(self, command: Command) -> None:
        """What may be refused or not answered, and is seen in the status if it matters. Sent once."""
        try:
            await self.ask(Question(command), retries=0)
        except (Silent, Garbled):
            pass

    async def act(self, question: Question, *, retries: int | None = None) -> None:
        """Have it do something. Raises DeviceFault for a refusal."""
        data = await self.ask(question, retries=retries)
        if outcome(data) is not Outcome.DONE:
            name = question.command.name.lower().replace("_", " ")
            raise DeviceFault(
                f"it refuses {name} ({question.command.value:02X})",
                where=self.where,
                remedy="Look at its state, and whether it is in host mode.",
            )

    async def ask(
        self, question: Question, priority: Priority = Priority.COMMAND, *, retries: int | None = None
    ) -> bytes:
        """The data of its answer."""
        frame = request_frame(self._point, question)
        expect = SankiExpect(self._point, question)
        return await self.device.exchange(frame, expect, priority=priority, retries=retries)

    def _next_chain(self) -> int:
        self._chain = next_chain(self._chain)
        return self._chain

    def _garbled(self, data: bytes) -> Garbled:
        return Garbled(f"{data.hex(' ')} is no answer to what it was asked", where=self.where)


def words(status: Status) -> str:
    """Such as `44 busy`."""
    known = status.state in set(State)
    return f"{status.state:02X} {State(status.state).name.lower().replace('_', ' ') if known else 'unknown'}"
