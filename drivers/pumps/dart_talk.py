"""How is a block brought to a DART pump, and how are its own fetched? One pump's talk on a line, with all repeats."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from drivers.errors import Garbled, Silent, Transient
from drivers.line import DevicePolicy, Line, Priority
from drivers.line_turn import Turn
from drivers.pumps.dart_options import DartOptions
from protocols.fieldbus.dart_app import FromController, FromPump, decode_from_pump, encode_to_pump
from protocols.fieldbus.dart_expect import DartExpect
from protocols.fieldbus.dart_frames import Control, Frame, encode_frame
from protocols.fieldbus.dart_link import Master, Numbering, acknowledge_and_poll

GUARD_S: Final = 0.005  # silence before the master speaks, least before an ACK
LATE_S: Final = 0.05  # an answer that has not begun this long after its time does not come any more
BLOCKS_MAX: Final = 8  # of one pump in one poll; what it has left waits
POLLS: Final = 2  # a pump may miss one while it fills or changes its state
SENDS: Final = 3  # of one block


def policy(options: DartOptions) -> DevicePolicy:
    """Offline after five polls missed, and three seconds."""
    return DevicePolicy(
        timeout_s=options.timeout_ms / 1000,
        late_s=LATE_S,
        retries=0,  # a repeat is the talk's own: it may need another number
        request_gap_s=options.gap_ms / 1000,
        guard_s=GUARD_S,
        offline_after_fails=5,
        offline_after_s=3.0,
    )


class DartTalk:
    """The conversation with one pump. It tells all that the pump says to `hear`, each word once, in order.

    on_answer: called whenever the pump has answered anything.
    """

    def __init__(
        self,
        line: Line,
        name: str,
        address: int,
        options: DartOptions,
        *,
        hear: Callable[[FromPump], None],
        on_answer: Callable[[], None],
    ) -> None:
        self.device = line.attach(name, policy(options))
        self.master = Master(address, Numbering(options.numbering), slave_says_zero_always=options.pump_numbers_zero)
        self._ack_poll = options.ack_poll
        self._hear = hear
        self._on_answer = on_answer
        self._lock = asyncio.Lock()  # block numbers are given and acknowledged one at a time

    async def poll(self, priority: Priority, enough: Callable[[], bool] | None = None) -> None:
        """Fetch what the pump has to say, until it has no more. Raises Silent, Garbled or LineDown.

        enough: asked after each block; the rest is left for the next poll.
        """
        async with self._lock:
            for _ in range(BLOCKS_MAX):
                async with self.device.turn(priority=priority) as turn:  # one for each: others speak while it rests
                    if not await self._fetch(turn, enough):
                        return

    async def _fetch(self, turn: Turn, enough: Callable[[], bool] | None) -> bool:
        """One block, and our ACK right after it; those that can ACK and poll in one frame: all. False: that is all."""
        asked, blocks = self.master.poll(), 0
        while (frame := await self._ask(turn, asked)).control is not Control.EOT:
            heard = self.master.hear(frame)
            assert heard.reply is not None
            joined = self._ack_poll and heard.reply.control is Control.ACK
            if not joined:
                await turn.tell(encode_frame(heard.reply))
            for word in decode_from_pump(heard.data or b""):
                self._hear(word)
            blocks += 1
            done = blocks == BLOCKS_MAX or (enough is not None and enough())
            if not joined:
                return not done
            if done:
                await turn.tell(encode_frame(Frame(frame.address, Control.ACK, frame.number)))
                break
            asked = acknowledge_and_poll(frame)
        return False

    async def say(
        self, *words: FromController, priority: Priority = Priority.COMMAND, still: Callable[[], None] | None = None
    ) -> None:
        """Bring one block to the pump. That it has come says nothing of what it does.

        still: raises when this must not be said any more; asked at the last moment. Raises Silent, Garbled or LineDown
        when no acknowledgement came: the pump may have it nevertheless; Transient when the pump refuses it.
        """
        async with self._lock:
            if still is not None:
                still()
            frame = self.master.send(encode_to_pump(*words))
            for sends_left in reversed(range(SENDS)):
                try:
                    answer = await self._exchange(frame, priority)
                except (Silent, Garbled):
                    if not sends_left or self.device.offline:
                        raise
                    continue
                heard = self.master.hear(answer)
                if heard.reply is None:
                    return
                frame = heard.reply
        raise Transient("the pump refuses our block (NAK), also as the first after a restart", where=self.device.where)

    def restart(self) -> None:
        """Our next block says that we have started again, and any number of the pump's is right."""
        self.master.restart()

    async def _exchange(self, frame: Frame, priority: Priority) -> Frame:
        answer = await self.device.exchange(encode_frame(frame), DartExpect(self.master, frame), priority=priority)
        self._on_answer()
        return answer

    async def _ask(self, turn: Turn, asked: Frame) -> Frame:
        for polls_left in reversed(range(POLLS)):
            try:
                frame = await turn.ask(encode_frame(asked), DartExpect(self.master, asked))
            except (Silent, Garbled):
                if not polls_left or self.device.offline:
                    raise
            else:
                self._on_answer()
                return frame
        raise AssertionError("the last poll gives or raises")
