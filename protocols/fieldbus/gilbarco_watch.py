"""Gilbarco Two-Wire: when is a sale over, though its end may have shown in one poll only, or in none?

    OFF --lift--> CALL --authorise--> AUTHORISED --flow--> BUSY --preset reached--> PEOT --hang up--> FEOT --> OFF
    AUTHORISED --stop--> OFF     BUSY --stop--> STOP     BUSY --hang up--> FEOT

FEOT may pass between two polls, and so may all the rest. So a pump that was authorised and is OFF or in CALL has ended
a sale, whatever was seen of it. (facts: Gilbarco 2.6; one Chinese and one Greek forecourt product do the same.)
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from protocols.fieldbus.gilbarco import Status


class Stage(Enum):
    """Where a pump is in the order of a sale."""

    NONE = "none"  # no sale since the last was released
    RUNNING = "running"
    OVER = "over"  # its data stand in the pump; holds until released, or until the next sale runs


RUNNING = frozenset({Status.AUTHORISED, Status.BUSY, Status.PEOT})
ENDED = frozenset({Status.FEOT, Status.STOP})
RESTING = frozenset({Status.OFF, Status.CALL})


@dataclass(slots=True)
class SaleWatch:
    """flowed: BUSY or PEOT was seen in this sale. stop_ends: a stopped pump sells no more; False: it may be resumed."""

    stop_ends: bool = True
    stage: Stage = Stage.NONE
    flowed: bool = False

    def authorising(self) -> None:
        """The word is about to be sent: from here on it may have been heard."""
        self.stage, self.flowed = Stage.RUNNING, False

    def refused(self) -> None:
        """The pump is known not to have taken it."""
        self.stage = Stage.NONE

    def saw(self, status: Status) -> Stage:
        """The pump's status, in the order it came."""
        if status in RUNNING:
            if self.stage is not Stage.RUNNING:
                self.stage, self.flowed = Stage.RUNNING, False
            self.flowed |= status is not Status.AUTHORISED
        elif status in ENDED and (status is not Status.STOP or self.stop_ends):
            self.stage = Stage.OVER if self.stage is Stage.RUNNING else self.stage
        elif status in RESTING and self.stage is Stage.RUNNING:
            self.stage = Stage.OVER
        return self.stage

    def ended(self) -> None:
        """We have ended it, and do not let it go on."""
        if self.stage is Stage.RUNNING:
            self.stage = Stage.OVER

    def released(self) -> None:
        """The last sale is durably stored."""
        if self.stage is Stage.OVER:
            self.stage, self.flowed = Stage.NONE, False
