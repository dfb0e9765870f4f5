"""How much may this card or account still have today? By what the site has sold it, open fillings included."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edge.till.state import Forecourt, OpenFilling
from protocols.trade.fuel_terms import Terms, use_key
from protocols.trade.records_fuel import Offered


@dataclass(frozen=True, slots=True)
class DayLimit:
    """left_ml: of day_ml; None: there is no limit. cheapest_e3: at which so much money is the most fuel."""

    day_ml: int
    left_ml: int | None
    cheapest_e3: int

    def within(self, volume_ml: int) -> int:
        """At most what is left."""
        return volume_ml if self.left_ml is None else min(volume_ml, self.left_ml)

    def fen(self, wanted_fen: int) -> int:
        """At most what buys no more than is left, whichever nozzle it is; rounded down."""
        return wanted_fen if self.left_ml is None else self.left_ml * self.cheapest_e3 // 1_000_000


def day_limit(court: Forecourt, held_to: Sequence[Terms], local_day: int, offered: Sequence[Offered]) -> DayLimit:
    """The tightest of what these terms leave on this local day."""
    cheapest_e3 = min(one.price_e3 for one in offered)
    left = [(_left_ml(court, terms, local_day), terms.day_ml) for terms in held_to if terms.day_ml]
    left_ml, day_ml = min(left, default=(None, 0))
    return DayLimit(day_ml, left_ml, cheapest_e3)


def _left_ml(court: Forecourt, terms: Terms, local_day: int) -> int:
    """A use of tomorrow counts too: midnight passes, and clocks are set. One still later was a clock gone wrong."""
    on, used_ml = court.used_ml.get(use_key(terms.account, terms.credential), (local_day, 0))
    running = sum(most_ml(one) for one in court.fillings.values() if _counts(one, terms))
    return terms.day_ml - (used_ml if on in (local_day, local_day + 1) else 0) - running


def _counts(filling: OpenFilling, terms: Terms) -> bool:
    """Whether an open filling will count against these terms."""
    pays = any(hold.account == terms.account for hold in filling.holds)
    return pays and terms.credential in (b"", filling.opened.origin.credential)


def most_ml(filling: OpenFilling) -> int:
    """The most that an open filling may come to, by its order."""
    opened = filling.opened
    if opened.order_kind == "volume":
        return opened.order_limit
    cheapest_e3 = min(one.price_e3 for one in opened.offered)
    return -(-opened.order_limit * 1_000_000 // cheapest_e3)
