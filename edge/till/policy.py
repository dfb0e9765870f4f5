"""The operator's rules for this till, and what is fixed about a connector."""

from __future__ import annotations

from typing import Annotated

import msgspec

Seconds = Annotated[int, msgspec.Meta(ge=0, le=30 * 86_400)]


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The `[till]` table of the config. Every time in seconds, every amount in fen."""

    fill_up_cap_fen: Annotated[int, msgspec.Meta(ge=100, le=10_000_000)] = 20_000
    """Hold of a session that fills up, so that one session cannot drain an account."""
    progress_s: Annotated[int, msgspec.Meta(ge=1, le=60)] = 30
    """How often running sessions are saved: what is lost to the customer's bill if box and meter both die."""
    reaction_s: Annotated[int, msgspec.Meta(ge=1, le=60)] = 3
    """From a reading that reaches the cut-off to the relay being open."""
    silence_s: Annotated[int, msgspec.Meta(ge=2, le=300)] = 10
    """Charger or meter silent for longer than this: delivery stops."""
    restart_s: Annotated[int, msgspec.Meta(ge=1, le=600)] = 15
    """How long delivery may go on unwatched while the daemon restarts, for a charger without a fail-safe of its own."""
    start_timeout_s: Seconds = 120
    """A car that has drawn nothing for this long after the start is sent away; nothing is charged."""
    full_after_s: Seconds = 60
    """A car that has drawn nothing for this long after charging is full."""
    stuck_after_s: Seconds = 30
    """A charger that still delivers this long after it was told to stop has a stuck relay."""
    risk_per_card_fen: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 0
    """What one card may charge in an epoch at the operator's own risk, where neither rights nor headquarters are there;
    0: nothing. The site also needs a grant of the risk pool."""
    settle_after_s: Seconds = 7 * 86_400
    """A session whose meter stays silent is closed at its last known register this long after it was held for review,
    as far as that is proven; power cuts do not begin it anew."""


class Connector(msgspec.Struct, frozen=True):
    """What is fixed about one connector: names, and the promises of its charger's and meter's profiles."""

    id: str
    meter: str
    power_w_max: int  # the most that can flow, whatever is asked
    current_ma_max: int
    failsafe_s: int | None  # the charger stops by itself this long after the last contact
    register_wh_max: int | None  # the meter wraps above this
    resolution_wh: int

    def unwatched_s(self, policy: Policy) -> int:
        """Longest time that energy can flow past a reading: a device falls silent, the daemon restarts (or the charger
        fails safe meanwhile), finds it silent still, and its order takes its time.
        """
        alone_s = policy.restart_s if self.failsafe_s is None else min(self.failsafe_s, policy.restart_s)
        return policy.reaction_s + policy.silence_s + alone_s
