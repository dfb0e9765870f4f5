"""Guests in the nightly report: what is owed back, whose session has not ended, and that the money rolls forward."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from hq_box import open_headquarters
from site_story import PRICES, Story, at, night, set_clock

from cloud import guests, hot_list, refunds, store
from cloud.clock import SetClock
from cloud.guests import Paid
from cloud.night.report import page, show
from cloud.night.report_model import GuestsWaiting, HotListUse

NEXT = date(2026, 6, 9)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Story]:
    """A site early on the day, and nobody there yet."""
    hq = open_headquarters(f"sqlite:///{tmp_path}/hq.db", SetClock(at("06:00")))
    yield Story(hq, "s1", tariff=PRICES)
    hq.engine.dispose()


def pays(site: Story, reference: str, fen: int = 4_000) -> Paid:
    with store.writing(site.hq.engine) as connection:
        return guests.pay(
            connection,
            site.hq.keys,
            site.hq.clock,
            channel="wechat",
            reference=reference,
            amount=fen,
            site="s1",
            connector="1",
        )


def test_guests_and_refunds_are_in_the_report(site: Story, tmp_path: Path) -> None:
    """One has used 14.50 of 40.00 and is owed 25.50, another has not come yet; both are in the customers' money."""
    first, _ = pays(site, "wx-1"), pays(site, "wx-2", 3_000)
    site.charge("1", first.account, "09:00", "09:30", 10_000, hold_fen=4_000)  # 13.50 + 1.00
    site.give_back(first.account, 2_550)
    site.closes_day()
    site.reports()
    result, report = night(site.hq, tmp_path)
    assert result.exit_code == 0
    (due,) = report.refunds
    assert (due.channel, due.refunds, due.amount_fen, due.age_days) == ("wechat", 1, 2_550, 0)
    assert report.guests == [GuestsWaiting(site="s1", guests=1, amount_fen=3_000, age_days=0)]
    assert [(it.code, it.subject) for it in report.findings] == [("refund-due", "refund:wechat")]
    (roll,) = report.liabilities
    assert (roll.paid_in, roll.used, roll.refunds, roll.closing) == (7_000, 1_450, 2_550, 5_550)
    text = show(result.json_path)
    assert "refunds due, wechat      1  25.50" in text
    assert "应退散客款" in page(result.json_path.read_bytes())


def test_a_refund_paid_back_is_gone_the_next_night(site: Story, tmp_path: Path) -> None:
    """What is left is older by a day; the report of the day before, run again, still has both."""
    for reference in ("wx-1", "wx-2"):
        site.give_back(pays(site, reference).account, 4_000)
    site.closes_day()
    site.reports()
    before, _ = night(site.hq, tmp_path)
    kept = before.json_path.read_bytes()
    set_clock(site.hq, at("08:00", NEXT.isoformat()))
    with store.writing(site.hq.engine) as connection:
        refunds.done(connection, site.hq.keys, site.hq.clock, "wx-1-r1", "50001")
    _, report = night(site.hq, tmp_path, NEXT)
    assert [(it.refunds, it.amount_fen, it.age_days) for it in report.refunds] == [(1, 4_000, 1)]
    (roll,) = report.liabilities
    assert (roll.opening, roll.paid_out, roll.closing) == (8_000, 4_000, 4_000)
    again, _ = night(site.hq, tmp_path)
    assert again.json_path.read_bytes() == kept


def test_which_hot_list_was_in_use(site: Story, tmp_path: Path) -> None:
    """Each session pins the version that it was opened under; 0: the site had none."""
    paid = pays(site, "wx-1")
    site.charge("1", paid.account, "09:00", "09:30", 1_000, hold_fen=4_000)
    with store.writing(site.hq.engine) as connection:
        hot_list.add(connection, site.hq.keys, site.hq.clock, cards=["04A1"], why="lost")
        ref = hot_list.in_force(connection)
    assert ref is not None
    site.pins.append(ref)
    site.charge("1", pays(site, "wx-2").account, "10:00", "10:30", 1_000, hold_fen=4_000)
    site.closes_day()
    site.reports()
    _, report = night(site.hq, tmp_path)
    assert report.sites[0].hot_lists == [HotListUse(version=0, sessions=1), HotListUse(version=1, sessions=1)]
