"""Gilbarco Two-Wire, the pump's role: what does the host want of the pumps on this wire?

Bytes go in by `receive_data`, what they mean comes out by `next_event`; what to answer is the pump's own business
(`gilbarco.status_word`, `ready_word`, `gilbarco_replies`, `gilbarco_special`). One ear serves all pumps of a wire,
since a block bears no address: it is for the pump that was told DATA_NEXT last.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from protocols.fieldbus.gilbarco import (
    ALL_STOP,
    BLOCK_MAX,
    END,
    START,
    Bad,
    Block,
    Command,
    DataLength,
    decode_block,
    pump_of,
)

EVENTS_MAX: Final = 1024  # a host that never waits for an answer is noise


@dataclass(frozen=True, slots=True)
class Asked:
    """A command word."""

    command: Command
    pump: int


@dataclass(frozen=True, slots=True)
class AllStop:
    """Every pump is to stop."""


@dataclass(frozen=True, slots=True)
class Given:
    """A whole block for the pump that was told DATA_NEXT."""

    pump: int
    block: Block


@dataclass(frozen=True, slots=True)
class Spoilt:
    """A block for this pump that cannot be used: its next status is DATA_ERROR."""

    pump: int
    why: Bad


Event = Asked | AllStop | Given | Spoilt


class PumpEar:
    """Hears the host. length: how DL must be filled; None: not looked at, as with heads that ignore it."""

    def __init__(self, length: DataLength | None = None) -> None:
        self.noise = 0  # bytes that meant nothing
        self._length = length
        self._events: deque[Event] = deque()
        self._waiting: int | None = None  # the pump whose block is to come
        self._block = bytearray()

    def receive_data(self, data: bytes) -> None:
        """Never raises."""
        for byte in data:
            if len(self._events) >= EVENTS_MAX:
                self.noise += 1
            else:
                self._take(byte)

    def next_event(self) -> Event | None:
        """None: nothing until more is received."""
        return self._events.popleft() if self._events else None

    def _take(self, byte: int) -> None:
        if self._block:
            self._go_on(byte)
        elif byte == START and self._waiting is not None:
            self._block.append(byte)
        elif byte == ALL_STOP[0]:
            self._events.append(AllStop())
        elif byte >> 4 <= Command.LIVE_VOLUME:
            asked = Asked(Command(byte >> 4), pump_of(byte))
            self._waiting = asked.pump if asked.command is Command.DATA_NEXT else None
            self._events.append(asked)
        else:
            self.noise += 1

    def _go_on(self, byte: int) -> None:
        """Within a block: digits and control words alone; anything else ends it."""
        if byte < 0xE0 or byte == START or len(self._block) >= BLOCK_MAX:
            self._end(Bad.SHAPE)
            self._take(byte)
            return
        self._block.append(byte)
        if byte == END:
            self._end(decode_block(bytes(self._block), self._length))

    def _end(self, found: Block | Bad) -> None:
        assert self._waiting is not None
        pump, self._waiting = self._waiting, None
        self._block.clear()
        self._events.append(Spoilt(pump, found) if isinstance(found, Bad) else Given(pump, found))
