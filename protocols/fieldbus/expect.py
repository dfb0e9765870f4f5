"""What does a line need to know about an answer, whatever the protocol?

A gateway's side of a protocol hands the line a frame and an `Expect`. The line feeds it every byte that arrives and
stops when it gives something else than NEED_MORE. So any protocol can share a line with any other.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from enum import Enum
from typing import Final, Protocol, TypeVar

R_co = TypeVar("R_co", covariant=True)


class NeedMore(Enum):
    """The answer is not complete yet; feed more, or give up."""

    NEED_MORE = "need more"


NEED_MORE: Final = NeedMore.NEED_MORE

# The kinds of bytes that an Expect throws away.
NOISE: Final = "noise"  # belongs to no frame
CRC: Final = "crc"  # the frame of the right shape, with a wrong check sum
FOREIGN: Final = "foreign"  # a sound frame of another unit or function
ECHO: Final = "echo"  # our own request, heard by our own receiver
LENGTH: Final = "length"  # a sound frame from the right unit, with another count than was asked for
LATE: Final = "late"  # a sound answer to an earlier request


class Expect(Protocol[R_co]):
    """Recognises the answer to one request in whatever arrives, and counts what it throws away.

    It is good for several attempts at the same request: after `give_up` it waits for the answer anew.
    """

    @property
    def discarded(self) -> Mapping[str, int]:
        """Bytes thrown away so far, by kind (the constants of this module). Only ever grows."""
        ...

    @property
    def shape(self) -> Hashable:
        """Requests of equal shape have answers that cannot be told apart. None: every answer is known for sure."""
        ...

    def feed(self, data: bytes) -> R_co | NeedMore:
        """Take what arrived. Never raises on anything that can come off a wire."""
        ...

    def give_up(self) -> R_co | NeedMore:
        """No more will come: sort what is left. An answer that was only waiting to be sure is given now."""
        ...
