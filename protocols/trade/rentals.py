"""When does a rental end, and what becomes of its deposit? Pure: what is due, and what is still to be done of it.

A rental ends when its pack is put in anywhere by anybody, when staff has it back by headquarters' word, when it is
given out anew (it was back, unseen), or when headquarters says that it is lost. The deposit covers what is owed for
being late and was not billed at a site; a lost pack keeps it whole. A pack that turns up after all is a late return,
and what was kept beyond that goes back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from protocols.trade.pack_facts import Deposit, Fact, Rent
from protocols.trade.records_pack import DEPOSIT
from protocols.trade.swap_terms import late_days, price_late


@dataclass(frozen=True, slots=True)
class Rental:
    """One pack out for a term. seq, position: of the fact that says that it was taken, in the log of site and epoch.
    until_s: Unix time to which it is paid; None: not told. ended: the fact; None: it is out. late_fen: owed for being
    late, by its own terms; billed_fen: of that, at the site where it was returned.
    """

    code: str
    account: str
    site: str
    epoch: int
    seq: int
    position: int
    session: int
    began_ms: int
    offer: str
    until_s: int | None
    grace_s: int
    late_e3: int
    deposits: tuple[Deposit, ...]
    state: Literal["out", "returned", "lost"] = "out"
    ended: Fact | None = None
    late_fen: int = 0
    billed_fen: int = 0

    @staticmethod
    def begin(fact: Fact, rent: Rent) -> Rental:
        return Rental(
            code=fact.code,
            account=fact.account,
            site=fact.site,
            epoch=fact.epoch,
            seq=fact.seq,
            position=fact.position,
            session=fact.seq if fact.session is None else fact.session,
            began_ms=fact.at_ms,
            offer=rent.offer,
            until_s=rent.until_s,
            grace_s=rent.grace_s,
            late_e3=rent.late_e3,
            deposits=tuple(rent.deposits),
        )

    @property
    def open(self) -> bool:
        return self.state == "out"

    @property
    def name(self) -> str:
        """Its session's name for people."""
        return f"{self.site}/{self.epoch}/{self.session}"

    def is_late(self, lb_s: int) -> bool:
        """Is the term with its grace surely over, and the pack out? lb_s: Unix time, not before now."""
        return self.open and self.until_s is not None and late_days(self.grace_s, self.until_s, lb_s) > 0

    def goes_on_with(self, fact: Fact) -> bool:
        """Whether it is this rental's pack that was left in its slot, and taken once more for nothing."""
        return fact.rent is None and (fact.site, fact.epoch, fact.session) == (self.site, self.epoch, self.session)

    def extended(self, until_s: int) -> Rental:
        """Paid to a later time; one that has ended stays as it is."""
        return replace(self, until_s=max(self.until_s or 0, until_s)) if self.open else self

    def returned(self, fact: Fact) -> Rental:
        """The pack is back; late by what surely passed. A lost one that turns up is returned; a returned one stays."""
        if self.state == "returned":
            return self
        late_fen = 0
        if self.until_s is not None:
            late_fen = price_late(self.grace_s, self.late_e3, self.until_s, fact.begun_lb_ms // 1000).amount_fen
        return replace(self, state="returned", ended=fact, late_fen=late_fen, billed_fen=fact.late_fen)

    def lost(self, fact: Fact) -> Rental:
        return replace(self, state="lost", ended=fact) if self.open else self

    @property
    def owed_fen(self) -> int:
        """For being late, and not billed at a site."""
        return max(0, self.late_fen - self.billed_fen) if self.state == "returned" else 0

    def keeps(self) -> list[int]:
        """What is kept of each deposit in the end. Money covers what is owed, in the order of the deposits; a waiver is
        kept for a lost pack alone, and covers nothing: what it leaves owed, a person sees (`uncovered_fen`).
        """
        if self.state == "lost":
            return [deposit.amount for deposit in self.deposits]
        left_fen, kept = self.owed_fen, []
        for deposit in self.deposits:
            part = min(left_fen, deposit.amount) if deposit.asset == DEPOSIT else 0
            left_fen -= part
            kept.append(part)
        return kept

    @property
    def uncovered_fen(self) -> int:
        """Of what is owed, what no deposit covers."""
        return self.owed_fen - sum(self.keeps()) if self.state == "returned" else 0


@dataclass(frozen=True, slots=True)
class Done:
    """What has been done of one deposit so far, in its units."""

    kept: int = 0
    back: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be done now of one deposit, all at least 0. unkeep: of what was kept, to the customer."""

    deposit: Deposit
    keep: int
    unkeep: int
    back: int

    def __bool__(self) -> bool:
        return bool(self.keep or self.unkeep or self.back)


def settle(rental: Rental, done: Sequence[Done], held: Sequence[int]) -> list[Step]:
    """What leads from what has been done to what is due, one step for each deposit; of a rental that is out nothing.

    held: what the books hold as deposits of each deposit's account and asset: never more is taken from there. What was
    given back is never taken again, so that a fact that comes late costs no customer anything.
    """
    if rental.open:
        return [Step(deposit, 0, 0, 0) for deposit in rental.deposits]
    steps: list[Step] = []
    taken: dict[tuple[str, str], int] = {}
    for deposit, target, so_far, there in zip(rental.deposits, rental.keeps(), done, held, strict=True):
        key = (deposit.account, deposit.asset)
        left = min(deposit.amount - so_far.kept - so_far.back, there - taken.get(key, 0))
        keep = max(0, min(target - so_far.kept, left))
        unkeep = max(0, so_far.kept - target)
        back = max(0, left - keep)
        taken[key] = taken.get(key, 0) + keep + back
        steps.append(Step(deposit, keep, unkeep, back))
    return steps
