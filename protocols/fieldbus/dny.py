"""How do a platform and a DNY port board talk, over TCP and on RS-485?

The platform's side on TCP is `PlatformSide`: boards report whenever they like, also while an answer is waited for, and
a host speaks for up to 50 boards on one connection. On RS-485 nobody speaks unless asked, and `DnyExpect` finds the
answer to one frame. A board's ear is `board_ear` (a line) or `board_ear_tcp`; what a frame says is found by
`said_by_board` and `said_by_platform`.

The caller keeps the times: an answer within ANSWER_S, asked RESENDS times again with the same bytes, GAP_S between
requests to one device. A report is answered as often as it comes, for it comes until it is answered.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from protocols.fieldbus import dny_board, dny_platform
from protocols.fieldbus.dny_codes import Command
from protocols.fieldbus.dny_fields import decode, encode
from protocols.fieldbus.dny_frames import POLL, Frame, Iccid, KeepAlive, cut, cut_tcp, encode_frame
from protocols.fieldbus.expect import FOREIGN, NEED_MORE, NeedMore
from protocols.fieldbus.hunt import Bad, Ear, FrameExpect, FrameReader, Wrong

ANSWER_S: Final = 15
RESENDS: Final = 1
GAP_S: Final = 0.5
KEEP_ALIVE_S: Final = 30
OPEN_MAX: Final = 256
"""Requests without an answer that are remembered: several for each of the boards behind one host."""

BoardSays = dny_board.Report | dny_board.Answer
PlatformSays = dny_platform.Request | dny_platform.Answer

UNANSWERED: Final = frozenset(
    {Command.POWER, Command.HOST_STATE, Command.CABINET, Command.ALARM, Command.FINISHED, Command.PORT_NOTICE}
)
"""Reports that want no answer."""


def said_by_board(frame: Frame) -> BoardSays | None:
    """None: a command that is not known, or too few bytes for it."""
    kind = dny_board.REPORTS.get(frame.command) or dny_board.ANSWERS.get(frame.command)
    return None if kind is None else decode(kind, frame.data)


def said_by_platform(frame: Frame) -> PlatformSays | None:
    """None: a command that is not known, or too few bytes for it."""
    kind = dny_platform.REQUESTS.get(frame.command) or dny_platform.ANSWERS.get(frame.command)
    return None if kind is None else decode(kind, frame.data)


def request(device: int, message_id: int, message: dny_platform.Request) -> Frame:
    """What a platform asks. Raises ValueError for values without a place on the wire."""
    return Frame(device, message_id, message.COMMAND, encode(message))


def report(device: int, message_id: int, message: dny_board.Report) -> Frame:
    """What a board says by itself. Raises ValueError for values without a place on the wire."""
    return Frame(device, message_id, message.COMMAND, encode(message))


def answer(frame: Frame, message: dny_board.Answer | dny_platform.Answer) -> Frame:
    """The answer to `frame`, by either side."""
    return frame.answer(encode(message))


@dataclass(frozen=True, slots=True)
class Reported:
    """A board says something by itself. message: None: its command is not known, or it is too short for it."""

    frame: Frame
    message: dny_board.Report | None


@dataclass(frozen=True, slots=True)
class Answered:
    """A board answered. asked: None: nobody waits for it any more; yet it tells what the board did."""

    asked: Frame | None
    frame: Frame
    message: dny_board.Answer | None


@dataclass(frozen=True, slots=True)
class Noise:
    """Bytes that are no frame and no text of the protocol."""

    size: int


Event = Reported | Answered | Iccid | KeepAlive | Noise


class PlatformSide:
    """One TCP connection, the platform's end: bytes in, events out."""

    def __init__(self) -> None:
        self._reader = FrameReader(cut_tcp)
        self._open: dict[tuple[int, int, int], Frame] = {}
        self._last_id = 0

    def ask(self, device: int, message: dny_platform.Request) -> Frame:
        """The frame that asks `device`; sent again, it is the same frame. Its answer will come as Answered."""
        self._last_id = self._last_id % 0xFFFF + 1
        frame = request(device, self._last_id, message)
        if frame.command != Command.QUERY:
            self._open[_key(frame)] = frame
            while len(self._open) > OPEN_MAX:
                del self._open[next(iter(self._open))]
        return frame

    def forget(self, asked: Frame) -> None:
        """Nobody waits for its answer any more."""
        self._open.pop(_key(asked), None)

    def receive_data(self, data: bytes) -> None:
        """Take what arrived."""
        self._reader.receive_data(data)

    def next_event(self) -> Event | NeedMore:
        """What comes next."""
        found = self._reader.next_frame()
        if found is None:
            return NEED_MORE
        if isinstance(found, Bad):
            return Noise(found.size)
        frame = found.frame
        if not isinstance(frame, Frame):
            return frame
        kind = dny_board.ANSWERS.get(frame.command)
        if kind is None:
            report_kind = dny_board.REPORTS.get(frame.command)
            return Reported(frame, None if report_kind is None else decode(report_kind, frame.data))
        return Answered(self._open.pop(_key(frame), None), frame, decode(kind, frame.data))


class DnyExpect(FrameExpect[Frame, Frame]):
    """Finds the answer to one frame on RS-485; an `expect.Expect`.

    To a poll it is whatever frame comes, of the asked board if its id is known; to a request the frame with its device,
    message id and command. reports: what the board said by itself in between, not to be lost; the greatest number of
    them is REPORTS_MAX.
    """

    REPORTS_MAX: Final = 16

    def __init__(self, asked: Frame, *, device: int | None = None) -> None:
        """device: that answers to a poll's virtual id. None: not known yet."""
        self.reports: list[Frame] = []
        self._ask = asked
        self._device = device if asked.command == POLL else asked.device
        shape = ("dny", asked.data) if asked.command == POLL else None  # else the message id says which
        super().__init__(cut, self._judge, shape, encode_frame(asked))

    def _judge(self, frame: Frame) -> Frame | NeedMore | Wrong:
        if frame.command == POLL or (self._device is not None and frame.device != self._device):
            return Wrong(FOREIGN)
        if self._ask.command == POLL or _key(frame) == _key(self._ask):
            return frame
        if frame.command not in dny_board.REPORTS or len(self.reports) >= self.REPORTS_MAX:
            return Wrong(FOREIGN)
        self.reports.append(frame)
        return NEED_MORE


def board_ear(device: int, virtual_id: int | None = None) -> Ear[Frame, Frame]:
    """A board's ear on RS-485: frames to it, and polls of its virtual id."""

    def mine(frame: Frame) -> Frame | None:
        polled = frame.command == POLL and virtual_id is not None and frame.data[:1] == bytes((virtual_id,))
        return frame if polled or (frame.command != POLL and frame.device == device) else None

    return Ear(cut, mine)


def board_ear_tcp(device: int) -> Ear[Frame | Iccid | KeepAlive, Frame]:
    """A board's ear on a connection of its own."""

    def mine(frame: Frame | Iccid | KeepAlive) -> Frame | None:
        return frame if isinstance(frame, Frame) and frame.device == device else None

    return Ear(cut_tcp, mine)


def _key(frame: Frame) -> tuple[int, int, int]:
    return frame.device, frame.message_id, frame.command
