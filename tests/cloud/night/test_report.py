"""How a report looks: the page stands alone and escapes what it is told, the table lines up, the scales are round."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest
from hq_box import open_headquarters
from site_story import Story, at, customer, night

from cloud.clock import SetClock
from cloud.night import charts, report, report_model, shown
from cloud.night.charts import Bar
from cloud.night.labels import LABELS
from cloud.night.reconcile.findings import CODES
from cloud.night.report_model import CHECKED, NotAReport, Report


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Report]:
    """A day with something of everything: an overrun, a void, a running session, an unbilled Wh, a silent site."""
    directory = tmp_path_factory.mktemp("report")
    hq = open_headquarters(f"sqlite:///{directory}/hq.db", SetClock(at("00:00")))
    customer(hq, "anna", 50_000)
    site = Story(hq, "riverside")
    site.charge("1", "anna", "06:00", "07:00", 10_000)
    site.charge("1", "anna", "09:00", "09:30", 10_000, hold_fen=1_000)
    site.registers["meter-1"] += 1
    site.voids(site.opens("2", "anna", 500, "10:00"))
    site.opens("2", "anna", 500, "11:00")
    site.closes_day()
    site.reports()
    Story(hq, "east-gate")
    result, told = night(hq, directory)
    hq.engine.dispose()
    return result.json_path, told


class Tags(HTMLParser):
    """Checks that every element is closed in order, and collects the text."""

    VOID = frozenset({"meta", "path", "rect", "circle", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        pass

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_is_whole_and_needs_no_network(made: tuple[Path, Report]) -> None:
    """Every element is closed; no script, no address, no font or image from elsewhere."""
    path, _ = made
    text = path.with_suffix(".html").read_text()
    tags = Tags()
    tags.feed(text)
    assert tags.open == []
    assert not re.search(r"<script|<link|<img|@import|url\(|https?://(?!www\.w3\.org/2000/svg)", text)
    for said in (
        "2026-06-08",
        "日终对账报告",
        "Nightly report",
        "riverside",
        "20.50",
        "4.50",
        "0.001",
        "会话之间电表有走字",
    ):
        assert said in tags.text, said


def test_the_page_has_its_colours_from_the_screen(made: tuple[Path, Report]) -> None:
    """Every colour is named once for light and once for dark screens; paper is always light."""
    path, _ = made
    text = path.with_suffix(".html").read_text()
    style, body = text.split("</style>")
    assert "@media screen and (prefers-color-scheme: dark)" in style
    assert not re.search(r"#[0-9a-f]{3,6}\b", body)
    used, named = set(re.findall(r"var\((--[a-z-]+)\)", text)), set(re.findall(r"(--[a-z-]+):", style))
    assert used <= named


def test_the_page_comes_from_the_json_alone(made: tuple[Path, Report]) -> None:
    """The stored JSON gives the stored page again, without a database."""
    path, _ = made
    assert report.page(path.read_bytes()) == path.with_suffix(".html").read_text()


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b"\xff"])
def test_what_is_no_report_is_refused(data: bytes) -> None:
    """With what was expected, and what to do."""
    with pytest.raises(NotAReport, match="fieldtill/nightly/v1") as caught:
        report.page(data)
    assert caught.value.remedy


def test_names_from_outside_are_escaped(made: tuple[Path, Report]) -> None:
    """A site's title and a connector's name come from other people; they are text, never markup."""
    _, told = made
    evil = "<script>alert(1)</script>"
    connectors = [msgspec.structs.replace(it, name=evil) for it in told.sites[1].connectors]
    site = msgspec.structs.replace(told.sites[1], title=evil, connectors=connectors)
    text = report.page(report_model.encode(msgspec.structs.replace(told, sites=[told.sites[0], site])))
    assert "<script" not in text
    assert text.count("&lt;script&gt;") >= 3


def test_the_table_for_the_terminal(made: tuple[Path, Report]) -> None:
    """Columns stand under their heads; every finding has its next step."""
    path, _ = made
    lines = report.show(path).splitlines()
    assert lines[0] == "Nightly report 2026-06-08: 1 unexplained"
    assert lines[2:6] == [
        "site       sessions     kWh  gross  captured  overrun  voided  running  held  reported",
        "east-gate         0   0.000   0.00      0.00     0.00       0        0     0   awaited",
        "riverside         2  20.000  20.50     16.00     4.50       1        1     0       yes",
        "all               2  20.000  20.50     16.00     4.50       1        1     0",
    ]
    at = next(index for index, line in enumerate(lines) if line.startswith("unexplained"))
    assert lines[at : at + 3] == [
        "unexplained, 0 d: Meter moved between sessions: riverside meter-1 0.001 kWh",
        "    end of riverside/1/5 120000 Wh, total read in record 12 120001 Wh",
        "    technician: Read the meter on site; look for a bypass or a missing session.",
    ]


def test_wide_characters_take_two_columns() -> None:
    """A grade or a place with a Chinese name does not push its row out of line."""
    assert shown.table(("place", "kWh"), [("东门", "1"), ("c1", "20")]).splitlines() == [
        "place  kWh", "东门     1", "c1      20"
    ]  # fmt: skip


def test_every_word_has_both_languages(made: tuple[Path, Report]) -> None:
    """Headings, findings and steps: Chinese and English, none empty."""
    words = [
        *LABELS.values(),
        *((it.zh, it.en) for it in CODES.values()),
        *((it.step_zh, it.step_en) for it in CODES.values()),
    ]
    for zh, en in words:
        assert re.search(r"[\u4e00-\u9fff]", zh), zh
        assert en.isascii(), en
        assert en.strip(), zh
    assert {f"checked-{name}" for names in CHECKED.values() for name in names} <= LABELS.keys()


@pytest.mark.parametrize(
    ("greatest", "step", "top"),
    [(0, 1, 2), (1, 1, 2), (5, 1, 5), (6, 2, 6), (11, 5, 15), (42_311, 10_000, 50_000), (99, 20, 100), (101, 50, 150)],
)
def test_scales_are_round(greatest: int, step: int, top: int) -> None:
    """Two to five steps of 1, 2 or 5 times a power of ten, just enough for the greatest value."""
    assert charts.scale(greatest) == (step, top)


def test_bars_are_as_high_as_their_values() -> None:
    """Half the value, half the height; nothing draws nothing; the least value is still seen."""
    drawn = charts.bars([Bar(100, "", "a"), Bar(50, "", "b"), Bar(0, "", "c"), Bar(1, "", "d")], "#000", str)
    assert re.findall(r"<title>(\w)</title>", drawn) == ["a", "b", "d"]


@pytest.mark.parametrize(
    ("fen", "text"), [(0, "0.00"), (-5, "-0.05"), (123_456_789, "1,234,567.89"), (-123_456, "-1,234.56"), (None, "–")]
)
def test_money_as_text(fen: int | None, text: str) -> None:
    """Yuan with thousands apart; unknown is a dash, never 0."""
    assert shown.money(fen) == text
