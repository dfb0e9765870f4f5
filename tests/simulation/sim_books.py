"""Does headquarters tell the same story as the sites? Its logs, leases and ledger, after each of its answers.

Everything is counted anew from the bytes of records: those of the sites' logs and those of headquarters' own.
"""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pymerkle
from sim_deposits import Deposits
from sim_wrong import Wrong, expect

from protocols.proof.checkpoint import parse
from protocols.trade.codec import decode
from protocols.trade.records import CNY, RISK, Effect, EpochClosed, Record, body_of


def whose(account: str, asset: str) -> str:
    """One name for an account's value in one asset."""
    return account if asset == CNY else f"{account} {asset}"


@dataclass
class Books:
    """What headquarters has, and what it may have. A place is `site/epoch`: one log.

    histories: of each place, the logs that its disks went through; headquarters' copy is the beginning of one of them.
    paid_in: what people really paid for an account. own: headquarters' own moves, by (effect, whose, place). seen:
    those of the sites' records as headquarters has them, by (effect, whose, place). lost: places that people at
    headquarters wait for no longer.
    """

    histories: Callable[[str], list[list[bytes]]]
    paid_in: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    granted: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    records: dict[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    states: dict[str, str] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    closed: set[str] = field(default_factory=set)
    own: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    seen: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    deposits: Deposits = field(default_factory=Deposits)
    _own_records: int = 0
    _trees: dict[str, pymerkle.InmemoryTree] = field(default_factory=dict)
    _hq: sqlite3.Connection | None = None

    def watch(self, path: Path) -> None:
        self._hq = sqlite3.connect(path, isolation_level=None)
        self._hq.execute("PRAGMA query_only = ON")

    def close(self) -> None:
        if self._hq is not None:
            self._hq.close()

    def loaned(self, account: str) -> int:
        """What the operator has paid for an account, whether or not it has come back."""
        return sum(fen for (effect, its, _), fen in self.own.items() if (effect, its) == (Effect.LOANED, account))

    def given_back(self, account: str) -> int:
        """Of deposits, over all time."""
        back = (Effect.DEPOSIT_BACK, Effect.DEPOSIT_UNKEPT)
        return sum(fen for (effect, its, _), fen in self.own.items() if its == account and effect in back)

    def answered(self) -> None:
        """Headquarters has committed something: its logs are the sites', and each fen of its books has an owner."""
        assert self._hq is not None
        self._hq.execute("BEGIN")
        try:
            self._read_own(self._hq)
            for row in self._hq.execute(
                "SELECT id, site || '/' || epoch, size, state, cosigned FROM epochs WHERE site <> ''"
            ).fetchall():
                self._read_log(self._hq, *row)
            self._check(self._hq)
        finally:
            self._hq.execute("ROLLBACK")

    def _read_own(self, hq: sqlite3.Connection) -> None:
        query = (
            "SELECT bytes FROM records JOIN epochs ON epochs.id = records.log "
            "WHERE epochs.site = '' AND seq >= ? ORDER BY seq"
        )
        for (data,) in hq.execute(query, (self._own_records,)).fetchall():
            self._own_records += 1
            for move in decode(bytes(data), Record).moves:
                self.own[move.effect, whose(move.account, move.asset), move.place] += move.amount

    def _read_log(self, hq: sqlite3.Connection, log: int, place: str, size: int, state: str, note: bytes) -> None:
        theirs = self.records[place]
        first = len(theirs)
        if size == first:
            self._state(place, state)
            return
        query = "SELECT bytes FROM records WHERE log = ? AND seq >= ? ORDER BY seq"
        news = [bytes(data) for (data,) in hq.execute(query, (log, first))]
        theirs += news
        histories = self.histories(place)
        since = 0 if len(histories) > 1 else first
        if len(theirs) != size or not any(theirs[since:] == ours[since:size] for ours in histories):
            raise Wrong("prefix", f"headquarters' records {first} to {size} of {place} are not those of the site")
        for seq, data in enumerate(news, first):
            record = decode(data, Record)
            for move in record.moves:
                self.seen[move.effect, whose(move.account, move.asset), place] += move.amount
            body = body_of(record)
            if isinstance(body, EpochClosed):
                self.closed.add(place)
            self.deposits.read(place, seq, record, body)
        self._state(place, state)
        self._root(place, news, bytes(note))

    def _state(self, place: str, state: str) -> None:
        """An epoch is frozen, lost or closed because of what was done to it, and for no other reason."""
        self.states[place] = state
        forked = len(self.histories(place)) > 1
        allowed = {"open": True, "frozen": forked, "lost": place in self.lost, "closed": place in self.closed}
        if not allowed[state]:
            raise Wrong("no-false-alarm", f"the epoch {place} is {state}, and nobody has given a reason")

    def _root(self, place: str, news: list[bytes], note: bytes) -> None:
        """What headquarters has cosigned is the root that another library finds."""
        tree = self._trees.setdefault(place, pymerkle.InmemoryTree(algorithm="sha256"))
        for leaf in news:
            tree.append_entry(leaf)
        head = parse(note)
        if (head.size, head.root) != (tree.get_size(), tree.get_root()):
            raise Wrong("root", f"{place}: the cosigned head of {head.size} records is not the root of the log")

    # --- money -------------------------------------------------------------------------------------------------------

    def _check(self, hq: sqlite3.Connection) -> None:
        ledger = {
            whose(code, asset): credited - debited
            for code, asset, debited, credited in hq.execute("SELECT code, asset, debits, credits FROM ledger")
        }
        out = self._leases(hq, ledger)
        self.deposits.check(ledger)
        for account, paid in self.paid_in.items():
            self._account(account, paid, out[account], ledger)
        for site in {place.split("/")[0] for _, _, place in self.seen}:
            self._revenue(site, ledger)
        self._operator(ledger)
        ((quarantined,),) = hq.execute("SELECT count(*) FROM quarantine WHERE seq IS NOT NULL")
        expect("nothing-in-suspense", "moves in quarantine", 0, quarantined)

    def _leases(self, hq: sqlite3.Connection, ledger: dict[str, int]) -> dict[str, int]:
        """Each lease against both logs, and against its account of the ledger. What is out, by whose it is."""
        query = (
            "SELECT site || '/' || epoch, account, asset, granted, used, returned, freed "
            "FROM leases JOIN epochs ON epochs.id = leases.log"
        )
        out: dict[str, int] = defaultdict(int)
        for place, account, asset, granted, used, returned, freed in hq.execute(query):
            its = whose(account, asset)
            if granted < self.granted[place, its]:
                raise Wrong("grants-only-grow", f"{its} at {place}: {self.granted[place, its]} to {granted}")
            self.granted[place, its] = granted
            expect("hq-granted", f"{its} at {place}", self.own["granted", its, place], granted)
            expect("hq-used", f"{its} at {place}", self.seen["used", its, place], used)
            expect("hq-returned", f"{its} at {place}", self.seen["returned", its, place], returned)
            expect("hq-freed", f"{its} at {place}", self._at(its, place, "freed", "repaid"), freed)
            rest = granted - used - returned - freed
            out[its] += rest
            code = whose(f"lease:{account}:{place.replace('/', ':')}", asset)
            expect("lease-is-g-u-r", code, rest, ledger.get(code, 0))
            if place in self.closed:
                expect("closed-is-empty", code, 0, rest)
        return out

    def _account(self, account: str, paid: int, out: int, ledger: dict[str, int]) -> None:
        """Paid in and lent is free, out at sites, spent, or on its way back."""
        spent = sum(units for (effect, its, _), units in self.seen.items() if (effect, its) == ("used", account))
        free = ledger.get(f"cust:{account}", 0)
        if free < 0:
            raise Wrong("never-negative", f"cust:{account} is {free}")
        own = dict.fromkeys(Effect, 0)
        for (effect, its, _), units in self.own.items():
            if its == account:
                own[Effect(effect)] += units
        expect("paid-in-as-paid", account, paid, own[Effect.PAID_IN])
        lent = own[Effect.LOANED] - own[Effect.CHARGED] - own[Effect.REPAID]
        gone = own[Effect.PAID_OUT] + own[Effect.REFUND_DUE] + own[Effect.SOLD]
        spent -= own[Effect.DEPOSIT_BACK] + own[Effect.DEPOSIT_UNKEPT]
        expect("paid-in-is-free-leased-spent", account, paid + lent - gone, free + out + spent)

    def _revenue(self, site: str, ledger: dict[str, int]) -> None:
        sold = sum(
            fen
            for (effect, its, place), fen in self.seen.items()
            if place.split("/")[0] == site and " " not in its and effect in ("used", "overrun")
        )
        forked = sum(
            fen
            for (effect, its, place), fen in self.own.items()
            if effect == "forked" and place.split("/")[0] == site and " " not in its
        )
        expect("revenue", site, sold + forked, ledger.get(f"revenue:{site}", 0))

    def _operator(self, ledger: dict[str, int]) -> None:
        """What the operator has paid in place of others is what its loans and branches say, never more than was out."""
        total: Counter[str] = Counter()
        by_place: Counter[str] = Counter()
        for (effect, its, place), fen in self.own.items():
            sign = {"loaned": 1, "charged": -1, "repaid": -1, "forked": 1}.get(effect, 0)
            if " " not in its:
                total["risk"] += sign * fen
                by_place[place] += fen if effect == "loaned" else 0
        expect("operator-risk", "the operator's account", -total["risk"], ledger.get("operator:offline-risk", 0))
        for place, lent in by_place.items():
            most = sum(fen for (at, its), fen in self.granted.items() if at == place and " " not in its)
            if lent > most + self.own["loaned", RISK, place]:
                raise Wrong("bounded-loss", f"{lent} fen lent for {place}, where {most} fen were granted")

    def _at(self, its: str, place: str, *effects: str) -> int:
        return sum(self.own[effect, its, place] for effect in effects)
