"""How many swaps has a plan to a date given out, and when does it end? Read and written where grants are made.

A plan of N swaps has them in the account's own asset from its sale on. A plan to a date has as many as its rider needs:
units come into being as they are placed or asked for, never more lying at once than its daily number.
"""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from cloud import bulk, hqlog, schema
from cloud.clock import Clock
from cloud.hqlog import Act, Change
from cloud.keys import HqKeys
from protocols.trade.records import Effect

ISSUED = "plans"
"""The channel through which units of plans come and go: what it is debited was sold, credited: lapsed."""


def supply(
    connection: sa.Connection, hq: HqKeys, clock: Clock, account: str, asset: str, lacking: int, lying: int
) -> int:
    """Give the account up to `lacking` units of a plan to a date that runs; how many.

    lying: what it has free and at the site that asks, which together stay within the plan's daily number. The caller
    holds headquarters' log.
    """
    daily = connection.execute(_DAILY, {"account": account, "asset": asset, "now_s": clock.now_ms() // 1000}).scalar()
    units = max(0, min(lacking, int(daily or 0) - lying))
    if units:
        change = Change(Effect.PAID_IN, asset, ISSUED, units)
        hqlog.append(connection, hq, clock, [Act(account, f"{units} of a plan to a date", [change])])
    return units


def ends_s(connection: sa.Connection, wanted: Iterable[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """When the last plan of each (account, asset) ends, Unix time; nothing where one has no end, or none was sold."""
    pairs = set(wanted)
    found: dict[tuple[str, str], int] = {}
    endless: set[tuple[str, str]] = set()
    if not pairs:
        return {}
    for row in connection.execute(_ENDS, {"accounts": sorted({account for account, _ in pairs})}):
        key = (row.account, row.asset)
        if row.until_s == 0:
            endless.add(key)
        found[key] = max(found.get(key, 0), row.until_s)
    return {key: end for key, end in found.items() if key in pairs and key not in endless}


_PLANS = schema.plans
_DAILY = sa.select(sa.func.max(_PLANS.c.daily)).where(
    _PLANS.c.account == sa.bindparam("account"),
    _PLANS.c.asset == sa.bindparam("asset"),
    _PLANS.c.swaps == 0,
    _PLANS.c.until_s > sa.bindparam("now_s"),
)
_ENDS = sa.select(_PLANS.c.account, _PLANS.c.asset, _PLANS.c.until_s).where(bulk.among(_PLANS.c.account, "accounts"))
