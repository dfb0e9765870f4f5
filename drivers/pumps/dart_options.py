"""How do DART heads differ, as far as a driver must know?"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec


class DartOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`options` of a pump with `protocol = "dart"`. docs/dart.md says which head needs which.

    numbering: what follows our block 15: "f-1" (the document), "f-0" (some heads), or "0": every block is 0.
    pump_numbers_zero: the pump numbers all its blocks 0, so that 0 after 0 is no repeat.
    lift_first: it takes a preset only with a nozzle out. So all Wayne heads in China do, by their maker's advice.
    stop_returned: with lift_first, a nozzle that is hung up before any flow takes the authorisation back. Heads that
    end the sale then by themselves do not need it; at others the next customer would have it.
    suspend: the transaction that pauses: "cd14" (CD14, CD15), "cd1" (CD1 with 0D and 0E), or "none".
    amount_totals: how it is asked for totals of money: "65" (counter 11h and up), "66" (CD102), or "none".
    totals_lifted: it gives its totals with a nozzle lifted before a sale.
    full_preset: what is sent for a sale without limit: nothing, or the largest "volume" or "amount".
    join_blocks: nozzles, preset and authorisation in one block, for a quicker start.
    ack_poll: acknowledge and poll in one frame; quicker, and not known to all heads.
    ask_parameters: ask for DC7, the decimals, after each return of the pump; not known to all heads.
    timeout_ms: from the end of our frame to the first byte of the answer. gap_ms: rest of the pump between its answer
    and our next question. authorise_s: how long it may take to show an authorisation. reset_tries: so many RESETs.
    """

    numbering: Literal["f-1", "f-0", "0"] = "f-1"
    pump_numbers_zero: bool = False
    lift_first: bool = True
    stop_returned: bool = True
    suspend: Literal["none", "cd14", "cd1"] = "none"
    amount_totals: Literal["none", "65", "66"] = "none"
    totals_lifted: bool = True
    full_preset: Literal["none", "volume", "amount"] = "none"
    join_blocks: bool = False
    ack_poll: bool = False
    ask_parameters: bool = False
    timeout_ms: Annotated[int, msgspec.Meta(ge=20, le=2000)] = 120
    gap_ms: Annotated[int, msgspec.Meta(ge=0, le=500)] = 30
    authorise_s: Annotated[float, msgspec.Meta(ge=0.5, le=60)] = 6.0
    reset_tries: Annotated[int, msgspec.Meta(ge=1, le=10)] = 3
