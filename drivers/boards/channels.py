"""What can be wired to a board: which channels has it, what do they say, and who speaks its protocol?"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from drivers.line import LineDevice, Priority

NONE = range(0)


@dataclass(frozen=True, slots=True)
class Channels:
    """By their numbers as printed on the board, mostly from 1.

    contacts: locks whose feedback it reads. shared: lock n and output n are one relay. reads_outputs: it tells how its
    outputs stand; else nobody knows.
    """

    locks: range = NONE
    contacts: range = NONE
    inputs: range = NONE
    outputs: range = NONE
    temps: range = NONE
    shared: bool = False
    reads_outputs: bool = True


@dataclass(frozen=True, slots=True)
class Heard:
    """What one answer says. None: nothing of that kind. contacts: as the board sees them, not yet locked or unlocked;
    a channel that is missing said something else. temps: tenths of a degree Celsius.
    """

    contacts: Mapping[int, bool] | None = None
    inputs: Mapping[int, bool] | None = None
    outputs: Mapping[int, bool] | None = None
    temps: Mapping[int, int] | None = None


Ask = Callable[[Priority], Awaitable[Heard]]


class Talk(Protocol):
    """The dialogue with one board in its protocol. Everything that asks raises DeviceError.

    rounds: the questions that together tell all it knows, by name, what changes fast first. reads_back: the round that
    tells its outputs; None: it has no outputs, or none tells.
    """

    device: LineDevice
    channels: Channels
    rounds: Mapping[str, Ask]
    reads_back: str | None

    async def set_up(self, locks: Collection[int]) -> None:
        """What must be told when it is first seen, and after each break. locks: those of its channels that are some."""
        ...

    async def open(self, lock: int) -> None:
        """One pulse, sent once. Returns when the board has taken it."""
        ...

    async def switch(self, output: int, on: bool) -> None:
        """Returns when the board has taken it. May be repeated."""
        ...
