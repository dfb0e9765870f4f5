"""Does the end of a stay in a locker add up? Who opened it, how long it was taken, and what that came to, worked out
again.

The same rules as the audit's of a whole log, as far as the records of one stay reach.
"""

from __future__ import annotations

from protocols.proof.capture_check import adds_up, check_captures, check_clock, check_holds, check_order
from protocols.proof.lines import Line, either, open_
from protocols.proof.pinned import Documents, read_pinned
from protocols.proof.receipt_story import LockerStory
from protocols.proof.receipt_view import lasted
from protocols.trade import port_prices
from protocols.trade.port_prices import PortPrices, late_bill, price_of
from protocols.trade.records_port import LockerClosed, LockerDoor, LockerStored
from protocols.trade.tender import owed_by


def check_locker(story: LockerStory, documents: Documents) -> list[Line]:
    """What is proven of a stay whose records are."""
    closed = story.closed
    if closed is None:  # its door never opened, so nothing was ever in it
        return [either(not story.moves and not story.acts, "voided"), check_clock(story, "swap-clock")]
    return [
        _doors(story, closed),
        _stayed(story, closed),
        *_charged(story, closed, documents),
        *_prices(story, closed, documents),
        check_clock(story, "swap-clock"),
    ]


def _doors(story: LockerStory, closed: LockerClosed) -> Line:
    """It opened to its owner only for a pack that was in it; whoever emptied it had the door opened for that."""
    acts, stored, holds = list[str](), 0, True
    for body in story.acts:
        match body:
            case LockerStored():
                stored += 1
            case LockerDoor():
                holds = holds and not (body.act == "collect" and not stored)
                acts.append(body.act)
    wanted = "collect" if closed.outcome == "collected" else "remove"
    return either(holds and stored <= 1 and wanted in acts, closed.outcome, doors=len(acts))


def _stayed(story: LockerStory, closed: LockerClosed) -> Line:
    """No longer than the time between the first record and the last."""
    began, ended = story.began, story.ended
    told = lasted(closed.stay_s)
    if began.boot == ended.boot:
        most_ms = ended.mono_ms - began.mono_ms
    elif ended.ub_ms is not None:
        most_ms = ended.ub_ms - began.lb_ms
    else:
        return open_("stayed", lasted=told)
    return either(closed.stay_s * 1000 <= most_ms, "stayed", lasted=told)


def _charged(story: LockerStory, closed: LockerClosed, documents: Documents) -> list[Line]:
    """Days beyond those that are free, if any, and who paid them."""
    if not closed.lines:
        free = not (story.moves or closed.amount_fen or closed.overrun_fen or closed.exact_num)
        return [either(free, "not-billed")]
    return [
        either(adds_up(closed), "sum", amount_fen=closed.amount_fen, lines=len(closed.lines)),
        check_captures(story, closed, documents, story.holds),
        check_holds(story),
        *check_order(story, owed_by(closed.lines), documents, story.holds),
    ]


def _prices(story: LockerStory, closed: LockerClosed, documents: Documents) -> list[Line]:
    """The prices are those that were pinned when the stay began, and the bill follows from them and its length."""
    prices, line = read_pinned(story, documents, port_prices.KIND, PortPrices, port_prices.disorder, "port-prices")
    if prices is None:
        return [line]
    found = price_of(prices, story.opened.price)
    bill = None if found is None else late_bill(found, closed.stay_s)
    same = bill is not None and (list(bill.lines), bill.amount_fen) == (closed.lines, closed.amount_fen)
    return [line, either(same, "port-priced", price=story.opened.price)]
