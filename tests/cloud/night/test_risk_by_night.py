"""The operator's risk in the nightly report: lost and superseded boxes, loans, pools by card, forks until booked."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from hq_box import Box, admit, open_headquarters, refused
from site_story import PRICES, Story, at, night, set_clock

from cloud import accounts, adjust, caps, epochs, forks, risk, store
from cloud.clock import SetClock
from cloud.night.report import page, show
from cloud.night.report_model import OperatorRisk, RiskPool, SiteExposure
from protocols.trade import wire
from protocols.trade.records import RISK, EpochClosed

NEXT = date(2026, 6, 9)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Story]:
    """A site early on the day, and nobody there yet."""
    hq = open_headquarters(f"sqlite:///{tmp_path}/hq.db", SetClock(at("06:00")))
    yield Story(hq, "s1", tariff=PRICES)
    hq.engine.dispose()


def customer(site: Story, fen: int = 10_000) -> str:
    hq = site.hq
    with store.writing(hq.engine) as connection:
        limits = accounts.Limits(session_limit=9_000, placed=0, site_max=9_000)
        account = accounts.open_account(connection, hq.keys, hq.clock, home_site=None, limits=limits)
        accounts.top_up(connection, hq.keys, hq.clock, account, fen, channel="wechat", reference=f"wx-{account}")
    return account


def codes(report: object) -> list[tuple[str, int | None]]:
    return [(it.code, it.age_days) for it in report.findings]  # type: ignore[attr-defined]  # a Report


def test_a_lost_box_ages_and_its_loan_is_the_operators(site: Story, tmp_path: Path) -> None:
    """Sold 14.50 of 40.00, lost, lent: the books roll forward, and a person sees what waits."""
    account, hq = customer(site), site.hq
    site.charge("1", account, "09:00", "09:30", 10_000, hold_fen=4_000)
    site.closes_day()
    site.reports()
    set_clock(hq, at("20:00"))
    with store.writing(hq.engine) as connection:
        caps.set_for_site(connection, "s1", 8_000)
        epochs.mark_lost(connection, hq.keys, hq.clock, "s1", 1, "burnt")
        epochs.lend(connection, hq.keys, hq.clock, "s1", 1)
    result, report = night(hq, tmp_path)
    assert result.exit_code == 0
    assert codes(report) == [("epoch-lost", 0)]
    assert "holds 25.50 yuan, 25.50 yuan lent; silent since" in report.findings[0].detail
    assert report.exposures == [SiteExposure(site="s1", outstanding_fen=2_550, exposure_max_fen=8_000)]
    assert report.operator == OperatorRisk(
        balance_fen=-2_550, lent_fen=2_550, pooled_fen=0, forked_fen=0, adjusted_fen=0
    )
    (roll,) = report.liabilities
    assert (roll.loaned, roll.closing, roll.difference) == (2_550, 11_100, 0)
    assert "运营方风险" in page(result.json_path.read_bytes())
    assert "-25.50" in show(result.json_path)


def test_an_older_log_is_awaited_until_it_closes(site: Story, tmp_path: Path) -> None:
    """A new disk: the old log is listed with what it holds, as long as it has not closed."""
    account, hq = customer(site), site.hq
    site.opens("1", account, 4_000, "09:00")
    site.reports()
    later = Box("s1")
    admit(hq, later)
    later.enrol(hq)
    later.send(hq, 0)
    _, report = night(hq, tmp_path)
    found = next(it for it in report.findings if it.code == "epoch-superseded")
    assert (found.subject, found.detail) == ("s1/1", "superseded by epoch 2, holds 40.00 yuan, awaiting its CLOSE")
    site.add(EpochClosed("new disk"))
    site.reports()
    _, report = night(hq, tmp_path)
    assert "epoch-superseded" not in [code for code, _ in codes(report)]


def test_a_fork_is_unexplained_until_it_is_booked(site: Story, tmp_path: Path) -> None:
    """Then it is noted, and revenue stands against the operator's risk; what is charged for it is told."""
    account, hq = customer(site), site.hq
    site.charge("1", account, "09:00", "09:30", 10_000, hold_fen=4_000)
    site.closes_day()
    copy = Box("s1")
    copy.device, copy.log_key, copy.epoch = site.device, site.log_key, site.epoch
    copy.leaves, copy.counters, copy.wall_ms = site.leaves[:1], {}, site.wall_ms
    site.reports()
    seq = copy.sell(account, 700)
    refused(hq.answer(copy.request(wire.PATH_BATCH, copy.batch(0))))
    result, report = night(hq, tmp_path)
    assert (result.exit_code, [code for code, _ in codes(report)]) == (1, ["log-forked"])
    with store.writing(hq.engine) as connection:
        forks.book_branch(connection, hq.keys, hq.clock, "s1", 1)
        adjust.charge(
            connection, hq.keys, hq.clock, account, 300, because=f"s1/1/{seq}", why="forked", reference="adj-1"
        )
    result, report = night(hq, tmp_path)
    assert (result.exit_code, [code for code, _ in codes(report)]) == (0, ["fork-booked"])
    assert report.operator == OperatorRisk(balance_fen=-400, lent_fen=0, pooled_fen=0, forked_fen=700, adjusted_fen=300)


def test_a_pool_is_told_by_card(site: Story, tmp_path: Path) -> None:
    """What was drawn on the day, by the hidden number of the card, beside what is left; the books add up at its end."""
    hq = site.hq
    with store.writing(hq.engine) as connection:
        risk.fund(connection, hq.keys, hq.clock, "s1", 5_000, session_limit=3_000, reference="pool-1")
    site.charge("1", RISK, "09:00", "09:30", 10_000, hold_fen=3_000)
    site.closes_day()
    site.reports()
    result, report = night(hq, tmp_path)
    assert report.pools == [
        RiskPool(
            site="s1", epoch=1, funded_fen=5_000, drawn_fen=1_450, left_fen=3_550, today_fen=1_450, cards={"": 1_450}
        )
    ]
    assert (result.exit_code, report.exposures) == (0, [])
    site.add(EpochClosed("over"))
    site.reports()
    set_clock(hq, at("06:00", "2026-06-10"))
    result, report = night(hq, tmp_path, NEXT)
    assert [(it.left_fen, it.today_fen) for it in report.pools] == [(0, 0)]
    assert (report.operator.balance_fen, report.operator.pooled_fen) == (-1_450, 1_450)
