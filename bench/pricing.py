"""What does it cost to say what a delivery costs? A bill at the end, a ceiling at each look at a running session."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from bench.box import BOOT, CONNECTORS
from bench.figure import Figure
from bench.headquarters import PRICES
from bench.run import Benchmark, Run
from edge.till.charge import advance
from edge.till.policy import Policy
from edge.till.progress import Phase, Progress
from edge.till.sight import ChargerSight, Sight
from edge.till.state import OpenSession
from protocols.trade.daytime import DAY_MS
from protocols.trade.price import Delivered, bill, ceiling, extend
from protocols.trade.records import (
    CNY,
    ClockQuality,
    Hold,
    Origin,
    Preset,
    Register,
    SessionOpened,
    Slice,
    Stamp,
)
from protocols.trade.tariff import Tariff

MEANS = """\
`bill` and `ceiling` for a session under a tariff of seven periods, beside a loop that only multiplies the energy of
each slice by a price that is known already. *look* is all that the till decides about a running session, four times a
second; it works out a ceiling only when the hold is nearly spent.
"""

MONDAY_MS = 1_780_272_000_000  # 2026-06-01 00:00 UTC
READ_MS = 30_000
CALLS = 3_000


def figures(run: Run) -> list[Figure]:
    opens_ms = MONDAY_MS + 9 * 3_600_000
    sessions = {
        "an hour, clock known": _session(3_600_000, opens_ms, opens_ms),
        "ten hours over six prices, clock known": _session(36_000_000, opens_ms, opens_ms),
        "an hour, clock known to ten minutes": _session(3_600_000, opens_ms, opens_ms + 600_000),
        "an hour, clock unknown": _session(3_600_000, opens_ms, None),
        "a day, clock unknown": _session(DAY_MS, opens_ms, None),
    }
    rows: list[Figure] = []
    for what, delivered in sessions.items():
        calls = max(3, run.sized(CALLS) // len(delivered.slices))
        bare_us = _each_us(partial(_multiply, PRICES, delivered), calls)
        costs: dict[str, Callable[[], object]] = {
            "bill": partial(bill, PRICES, delivered),
            "ceiling": partial(ceiling, PRICES, delivered),
            "look": _look(delivered),
        }
        slices = f"{len(delivered.slices)} slice{'s' if len(delivered.slices) > 1 else ''}"
        for name, call in costs.items():
            rows.append(
                Figure(f"{name}: {what}, {slices}", _each_us(call, calls), "us", bare_us, "multiplication alone")
            )
    return rows


def _session(lasts_ms: int, lb_ms: int, ub_ms: int | None) -> Delivered:
    """Read every 30 s, with slices merged as the till merges them."""
    slices: tuple[Slice, ...] = ()
    for at_ms in range(0, lasts_ms, READ_MS):
        slices = extend(slices, Slice(at_ms, at_ms + READ_MS, 60), PRICES, lb_ms, ub_ms)
    return Delivered(slices, 0, lb_ms, ub_ms)


def _look(delivered: Delivered) -> Callable[[], object]:
    """A look at the session as it is at its end, with a hold that is far from spent."""
    opens_ms, lb_ms, ub_ms = 10_000, delivered.clock_lb_ms, delivered.clock_ub_ms
    quality = ClockQuality.SYNCHRONISED if lb_ms == ub_ms else ClockQuality.INFORMATIVE
    begun = Stamp(BOOT, opens_ms, lb_ms, quality, lb_ms, ub_ms)
    hold, origin, begin = Hold("account", CNY, 10**7), Origin("card", b"", 0, ""), Register("m1", 0, opens_ms, lb_ms)
    opened = SessionOpened("c1", [hold], Preset("full", 0), origin, begin, [], lb_ms, ub_ms)
    now_ms = opens_ms + delivered.slices[-1].to_ms
    now = Stamp(BOOT, now_ms, lb_ms + now_ms, quality, lb_ms, None if ub_ms is None else ub_ms + now_ms)
    register = Register("m1", 1_000_000, now_ms, lb_ms + now_ms)
    progress = Progress(1, "account", BOOT, Phase.CHARGING, register, delivered.slices, lb_ms, ub_ms, now_ms)
    sight = Sight(now, ChargerSight(True, True, False, "charging", None, now_ms), register, 22_000)
    session = OpenSession(1, begun, opened, (hold,))
    return partial(advance, session, progress, sight, PRICES, CONNECTORS[0], Policy())


def _multiply(tariff: Tariff, delivered: Delivered) -> int:
    price_e3 = tariff.periods[0].energy_e3 + tariff.periods[0].service_e3
    return (sum(piece.energy_wh * price_e3 for piece in delivered.slices) + 500_000) // 1_000_000


def _each_us(call: Callable[[], object], calls: int) -> float:
    """Microseconds of one call: the best of three goes."""
    best_s = float("inf")
    for _ in range(3):
        began_s = time.perf_counter()
        for _ in range(calls):
            call()
        best_s = min(best_s, time.perf_counter() - began_s)
    return best_s / calls * 1e6


BENCHMARK = Benchmark("pricing", MEANS, figures)
