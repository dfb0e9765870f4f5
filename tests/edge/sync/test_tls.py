"""TLS by a box that does not know the time: what it takes, what it still refuses, on real handshakes."""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path

import pytest
from sync_box import all_sent, enrolled, running
from sync_hq import DAY, VALID_FROM, Authority, Headquarters
from test_client import answer_of, answering, context, http

from edge import clock as clocks
from edge.clock import BUILD_MS, Clock
from edge.sync.errors import ClockTrouble, HqError, HqGarbled, Untrusted
from edge.sync.tls import OutOfDate, check_dates
from protocols.trade.records import ClockQuality, Stamp

YEAR = 365 * DAY
YEAR_MS = 365 * 86_400_000
ERA = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
BUILD = ERA + datetime.timedelta(milliseconds=BUILD_MS)
TAKEN = HqGarbled
"""The handshake went well; the empty answer is then no answer."""


@pytest.mark.parametrize(
    ("known_years", "valid_years", "expected"),
    [
        # proven bounds of the time, and the certificate's dates, both in years from when this software was made
        pytest.param((0, None), (-1, 9), TAKEN, id="nothing is known: any current certificate"),
        pytest.param((0, None), (5, 6), TAKEN, id="nothing is known: it may be that late by now"),
        pytest.param((0, None), (-2, -1), ClockTrouble, id="lapsed before this software was made"),
        pytest.param((3, None), (1, 2), ClockTrouble, id="lapsed before the newest time that was told"),
        pytest.param((3, None), (2, 4), TAKEN, id="still valid at the newest time that was told"),
        pytest.param((3, 4), (5, 6), ClockTrouble, id="not yet valid at the latest that it can be"),
        pytest.param((3, 4), (1, 5), TAKEN, id="a synchronised clock within the dates"),
        pytest.param((3, 3), (1, 2), ClockTrouble, id="a synchronised clock after them"),
    ],
)
async def test_azure_iotedge_4062_dates_are_checked_against_what_is_proven(
    hq: Headquarters,
    tmp_path: Path,
    known_years: tuple[int, int | None],
    valid_years: tuple[int, int],
    expected: type[HqError],
) -> None:
    """Whatever the wall clock says, a certificate is refused for its dates when it can be valid at no possible now."""
    lower, upper = known_years
    async with enrolled(hq, tmp_path, f"dates-{abs(hash((known_years, valid_years)))}", wall_ms=lambda: 0) as box:
        box.clock.bounds = lambda: (  # type: ignore[method-assign]  # a test's stand-in
            BUILD_MS + lower * YEAR_MS,
            None if upper is None else BUILD_MS + upper * YEAR_MS,
        )
        since, until = (BUILD + years * YEAR for years in valid_years)
        tls = context(hq.authority, "dated", since=since, until=until)
        with answering(tls, http("200 OK", b"")) as url:
            assert type(await answer_of(box, url)) is expected


@pytest.mark.parametrize("wall_ms", [0, 2_208_988_800_000], ids=["1970", "2040"])
async def test_azure_iotedge_4062_a_wrong_wall_clock_does_not_cut_a_box_off(
    hq: Headquarters, tmp_path: Path, wall_ms: int
) -> None:
    """In 1970 and in 2040 a box reaches headquarters, is told the time, and its log is taken."""
    now = ERA + datetime.timedelta(milliseconds=hq.clock.now_ms())
    assert now < ERA + datetime.timedelta(milliseconds=2_208_988_800_000), "2040 is meant to be ahead"
    async with enrolled(hq, tmp_path, f"wall-{wall_ms}", wall_ms=lambda: wall_ms) as box:
        async with running(box.uplink()) as uplink:
            await all_sent(uplink)
        stamp = box.clock.stamp()
        assert stamp.quality == ClockQuality.SYNCHRONISED
        assert abs(stamp.wall_ms - hq.clock.now_ms()) < 60_000


async def test_azure_iotedge_7321_a_month_offline(hq: Headquarters, tmp_path: Path) -> None:
    """The certificate was renewed while the box was away: the new one begins after all that the box has ever heard."""
    now = ERA + datetime.timedelta(milliseconds=hq.clock.now_ms())
    async with enrolled(hq, tmp_path, "month", wall_ms=lambda: 0) as box:
        heard_ms = hq.clock.now_ms() - 30 * 86_400_000
        last = Stamp(bytes(8), 1, heard_ms, ClockQuality.SYNCHRONISED, heard_ms, heard_ms + 10)
        box.clock = Clock(clocks.system(), last)  # another boot since
        tls = context(hq.authority, "renewed", since=now - DAY, until=now + 30 * DAY)
        with answering(tls, http("200 OK", b"")) as url:
            assert type(await answer_of(box, url)) is TAKEN


async def test_an_unknown_time_takes_no_other_authority_and_no_other_name(hq: Headquarters, tmp_path: Path) -> None:
    """No downgrade: chain and name are checked as ever, also where the dates alone would have been refused."""
    lapsed = {"since": VALID_FROM, "until": VALID_FROM + DAY}
    async with enrolled(hq, tmp_path, "strict", wall_ms=lambda: 0) as box:
        for dates in ({}, lapsed):
            stranger: ssl.SSLContext = context(Authority(tmp_path / "mallory"), "hq", **dates)
            with answering(stranger, http("200 OK", b"")) as url:
                assert type(await answer_of(box, url)) is Untrusted
            with answering(context(hq.authority, "hq", **dates), http("200 OK", b"")) as url:
                error = await answer_of(box, url.replace("127.0.0.1", "localhost"))
            assert type(error) is Untrusted
            assert "localhost" in str(error)


def test_a_chain_of_nothing_is_refused() -> None:
    """Where OpenSSL names no certificate, none is taken as valid."""
    with pytest.raises(OutOfDate):
        check_dates([], BUILD_MS, None)
