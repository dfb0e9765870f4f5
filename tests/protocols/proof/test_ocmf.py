"""Meter records as bytes: public vectors, our own writing, and agreement with an independent verifier."""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.proof import keys, ocmf
from protocols.proof.errors import BadSignature, Malformed, Unproven
from protocols.proof.ocmf_lint import lint
from tests.protocols.proof.meter_records import (
    BEGIN,
    END,
    KEY,
    PAYLOAD,
    SIGNER,
    V0,
    V0_KEY,
    V1,
    V1_KEY,
    V1_NEGATIVE,
    V3,
    V3_KEY,
    eichrecht,
    theirs,
)

PUBLIC = KEY.public_key()


@pytest.mark.parametrize(("text", "key"), [(V0, V0_KEY), (V1, V1_KEY), (V3, V3_KEY)], ids=["V0", "V1", "V3"])
def test_public_vectors_verify(text: str, key: str) -> None:
    """One that the transparency software has verified, and two of a real charger: both verifiers say that they hold."""
    record = ocmf.verify(text, keys.device_public_from_spki(bytes.fromhex(key)))
    assert [reading["TX"] for reading in record.readings] == ["B", "E"]
    assert record.text == text
    assert theirs(text, key)


def test_the_public_negative_does_not() -> None:
    """A day is changed in the first reading."""
    with pytest.raises(BadSignature, match="meter record T32: expected a signature by device"):
        ocmf.verify(V1_NEGATIVE, keys.device_public_from_spki(bytes.fromhex(V1_KEY)))
    assert not theirs(V1_NEGATIVE, V1_KEY)


def test_the_same_payload_is_the_same_record() -> None:
    """Signing needs no chance (RFC 6979), so that a simulation can be repeated byte for byte."""
    assert keys.spki(PUBLIC).hex().upper() == V0_KEY
    payload = ocmf.parse(V0).payload
    text = ocmf.sign(payload, SIGNER)
    assert text == ocmf.sign(payload, SIGNER)
    assert text.rpartition("|")[0] == V0.rpartition("|")[0]
    assert ocmf.verify(text, PUBLIC).payload == payload


def test_a_record_as_written() -> None:
    """Every field in each reading, numbers with three decimals, local time with its offset and the clock's quality."""
    text = ocmf.sign(ocmf.build(PAYLOAD), SIGNER)
    assert text.startswith(
        'OCMF|{"FV":"1.3","GI":"Fieldtill","GS":"hz-1/1","GV":"0.1.0","PG":"T1","MV":"Eastron","MM":"SDM630","MS":"m1",'
        '"IS":true,"IL":"HEARSAY","IF":["RFID_PLAIN","OCPP_NONE","ISO15118_NONE","PLMN_NONE"],"IT":"LOCAL",'
        '"ID":"hz-1/1/14","TT":"standard, version 3","CT":"CBIDC","CI":"hz-1 c1","RD":[{"TM":'
        '"2026-01-01T10:00:00,000+0800 S","TX":"B","RV":100.000,"RI":"01-00:01.08.00*FF","RU":"kWh","RT":"AC","EF":"",'
        '"ST":"G"},{"TM":"2026-01-01T10:10:00,000+0800 S","TX":"L","RV":101.500,"RI":"01-00:01.08.00*FF","RU":"kWh",'
        '"RT":"AC","EF":"","ST":"G"}],"U_AMOUNT_FEN":150,"V_LOG":"fieldtill/hz-1/1"}|{"SA":"ECDSA-secp256r1-SHA256",'
    )
    record = ocmf.verify(text, PUBLIC)
    assert (record.page, record.meter) == (1, "m1")
    assert str(record.readings[0]["RV"]) == "100.000"
    assert theirs(text, V0_KEY)
    assert eichrecht(text) == []


@pytest.mark.parametrize("name", ["深圳福田快充 3 号", "a|b", 'quote " and \\', "tab\tand\x7f", "\U0001f697 car", "é"])
def test_transparenzsoftware_1_4_1_reads_bytes_by_its_locale(name: str) -> None:
    """Raw UTF-8 verifies under one JVM and not under another, and a pipe ends the section: neither is ever written."""
    payload = ocmf.build(replace(PAYLOAD, tariff_text=name, point=name))
    assert payload.isascii()
    assert payload.isprintable()
    assert "|" not in payload
    text = ocmf.sign(payload, SIGNER)
    assert ocmf.verify(text, PUBLIC).fields["TT"] == name
    assert theirs(text, V0_KEY)


@pytest.mark.parametrize(
    ("at_ms", "offset_s", "text"),
    [
        (0, 0, "1970-01-01T00:00:00,000+0000 U"),
        (1_767_232_800_001, -12_600, "2025-12-31T22:30:00,001-0330 U"),
        (1_767_232_800_999, 20_700, "2026-01-01T07:45:00,999+0545 U"),
        (1_767_232_800_000, 86_400, "2026-01-01T02:00:00,000+0000 U"),  # no offset that can be written
        (1_767_232_800_000, 29_143, "2026-01-01T10:05:00,000+0805 U"),  # Shanghai's before 1901, to the minute
        (-1, 0, "1970-01-01T00:00:00,000+0000 U"),
        (10**18, 3600, "9999-12-31T23:59:59,999+0000 U"),
    ],
)
def test_times(at_ms: int, offset_s: int, text: str) -> None:
    """Milliseconds after a comma, the offset without a colon; what the format cannot say never stops a settlement."""
    assert ocmf.timestamp(at_ms, offset_s, "U") == text


def test_leading_fields_are_inherited_from_the_reading_before() -> None:
    """Others leave out what has not changed; what is read is complete."""
    one, two = '{"TM":"x","TX":"B","RV":1.0,"RI":"r","RU":"kWh","ST":"G"}', '{"TM":"y","TX":"E","RV":2.50}'
    record = ocmf.parse(f'OCMF|{{"PG":"F7","RD":[{one},{two}]}}|{{"SD":"30"}}')
    assert record.readings[1] == {"TM": "y", "TX": "E", "RV": Decimal("2.50"), "RI": "r", "RU": "kWh", "ST": "G"}
    assert record.page == 7


def test_base64_signatures_are_read() -> None:
    """SE says how SD is written."""
    record = ocmf.parse(V0)
    text = f'OCMF|{record.payload}|{{"SE":"base64","SD":"{b64encode(record.signature).decode()}"}}'
    assert ocmf.verify(text, PUBLIC).signature == record.signature
    assert theirs(text, V0_KEY)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "OCMF",
        "OCMF|{}",
        "ocmf|{}|{}",
        V0 + "|key",
        V0.replace('"FV":"1.3",', '"FV":"1.3","PG":"T1",'),  # two readers, two meanings
        V0.replace('"PG":"T1",', ""),
        V0.replace('"T1"', '"T01"'),
        V0.replace('"T1"', '"X1"'),
        V0.replace("100.000", "1e2"),
        V0.replace("100.000", "NaN"),
        V0.replace("100.000", "0100.000"),
        V0.replace("100.000", "1" * 5_000),
        V0.replace("ECDSA-secp256r1-SHA256", "ECDSA-secp256k1-SHA256"),
        V0.replace('"SD":"3045', '"SD":"304'),
        V0.replace('"SD":"', '"SD":7,"SX":"'),
        V0.replace("{", "[", 1),
        V0.replace('"RD":[', '"RD":[7,'),
        "OCMF|" + "[" * 9_000 + "|{}",
        "OCMF|" + '{"a":' * 3_000 + "1" + "}" * 3_000 + "|{}",
        "OCMF|{" + " " * ocmf.TEXT_MAX + "}|{}",
        'OCMF|{"PG":"T1","RD":[]}|{"SD":""}',
    ],
)
def test_what_is_no_record_is_refused(text: str) -> None:
    """Malformed, whatever it is; never another exception."""
    with pytest.raises(Malformed):
        ocmf.verify(text, PUBLIC)


@settings(max_examples=150, deadline=None)
@given(at=st.integers(0, len(V0) - 1), flip=st.integers(1, 127))
def test_both_verifiers_agree_on_tampered_bytes(at: int, flip: int) -> None:
    """One changed byte: neither takes it, unless it is but another spelling of the same signature."""
    tampered = V0[:at] + chr(ord(V0[at]) ^ flip) + V0[at + 1 :]
    try:
        same = ocmf.verify(tampered, PUBLIC)
    except Unproven:
        assert not theirs(tampered, V0_KEY) or at > V0.rindex("|")
    else:
        assert at > V0.rindex("|")
        assert (same.payload, same.signature) == (ocmf.parse(V0).payload, ocmf.parse(V0).signature)
        assert theirs(tampered, V0_KEY)


@settings(max_examples=60, deadline=None)
@given(
    payload=st.builds(
        replace,
        st.just(PAYLOAD),
        page=st.integers(1, 10**9),
        gateway_serial=st.text(min_size=1, max_size=70),
        meter_serial=st.text(min_size=1, max_size=40),
        meter_maker=st.none() | st.text(max_size=20),
        level=st.sampled_from(["HEARSAY", "TRUSTED", "VERIFIED", "CERTIFIED", "SECURE"]),
        id=st.text(min_size=1, max_size=90),
        tariff_text=st.text(max_size=100),
        point=st.text(min_size=1, max_size=60),
        readings=st.builds(
            lambda begin_ms, lasts_ms, begin_wh, gained_wh, offset_s, clock, reason: (
                replace(BEGIN, at_ms=begin_ms, energy_wh=begin_wh, offset_s=offset_s, clock=clock),
                replace(
                    END,
                    at_ms=begin_ms + lasts_ms,
                    energy_wh=begin_wh + gained_wh,
                    offset_s=offset_s,
                    clock=clock,
                    reason=reason,
                ),
            ),
            st.integers(0, 4 * 10**12),
            st.integers(0, 10**9),
            st.integers(0, 10**12),
            st.integers(0, 10**6),
            st.integers(-50_000, 50_000),
            st.sampled_from("UISR"),
            st.sampled_from("ELRAP"),
        ),
        vendor=st.dictionaries(
            st.text("ABCDEF_", min_size=1, max_size=8).map("U_".__add__), st.integers(0, 2**53) | st.text(max_size=20)
        ),
    )
)
def test_whatever_is_built_clean_is_taken_by_both(payload: ocmf.Payload) -> None:
    """Any names, any registers, any instants: linted clean, signed, and verified by the other implementation."""
    section = ocmf.build(payload)
    assert lint(section) == []
    text = ocmf.sign(section, SIGNER)
    record = ocmf.verify(text, PUBLIC)
    assert record.fields["ID"] == payload.id
    assert theirs(text, V0_KEY)
    assert eichrecht(text) == []
    assert json.loads(section)["MS"] == payload.meter_serial
