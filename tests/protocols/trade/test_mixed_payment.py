"""60.00 of stored value and 40.00 just paid by phone, stopped at every fen: nothing is lost and nothing appears."""

from __future__ import annotations

from protocols.trade import books
from protocols.trade.books import Balance, Lease, LeaseCounters, Transfer, breaches, fold
from protocols.trade.records import CNY, Effect, Hold, Move
from protocols.trade.tender import MONEY_ALONE, draw

STORED, PAID = 6_000, 4_000
HOLDS = [Hold("anna", CNY, STORED), Hold("guest", CNY, PAID)]
WORTH = {"anna": STORED, "guest": PAID}


def moves(effect: Effect, amounts: dict[str, int], place: str) -> list[Move]:
    return [Move(effect, account, CNY, place, fen, fen) for account, fen in amounts.items() if fen]


def posted(site: str, moved: list[Move]) -> list[Transfer]:
    return [books.transfer_of(site, 1, move) for move in moved]


def test_every_stopping_fen() -> None:
    """Bill = captures + overrun; captures + what comes back = what was paid; the guest's rest is owed, to the fen."""
    before = fold({}, posted("", moves(Effect.PAID_IN, WORTH, "wechat") + moves(Effect.GRANTED, WORTH, "s/1")))
    for bill in range(STORED + PAID + 3):
        drawn = draw({"energy": bill}, HOLDS, MONEY_ALONE)
        used = {hold.account: capture.units for hold, capture in zip(HOLDS, drawn.captures, strict=True)}
        back = {account: WORTH[account] - fen for account, fen in used.items()}
        assert sum(used.values()) + drawn.overrun_fen == bill
        assert used["guest"] == 0 or used["anna"] == STORED

        told = moves(Effect.USED, used, "") + moves(Effect.OVERRUN, {"operator": drawn.overrun_fen}, "")
        refund = moves(Effect.REFUND_DUE, {"guest": back["guest"]}, "wechat")
        done = moves(Effect.REFUNDED, {"guest": back["guest"]}, "wechat")
        after = fold(before, posted("s", told + moves(Effect.RETURNED, back, "")) + posted("", refund))
        assert owed(after, "refund:wechat") == back["guest"]
        assert owed(after, "cust:guest") == owed(after, "lease:guest:s:1") == 0
        assert owed(after, "cust:anna") == back["anna"]
        assert owed(after, "revenue:s") == bill
        leases = {Lease(who, CNY, "s", 1): LeaseCounters(WORTH[who], used[who], back[who]) for who in WORTH}
        assert breaches(after, leases) == []

        closed = fold(after, posted("", done))
        assert -owed(closed, "channel:wechat:clearing") == bill - drawn.overrun_fen + owed(closed, "cust:anna")


def owed(after: dict[tuple[str, str], Balance], code: str) -> int:
    return after.get((code, CNY), books.EMPTY).owed
