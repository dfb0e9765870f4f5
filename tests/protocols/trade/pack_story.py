"""Facts of one pack for tests: a day on two sites, said in a few words."""

from __future__ import annotations

from typing import Any

import msgspec

from protocols.trade.pack_facts import Deposit, Fact, Rent, What
from protocols.trade.records_pack import PackSeen

CODE = "BT3072020120000200521001"
HOUR_MS = 3_600_000
DAY_S = 86_400
T0_MS = 1_780_000_000_000
SEEN = PackSeen(CODE, 900, 980, 120, 72_000, 1_300, 250, [])
RENT = Rent("month", T0_MS // 1000 + 30 * DAY_S, 3600, 500_000, [Deposit("ann", "DEPOSIT", 20_000)])


def fact(what: What, site: str, seq: int, hour: float, **more: Any) -> Fact:
    """`hour` after T0 by a clock that is right to the second."""
    at_ms = T0_MS + int(hour * HOUR_MS)
    made: dict[str, Any] = {
        "code": CODE,
        "what": what,
        "site": site,
        "epoch": 1,
        "seq": seq,
        "position": 0,
        "at_ms": at_ms,
        "lb_ms": at_ms - 1000,
        "ub_ms": at_ms + 1000,
        "cabinet": "cab-1" if site else "",
        "slot": 5 if site else 0,
        "account": "",
        "session": None,
        "begun_lb_ms": at_ms - 60_000,
        "pack": SEEN if what in (What.PUT_IN, What.TAKEN) else None,
        "scan": False,
        "rent": None,
        "late_fen": 0,
        "value": 0,
        "detail": "",
    }
    return Fact(**{**made, **more})


def unsure(one: Fact, **more: Any) -> Fact:
    """The same from a box that does not know the time."""
    return msgspec.structs.replace(one, **{"lb_ms": 0, "ub_ms": None, **more})
