"""The operator's rules for fuel: the `[fuel]` table of the config."""

from __future__ import annotations

from typing import Annotated

import msgspec

from edge.till.policy import Seconds


class FillPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Every time in seconds, every amount in fen."""

    fill_up_cap_fen: Annotated[int, msgspec.Meta(ge=100, le=10_000_000)] = 50_000
    """Hold of a filling without a preset, so that one filling cannot drain an account."""
    margin_fen: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 50
    """A pump may give some pulses more than it was told: a fill-up is ordered for so much less than its hold."""
    start_timeout_s: Annotated[int, msgspec.Meta(ge=10, le=3600)] = 180
    """Nothing has flowed for this long since the start: the authorisation is taken back, nothing is charged."""
    still_s: Annotated[int, msgspec.Meta(ge=30, le=3600)] = 600
    """Nothing has flowed for this long in mid-sale: the pump is stopped."""
    silence_s: Annotated[int, msgspec.Meta(ge=2, le=300)] = 10
    """A pump that has said nothing for longer is silent: nothing is decided on what it said before."""
    stuck_after_s: Seconds = 30
    """A pump that still delivers this long after it was told to stop, or cannot tell what it sold, is reported."""
    pay_within_s: Seconds = 900
    """How long a filling on somebody's guarantee waits for another payer, before the guarantor pays."""
    settle_after_s: Seconds = 7 * 86_400
    """A pump that stays silent: its filling is closed this long after it was held for review."""
    idle_totals_s: Annotated[int, msgspec.Meta(ge=5, le=86_400)] = 60
    """How often the totalizers of an idle pump are read, to see whether one has moved by itself."""
