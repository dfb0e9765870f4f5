"""Text for people: columns that line up, colours only where somebody sees them, amounts in words."""

from __future__ import annotations

import io

import pytest

from edge.panel.paper import Paper, energy, lasting, money, power, width


def test_columns_line_up_whatever_is_in_them() -> None:
    """Colours take no room, Chinese characters take two columns, and numbers stand at the right."""
    out = io.StringIO()
    paper = Paper(out, colours=True)
    paper.table(("PLACE", ">PRICE", "STATE"), [("c1", "¥1.00", paper.good("online")), ("一号桩", "¥12.00", "off")])
    plain = out.getvalue().replace("\x1b[2m", "").replace("\x1b[32m", "").replace("\x1b[0m", "")
    assert plain.splitlines() == ["PLACE    PRICE  STATE", "c1       ¥1.00  online", "一号桩  ¥12.00  off"]
    assert len({width(line.partition("  ")[0]) for line in plain.splitlines()[2:]}) == 1


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"), (0.04, "0.0 s"), (9.94, "9.9 s"), (10, "10 s"), (59.9, "59 s"), (60, "1 min"), (133, "2 min 13 s"),
        (7_200, "2 h"), (8_000, "2 h 13 min"), (90_000, "1 d 1 h"), (86_400, "1 d"),
    ],
)  # fmt: skip
def test_a_duration_has_its_two_largest_units(seconds: float | None, text: str) -> None:
    """Enough to judge by."""
    assert lasting(seconds) == text


def test_amounts() -> None:
    """Unknown is a dash and never a nought."""
    assert [money(None), money(0), money(123_456)] == ["-", "¥0.00", "¥1234.56"]
    assert [energy(None), energy(5), energy(1_234_567)] == ["-", "0.005 kWh", "1234.567 kWh"]
    assert [power(None), power(999), power(11_040)] == ["-", "999 W", "11.0 kW"]


@pytest.mark.parametrize(("variable", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_no_colours_where_they_are_not_wanted(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    """no-color.org, dumb terminals, and anything that is no terminal."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert Paper(Terminal()).bad("x") != "x"
    assert Paper(io.StringIO()).bad("x") == "x"
    monkeypatch.setenv(variable, value)
    assert Paper(Terminal()).bad("x") == "x"


def test_long_text_hangs_beside_its_head(monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken at words on a terminal, colours counting nothing; left alone where a program reads it."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("COLUMNS", "50")
    text = "Check supply, A/B wiring and unit id; the scan of the line lists who answers."
    out = Terminal()
    Paper(out, colours=True).hang("  next", text)
    assert out.getvalue().splitlines() == [
        "  next  Check supply, A/B wiring and unit id; the",
        "        scan of the line lists who answers.",
    ]
    plain = io.StringIO()
    Paper(plain).hang("  next", f"{text}\n{text}")
    assert plain.getvalue().splitlines() == [f"  next  {text}", f"        {text}"]
