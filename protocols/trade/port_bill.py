"""What does a port session cost by the price that it pins? Worked out again from its closing record."""

from __future__ import annotations

from collections.abc import Iterator

from protocols.trade import port_prices, price
from protocols.trade.port_prices import PortPrice
from protocols.trade.price import Bill, Delivered
from protocols.trade.records_port import PortClosed, PortOpened
from protocols.trade.tariff import Tariff


def count_faults(found: PortPrice, closed: PortClosed) -> Iterator[tuple[str, object, object]]:
    """What is billed that the price does not count so: (what, expected, got)."""
    billed_s, least_s = sum(closed.step_s), max(closed.elapsed_s, found.least_s) if closed.elapsed_s else 0
    steps = len(found.steps) if found.by == "time" else 0
    if len(closed.step_s) not in (0, steps) or (found.by == "time" and closed.settled and billed_s != least_s):
        yield "the seconds billed in each power step", f"{least_s} s in all, in {steps} steps", closed.step_s
    sliced_wh = sum(piece.energy_wh for piece in closed.slices)
    if found.by == "tariff" and sliced_wh != (closed.energy_wh or 0):
        yield "energy of its slices in Wh", closed.energy_wh, sliced_wh


def bill_of(found: PortPrice, opened: PortOpened, closed: PortClosed, tariff: Tariff | None) -> Bill | None:
    """The bill, where `count_faults` finds none. tariff: the pinned one; None, where the price is by it: no bill can
    be worked out. Raises ValueError for slices and bounds that no session can have.
    """
    if found.by != "tariff":
        return port_prices.bill(found, closed.step_s, closed.energy_wh or 0)
    if tariff is None:
        return None
    return price.bill(tariff, Delivered(tuple(closed.slices), 0, opened.clock_lb_ms, opened.clock_ub_ms))
