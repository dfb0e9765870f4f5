"""What must be written down about a reader and about the numbers that it says?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Literal

import msgspec

from protocols.fieldbus.card_number import OCTETS_MAX, Form, Kept, Order, Part, Radix

Kind = Literal["text", "rdm6300", "pn532", "gm65", "wiegand", "pcsc"]


@dataclass(frozen=True, slots=True)
class Traits:
    """What a kind of reader is like. baud: as it comes; None: it has no serial line.

    talks: it is spoken to as well, so it cannot be on a file descriptor. beats: a dead one is noticed, within so many
    seconds; None: it only speaks when it sees something, and its port alone shows that it is gone.
    """

    baud: int | None
    talks: bool
    beats: float | None


TRAITS: Final[dict[Kind, Traits]] = {
    "text": Traits(9600, talks=False, beats=None),
    "rdm6300": Traits(9600, talks=False, beats=None),
    "pn532": Traits(115200, talks=True, beats=2.0),
    "gm65": Traits(9600, talks=True, beats=40.0),
    "wiegand": Traits(9600, talks=False, beats=None),
    "pcsc": Traits(None, talks=True, beats=1.0),
}


class FormConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`form` of a reader that prints numbers: how it prints them, as `card_number.Form`.

    octets: how many it says; None: as many as it prints, in hexadecimal digits alone.
    """

    radix: Radix = Radix.HEX
    order: Order = Order.FIRST_HIGH
    octets: Annotated[int, msgspec.Meta(ge=2, le=OCTETS_MAX)] | None = None
    part: Part = Part.WHOLE

    def __post_init__(self) -> None:
        Form(self.radix, self.order, self.octets, self.part)  # raises ValueError for what does not fit together

    @property
    def form(self) -> Form:
        return Form(self.radix, self.order, self.octets, self.part)


class CardsConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[cards]`: how much of a card's number the fleet's credentials keep, the same at all of its sites.

    octets: as many as its poorest reader says. part: which end of the number.
    """

    octets: Annotated[int, msgspec.Meta(ge=3, le=OCTETS_MAX)]
    part: Literal["first", "last"] = "last"

    @property
    def kept(self) -> Kept:
        return Kept(self.octets, Part(self.part))


@dataclass(frozen=True, slots=True)
class ReaderSetup:
    """One reader, as a driver needs it. Exactly one of path, fd and terminal says where it is.

    baud: None: the kind's own. terminal: of PC/SC, a part of its name; "" for the first there is. form: None: numbers
    are taken as they are printed. kept: None: the whole number. felica: a PN532 looks for FeliCa cards too. setup: a
    scanner is set to plain text and line ends when it is opened.
    """

    id: str
    kind: Kind
    path: str | None = None
    fd: int | None = None
    terminal: str | None = None
    baud: int | None = None
    form: Form | None = None
    kept: Kept | None = None
    felica: bool = False
    setup: bool = True

    @property
    def speed(self) -> int:
        return self.baud or TRAITS[self.kind].baud or 9600

    @property
    def where(self) -> str:
        """The port in words."""
        if self.terminal is not None:
            return f"PC/SC {self.terminal or '(first)'}"
        return self.path if self.path is not None else f"descriptor {self.fd}"
