"""The code on a swap battery: two real ones, and what is no code."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.fieldbus.pack_code import SHORT_MODELS, Chemistry, PackCode, Refusal, ShortCode, parse

TERNARY = "BT3072020120000200521001"
IRON = "BT106002512NNTB211118182"

GOLDEN = [
    (TERNARY, PackCode(Chemistry.TERNARY, 72, 20, 1200, "0000", date(2020, 5, 21), 1)),
    (IRON, PackCode(Chemistry.IRON_PHOSPHATE, 60, 25, 1200, "NNTB", date(2021, 11, 18), 182)),
]


@pytest.mark.parametrize(("text", "code"), GOLDEN)
def test_codes_of_24_characters(text: str, code: PackCode) -> None:
    """As printed, in lower case and with what a scanner puts around it."""
    assert [parse(form) for form in (text, text.lower(), f" {text}\r\n", f"{text}\0\0")] == [code] * 4
    assert str(code) == text


def test_codes_of_16_characters() -> None:
    """The model stands at the third and fourth character."""
    assert parse("XC08000000000001") == ShortCode("XC08000000000001", 72, 30)
    assert parse("xc17000000000001") == ShortCode("XC17000000000001", 60, 45)
    assert str(parse("XC08000000000001")) == "XC08000000000001"
    assert parse("XC99000000000001") is Refusal.MODEL
    assert sorted(SHORT_MODELS) == ["08", "11", "12", "16", "17"]


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("", Refusal.CHARACTERS),
        ("UNKNOWN", Refusal.UNKNOWN),
        ("unknow0000000000000000000", Refusal.UNKNOWN),
        (TERNARY[:-1], Refusal.LENGTH),
        (TERNARY + "00", Refusal.LENGTH),  # 26 characters exist; how they read is not known
        (TERNARY[:-1] + "-", Refusal.CHARACTERS),
        (TERNARY[:-1] + "\u0661", Refusal.CHARACTERS),  # a digit, but not an ASCII one
        (TERNARY[:-2] + "\u00df", Refusal.CHARACTERS),  # two letters when written large
        ("AT" + TERNARY[2:], Refusal.PRODUCT),
        ("BT4" + TERNARY[3:], Refusal.CHEMISTRY),
        ("BT30A2020120000200521001", Refusal.DIGITS),
        ("BT307202012000020052100A", Refusal.DIGITS),
        ("BT3000020120000200521001", Refusal.RATING),
        ("BT3072000120000200521001", Refusal.RATING),
        ("BT3072020120000201321001", Refusal.DATE),
        ("BT3072020120000210229001", Refusal.DATE),
    ],
)
def test_what_is_no_code(text: str, refusal: Refusal) -> None:
    """Each is refused with its reason; nothing is guessed."""
    assert parse(text) is refusal


@given(
    st.builds(
        PackCode,
        st.sampled_from(Chemistry),
        st.integers(1, 999),
        st.integers(1, 999),
        st.integers(0, 99).map(lambda hundreds: 100 * hundreds),
        st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=4, max_size=4),
        st.dates(date(2000, 1, 1), date(2099, 12, 31)),
        st.integers(0, 999),
    )
)
def test_every_code_reads_as_it_was_written(code: PackCode) -> None:
    """Written and read again."""
    assert parse(str(code)) == code


@given(st.text(max_size=30) | st.text("BT0123456789", min_size=24, max_size=24))
def test_any_text_is_a_code_or_a_refusal(text: str) -> None:
    """No text raises, and a code reads back as it stands."""
    found = parse(text)
    assert isinstance(found, Refusal) or str(found) == text.strip(" \0\r\n\t").upper()
