"""Does the bill of a session at a port add up? What was counted, the prices and what was captured, worked out again.

The same rules as the audit's of a whole log, as far as the records of one session reach.
"""

from __future__ import annotations

from protocols.proof.capture_check import adds_up, check_captures, check_clock, check_holds, check_order
from protocols.proof.lines import Line, either, open_, proven
from protocols.proof.measurement_check import check_measurement
from protocols.proof.pinned import Documents, read_pinned
from protocols.proof.receipt_story import PortStory
from protocols.proof.receipt_view import counted
from protocols.trade import port_prices, tariff_file
from protocols.trade.documents import TARIFF
from protocols.trade.port_bill import bill_of, count_faults
from protocols.trade.port_prices import PortPrice, PortPrices, price_of
from protocols.trade.quantities import kwh
from protocols.trade.records_port import PortClosed
from protocols.trade.tariff import Tariff
from protocols.trade.tender import owed_by


def check_port(story: PortStory, documents: Documents, device_key: bytes) -> list[Line]:
    """What is proven of a session at a port whose records are. device_key: SubjectPublicKeyInfo of the box."""
    closed = story.closed
    if closed is None:
        return [either(not story.moves, "voided"), check_clock(story, "clock")]
    return [
        *_counted(closed),
        either(adds_up(closed), "sum", amount_fen=closed.amount_fen, lines=len(closed.lines)),
        check_captures(story, closed, documents, story.holds),
        check_holds(story),
        *check_order(story, owed_by(closed.lines), documents, story.holds),
        *_prices(story, closed, documents),
        check_clock(story, "clock"),
        check_measurement(story, device_key),
    ]


def _counted(closed: PortClosed) -> list[Line]:
    """The board's own last word is what is billed; a pile's register must have gone on by it, to a Wh."""
    told = counted(closed)
    lines = [proven("settled", counted=told) if closed.settled else open_("settled", counted=told)]
    if closed.register_wh:
        begin_wh, end_wh = closed.register_wh[0], closed.register_wh[-1]
        holds = (
            len(closed.register_wh) == 2
            and closed.energy_wh is not None
            and abs(end_wh - begin_wh - closed.energy_wh) <= 1
        )
        lines.append(either(holds, "register", begin_wh=begin_wh, end_wh=end_wh, energy=_energy(closed)))
    return lines


def _energy(closed: PortClosed) -> str:
    return "?" if closed.energy_wh is None else f"{kwh(closed.energy_wh)} kWh"


def _prices(story: PortStory, closed: PortClosed, documents: Documents) -> list[Line]:
    """The prices are those that were pinned when the session began, and the whole bill follows from them."""
    prices, line = read_pinned(story, documents, port_prices.KIND, PortPrices, port_prices.disorder, "port-prices")
    lines = [line]
    found = None if prices is None else price_of(prices, story.opened.price)
    if found is None:
        return lines if prices is None else [*lines, either(False, "port-priced", price=story.opened.price)]
    tariff: Tariff | None = None
    if found.by == "tariff":
        tariff, line = read_pinned(story, documents, TARIFF, Tariff, tariff_file.disorder, "tariff")
        lines.append(line)
        if tariff is None:
            return lines
    return [*lines, either(_costs(found, story, closed, tariff), "port-priced", price=found.name)]


def _costs(found: PortPrice, story: PortStory, closed: PortClosed, tariff: Tariff | None) -> bool:
    if any(count_faults(found, closed)):
        return False
    try:
        bill = bill_of(found, story.opened, closed, tariff)
    except ValueError:  # slices or bounds that no session can have
        return False
    return bill is not None and (list(bill.lines), bill.amount_fen) == (closed.lines, closed.amount_fen)
