"""The operator's rules for charging ports and lockers: the `[ports]` table of the config."""

from __future__ import annotations

from typing import Annotated

import msgspec

from edge.till.hours import Hours
from edge.till.policy import Seconds


class PortPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Every time in seconds, every amount in fen."""

    price: Annotated[str, msgspec.Meta(min_length=1, max_length=64)] = "ports"
    """The price, by its name in the port prices of headquarters, of every board that `board_prices` does not name."""
    board_prices: dict[str, str] = {}
    """The prices of single boards, by their ids."""
    fill_up_cap_fen: Annotated[int, msgspec.Meta(ge=10, le=10_000_000)] = 1_000
    """Hold of a session without a preset where its price names no cap, so that none can drain an account."""
    silence_s: Annotated[int, msgspec.Meta(ge=5, le=3600)] = 400
    """A board that has said nothing for longer is silent. Boards speak every three to five minutes."""
    start_timeout_s: Annotated[int, msgspec.Meta(ge=10, le=3600)] = 120
    """A start that no board has confirmed is given up after this, and its port told to stop."""
    begin_wait_s: Annotated[int, msgspec.Meta(ge=10, le=86_400)] = 300
    """A port has taken an order, and goes on telling for this long that it is idle: it is told to stop, and the session
    is void. Piles begin within 90 s, and repeat a bill for five minutes."""
    unplugged_s: Annotated[int, msgspec.Meta(ge=2, le=3600)] = 30
    """Nothing is plugged in for this long while a port charges, and its board goes on: it is stopped."""
    over_limit_s: Annotated[int, msgspec.Meta(ge=10, le=3600)] = 120
    """A port that goes on this long beyond its order is stopped, and reported."""
    settle_wait_s: Annotated[int, msgspec.Meta(ge=10, le=86_400)] = 2_100
    """An order is over, or should be, and no settlement has come for this long: it is held for review. Boards repeat
    one that got lost after half an hour."""
    settle_after_s: Seconds = 3 * 86_400
    """A settlement that does not come: the session is closed by what was known last this long after it was held for
    review. What comes later is written down and charged to nobody."""
    door_s: Annotated[int, msgspec.Meta(ge=2, le=120)] = 10
    """A locker's door that has not opened this long after it was told to is stuck."""
    shut_s: Annotated[int, msgspec.Meta(ge=10, le=3600)] = 180
    """A locker's door that stays open for longer is reported."""
    lockers_each: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 2
    """Lockers that one account, or one card, may have at a time; staff may give more."""
    lockers_unknown: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 4
    """Lockers that cards of no known account may have at a time, all together: a phone makes up a card at each tap."""
    overdue_s: Seconds = 3 * 86_400
    """A pack that nobody has come for is reported after this."""
    hours: tuple[Hours, ...] = ()
    """When sessions begin and lockers are taken. A pack is given back at any hour, one that lies in a locker is
    charged, and what has begun goes on to its end. None: always.
    """
    utc_offset_min: Annotated[int, msgspec.Meta(ge=-720, le=840)] = 480
    """What those hours are counted by; China's, if nothing is said."""
    pin_tries: Annotated[int, msgspec.Meta(ge=1, le=20)] = 5
    """Wrong PINs in a row, after which none is taken for `pin_pause_s`."""
    pin_pause_s: Annotated[int, msgspec.Meta(ge=10, le=86_400)] = 900
