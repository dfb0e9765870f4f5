"""What can be asked of one AZT pump? Its answers in its own digits, and its refusals as errors.

A question without a sound answer is repeated, 3 times in all (one source); ACK, NAK and CAN are answers.
"""

from __future__ import annotations

from typing import Final

from drivers.errors import Garbled, Misconfigured, Transient, Unsupported
from drivers.line import DevicePolicy, Line, LineDevice, Priority
from drivers.pumps.azt_options import AztOptions
from protocols.fieldbus.azt import AztExpect, request_frame
from protocols.fieldbus.azt_app import (
    TYPES,
    Command,
    FullSale,
    PumpError,
    Question,
    Reply,
    State,
    Status,
    Totals,
    Widths,
    value,
)
from protocols.fieldbus.azt_frames import Above15, Short

FIRST_BYTE_S: Final = 0.4  # two sources
TRIES: Final = 3  # one source
LATE_S: Final = 0.2  # an answer after 0.6 s is none; answers name no pump, so the whole line waits for it
USUAL_TYPE: Final = "H"  # of a pump that does not tell: Topaz-106K, and the two host programs


class NotNow(Transient):
    """The pump cannot do it in this state (CAN)."""

    remedy = "Read its status; what it does in which state stands in docs/azt.md."


class AztTalk:
    """One pump's address on a line. Every method that asks raises DeviceError: NotNow for CAN, Unsupported for NAK."""

    def __init__(self, line: Line, name: str, address: int, options: AztOptions) -> None:
        self.device: LineDevice = line.attach(
            name, DevicePolicy(timeout_s=FIRST_BYTE_S, retries=TRIES - 1, late_s=LATE_S)
        )
        self.where = self.device.where
        self._address = address
        self._above_15 = Above15(options.above_15)
        self._set_type = options.type
        self._widths: Widths | None = None
        self.forget()

    def forget(self) -> None:
        """Another pump may be at the address: ask for its type again."""
        self._widths = None if self._set_type is None else TYPES[self._set_type]

    async def status(self, priority: Priority) -> Status:
        data = await self.data(Question(Command.STATUS), priority)
        status = Status.decode(data)
        if status is None:
            raise Garbled(f"{data!r} is no status", where=self.where)
        return status

    async def volume(self, priority: Priority) -> int | None:
        """Of the sale under way. None: it is over."""
        reply = await self.ask(Question(Command.VOLUME), priority)
        return None if isinstance(reply, Short) else value(reply)

    async def full_sale(self, priority: Priority) -> FullSale:
        """The register of the last sale, as it is to be billed."""
        widths = await self.widths(priority)
        data = await self._sure(Question(Command.FULL_SALE), priority)
        sale = FullSale.decode(data, widths)
        if sale is None:
            raise Misconfigured(
                f"{data!r} is no sale of {widths.volume} + {widths.amount} + {widths.price} digits",
                where=self.where,
                remedy="Set `options.type` to the type of this pump.",
            )
        return sale

    async def totals(self) -> Totals:
        data = await self._sure(Question(Command.TOTALS), Priority.COMMAND)
        totals = Totals.decode(data)
        if totals is None:
            raise Garbled(f"{data!r} are no totals", where=self.where)
        return totals

    async def dose(self) -> int | None:
        """The dose of volume that it was given. None: none. Raises Unsupported where the pump cannot tell."""
        reply = await self.ask(Question(Command.READ_DOSE))
        if reply is Short.NAK:
            raise self._refusal(Command.READ_DOSE, Short.NAK)
        return None if isinstance(reply, Short) else value(reply)

    async def error(self, priority: Priority) -> str:
        """What is wrong with it, in words."""
        reply = await self.ask(Question(Command.ERROR), priority)
        error = None if isinstance(reply, Short) else PumpError.decode(reply)
        return "an error of its own" if error is None else str(error)

    async def widths(self, priority: Priority) -> Widths:
        """How many digits its sale has."""
        if self._widths is None:
            reply = await self.ask(Question(Command.TYPE), priority)
            letter = USUAL_TYPE if isinstance(reply, Short) else reply.decode("ascii")
            if letter not in TYPES:
                raise Misconfigured(
                    f"it says it is of type {letter!r}, whose widths are not known",
                    where=self.where,
                    remedy="Set `options.type` to the type whose sale reads right.",
                )
            self._widths = TYPES[letter]
        return self._widths

    async def act(self, question: Question, *, retries: int | None = None) -> None:
        """Have it do something. It has heard it; whether it did it, the status tells."""
        reply = await self.ask(question, retries=retries)
        if isinstance(reply, Short) and reply is not Short.ACK:
            raise self._refusal(question.command, reply)

    async def data(self, question: Question, priority: Priority = Priority.COMMAND) -> bytes:
        reply = await self.ask(question, priority)
        if isinstance(reply, Short):
            raise self._refusal(question.command, reply)
        return reply

    async def _sure(self, question: Question, priority: Priority) -> bytes:
        """What it says twice running, with its status in between.

        Answers name no question. A sale and the totals have one form (16 digits of a Topaz-106K), so that a sale that
        comes late would be read as totals, or totals be billed; whatever was late has come before the status.
        """
        before = await self.data(question, priority)
        for _ in range(TRIES):
            await self.status(priority)
            after = await self.data(question, priority)
            if after == before:
                return after
            before = after
        raise Garbled(f"it says something else each time it is asked `{question.command.name.lower()}`: {before!r}",
                      where=self.where)  # fmt: skip

    async def ask(
        self, question: Question, priority: Priority = Priority.COMMAND, *, retries: int | None = None
    ) -> Reply:
        """Whatever it answers."""
        frame = request_frame(self._address, question, self._above_15)
        return await self.device.exchange(frame, AztExpect(question, frame), priority=priority, retries=retries)

    def _refusal(self, command: Command, short: Short) -> NotNow | Unsupported:
        words = f"`{command.name.lower()}` ({chr(command.value)!r})"
        if short is Short.NAK:
            return Unsupported(f"it does not know {words} (NAK)", where=self.where)
        return NotNow(f"it says that {words} is not possible now (CAN)", where=self.where)


def words(status: Status) -> str:
    """Such as `41 ended`."""
    return f"{status.state.value}{status.reason or ''} {State(status.state).name.lower()}"
