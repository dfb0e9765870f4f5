"""The rules of meter records, one by one; and what no other verifier looks at, from one record to the next."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyocmf import OcmfContainer

from protocols.proof import ocmf
from protocols.proof.errors import Malformed
from protocols.proof.ocmf import MeterRecord, Payload, Reading
from protocols.proof.ocmf_lint import Weight, continuity, lint
from protocols.proof.ocmf_xml import Value, values
from tests.protocols.proof.meter_records import BEGIN, END, KEY, PAYLOAD, SIGNER, V0, V1, V3, eichrecht

GOOD = ocmf.build(PAYLOAD)
PAGE = Path(__file__).parents[3] / "docs" / "ocmf.md"


def with_end(**changes: object) -> str:
    return ocmf.build(replace(PAYLOAD, readings=(BEGIN, replace(END, **changes))))


BROKEN = {
    "ascii": GOOD.replace("standard", "标准"),
    "ascii ": GOOD + "|",
    "ascii  ": GOOD.replace(",", ",\n"),
    "form": GOOD[:-1],
    "form ": GOOD.replace('"PG":"T1",', ""),
    "version": GOOD.replace('"1.3"', '"1.4"'),  # transparenzsoftware 1.4.1 refuses it (its issue 50)
    "page": GOOD.replace('"T1"', '"F1"'),
    "page ": GOOD.replace('"T1"', '"T0"'),
    "missing": GOOD.replace('"MS":"m1",', ""),
    "missing ": GOOD.replace('"hz-1/1/14"', '""'),
    "unknown-key": GOOD.replace('"GI"', '"QQ":1,"GI"'),
    "customer": GOOD.replace('"IS":true', '"IS":false'),
    "customer ": GOOD.replace("HEARSAY", "INVALID"),  # transparenzsoftware issue 40
    "customer  ": GOOD.replace("HEARSAY", "NONE"),
    "flags": ocmf.build(replace(PAYLOAD, flags=("A", "B", "C", "D", "E"))),
    "tariff-text": ocmf.build(replace(PAYLOAD, tariff_text="x" * 251)),
    "begin-and-end": ocmf.build(replace(PAYLOAD, readings=(BEGIN,))),
    "begin-and-end ": ocmf.build(replace(PAYLOAD, readings=(BEGIN, replace(END, reason="T"), END))),
    "begin-and-end  ": with_end(reason="C"),
    "fields": GOOD.replace('"RT":"AC","EF":"","ST":"G"}]', '"EF":"","ST":"G"}]'),  # nothing is inherited in ours
    "fields ": GOOD.replace('"ST":"G"}]', '"ST":"G","CL":0.000}]'),
    "time": GOOD.replace("2026-01-01T10:10:00,000+0800", "2026-02-30T10:10:00,000+0800"),
    "time ": GOOD.replace("2026-01-01T10:10:00,000+0800", "2026-01-01T10:10:00.000+08:00"),
    "value": GOOD.replace("101.500", "101.5"),  # the digits are part of what was measured
    "value ": GOOD.replace("101.500", '"101.500"'),
    "word": GOOD.replace("01-00:01.08.00*FF", "07-00:03.00.00*FF"),  # gas: no law-relevant reading
    "word ": GOOD.replace('"kWh"', '"L"'),
    "word  ": GOOD.replace('"EF":""', '"EF":"x"'),
    "word   ": GOOD.replace('"ST":"G"', '"ST":"Q"'),
    "value-back": with_end(energy_wh=99_999),
    "time-back": with_end(at_ms=BEGIN.at_ms - 1),
    "clock": with_end(clock="R"),  # begin R and end not R fails everywhere
    "current": with_end(current="DC"),
}


@pytest.mark.parametrize("rule", BROKEN)
def test_what_breaks_a_rule_is_never_signed(rule: str) -> None:
    """One payload for each rule, and that rule alone is named."""
    findings = lint(BROKEN[rule])
    assert {finding.rule for finding in findings} == {rule.strip()}, findings
    assert all(finding.weight is Weight.BROKEN for finding in findings)


def test_a_good_one_breaks_none() -> None:
    """Nor does a record whose time is unknown: that is no error for energy."""
    assert lint(GOOD) == []
    assert lint(with_end(errors="t")) == []


@pytest.mark.parametrize("changes", [{"status": "S"}, {"status": "T"}, {"errors": "E"}, {"errors": "Et"}])
def test_an_honest_doubt_may_be_signed_but_is_disputed(changes: dict[str, str]) -> None:
    """Exactly these are what pyocmf, too, finds under the calibration law."""
    payload = with_end(**changes)
    (finding,) = lint(payload)
    assert finding.weight is Weight.DISPUTED
    assert len(eichrecht(ocmf.sign(payload, SIGNER))) == 1


def test_records_of_others_are_not_ours() -> None:
    """They verify, and do not pass for what our boxes write."""
    assert lint(ocmf.parse(V1).payload) != []
    assert lint(ocmf.parse(V3).payload) != []
    assert [finding.where for finding in lint(ocmf.parse(V0).payload)] == ["CT", "CI"]


# --- from one record to the next -------------------------------------------------------------------------------------


def row(*changes: Callable[[Payload], Payload]) -> list[MeterRecord]:
    """Four sessions of 1.5 kWh, one after the other on one meter; changes: to the records in turn."""
    payloads = []
    for at in range(4):
        begin: Reading = replace(BEGIN, energy_wh=100_000 + 1_500 * at, at_ms=BEGIN.at_ms + 3_600_000 * at)
        end = replace(END, energy_wh=begin.energy_wh + 1_500, at_ms=begin.at_ms + 600_000)
        payload = replace(PAYLOAD, page=at + 1, id=f"hz-1/1/{at}", readings=(begin, end))
        payloads.append(changes[at](payload) if at < len(changes) else payload)
    return [ocmf.parse(ocmf.sign(ocmf.build(payload), SIGNER)) for payload in payloads]


def same(payload: Payload) -> Payload:
    return payload


def test_a_whole_row_is_continuous() -> None:
    """From the first page, from a later one, and from one that is not known."""
    assert continuity(row(), first_page=1) == []
    assert continuity(row()[2:], first_page=3) == []
    assert continuity(row()[2:]) == []
    assert continuity([]) == []


def rules(records: list[MeterRecord], first_page: int | None = 1) -> list[tuple[str, str, str]]:
    return [
        (finding.weight.value, finding.rule, finding.where) for finding in continuity(records, first_page=first_page)
    ]


def test_transparenzsoftware_misses_a_record_left_out() -> None:
    """It verifies T1 with T9; here a gap, a double and an exchange of places are each found."""
    one, two, three, four = row()
    assert rules([one, three, four]) == [("broken", "page", "T3")]
    assert ("broken", "page", "T2") in rules([one, two, two, three, four])
    assert ("broken", "page", "T3") in rules([one, three, two, four])
    assert rules([two, three, four]) == [("broken", "page", "T2")]


def test_transparenzsoftware_misses_another_meter() -> None:
    """A meter that changes at a charging point is for a person to explain."""
    records = row(same, same, *[lambda payload: replace(payload, meter_serial="m9")] * 2)
    assert rules(records) == [("disputed", "meter", "T3")]


def test_a_register_that_went_back_between_two_sessions() -> None:
    """The end of one is not above the begin of the next; a meter reset while nobody charged is what that may be."""
    again = replace(BEGIN, energy_wh=5), replace(END, energy_wh=1_505)
    later = replace(BEGIN, energy_wh=1_505), replace(END, energy_wh=1_600)
    records = row(same, same, lambda one: replace(one, readings=again), lambda one: replace(one, readings=later))
    assert rules(records) == [("disputed", "register", "T3")]


def test_another_gateway_in_the_row() -> None:
    """Pages are counted per log; a record of another one has no place here."""
    other = replace(PAYLOAD, gateway_serial="hz-2/1")
    assert ("broken", "gateway", "T2") in rules(
        row(same, lambda one: replace(one, gateway_serial=other.gateway_serial))
    )


def test_each_record_is_linted_too() -> None:
    """A record that no sound box writes is named with its page, and what follows is still checked."""
    records = row(same, lambda one: replace(one, readings=(BEGIN, replace(END, clock="R"))))
    assert rules(records) == [("broken", "clock", "T2 TM")]


# --- the file for the transparency software --------------------------------------------------------------------------


def test_the_file_is_read_by_others(tmp_path: Path) -> None:
    """Each session stands alone in it, with its key; names of any script are in it unharmed."""
    named = ocmf.sign(ocmf.build(replace(PAYLOAD, point='<深圳> & "1"')), SIGNER)
    records = [named, *(record.text for record in row())]
    text = values(Value(at, record, KEY.public_key()) for at, record in enumerate(records))
    assert text.isascii()
    path = tmp_path / "values.xml"
    path.write_text(text)
    container = OcmfContainer.from_xml(path, strict=True)
    assert [entry.transaction_id for entry in container] == [0, 1, 2, 3, 4]
    assert all(entry.verify_signature() for entry in container)
    assert all(result.is_compliant for result in container.check_eichrecht())
    assert container[0].ocmf.payload.CI == '<深圳> & "1"'


def test_two_values_of_one_number_would_be_taken_for_one_session() -> None:
    """So there are none."""
    twice = [Value(7, V0, KEY.public_key())] * 2
    with pytest.raises(ValueError, match="got 7 twice"):
        values(twice)


def test_the_page_shows_what_the_code_writes() -> None:
    """docs/ocmf.md has the example byte for byte, and every key of our own."""
    page = PAGE.read_text(encoding="utf-8")
    assert f"```\n{ocmf.sign(GOOD, SIGNER)}\n```" in page
    for key in ("U_AMOUNT_FEN", "U_OVERRUN_FEN", "V_LOG", "V_SESSION", "V_METER", "V_FINDING", "W_TARIFF_SHA256"):
        assert f"`{key}`" in page


def test_a_hostile_payload_is_a_finding() -> None:
    """Never an exception, however deep or odd."""
    for text in ("[" * 5_000, "7", '{"PG":"T1","RD":[{}]}', '{"PG":"T1","RD":[{"TX":"B"},{"TX":[]}]}'):
        assert lint(text) != []


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.just("B") | st.just("E"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("TXRVIUMESF", max_size=2), inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(
    key=st.sampled_from(sorted(json.loads(GOOD))),
    at=st.integers(0, 1),
    field=st.sampled_from(["TM", "TX", "RV", "RI", "EF"]),
    value=ANYTHING,
)
def test_any_value_in_any_place_is_told(key: str, at: int, field: str, value: object) -> None:
    """Fields of any kind, in the payload and in its readings: findings, and never an exception."""
    payload = json.loads(GOOD)
    lint(json.dumps({**payload, key: value}))
    payload["RD"][at][field] = value
    assert lint(json.dumps(payload)) != []  # a float is no number with three decimals, so none of these is ours
    try:
        continuity([ocmf.parse(f'OCMF|{json.dumps({**payload, key: value})}|{{"SD":""}}')])
    except Malformed:
        pass
