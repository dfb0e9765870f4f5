"""A box with a cabinet, for tests of headquarters: it rents, swaps, takes back and scans, in a line each."""

from __future__ import annotations

from collections.abc import Iterable

from hq_box import NOON_MS, Box

from cloud import accounts, documents, sites, store
from cloud.accounts import Limits
from cloud.service import Headquarters
from protocols.trade import swap_terms
from protocols.trade.codec import decode
from protocols.trade.documents import Document, pin
from protocols.trade.records import BillLine, Effect, Hold, Move, Origin, Pin, ValueReturned
from protocols.trade.records_pack import (
    DEPOSIT,
    PackNoted,
    PackSeen,
    PacksScanned,
    ScannedSlot,
    SwapClosed,
    SwapKind,
    SwapOpened,
)
from protocols.trade.swap_terms import Model, RentOffer, SwapOffer, SwapTerms
from protocols.trade.tariff import DAY_S, Offset

A, B = "BT3072020120000200521001", "BT3072020120000200521002"
TERMS = SwapTerms(
    version=1,
    zone="Asia/Shanghai",
    offsets=[Offset(0, 28_800)],
    swaps=[
        SwapOffer("pass", "plan", "pass", 1, 0, 0, 0, 1200, 900),
        SwapOffer("single", "single", "CNY", 0, 350_000, 0, 0, 1200, 900),
    ],
    rents=[RentOffer("month", [], 30, 19_900_000, 3600, 500_000)],
    models=[Model("72V20", ["BT3072020*"], [], 30_000)],
    consent_permille=500,
)


class ShopBox(Box):
    """Its cabinet is `cab-1`; its clock is `wall_ms`, which tests move."""

    pins: list[Pin]

    def start(self, hq: Headquarters) -> None:
        """Admitted, enrolled, with the terms in force."""
        self.admit(hq)
        self.join(hq)

    def admit(self, hq: Headquarters) -> None:
        """Known to headquarters, with terms for it; not heard of yet."""
        with store.writing(hq.engine) as connection:
            sites.add(
                connection, hq.clock, self.site, title="", device=self.fingerprint, zone="Asia/Shanghai", day_starts_h=0
            )
            documents.publish(connection, hq.keys, hq.clock, swap_terms.KIND, 1, TERMS, [self.site])

    def join(self, hq: Headquarters) -> None:
        """Its first word."""
        self.enrol(hq)
        with store.reading(hq.engine) as connection:
            (made,) = documents.history(connection, self.site, swap_terms.KIND, last=1)
        self.pins = [pin(decode(made.document, Document))]

    def hours(self, count: float) -> None:
        self.wall_ms += int(count * 3_600_000)

    def rent(
        self, account: str, code: str, slot: int = 1, *, deposit: int = 30_000, asset: str = DEPOSIT, fee_fen: int = 0
    ) -> int:
        """A pack out for a month, its deposit used; the closing record's seq. fee_fen: what was billed for it."""
        moves = [self.move(Effect.USED, account, deposit, asset)] if deposit else []
        moves += [self.move(Effect.USED, account, fee_fen)] if fee_fen else []
        lines = [BillLine("rent", 0, 1, fee_fen * 1000, fee_fen)] if fee_fen else []
        until_s = self.wall_ms // 1000 + 30 * DAY_S
        taken = (code, slot)
        return self.session("rent", account, "month", "taken", taken=taken, until_s=until_s, lines=lines, moves=moves)

    def take_back(self, account: str, code: str, slot: int = 1, late_fen: int = 0) -> int:
        lines = [BillLine("late", 0, 1, late_fen * 1000, late_fen)] if late_fen else []
        return self.session("return", account, "", "returned", returned=(code, slot), lines=lines)

    def swap(self, account: str, old: str, new: str, *, into: int = 1, out_of: int = 2, units: int = 1) -> int:
        """By the pass."""
        moves = [self.move(Effect.USED, account, units, "pass")] if units else []
        at = {"returned": (old, into), "taken": (new, out_of)}
        return self.session("swap", account, "pass", "swapped", moves=moves, **at)

    def hand_back(self, account: str, units: int, asset: str) -> int:
        return self.add(ValueReturned(account, asset), [self.move(Effect.RETURNED, account, units, asset)])

    def note(self, what: str, code: str, slot: int = 1, before: str = "", session: int | None = None) -> int:
        return self.add(PackNoted(what, "cab-1", slot, code, before, session, "", ""))

    def scan(self, standing: dict[int, str], slots: int = 3) -> int:
        seen = [
            ScannedSlot(slot, "pack", reading(standing[slot])) if slot in standing else ScannedSlot(slot, "empty", None)
            for slot in range(1, slots + 1)
        ]
        return self.add(PacksScanned("cab-1", seen, len(self.leaves), self.wall_ms))

    def session(
        self,
        kind: SwapKind,
        account: str,
        offer: str,
        outcome: str,
        *,
        returned: tuple[str, int] | None = None,
        taken: tuple[str, int] | None = None,
        until_s: int | None = None,
        lines: Iterable[BillLine] = (),
        moves: Iterable[Move] = (),
    ) -> int:
        origin, moves, lines = Origin("card", bytes(8), 0, ""), list(moves), list(lines)
        holds = [Hold(move.account, move.asset, move.amount) for move in moves]
        opened = SwapOpened(
            "cab-1", kind, account, holds, offer, "", 1, None, 500, None, origin, self.pins, self.wall_ms, self.wall_ms
        )
        session = self.add(opened)
        body = SwapClosed(
            session=session,
            outcome=outcome,
            fault="",
            returned=None if returned is None else reading(returned[0]),
            returned_slot=None if returned is None else returned[1],
            taken=None if taken is None else reading(taken[0]),
            taken_slot=None if taken is None else taken[1],
            until_s=until_s,
            energy_wh=None,
            lines=lines,
            amount_fen=sum(line.amount_fen for line in lines),
            exact_num=sum(line.amount_fen for line in lines),
            exact_den=1,
            overrun_fen=0,
            meter_record=None,
        )
        return self.add(body, moves)


def reading(code: str) -> PackSeen:
    return PackSeen(code, 900, 980, 120, 72_000, 1_300, 250, [])


def rider(hq: Headquarters, *, deposit: int = 0, home: str | None = None) -> str:
    """A rider's account, with a deposit paid in."""
    with store.writing(hq.engine) as connection:
        account = accounts.open_account(
            connection, hq.keys, hq.clock, home_site=home, limits=Limits(20_000, 5_000, 20_000)
        )
        if deposit:
            accounts.top_up(
                connection, hq.keys, hq.clock, account, deposit, channel="wechat", reference=account, asset=DEPOSIT
            )
    return account


START_MS = NOON_MS
