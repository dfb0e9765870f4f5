"""Tariffs as people write them: the example of the docs, and every way to get one wrong."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from protocols.door import Refused
from protocols.trade.price import Delivered, bill
from protocols.trade.quantities import kwh, yuan, yuan_e3
from protocols.trade.records import Slice
from protocols.trade.tariff import Offset, Period, Tariff
from protocols.trade.tariff_file import disorder, read

from .samples import BERLIN_2026, CITY, HOUR_S, MINUTE_MS, SHANGHAI, unix_ms

DOCS = (Path(__file__).parents[3] / "docs" / "tariffs.md").read_text()
EXAMPLE = re.findall(r"```toml\n(.*?)```", DOCS, re.DOTALL)[0]
TOLD = re.findall(r"```text\n(.*?)```", DOCS, re.DOTALL)[0]


def offsets_of(zone: str) -> Sequence[Offset] | None:
    return {"Asia/Shanghai": SHANGHAI, "Europe/Berlin": BERLIN_2026}.get(zone)


def faults_of(data: dict[str, Any]) -> list[str]:
    with pytest.raises(Refused) as refused:
        read(data, offsets_of, source="city-east.toml")
    return [str(fault) for fault in refused.value.faults]


def example() -> dict[str, Any]:
    return tomllib.loads(EXAMPLE)


def test_the_example_of_the_docs() -> None:
    """Every value of it, exactly."""
    assert read(example(), offsets_of, source="docs/tariffs.md") == Tariff(
        id="city-east",
        version=7,
        zone="Asia/Shanghai",
        offsets=SHANGHAI,
        periods=[
            Period(0, "valley", 35_123, 40_000),
            Period(8 * HOUR_S, "peak", 110_000, 40_000),
            Period(12 * HOUR_S, "flat", 70_000, 40_000),
            Period(22 * HOUR_S, "valley", 35_123, 40_000),
        ],
        session_e3=50_000,
        idle_e3_per_min=20_000,
        idle_grace_s=900,
    )


def test_the_bill_of_the_docs() -> None:
    """The table at the end of docs/tariffs.md is what the code bills."""
    tariff = read(example(), offsets_of, source="docs/tariffs.md")
    start_ms = unix_ms("2026-05-01 07:30:00")
    cut = (Slice(0, 30 * MINUTE_MS, 10_000), Slice(30 * MINUTE_MS, 45 * MINUTE_MS, 5_000))
    found = bill(tariff, Delivered(cut, 0, start_ms, start_ms))
    rows = []
    for line in found.lines:
        energy = line.code in ("energy", "service")
        name = f"{line.code}, {tariff.periods[line.period].name}" if energy else line.code
        quantity = f"{kwh(line.quantity)} kWh" if energy else str(line.quantity)
        rows.append(f"| {name} | {quantity} | {yuan_e3(line.price_e3)} | {yuan(line.amount_fen)} |")
    exact = yuan_e3(int(found.exact_fen * 1000))
    rows.append(f"| **bill** | | {exact} exactly | **{yuan(found.amount_fen)}** |")
    assert "\n".join(rows) in DOCS


def test_the_faults_of_the_docs() -> None:
    """The message in docs/tariffs.md is the message that comes."""
    data = example()
    data["session_yuan"] = 0.5
    data["periods"][1]["from"] = "8:00"
    data["periods"][2]["energy_yuan_per_kw"] = "0.70"
    with pytest.raises(Refused) as refused:
        read(data, offsets_of, source="city-east.toml")
    assert str(refused.value) == TOLD.strip()


def test_every_key_is_documented() -> None:
    """The table of keys in the docs names each key of the example."""
    described = set(re.findall(r"`(\w+)`", "\n".join(re.findall(r"^\| (`.*?) \|", DOCS, re.MULTILINE))))
    assert described == {*example(), *example()["periods"][0]}


@pytest.mark.parametrize(
    ("text", "price_e3"),
    [
        ("0", 0),
        ("1", 100_000),
        ("1.2345", 123_450),
        ("0.00001", 1),
        ("12.3", 1_230_000),
        ("999999.99999", 99_999_999_999),
    ],
)
def test_prices_are_exact(text: str, price_e3: int) -> None:
    """Text to thousandths of a fen without a float on the way."""
    assert read(example() | {"session_yuan": text}, offsets_of, source="x").session_e3 == price_e3


@pytest.mark.parametrize(
    "wrong", [0.5, 1, "", "1,5", "-1", "+1", ".5", "1.", "1.234567", "1e3", "¥1", " 1", "1\n", "٣"]
)
def test_what_is_no_price(wrong: object) -> None:
    """Numbers, signs, blanks, other digits and a sixth decimal are refused in words."""
    assert faults_of(example() | {"session_yuan": wrong}) == [
        f'session_yuan: expected yuan as text with up to 5 decimals, like "1.2345", got {wrong!r}.'
    ]


@pytest.mark.parametrize(("text", "from_s"), [("00:00", 0), ("00:00:30", 30), ("07:05", 25_500)])
def test_times_of_the_day(text: str, from_s: int) -> None:
    """Hours and minutes, and seconds where a boundary needs them."""
    data = example()
    data["periods"][0]["from"] = text
    assert read(data, offsets_of, source="x").periods[0].from_s == from_s


@pytest.mark.parametrize("wrong", ["24:00", "8:00", "08:60", "08", "08:00:60", "08:00 ", 800])
def test_what_is_no_time(wrong: object) -> None:
    """A day ends at 23:59:59, and every part has two digits."""
    data = example()
    data["periods"][1]["from"] = wrong
    assert faults_of(data) == [
        f'periods[1].from: expected a time of the day as text, like "08:00" or "08:00:30", got {wrong!r}.'
    ]


def test_periods_out_of_order() -> None:
    """Two that begin together, one that begins before its forerunner, and a zone nobody knows: told together."""
    data = example() | {"zone": "Asia/Shanghi"}
    data["periods"][1]["from"] = "00:00"
    data["periods"][3]["from"] = "11:30"
    assert faults_of(data) == [
        "zone: expected the IANA name of a time zone, got 'Asia/Shanghi'. Like \"Asia/Shanghai\".",
        "periods[1].from: expected later than 00:00:00, where the one before begins, got 00:00:00. Sort them by time.",
        "periods[3].from: expected later than 12:00:00, where the one before begins, got 11:30:00. Sort them by time.",
    ]


def test_no_period_at_all() -> None:
    """A tariff without a price is no tariff."""
    assert faults_of(example() | {"periods": []}) == [
        "periods: expected at least one, got none. Add a `[[periods]]` table."
    ]


def test_disorder_in_a_tariff_from_elsewhere() -> None:
    """A site asks the same of a signed tariff: offsets too must be there and rise."""
    assert disorder(CITY) == []
    assert [fault.path for fault in disorder(msgspec.structs.replace(CITY, offsets=[]))] == ["offsets"]
    falling = msgspec.structs.replace(CITY, offsets=[Offset(5, 0), Offset(4, 3600)])
    assert [fault.path for fault in disorder(falling)] == ["offsets[1].since_s"]
