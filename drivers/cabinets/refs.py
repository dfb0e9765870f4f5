"""How does a config name one channel of a board?

`locks-1/7` is channel 7 of the board `locks-1`. An input may stand behind `not `: it then means the contrary, so that
`door_open = "not di-1/7"` reads as it is wired. In a run of slots the channel counts up from slot to slot, unless the
board's name holds `{slot}`, which stands for the slot's number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

import msgspec

_PLACE: Final = r"[A-Za-z0-9{][A-Za-z0-9._{}-]{0,37}/[1-9][0-9]{0,2}"

OutRef = Annotated[
    str,
    msgspec.Meta(pattern=rf"^{_PLACE}$", description='a board and its channel, such as "locks-1/7"'),
]
InRef = Annotated[
    str,
    msgspec.Meta(
        pattern=rf"^(not )?{_PLACE}$",
        description='a board and its channel, such as "di-1/7", or "not di-1/7" where it means the contrary',
    ),
]
SLOT: Final = "{slot}"


@dataclass(frozen=True, slots=True, order=True)
class Ref:
    """One channel. contrary: what it says is the opposite of what is meant."""

    board: str
    channel: int
    contrary: bool = False

    def __str__(self) -> str:
        return f"{'not ' * self.contrary}{self.board}/{self.channel}"

    @property
    def place(self) -> tuple[str, int]:
        return self.board, self.channel


def parse(text: str, slot: int = 0, nth: int = 0) -> Ref:
    """text: an InRef or OutRef. slot: the number of the slot it is for; nth: its place in its run, from 0."""
    contrary = text.startswith("not ")
    board, _, channel = text.removeprefix("not ").rpartition("/")
    return Ref(filled(board, slot), int(channel) + (0 if SLOT in board else nth), contrary)


def filled(name: str, slot: int) -> str:
    """A name with the slot's number in it where it wants one."""
    return name.replace(SLOT, str(slot))
