"""How is a question put to a Gilbarco pump, and a block brought to it? One pump's talk on a line, with all repeats."""

from __future__ import annotations

import asyncio
from typing import Final, TypeVar

from drivers.errors import DeviceFault, Garbled, Silent
from drivers.line import DevicePolicy, Line, Priority
from drivers.line_turn import Turn
from drivers.pumps.gilbarco_options import GilbarcoOptions
from protocols.fieldbus.gilbarco import Block, Command, Status, encode_block, word
from protocols.fieldbus.gilbarco_host import (
    AFTER_REFUSED_DATA_S,
    GUARD_S,
    TRIES,
    UNANSWERED_S,
    Question,
    ask_live_amount,
    ask_ready,
    ask_sale,
    ask_special,
    ask_status,
    ask_totals,
)
from protocols.fieldbus.gilbarco_replies import GradeTotal, SaleReply
from protocols.fieldbus.gilbarco_special import SpecialReply

R = TypeVar("R")

READY_TRIES: Final = 3  # each costs two seconds, while a customer waits
LATE_S: Final = 0.1  # an answer that has not begun this long after its time does not come any more


def policy(options: GilbarcoOptions) -> DevicePolicy:
    """Offline after five words unanswered, and three seconds."""
    return DevicePolicy(
        timeout_s=options.timeout_ms / 1000,
        late_s=LATE_S,
        retries=1,
        guard_s=GUARD_S,
        drop_bad_characters=True,  # a status is one byte, and parity is all that protects it
        offline_after_fails=5,
        offline_after_s=3.0,
    )


class GilbarcoTalk:
    """The conversation with one pump. Every method raises Silent, Garbled or LineDown; a repeat changes nothing."""

    def __init__(self, line: Line, name: str, address: int, options: GilbarcoOptions) -> None:
        self.device = line.attach(name, policy(options))
        self.address = address
        self._options = options

    async def status(self, priority: Priority = Priority.COMMAND, *, retries: int | None = None) -> Status:
        """Never DATA_ERROR: a pump says that once, of the block before. retries: None: many for a command."""
        if retries is None:
            retries = TRIES - 1 if priority is Priority.COMMAND else 1
        for _ in range(2):
            status = await self._ask(ask_status(self.address), priority, retries, self._options.timeout_ms / 1000)
            if status is not Status.DATA_ERROR:
                return status
        raise Garbled(
            "it says data error and nothing else, as an echo of our question would",
            where=self.device.where,
            remedy="On a current loop set `echo = true` for the line; then see whether the pump answers at all.",
        )

    async def sale(self) -> SaleReply:
        """The last sale in its memory, said twice alike."""
        return await self._agreed(ask_sale(self.address, self._options.width))

    async def sale_once(self) -> SaleReply:
        """The same, for a display: one attempt, and not compared."""
        return await self._ask(ask_sale(self.address, self._options.width), Priority.POLL, 0)

    async def totals(self) -> tuple[GradeTotal, ...]:
        """Totals and prices of every grade, said twice alike."""
        return await self._agreed(ask_totals(self.address, self._options.width))

    async def live_amount(self, *, first: bool) -> int:
        """The money of the sale under way, in digits. first: of this sale, which some heads take long for."""
        return await self._ask(ask_live_amount(self.address, self._options.width, first=first), Priority.POLL, 0)

    async def say(self, command: Command) -> None:
        """A word that is not answered."""
        await self.device.broadcast(word(command, self.address), pause_s=UNANSWERED_S)

    async def special(self, function: int) -> SpecialReply:
        """One attempt. Silent also stands for a head that knows no special functions."""
        question = ask_special(self.address, function, self._options.lengths)
        async with self.device.turn(priority=Priority.COMMAND) as turn:
            await self._ready(turn)
            return await turn.ask(question.frame, question.expect, timeout_s=question.timeout_s)

    async def bring(self, block: Block) -> Status:
        """Bring a block, again if it is refused, and give the status after it.

        A pump that did not say that it is ready is given the rest it wants first. Raises DeviceFault when it refuses
        the block every time.
        """
        frame = encode_block(block, self._options.lengths)
        unanswered = 0
        for _ in range(TRIES):
            try:
                async with self.device.turn(priority=Priority.COMMAND) as turn:
                    await self._ready(turn)
                    await turn.tell(frame, pause_s=UNANSWERED_S)
                    status = await self._status_after(turn)
            except (Silent, Garbled):
                unanswered += 1
                if unanswered == READY_TRIES:
                    raise
                await asyncio.sleep(AFTER_REFUSED_DATA_S)
            else:
                if status is not Status.DATA_ERROR:
                    return status
        raise DeviceFault(
            f"it refuses {frame.hex(' ').upper()}, {TRIES} times",
            where=self.device.where,
            remedy="Compare this pump's options with its head: digits of presets and prices, extended, data_length.",
        )

    async def _ready(self, turn: Turn) -> None:
        question = ask_ready(self.address)
        await turn.ask(question.frame, question.expect, timeout_s=self._options.timeout_ms / 1000)

    async def _status_after(self, turn: Turn) -> Status:
        """Within the turn, so that a refusal, which is said once, is not lost on a poll."""
        question = ask_status(self.address)
        return await turn.ask(question.frame, question.expect, timeout_s=self._options.timeout_ms / 1000)

    async def _agreed(self, question: Question[R]) -> R:
        """What two answers say: their check sum has four bits, and lets one spoilt frame in sixteen pass."""
        heard: list[R] = []
        for _ in range(TRIES):
            answer = await self._ask(question, Priority.COMMAND, 2)
            if answer in heard:
                return answer
            heard.append(answer)
        raise Garbled(f"it said {TRIES} different things to one question", where=self.device.where)

    async def _ask(self, question: Question[R], priority: Priority, retries: int, timeout_s: float | None = None) -> R:
        return await self.device.exchange(
            question.frame,
            question.expect,
            priority=priority,
            retries=retries,
            timeout_s=question.timeout_s if timeout_s is None else timeout_s,
        )
