"""Is each deposit held while its pack is out, and free again once the pack is back? By what headquarters has heard.

A fold of its own over the records of swap sessions, in the order of each site's logs. Packs of the simulation never go
from one site to another, so no clock decides here; the one code that packs of several sites may tell is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from sim_shop import LIED
from sim_wrong import expect

from protocols.trade.codec import Wire
from protocols.trade.records import Effect, Record
from protocols.trade.records_pack import DEPOSIT, SwapClosed, SwapOpened

Key = tuple[str, str]
"""(site, code of a pack)"""


class Passed(NamedTuple):
    """A pack went in or out. at: (epoch, seq, 0 in or 1 out). paid: the session that paid for it; None: it came in.
    fen: the deposit that was set down for it, by account; empty: it was no rent.
    """

    at: tuple[int, int, int]
    paid: tuple[int, int] | None
    fen: Mapping[str, int]


@dataclass
class Deposits:
    """held: what is set down for each pack that is out, by account. given: how often one was set down at all."""

    held: dict[Key, Mapping[str, int]] = field(default_factory=dict)
    given: int = 0
    _passed: dict[Key, list[Passed]] = field(default_factory=dict)
    _opened: dict[tuple[str, int, int], SwapOpened] = field(default_factory=dict)
    _accounts: set[str] = field(default_factory=set)
    _unsure: set[str] = field(default_factory=set)

    def read(self, place: str, seq: int, record: Record, body: Wire | None) -> None:
        """One record of a site's log, as headquarters has it. place: `site/epoch`."""
        site, epoch = place.split("/")
        if isinstance(body, SwapOpened):
            self._opened[site, int(epoch), seq] = body
        if isinstance(body, SwapClosed):
            self._closed(site, int(epoch), seq, record, body)

    def check(self, ledger: Mapping[str, int]) -> None:
        """What lies as deposits is what is set down for packs that are out."""
        held: dict[str, int] = dict.fromkeys(self._accounts, 0)
        for fen in self.held.values():
            for account, units in fen.items():
                held[account] += units
        for account, units in held.items():
            if account in self._unsure:
                continue
            expect("deposit-follows-the-pack", account, units, ledger.get(f"deposit:{account} {DEPOSIT}", 0))

    def _closed(self, site: str, epoch: int, seq: int, record: Record, body: SwapClosed) -> None:
        if body.returned is not None:
            self._pass(site, body.returned.code, Passed((epoch, seq, 0), None, {}))
        if body.taken is not None:
            deposits = [move for move in record.moves if (move.effect, move.asset) == (Effect.USED, DEPOSIT)]
            fen = {move.account: move.amount for move in deposits}
            self._accounts |= fen.keys()
            self._unsure |= fen.keys() if body.taken.code == LIED else set()
            self.given += bool(fen)
            paid = (epoch, self._paid(site, epoch, body.session))
            self._pass(site, body.taken.code, Passed((epoch, seq, 1), paid, fen))

    def _paid(self, site: str, epoch: int, session: int) -> int:
        """The session that paid: an earlier one, where its door was opened once more for nothing."""
        opened = self._opened[site, epoch, session]
        if opened.offer or opened.resumes is None:
            return session
        return self._paid(site, epoch, opened.resumes)

    def _pass(self, site: str, code: str, passed: Passed) -> None:
        """A log that was lost and found tells late of what came before, so the pack is followed anew."""
        its = self._passed.setdefault((site, code), [])
        its.append(passed)
        its.sort(key=lambda one: one.at)
        out: Passed | None = None
        for one in its:
            if one.paid is None or out is None or one.paid != out.paid:
                out = None if one.paid is None else one
        self.held[site, code] = {} if out is None else out.fen
