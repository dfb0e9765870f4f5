"""Was each session opened by right? By a log that may sell, once for each code and command, by no card on the list."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from sim_wrong import Wrong

from protocols.trade.records import RISK, SessionOpened, Stamp
from protocols.trade.records_fuel import FillingOpened
from protocols.trade.records_pack import SwapOpened
from protocols.trade.records_port import LockerOpened, PortOpened

RISK_PER_CARD_FEN = 600
"""What the sites of the simulation let one card draw on the operator's pool."""
FORGIVEN_MS = 30_000
"""A start that was under way when headquarters refused the log may still be committed."""

Opened = SessionOpened | FillingOpened | SwapOpened | PortOpened | LockerOpened


@dataclass
class Rights:
    """hot: each version of the list of cards. barred: branches whose disk is older than their counter says.
    told_off: when headquarters first refused a branch.
    """

    seen: Callable[[str], None]
    hot: dict[int, frozenset[bytes]] = field(default_factory=dict)
    barred: set[str] = field(default_factory=set)
    told_off: dict[str, int] = field(default_factory=dict)
    _commands: set[tuple[str, bytes, int]] = field(default_factory=set)
    _starts: set[tuple[str, str, int]] = field(default_factory=set)
    _risked: dict[tuple[str, bytes], int] = field(default_factory=dict)

    def heard(self, branch: str, now_ms: int, *, agreed: bool) -> None:
        """Headquarters goes on from this history, or has just refused to."""
        if agreed:
            self.barred.discard(branch)
        else:
            self.told_off.setdefault(branch, now_ms)
            self.seen("fork refused")

    def opened(self, site: str, body: Opened, stamp: Stamp, now_ms: int) -> None:
        """A start by code or command runs once; a hot-listed card opens nothing; each card keeps to the pool's cap."""
        if site in self.barred:
            raise Wrong("counter", f"{site}: the disk is older than its counter says, and a session opens unheard")
        if now_ms - self.told_off.get(site, 10**12) > FORGIVEN_MS:
            raise Wrong("fork-stops-trade", f"{site}: a session opens, and headquarters has refused this log")
        origin, card = body.origin, body.origin.credential
        if origin.via == "command":
            key = (site, stamp.boot, origin.number)
            if key in self._commands:
                raise Wrong("commands-run-once", f"{site}: command {origin.number} ran twice")
            self._commands.add(key)
        if origin.via == "qr":
            account = getattr(body, "account", "") or body.holds[0].account
            if (site, account, origin.number) in self._starts:
                raise Wrong("starts-run-once", f"{site}: start {origin.number} of {account} ran twice")
            self._starts.add((site, account, origin.number))
        listed = {self.hot.get(pin.version, frozenset()) for pin in body.pins if pin.kind == "hot-list"}
        if any(card in cards for cards in listed):
            raise Wrong("hot-listed", f"{site}: a card opens a session that the hot list in force has")
        self._at_risk(site, body, card)
        if len({hold.account for hold in body.holds}) > 1:
            self.seen("session of several payers")
        self.seen(f"opened by {origin.via}")

    def _at_risk(self, site: str, body: Opened, card: bytes) -> None:
        risked = sum(hold.amount for hold in body.holds if hold.account == RISK)
        if risked:
            self.seen("session on the operator's risk")
            self._risked[site, card] = self._risked.get((site, card), 0) + risked
            if self._risked[site, card] > RISK_PER_CARD_FEN:
                raise Wrong("risk-per-card", f"{site}: {self._risked[site, card]} fen for one card")
