"""How do AZT heads differ, as far as a site must say it?"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec


class AztOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How heads differ.

    above_15: how addresses above 15 are written, see `azt_frames.Above15`. type: the letter that gives the widths of
    a sale; None: the pump is asked, and one that does not tell is an H. money_dose: it takes doses of money ('S');
    else an amount becomes the volume that it buys, rounded down. money_digits: of such a dose. price_digits: of 'Q'.
    full_flag: a dose of volume ends with a digit that says whether the tank is to be filled. read_dose_back: compare
    before authorising, where the pump can tell. total_digits: of each totalizer, until the pump has shown how many.
    """

    above_15: Literal["blocks", "modulo"] = "blocks"
    type: Literal["A", "B", "C", "D", "E", "F", "G", "H", ";"] | None = None
    money_dose: bool = True
    money_digits: Annotated[int, msgspec.Meta(ge=5, le=8)] = 6
    price_digits: Literal[4, 6] = 4
    full_flag: bool = True
    read_dose_back: bool = True
    total_digits: Annotated[int, msgspec.Meta(ge=8, le=16)] = 8
