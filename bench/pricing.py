"""What does it cost to say what a delivery costs? A bill at the end, a ceiling at each look at a running session."""

from __future__ import annotations

import time
from collections.abc import Callable

from bench.figure import Figure
from bench.headquarters import PRICES
from bench.run import Benchmark, Run
from protocols.trade.daytime import DAY_MS
from protocols.trade.price import Delivered, bill, ceiling, extend
from protocols.trade.records import Slice
from protocols.trade.tariff import Tariff

MEANS = """\
`bill` and `ceiling` for a session under a tariff of seven periods, beside a loop that only multiplies the energy of
each slice by a price that is known already. A running session is priced four times a second.
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
        bare_us = _each_us(lambda: _multiply(PRICES, delivered), calls)  # noqa: B023  # called before the next turn
        for name, price in (("bill", bill), ("ceiling", ceiling)):
            took_us = _each_us(lambda: price(PRICES, delivered), calls)  # noqa: B023  # called before the next turn
            slices = f"{len(delivered.slices)} slice{'s' if len(delivered.slices) > 1 else ''}"
            rows.append(Figure(f"{name}: {what} ({slices})", took_us, "us", bare_us, "multiplication alone"))
    return rows


def _session(lasts_ms: int, lb_ms: int, ub_ms: int | None) -> Delivered:
    """Read every 30 s, with slices merged as the till merges them."""
    slices: tuple[Slice, ...] = ()
    for at_ms in range(0, lasts_ms, READ_MS):
        slices = extend(slices, Slice(at_ms, at_ms + READ_MS, 60), PRICES, lb_ms, ub_ms)
    return Delivered(slices, 0, lb_ms, ub_ms)


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
