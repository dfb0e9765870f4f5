"""Price lists and terms as people write them: the examples of the docs, and every way to get one wrong."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from protocols.door import Refused
from protocols.trade import fuel_prices_file, fuel_terms_file
from protocols.trade.fuel_prices import GradePrice, PriceList, prices_at
from protocols.trade.fuel_terms import FuelTerms, Terms
from protocols.trade.local_time import local_text
from protocols.trade.tariff import Offset

from .samples import BERLIN_2026, SHANGHAI, unix_ms

DOCS = (Path(__file__).parents[3] / "docs" / "fuel-prices.md").read_text()
PRICES, TERMS = re.findall(r"```toml\n(.*?)```", DOCS, re.DOTALL)
TOLD = re.findall(r"```text\n(.*?)```", DOCS, re.DOTALL)[0]
NOW_S = unix_ms("2026-11-22 08:00:00") // 1000
CARD = bytes.fromhex("0102030405060708")


def offsets_of(zone: str) -> Sequence[Offset] | None:
    return {"Asia/Shanghai": SHANGHAI, "Europe/Berlin": BERLIN_2026}.get(zone)


def prices_of(data: dict[str, Any]) -> PriceList:
    return fuel_prices_file.read(data, offsets_of, now_s=NOW_S, next_version=7, source="prices.toml")


def terms_of(data: dict[str, Any]) -> FuelTerms:
    def card_of(account: str, number: str) -> bytes | None:
        return CARD if number == "04A1B2C3" else None

    return fuel_terms_file.read(data, "7QX3M9KTP2".__eq__, card_of, next_version=3, source="terms.toml")


def faults_of(read: Callable[[dict[str, Any]], object], data: dict[str, Any]) -> str:
    with pytest.raises(Refused) as refused:
        read(data)
    return str(refused.value)


def test_the_price_list_of_the_docs() -> None:
    """Exact thousandths of a fen, local times as Unix seconds, the next version where the file has none."""
    prices = prices_of(tomllib.loads(PRICES))
    assert (prices.id, prices.version, prices.zone) == ("city", 7, "Asia/Shanghai")
    assert (prices.grades[0].code, prices.grades[0].name) == ("92", "92# 汽油")
    assert [step.from_s * 1000 for step in prices.steps] == [
        unix_ms("2026-11-01 00:00:00"),
        unix_ms("2026-12-01 00:00:00"),
    ]
    assert prices.steps[1].prices == [GradePrice("92", 779_000), GradePrice("95", 829_000), GradePrice("0", 742_000)]
    assert prices_at(prices, NOW_S)["0"] == 749_000
    assert local_text(prices, prices.steps[1].from_s) == "2026-12-01 00:00"


def test_all_faults_of_a_price_list_at_once() -> None:
    """A grade that the list does not have, steps in no order, a price missing, a price of nothing: as the docs show."""
    data = tomllib.loads(PRICES)
    first, second = data["steps"]
    first["yuan_per_litre"]["98"] = first["yuan_per_litre"].pop("0")
    second["from"], second["yuan_per_litre"]["92"] = "2026-11-01 00:00", "0"
    assert faults_of(prices_of, data) == TOLD.strip()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"zone": "Mars/Olympus"}, "zone: expected the IANA name of a time zone, got 'Mars/Olympus'"),
        ({"zone": 8}, 'zone: expected the IANA name of a time zone, like "Asia/Shanghai", got 8'),
        ({"steps": []}, "steps: expected at least one, got none"),
        ({"grades": []}, "grades: expected at least one, each code once, got none"),
        ({"prices": 1}, "prices: expected one of grades, id, steps, version, zone, got an unknown key"),
    ],
)
def test_a_wrong_value_is_told_with_its_place(change: dict[str, Any], said: str) -> None:
    """And with what was expected there."""
    assert said in faults_of(prices_of, tomllib.loads(PRICES) | change)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2026-12-01", "steps[0].from: expected a local time as text"),
        ("2026-02-30 00:00", "steps[0].from: expected a day and time that exist"),
        ("2026-03-29 02:30", "steps[0].from: expected a local time that exists"),
        ("2026-11-22 23:00", "steps[0].from: expected a time that has passed"),
    ],
)
def test_times_that_cannot_be_meant(text: str, said: str) -> None:
    """A day that is not in the calendar, an hour that summer time leaves out, a first step that has not begun."""
    data = tomllib.loads(PRICES) | {"zone": "Europe/Berlin"}
    data["steps"] = [{**data["steps"][0], "from": text}]
    assert said in faults_of(prices_of, data)


@pytest.mark.parametrize(
    ("text", "unix_s"),
    [
        ("2026-03-29 01:59:59", 1774745999),  # the last second before clocks go forward
        ("2026-03-29 03:00", 1774746000),
        ("2026-10-25 02:30", 1792888200),  # comes twice: the first
        ("2026-10-25 03:00", 1792893600),
    ],
)
def test_local_times_around_a_change_of_the_clocks(text: str, unix_s: int) -> None:
    """A price changes at one instant, also in a night with an hour more or less."""
    data = tomllib.loads(PRICES) | {"zone": "Europe/Berlin"}
    data["steps"] = [{**data["steps"][0], "from": text}]
    assert [step.from_s for step in prices_of(data).steps] == [unix_s]


def test_the_terms_of_the_docs() -> None:
    """By account and card, the card hidden; what is left out is no limit."""
    assert terms_of(tomllib.loads(TERMS)) == FuelTerms(
        3, [Terms("7QX3M9KTP2", b"", ["0"], 0, "odometer"), Terms("7QX3M9KTP2", CARD, [], 60_000, "")]
    )


def test_all_faults_of_terms_at_once() -> None:
    """Unknown account, unknown card, a grade twice, an account twice. No card number is repeated in the message."""
    told = faults_of(
        terms_of,
        {
            "terms": [
                {"account": "NOBODY"},
                {"account": "7QX3M9KTP2", "card": "99887766"},
                {"account": "7QX3M9KTP2", "grades": ["0", "0"]},
                {"account": "7QX3M9KTP2"},
            ]
        },
    )
    assert [line.split(":")[0].strip() for line in told.splitlines()] == [
        "terms.toml",
        "terms[0].account",
        "terms[1].card",
        "terms[2].grades",
        "terms[3]",
    ]
    assert "99887766" not in told


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"day_litres": 60}, 'terms[0].day_litres: expected litres as text with up to 3 decimals, like "60"'),
        ({"ask": "name"}, "terms[0].ask: expected one of odometer, plate, got 'name'"),
    ],
)
def test_a_wrong_term_is_told(change: dict[str, Any], said: str) -> None:
    """A limit without quotes, a question that no pump asks."""
    assert said in faults_of(terms_of, {"terms": [{"account": "7QX3M9KTP2"} | change]})
