"""receipt.json at the door: its form, every fault in it at once, and that not one byte of it can be changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.door import Refused
from protocols.proof import reader_keys, receipt_file
from protocols.proof.errors import Malformed
from protocols.proof.note import VerifierKey
from protocols.proof.reader_keys import SiteKey
from protocols.proof.receipt import Receipt
from protocols.proof.receipt_file import ReceiptFile, parse
from protocols.proof.statement import state

from .filled import FILLED
from .people import HQ_KEY, LOG_KEY, flip
from .sold import BOX, GOOD, PROVISIONAL, SPKI, spoilt

TEXT = GOOD.to_bytes()
FINGERPRINT = "2a22-a91f-d74a-c9b9-f4b2-c1fb-92f1-1096"


def test_what_is_written_is_what_is_read() -> None:
    """To the byte."""
    assert parse(TEXT, source="receipt.json") == GOOD
    assert parse(TEXT, source="receipt.json").to_bytes() == TEXT


def test_it_shows_no_card() -> None:
    """What a person reads in it names neither account nor credential; the records have opaque ids alone."""
    shown = json.dumps(json.loads(TEXT)["view"])
    assert "acc-77" not in shown
    assert bytes(range(32)).hex() not in TEXT.decode()


def _flipped(file: ReceiptFile) -> Iterator[tuple[str, ReceiptFile]]:
    """Each byte of what proves something changed by one bit, where it still has the form of a receipt."""
    for place, one in enumerate(file.records):
        for at in range(len(one.data)):
            yield f"record {place}, byte {at}", spoilt(file, place, data=flip(one.data, 8 * at + at % 8))
        text = one.proof.to_bytes()
        for at in range(len(text)):
            try:
                proof = Receipt.parse(flip(text, 8 * at + at % 8))
            except Malformed:
                continue
            records = list(file.records)
            records[place] = replace(one, proof=proof)
            yield f"proof {place}, byte {at}", replace(file, records=tuple(records))
    for at in range(len(file.device_key)):
        yield f"device key, byte {at}", replace(file, device_key=flip(file.device_key, 8 * at + at % 8))


@pytest.mark.parametrize("good", [pytest.param(GOOD, id="charge"), pytest.param(FILLED, id="filling")])
def test_a_flipped_bit_in_any_byte_is_noticed(good: ReceiptFile) -> None:
    """Record, proof, note and key: every byte is changed once, through the file and back."""
    assert state(good, [BOX], [HQ_KEY]).proven
    tried = 0
    for what, file in _flipped(good):
        tried += 1
        try:
            again = parse(file.to_bytes(), source="receipt.json")
        except Refused:
            continue
        assert not state(again, [BOX], [HQ_KEY]).proven, what
    assert tried > 2_000


@given(st.integers(0, len(TEXT) - 1), st.integers(0, 7))
def test_a_flipped_bit_in_the_file_is_noticed(at: int, bit: int) -> None:
    """Unless it is white space between its parts, or the spelling of a character."""
    spoilt_text = flip(TEXT, 8 * at + bit)
    try:
        file = parse(spoilt_text, source="receipt.json")
    except Refused:
        return
    assert file == GOOD or not state(file, [BOX], [HQ_KEY]).proven


def changed(**parts: Any) -> bytes:
    """The file with some of its parts replaced, None for left out."""
    table = {**json.loads(TEXT), **parts}
    return json.dumps({name: part for name, part in table.items() if part is not None}).encode()


RECORDS: list[dict[str, Any]] = json.loads(TEXT)["records"]
OPENING_PART, CLOSING_PART = RECORDS

FORM = [
    pytest.param(b"", "JSON", id="nothing"),
    pytest.param(TEXT[:-9], "JSON", id="cut off"),
    pytest.param(b"[]", "a table", id="a list"),
    pytest.param(changed(format="fieldtill.receipt/2"), "format", id="another format"),
    pytest.param(changed(format=None), "format", id="no format"),
    pytest.param(changed(view=None), "view", id="no view"),
    pytest.param(changed(view=[]), "view", id="a view that is a list"),
    pytest.param(changed(more=1), "unknown key", id="something more"),
    pytest.param(changed(device_key="????"), "device_key", id="a key that is not base64"),
    pytest.param(changed(device_key="QQ"), "device_key", id="base64 without its padding"),
    pytest.param(changed(device_key="QR=="), "device_key", id="base64 in another spelling"),
    pytest.param(changed(device_key="QUJD" * 400), "device_key", id="a long key"),
    pytest.param(changed(records=[]), "records", id="no records"),
    pytest.param(changed(records=[OPENING_PART]), "records", id="one record"),
    pytest.param(changed(records=[OPENING_PART] * 65), "records", id="too many records"),
    pytest.param(changed(records=[OPENING_PART, {"record": "QUJD"}]), r"records\[1\].proof", id="no proof"),
    pytest.param(changed(records=[OPENING_PART, {**CLOSING_PART, "proof": "?"}]), r"1\].proof", id="no tlog-proof"),
    pytest.param(changed(records=[OPENING_PART, {**CLOSING_PART, "proof": "\ud800"}]), "JSON", id="half a character"),
    pytest.param(
        changed(records=[OPENING_PART, {**CLOSING_PART, "proof": CLOSING_PART["proof"].replace("\u2014", "-")}]),
        r"records\[1\].proof",
        id="another dash",
    ),
    pytest.param(
        changed(records=[OPENING_PART, {**CLOSING_PART, "proof": CLOSING_PART["proof"].replace("extra", "other")}]),
        r"records\[1\].proof",
        id="no certificate",
    ),
    pytest.param(
        changed(records=[OPENING_PART, {**CLOSING_PART, "proof": PROVISIONAL.records[1].proof.to_bytes().decode()}]),
        "the same signed head",
        id="two heads",
    ),
    pytest.param(changed(documents=[{"kind": "tariff", "payload": "?"}]), r"documents\[0\]", id="a bad document"),
    pytest.param(changed(documents=[{"kind": "tariff", "payload": ""}] * 9), "documents", id="too many documents"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "told"), FORM)
def test_what_is_no_receipt_is_refused(text: bytes, told: str) -> None:
    """With the path of what is wrong."""
    with pytest.raises(Refused, match=told):
        parse(text, source="receipt.json")


def test_all_faults_are_told_at_once() -> None:
    """Not the first alone."""
    with pytest.raises(Refused) as refused:
        parse(changed(device_key="?", documents=[{"kind": "tariff", "payload": "?"}], records=[]), source="r.json")
    assert [fault.path for fault in refused.value.faults] == ["records", "device_key", "documents[0].payload"]


def test_there_is_a_limit() -> None:
    """A file from anybody is not read without end."""
    with pytest.raises(Refused, match="at most"):
        parse(b" " * (receipt_file.FILE_BYTES_MAX + 1), source="receipt.json")


# --- keys ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "key"),
    [
        pytest.param(FINGERPRINT, BOX, id="as printed on the box"),
        pytest.param(FINGERPRINT.upper().replace("-", ""), BOX, id="without its dashes"),
        pytest.param(SPKI.hex(), BOX, id="the device key in hex"),
        pytest.param(SPKI.hex().upper(), BOX, id="as in the transparency software's file"),
        pytest.param(json.loads(TEXT)["device_key"], BOX, id="the device key in base64"),
        pytest.param(f"# box 7\n\n  {FINGERPRINT}  # by the door\n", BOX, id="in a file with comments"),
        pytest.param(str(LOG_KEY), SiteKey(log=LOG_KEY), id="a log's vkey"),
    ],
)
def test_a_site_s_key_in_every_form(text: str, key: SiteKey) -> None:
    """Whatever is at hand at a site."""
    assert reader_keys.site_keys(text) == (key,)


@pytest.mark.parametrize(
    "text", ["hello", "2a22-a91f", "QUJD", str(HQ_KEY), SPKI[:-1].hex(), f"{LOG_KEY}x", "\u00b2" * 32]
)
def test_what_is_no_site_s_key_is_refused(text: str) -> None:
    """Rather than a receipt refused for a reason that is not its own."""
    with pytest.raises(Malformed):
        reader_keys.site_keys(text)


def test_headquarters_key_is_found_among_its_keys() -> None:
    """`fieldtill-hq keys` prints three; the one that cosigns is meant."""
    grant = VerifierKey("hq.example/grant", LOG_KEY.type, LOG_KEY.public)
    assert reader_keys.hq_keys(f"{grant}\n{HQ_KEY}\n") == (HQ_KEY,)
    with pytest.raises(Malformed, match="cosignature"):
        reader_keys.hq_keys(str(grant))
