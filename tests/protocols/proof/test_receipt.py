"""Receipts: what they prove, to whom, and everything that they do not."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.proof import receipt, tree
from protocols.proof.errors import BadSignature, Malformed, NotIncluded, Unproven
from protocols.proof.receipt import Proven, Receipt

from .people import (
    CERTIFICATE,
    COSIGNED_S,
    DEVICE,
    HQ_KEY,
    LEAVES,
    LOG_KEY,
    RECORDS,
    cosigned_head,
    flip,
    head,
    signed_head,
)

SEQ, SIZE = 11, 23
FINAL = Receipt(SEQ, tree.inclusion_proof(LEAVES, SEQ, SIZE), cosigned_head(SIZE), CERTIFICATE.to_bytes())
PROVISIONAL = Receipt(SEQ, FINAL.path, signed_head(SIZE), CERTIFICATE.to_bytes())


def test_a_final_receipt_proves_its_record() -> None:
    """The record is number 11 of the log, and HQ has posted it."""
    proven = receipt.verify(FINAL, RECORDS[SEQ], LOG_KEY, HQ_KEY)
    assert proven == Proven(SEQ, head(SIZE), COSIGNED_S)
    assert proven.final


def test_a_provisional_receipt_is_the_site_s_word() -> None:
    """Without HQ's cosignature it proves as much, on the site's word alone, and never passes for final."""
    assert not receipt.verify(PROVISIONAL, RECORDS[SEQ], LOG_KEY).final
    with pytest.raises(BadSignature, match=HQ_KEY.name):
        receipt.verify(PROVISIONAL, RECORDS[SEQ], LOG_KEY, HQ_KEY)


def test_the_device_key_is_enough_to_start_from() -> None:
    """The receipt carries the log key's certificate, so a customer needs only what is printed on the box."""
    proven = receipt.verify_from_device(FINAL, RECORDS[SEQ], DEVICE.public_key(), HQ_KEY)
    assert proven == Proven(SEQ, head(SIZE), COSIGNED_S)
    other = ec.derive_private_key(7, ec.SECP256R1()).public_key()
    with pytest.raises(BadSignature, match="certificate"):
        receipt.verify_from_device(FINAL, RECORDS[SEQ], other)
    with pytest.raises(BadSignature, match="extra"):
        receipt.verify_from_device(Receipt(SEQ, FINAL.path, FINAL.checkpoint), RECORDS[SEQ], DEVICE.public_key())


def test_every_record_has_its_receipt() -> None:
    """For each size and place, through bytes and back."""
    for size in range(1, 34):
        checkpoint = signed_head(size)
        for seq in range(size):
            made = Receipt(seq, tree.inclusion_proof(LEAVES, seq, size), checkpoint)
            proven = receipt.verify(Receipt.parse(made.to_bytes()), RECORDS[seq], LOG_KEY)
            assert (proven.index, proven.checkpoint.size) == (seq, size)


@pytest.mark.parametrize("seq", [0, SEQ - 1, SEQ + 1, SIZE])
def test_a_receipt_proves_no_other_record(seq: int) -> None:
    """A neighbour's receipt is not mine."""
    with pytest.raises(NotIncluded):
        receipt.verify(FINAL, RECORDS[seq], LOG_KEY, HQ_KEY)


@settings(max_examples=400)
@given(st.integers(0, 8 * len(FINAL.to_bytes())))
def test_a_flipped_bit_anywhere_fails(bit: int) -> None:
    """Certificate, index, path, head, signatures: a change in any byte is noticed."""
    with pytest.raises(Unproven):
        receipt.verify_from_device(
            Receipt.parse(flip(FINAL.to_bytes(), bit)), RECORDS[SEQ], DEVICE.public_key(), HQ_KEY
        )


@given(st.integers(0, 8 * len(RECORDS[SEQ]) - 1))
def test_a_flipped_bit_in_the_record_fails(bit: int) -> None:
    """The record's exact bytes are what is proven."""
    with pytest.raises(NotIncluded):
        receipt.verify(FINAL, flip(RECORDS[SEQ], bit), LOG_KEY, HQ_KEY)


def test_a_receipt_s_form() -> None:
    """The lines of tlog-proof, with and without `extra`."""
    lines = FINAL.to_bytes().decode().split("\n")
    assert lines[0] == "c2sp.org/tlog-proof@v1"
    assert lines[1].startswith("extra ")
    assert lines[2] == "index 11"
    assert [len(line) for line in lines[3:8]] == [44] * 5
    assert lines[8] == ""
    assert "\n".join(lines[9:]).encode() == FINAL.checkpoint
    plain = Receipt(0, (), signed_head(1)).to_bytes()
    assert plain == b"c2sp.org/tlog-proof@v1\nindex 0\n\n" + signed_head(1)


GOOD = FINAL.to_bytes()


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(GOOD.replace(b"@v1", b"@v2"), id="another version"),
        pytest.param(GOOD.replace(b"index 11\n", b""), id="no index"),
        pytest.param(GOOD.replace(b"index 11", b"index 011"), id="a leading zero"),
        pytest.param(GOOD.replace(b"index 11", b"index 9223372036854775808"), id="an index beyond any log"),
        pytest.param(GOOD.replace(b"index 11", b"index 11\nQUJD"), id="a hash of 3 bytes"),
        pytest.param(GOOD[:120], id="cut off"),
        pytest.param(GOOD.replace(b"index 11\n", b"index 11\n" + (b"A" * 43 + b"=\n") * 60), id="too many hashes"),
        pytest.param(GOOD.replace(b"extra ", b"extra  "), id="two spaces"),
        pytest.param(b"c2sp.org/tlog-proof@v1\nextra \nindex 0\n\n" + signed_head(1), id="an empty extra"),
        pytest.param(b"c2sp.org/tlog-proof@v1\nindex 0\nextra QUJD\n\n" + signed_head(1), id="extra after index"),
        pytest.param(GOOD.replace(b"\n", b"\r\n"), id="carriage returns"),
        pytest.param(GOOD + b"\n", id="something after it"),
        pytest.param(b"c2sp.org/tlog-proof@v1\n" + b"a" * 400_000, id="too long"),
    ],
)
def test_what_is_no_receipt_is_refused(broken: bytes) -> None:
    """The form is strict, and has limits."""
    with pytest.raises(Malformed):
        Receipt.parse(broken)


def test_what_is_read_is_written_back_the_same() -> None:
    """A receipt has one spelling."""
    assert Receipt.parse(GOOD) == FINAL
    assert Receipt.parse(GOOD).to_bytes() == GOOD


def test_a_receipt_in_a_log_of_a_million_is_small() -> None:
    """Twenty hashes and two signatures: it fits in two QR codes."""
    path = (b"\0" * 32,) * 20
    assert len(Receipt(999_999, path, cosigned_head(SIZE), CERTIFICATE.to_bytes()).to_bytes()) < 2000
