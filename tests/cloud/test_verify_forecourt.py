"""`fieldtill-hq verify` on the log of a forecourt: sound as the till writes it, and each lie about a pump is found."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fuel_story import Forecourt
from site_story import customer

from cloud import store
from cloud.service import Headquarters
from cloud.verify import Report
from cloud.verify_books import verify_accounts
from cloud.verify_tables import verify_tables
from tests.cloud.test_verify_log import verified


@pytest.fixture
def site(light_hq: Headquarters) -> Forecourt:
    """Two pumps, three nozzles, and two customers with money."""
    for account in ("anna", "fleet"):
        customer(light_hq, account, 200_000)
    return Forecourt(light_hq)


def checked(site: Forecourt) -> Report:
    site.reports()
    _, report = verified(site.hq)
    return report


def test_a_day_of_sales_is_sound(site: Forecourt) -> None:
    """Sales, a guarantee, one voided, fuel that nobody bought, a price change, tanks and the day's own sums."""
    site.dips("T1", 20_000_000, "00:10")
    site.fills("1", 1, "anna", "08:00", "08:04", 40_000)
    site.sets_prices("1", "12:00")
    site.sets_prices("2", "12:02")
    site.fills("2", 1, "anna", "13:00", "13:03", 10_000)
    site.voids(site.lifts("2", "anna", 1_000, "14:00"))
    site.receives("T1", 5_000_000, "note-1")
    site.finds("2", 1, 2_000, "attendant wu")
    site.hangs_up(site.lifts("1", "fleet", 40_000, "15:00", payer="anna"), 1, "15:05", 20_000)
    site.fills("1", 2, "anna", "16:00", "16:03", 60_000, hold_fen=20_000)  # beyond what was set aside
    site.sees_a_reset("2")
    site.dips("T1", 24_928_000, "22:00")
    site.closes_day()
    report = checked(site)
    assert report.findings == []
    assert (report.tally.bills, report.tally.day_closes, report.cosigned) == (4, 1, report.size)
    with store.reading(site.hq.engine) as connection:
        assert verify_accounts(connection) == []
        assert verify_tables(connection, site.hq.keys) == []


def test_a_filling_that_is_under_way_is_no_fault(site: Forecourt) -> None:
    """The log ends in the middle of it, and goes on from there."""
    session = site.lifts("1", "anna", 40_000, "08:00")
    assert checked(site).findings == []
    site.hangs_up(session, 1, "08:05", 30_000)
    assert checked(site).findings == []


def one_sale(volume_ml: int = 40_000, *, moved_ml: int = 0, price_off_by: int = 0, **off: int) -> Callable[..., None]:
    def sow(site: Forecourt) -> None:
        session = site.lifts("1", "anna", 40_000, "08:00", price_off_by=price_off_by)
        site.hangs_up(session, 1, "08:04", volume_ml, **off)  # type: ignore[arg-type]  # as named there
        if moved_ml:
            site.totals["1", 1] += moved_ml
            site.reads_pumps()

    return sow


def two_at_once(site: Forecourt) -> None:
    site.lifts("1", "anna", 10_000, "08:00")
    site.lifts("1", "fleet", 10_000, "08:01")


def the_same_note_twice(site: Forecourt) -> None:
    site.receives("T1", 5_000_000, "note-1")
    site.receives("T1", 5_000_000, "note-1")


LIES = [
    pytest.param(one_sale(shown_off_by=100), "bill", "what the pump showed", id="a yuan more than was shown"),
    pytest.param(one_sale(line_off_by=1), "bill", "the bill", id="a line beside the display"),
    pytest.param(one_sale(volume_off_by=500), "totals", "gone on by", id="half a litre that did not flow"),
    pytest.param(one_sale(sold_at=784_000), "bill", "the nozzle that sold", id="another price than was offered"),
    pytest.param(one_sale(price_off_by=-1_000), "bill", "nozzle 1 of pump 1 shows", id="a price that nobody set"),
    pytest.param(one_sale(moved_ml=2_000), "totals", "totals as read", id="two litres without a record"),
    pytest.param(
        lambda site: site.sees_a_reset("1", says_so=False), "totals", "as read", id="a reset without a notice"
    ),
    pytest.param(two_at_once, "session", "pump 1", id="two fillings at one pump"),
    pytest.param(the_same_note_twice, "number", "delivery note", id="a delivery booked twice"),
]


@pytest.mark.parametrize(("sow", "code", "says"), LIES)
def test_a_lie_about_a_pump_is_found(site: Forecourt, sow: Callable[[Forecourt], None], code: str, says: str) -> None:
    """The site has signed it, headquarters has taken it in; replayed, it does not follow from the records before."""
    sow(site)
    found = checked(site).findings
    assert any(one.code == code and says in one.what for one in found), list(found)
    assert all(one.remedy for one in found)
