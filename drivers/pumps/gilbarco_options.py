"""How do Gilbarco two-wire heads differ, as far as a driver must know?"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from protocols.fieldbus.gilbarco import DataLength, Level
from protocols.fieldbus.gilbarco_replies import EXTENDED, NORMAL, Width


class GilbarcoOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`options` of a pump with `protocol = "gilbarco"`. docs/gilbarco.md says which head needs which, and why.

    extended: the head speaks with longer numbers (price 6 digits, volume and money 8).
    amount_preset_digits: of a money preset; None: 6, or 8 when extended.
    volume_preset_decimals: of litres in a volume preset. One too many lets ten times as much flow.
    preset_says: beside the value nothing, the price "level", or level and "grade".
    data_length: "counted" as documented, or "e3" whatever the length.
    level: the price level that is sold at. both_levels: prices are set at the other one too.
    nozzle_from: "special": special function 010 tells which nozzle is out; "none": only the sale tells afterwards.
    full_preset: before a sale without limit nothing is sent, a preset of 0 ("cancel"), or the fill-up word ("fill-up").
    live_amount: ask for the money while fuel flows.
    can_resume: a stopped pump goes on when authorised again; else a stop is the end of the sale.
    timeout_ms: until the answer to a word begins. authorise_s: how long it may take to show an authorisation.
    """

    extended: bool = False
    amount_preset_digits: Literal[5, 6, 8] | None = None
    volume_preset_decimals: Annotated[int, msgspec.Meta(ge=0, le=3)] = 2
    preset_says: Literal["value", "level", "grade"] = "value"
    data_length: Literal["counted", "e3"] = "counted"
    level: Literal["cash", "credit"] = "cash"
    both_levels: bool = False
    nozzle_from: Literal["none", "special"] = "none"
    full_preset: Literal["none", "cancel", "fill-up"] = "none"
    live_amount: bool = True
    can_resume: bool = False
    timeout_ms: Annotated[int, msgspec.Meta(ge=70, le=2000)] = 150
    authorise_s: Annotated[float, msgspec.Meta(ge=0.2, le=60)] = 2.0

    @property
    def width(self) -> Width:
        return EXTENDED if self.extended else NORMAL

    @property
    def amount_digits(self) -> Literal[5, 6, 8]:
        if self.amount_preset_digits is not None:
            return self.amount_preset_digits
        return 8 if self.extended else 6

    @property
    def volume_digits(self) -> Literal[5, 8]:
        return 8 if self.extended else 5

    @property
    def price_digits(self) -> Literal[4, 6]:
        return 6 if self.extended else 4

    @property
    def sold_at(self) -> Level:
        return Level.CASH if self.level == "cash" else Level.CREDIT

    @property
    def lengths(self) -> DataLength:
        return DataLength(self.data_length)
