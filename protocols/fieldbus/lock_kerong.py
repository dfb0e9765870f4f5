"""What do a gateway and a KERONG CU16 or NCU16L lock board say to each other? Both roles. 9600 or 19200 8N1.

    unlock  02 ADDR 31 03 SUM      no answer
    status  02 ADDR 30 03 SUM      02 ADDR 35 L1-8 L9-16 IR1-8 IR9-16 03 SUM

ADDR is the board (0..=15) in the high nibble, the lock (0..=15) in the low one; of a status the lock is 0. SUM is the
low byte of the sum of all before it. Lock 0 is bit 0. No byte is escaped, so the length decides where a frame ends.

Source: one vendor library and the manual it was written from. The CU48's own commands (60, 61) are known by one frame
only and are not spoken here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from protocols.fieldbus.expect import CRC, FOREIGN, Expect
from protocols.fieldbus.hunt import Bad, Ear, FrameExpect, Sound, Wrong, sum8

LOCKS: Final = 16
_STX, _ETX = 0x02, 0x03
_STATUS, _UNLOCK, _STATES = 0x30, 0x31, 0x35
_SIZES: Final = {_STATUS: 5, _UNLOCK: 5, _STATES: 9}


@dataclass(frozen=True, slots=True)
class Unlock:
    """Pulse a lock. The board says nothing: the status is read afterwards."""

    board: int
    lock: int


@dataclass(frozen=True, slots=True)
class AskStates:
    """How are all locks of a board?"""

    board: int


Question = Unlock | AskStates


@dataclass(frozen=True, slots=True)
class States:
    """Of the 16 locks, lock 0 first. unlocked: the board's bit, 1 unlocked. item: its sensor sees something."""

    unlocked: tuple[bool, ...]
    item: tuple[bool, ...]


def request_frame(question: Question) -> bytes:
    """Raises ValueError for a board or lock that is not 0..=15."""
    match question:
        case Unlock(board, lock):
            return _frame(board, lock, bytes((_UNLOCK,)))
        case AskStates(board):
            return _frame(board, 0, bytes((_STATUS,)))


def answer(board: int, states: States) -> bytes:
    """A board's answer to AskStates."""
    return _frame(board, 0, bytes((_STATES,)) + _pack(states.unlocked) + _pack(states.item))


def expect_states(board: int) -> Expect[States]:
    """Finds a board's answer to AskStates. An Unlock has none."""

    def judge(frame: bytes) -> States | Wrong:
        if frame[2] != _STATES or frame[1] >> 4 != board:
            return Wrong(FOREIGN)
        return States(_unpack(frame[3:5]), _unpack(frame[5:7]))

    return FrameExpect(_cut, judge, ("kerong", board), request_frame(AskStates(board)))


def board_ear(board: int) -> Ear[bytes, Question]:
    """A board's ear."""

    def mine(frame: bytes) -> Question | None:
        if frame[1] >> 4 != board or frame[2] == _STATES:
            return None
        return Unlock(board, frame[1] & 0x0F) if frame[2] == _UNLOCK else AskStates(board)

    return Ear(_cut, mine)


def _cut(buffer: bytearray) -> Sound[bytes] | Bad | None:
    if buffer[0] != _STX:
        return _to_next(buffer, len(buffer))
    if len(buffer) < 3:
        return None
    size = _SIZES.get(buffer[2])
    if size is None:
        return Bad(1)
    if len(buffer) < size:
        return None
    frame = bytes(buffer[:size])
    if frame[-2] != _ETX or frame[-1] != sum8(frame[:-1]):
        return Bad(_to_next(buffer, size).size, CRC)
    return Sound(frame, frame)


def _to_next(buffer: bytearray, size: int) -> Bad:
    again = buffer.find(_STX, 1, size)
    return Bad(again if again > 0 else size)


def _frame(board: int, lock: int, body: bytes) -> bytes:
    if not (0 <= board <= 15 and 0 <= lock < LOCKS):
        raise ValueError(f"a KERONG board and its locks are 0..=15, not {board} and {lock}")
    frame = bytes((_STX, board << 4 | lock)) + body + bytes((_ETX,))
    return frame + bytes((sum8(frame),))


def _pack(bits: tuple[bool, ...]) -> bytes:
    assert len(bits) == LOCKS
    return sum(1 << n for n, bit in enumerate(bits) if bit).to_bytes(2, "little")


def _unpack(data: bytes) -> tuple[bool, ...]:
    bits = int.from_bytes(data, "little")
    return tuple(bool(bits >> n & 1) for n in range(LOCKS))
