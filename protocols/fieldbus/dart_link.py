"""DART: which block is new, which is a repeat, and what is answered? Both roles, as pure state machines.

    master                         slave
    POLL                  ->
                          <-       EOT (nothing to say), or DATA t
    ACK t, or ACKPOLL t   ->                                          what is not acknowledged comes again
    DATA t                ->
                          <-       ACK t, or NAK t                    its results come at later polls

Each direction has its own numbers (TX#). 0 says "I have started again"; each block that was acknowledged is followed
by the next number. A repeat keeps its number; a new block with the number of the last one is acknowledged by a pump,
and not executed. An acknowledgement says only that the block has come. (facts: DART 1.5, 1.6.)
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import Final

from protocols.fieldbus.dart_frames import Control, Frame

NUMBER_MAX: Final = 15
QUEUE_MAX: Final = 32  # blocks that a slave keeps for its master: a pump says far less between two polls


class Numbering(Enum):
    """What comes after block 15. The document and most pumps say 1, 0 being left for a restart; others go on with 0.

    ZERO_ALWAYS is what many fielded masters do: every block says "I have started again", so that no repeat is ever
    known for one.
    """

    WRAP_TO_1 = "f-1"
    WRAP_TO_0 = "f-0"
    ZERO_ALWAYS = "0"

    def after(self, number: int) -> int:
        if self is Numbering.ZERO_ALWAYS:
            return 0
        if number < NUMBER_MAX:
            return number + 1
        return 1 if self is Numbering.WRAP_TO_1 else 0


class Verdict(Enum):
    """What a received block is."""

    NEW = "new"  # use its data, ACK
    DUPLICATE = "duplicate"  # throw its data away, ACK
    UNEXPECTED = "unexpected"  # throw its data away, NAK


class Receiver:
    """Judges the numbers of the blocks that come from one side.

    zero_is_new: 0 after 0 is a new block and no repeat, for a peer that numbers all its blocks 0.
    """

    def __init__(self, zero_is_new: bool = False) -> None:
        self.last: int | None = None  # accepted last; None: none yet
        self._zero_is_new = zero_is_new

    def judge(self, number: int) -> Verdict:
        """Rules in the order of the document; after 15 both 0 and 1 are right, whatever the peer's habit."""
        last = self.last
        if number == last and not (number == 0 and self._zero_is_new):
            return Verdict.DUPLICATE
        if number == 0 or last is None or number == last + 1 or (last == NUMBER_MAX and number == 1):
            self.last = number
            return Verdict.NEW
        return Verdict.UNEXPECTED

    def restart(self) -> None:
        """Expect nothing: the next block is new whatever its number."""
        self.last = None


class Sender:
    """Numbers the blocks that go one way, one at a time: each is repeated until it is acknowledged or dropped."""

    def __init__(self, address: int, numbering: Numbering = Numbering.WRAP_TO_1) -> None:
        self.address = address
        self._numbering = numbering
        self._number = 0
        self._waiting: bytes | None = None

    @property
    def waiting(self) -> Frame | None:
        """The block that is not acknowledged yet, for a repeat with its own number."""
        if self._waiting is None:
            return None
        return Frame(self.address, Control.DATA, self._number, self._waiting)

    def begin(self, data: bytes) -> Frame:
        """A new block. One that still waits is dropped; its number is not used again, as it may have been accepted."""
        if self._waiting is not None:
            self._number = self._numbering.after(self._number)
        self._waiting = data
        return Frame(self.address, Control.DATA, self._number, data)

    def acknowledged(self, number: int) -> bool:
        """Whether an ACK of this number is for the block that waits; then it is done."""
        if self._waiting is None or number != self._number:
            return False
        self._waiting = None
        self._number = self._numbering.after(number)
        return True

    def refused(self) -> Frame | None:
        """A NAK came: the same block again, as the first after a restart, which every receiver takes."""
        if self._waiting is not None:
            self._number = 0
        return self.waiting

    def restart(self) -> None:
        """Forget what waits; the next block says that we have started again."""
        self._number, self._waiting = 0, None


@dataclass(frozen=True, slots=True)
class Heard:
    """What a frame means to whoever received it. reply: to be sent; None: nothing. data: of a new block; None: none."""

    reply: Frame | None = None
    data: bytes | None = None


class Master:
    """The site controller's side of the talk with one slave.

    `poll` or `send` gives what to put on the wire, and `hear` takes the answer. No answer: say again what `waiting`
    holds, or poll again; nothing is lost. duplicates: repeats thrown away. restarts: of the slave, by its block 0.
    """

    def __init__(
        self, address: int, numbering: Numbering = Numbering.WRAP_TO_1, *, slave_says_zero_always: bool = False
    ) -> None:
        self.address = address
        self.duplicates = self.restarts = 0
        self._heard = b""  # data of the last block
        self._refused = False  # our NAK makes the slave begin again at 0
        self._sender = Sender(address, numbering)
        self._receiver = Receiver(zero_is_new=slave_says_zero_always)

    def poll(self) -> Frame:
        return Frame(self.address, Control.POLL)

    def send(self, data: bytes) -> Frame:
        """A new block instead of a poll. A command acknowledged without effect is one too, with a new number."""
        return self._sender.begin(data)

    @property
    def waiting(self) -> Frame | None:
        """The block that is not acknowledged, for a repeat."""
        return self._sender.waiting

    def answers(self, sent: Frame, frame: Frame) -> bool:
        """Whether `frame` can be the answer to `sent`: EOT or DATA to a poll, ACK or NAK of its number to DATA."""
        if frame.address != self.address:
            return False
        if sent.control is Control.DATA:
            return frame.control is Control.NAK or (frame.control is Control.ACK and frame.number == sent.number)
        return frame.control in (Control.EOT, Control.DATA)

    def hear(self, frame: Frame) -> Heard:
        """Take an answer. Of DATA the reply is the ACK or NAK; of NAK the same block with number 0."""
        if frame.control is Control.DATA:
            last, verdict = self._receiver.last, self._receiver.judge(frame.number)
            begins_again = verdict is Verdict.NEW and frame.number == 0 and last not in (None, 0, NUMBER_MAX)
            if verdict is Verdict.DUPLICATE and frame.number == 0 and frame.data != self._heard:
                begins_again, verdict = True, Verdict.NEW  # a repeat is the same to the byte: it has started again
            self._heard = frame.data
            self.duplicates += verdict is Verdict.DUPLICATE
            self.restarts += begins_again and not self._refused
            self._refused = verdict is Verdict.UNEXPECTED
            return _judged(frame, verdict)
        if frame.control is Control.ACK:
            self._sender.acknowledged(frame.number)
        elif frame.control is Control.NAK:
            return Heard(reply=self._sender.refused())
        return Heard()

    def restart(self) -> None:
        """As after power-on: our next block has number 0, and any number of the slave's is right."""
        self._sender.restart()
        self._receiver.restart()


class Slave:
    """The pump's side. It speaks only when spoken to: `hear` gives the answer to each frame."""

    def __init__(
        self, address: int, numbering: Numbering = Numbering.WRAP_TO_1, *, master_says_zero_always: bool = False
    ) -> None:
        self.address = address
        self._sender = Sender(address, numbering)
        self._receiver = Receiver(zero_is_new=master_says_zero_always)
        self._queue: deque[bytes] = deque(maxlen=QUEUE_MAX)

    @property
    def quiet(self) -> bool:
        """Whether nothing waits to be told."""
        return self._sender.waiting is None and not self._queue

    def offer(self, data: bytes) -> None:
        """Queue a block for the next polls; the oldest makes room when there are too many."""
        self._queue.append(data)

    def hear(self, frame: Frame) -> Heard:
        """Take a frame. Frames for others, and those that only a slave sends, get no answer."""
        if frame.address != self.address:
            return Heard()
        match frame.control:
            case Control.POLL:
                return Heard(reply=self._polled())
            case Control.ACK:
                self._sender.acknowledged(frame.number)
            case Control.ACKPOLL:
                self._sender.acknowledged(frame.number)
                return Heard(reply=self._polled())
            case Control.NAK:
                self._sender.refused()
            case Control.DATA:
                return _judged(frame, self._receiver.judge(frame.number))
            case Control.EOT | Control.IAP:
                pass
        return Heard()

    def restart(self) -> None:
        """As after power-on."""
        self._sender.restart()
        self._receiver.restart()
        self._queue.clear()

    def _polled(self) -> Frame:
        if self._sender.waiting is not None:
            return self._sender.waiting
        if self._queue:
            return self._sender.begin(self._queue.popleft())
        return Frame(self.address, Control.EOT)


def acknowledge_and_poll(frame: Frame) -> Frame:
    """ACKPOLL for a DATA frame: its acknowledgement and the next poll of the same slave in one."""
    return Frame(frame.address, Control.ACKPOLL, frame.number)


def _judged(frame: Frame, verdict: Verdict) -> Heard:
    if verdict is Verdict.UNEXPECTED:
        return Heard(reply=Frame(frame.address, Control.NAK, frame.number))
    ack = Frame(frame.address, Control.ACK, frame.number)
    return Heard(reply=ack, data=frame.data if verdict is Verdict.NEW else None)
