"""What does time alone bring about at headquarters? Run every few minutes by the server; a person may run it too.

Each step asks the books what is to be done, so that running it twice, late, or in two processes changes nothing more.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from cloud import epochs, guests, pack_list, plans
from cloud.clock import Clock
from cloud.keys import HqKeys
from cloud.policy import Policy
from cloud.store import writing

TEND_S = 300
"""How often the server does it, in seconds: guests wait for their refunds, and nothing else is urgent."""


@dataclass(frozen=True, slots=True)
class Tended:
    """codes_expired: guests' accounts whose code was not used in time. guests_lent: refunds of guests at silent sites.

    epochs_lent: lost `site/epoch`s whose customers were paid by the operator. plans_ended: their references; lapsed:
    units taken off. pack_list: the version made; None: nothing new was said of packs. sites: with news.
    """

    codes_expired: list[str]
    guests_lent: list[str]
    epochs_lent: list[str]
    plans_ended: list[str]
    lapsed: int
    pack_list: int | None
    sites: frozenset[str]

    @property
    def did(self) -> bool:
        return bool(
            self.codes_expired
            or self.guests_lent
            or self.epochs_lent
            or self.plans_ended
            or self.lapsed
            or self.pack_list
        )


def tend(engine: sa.Engine, hq: HqKeys, clock: Clock, policy: Policy) -> Tended:
    """Everything that is due now."""
    undone = guests.tend(engine, hq, clock, policy.guest_refund_after_h)
    lent = epochs.tend(engine, hq, clock, policy.loan_after_days)
    placed = plans.tend(engine, hq, clock)
    with writing(engine) as connection:
        listed = pack_list.publish(connection, clock, every_ms=pack_list.EVERY_MS)
        told = [] if listed is None else pack_list.told(connection)
    sites = undone.sites | placed.sites | set(told)
    return Tended(undone.expired, undone.lent, lent, placed.ended, placed.lapsed, listed, sites)
