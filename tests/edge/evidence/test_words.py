"""What people read: in Chinese and in English, with the same blanks."""

from __future__ import annotations

import re
from typing import get_args

import pytest
from msgspec.structs import replace as with_

from edge.evidence import slip, words
from edge.evidence.pack_page import TEXTS, WHAT
from edge.evidence.verifier_page import PAGE
from edge.till.fill.progress import FillEnd
from edge.till.port.progress import PortEnds
from edge.till.progress import StopReason
from protocols.proof.lines import Line, Mark
from protocols.proof.receipt_story import read_story
from protocols.trade.records_pack import SwapOutcome
from protocols.trade.tariff import Offset
from tests.protocols.proof.filled import FILLED, PRICES
from tests.protocols.proof.fronted import PORTED, RENTED, TERMS
from tests.protocols.proof.fronted import PRICES as PORT_PRICES
from tests.protocols.proof.sold import CITY, GOOD


def test_every_text_is_there_in_both_languages() -> None:
    """Chinese and English say the same blanks."""
    for table in (words.LINES, words.VERDICTS, slip.LABELS, slip.ENDINGS, TEXTS, WHAT, PAGE):
        for code, (zh, en) in table.items():
            assert zh, code
            assert en, code
            assert sorted(re.findall(r"\{\w+\}", zh)) == sorted(re.findall(r"\{\w+\}", en)), code
    assert {reason.value for reason in StopReason} == set(slip.REASONS)
    assert {reason.value for reason in FillEnd} == set(slip.FILL_REASONS)
    assert {reason.value for reason in PortEnds} == set(slip.PORT_REASONS)
    assert set(get_args(SwapOutcome)) == set(slip.SWAP_OUTCOMES)
    tables = (slip.REASONS, slip.FILL_REASONS, slip.SWAP_OUTCOMES, slip.PORT_REASONS)
    assert all(slip.ENDINGS[code] == said for table in tables for code, said in table.items()), "one code, one text"


@pytest.mark.parametrize(
    ("line", "zh"),
    [
        (Line("holds", Mark.FAILED, {"held_fen": 12_345}), "扣款超过预留额 ¥123.45"),
        (Line("head", Mark.PROVEN, {"log": "a", "size": 9}), "日志 a 签署了含 9 条记录的日志头"),
        (
            Line("cosigned", Mark.PROVEN, {"name": "hq", "at_s": 60}),
            "最终收据：总部 hq 已于 1970-01-01 00:01:00 UTC 入账并会签",
        ),
        (Line("included", Mark.PROVEN, {"seq": 9}), "记录 9 确在此日志中，一字未改"),
        (
            Line("display", Mark.FAILED, {"volume_ml": 10_010, "amount_fen": 7_850, "price_e3": 785_500}),
            "账单不合：显示 10.010 L、¥78.50，单价 ¥7.855",
        ),
    ],
)
def test_facts_are_written_by_their_unit(line: Line, zh: str) -> None:
    """Fen as yuan, Wh as kWh, mL as litres, prices as yuan, instants as UTC, anything else as it is."""
    assert words.say(line, "zh") == zh


@pytest.mark.parametrize(
    ("asked", "environment", "language"),
    [
        ("", {"LANG": "zh_CN.UTF-8"}, "zh"),
        ("", {"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        ("", {}, "en"),
        ("en", {"LANG": "zh_CN.UTF-8"}, "en"),
    ],
)
def test_the_locale_chooses_the_language(asked: str, environment: dict[str, str], language: str) -> None:
    """As in any program: LC_ALL before LANG, and what was asked for before both."""
    assert words.language_of(asked, environment) == language


@pytest.mark.parametrize(
    ("offset_s", "shown"),
    [
        (28_800, "2026-09-21 19:26:40 UTC+8"),
        (-12_600, "2026-09-21 07:56:40 UTC-3:30"),
        (0, "2026-09-21 11:26:40 UTC"),
        (None, "2026-09-21 11:26:40 UTC"),
    ],
)
def test_a_customer_reads_local_time(offset_s: int | None, shown: str) -> None:
    """By the tariff's own offset, which is named; without a tariff, UTC."""
    tariff = None if offset_s is None else with_(CITY, offsets=[Offset(0, offset_s)])
    story = read_story("shanghai-7", 3, [(one.proof.index, one.data) for one in GOOD.records])
    assert dict(slip.facts(story, "en", tariff))["Began"] == shown


def test_a_rider_reads_local_time() -> None:
    """By the swap terms, also to when a rent is paid; at a port by its prices."""
    story = read_story("shanghai-7", 3, [(one.proof.index, one.data) for one in RENTED.records])
    told = dict(slip.facts(story, "en", TERMS))
    assert told["Began"] == "2026-09-21 19:26:40 UTC+8"
    assert told["Paid until"] == "2026-09-22 19:28:15 UTC+8"
    story = read_story("shanghai-7", 3, [(one.proof.index, one.data) for one in PORTED.records])
    assert dict(slip.facts(story, "en", PORT_PRICES))["Began"] == "2026-09-21 17:26:40 UTC+6"


def test_the_slip_of_a_filling() -> None:
    """Pump, nozzle, grade as the list calls it, totalizer and litres; in the price list's local time."""
    story = read_story("shanghai-7", 3, [(one.proof.index, one.data) for one in FILLED.records])
    assert slip.title(story, "zh") == "加油收据"
    assert list(slip.facts(story, "zh", PRICES)) == [
        ("会话", "shanghai-7/3/4"),
        ("加油机", "3"),
        ("开始", "2026-09-21 19:26:40 UTC+8"),
        ("结束", "2026-09-21 19:28:15 UTC+8"),
        ("结束原因", "挂枪"),
        ("油枪", "1"),
        ("油品", "92#"),
        ("累计数", "1234.560 → 1261.280 L"),
        ("升数", "26.720 L"),
    ]
    assert list(slip.rows(story, PRICES, "en")) == [("Fuel · 92#", "26.720 L", "¥7.85", "¥209.75")]
    assert list(slip.totals(story, "en")) == [("Total", "¥209.75")]
