"""Signed notes: the specification's example, others' notes, and everything that is refused."""

from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.proof import ed25519, note
from protocols.proof.errors import BadSignature, Malformed
from protocols.proof.note import Note, SignatureType, VerifierKey, open_note

from . import public
from .people import COSIGNED_S, HQ, HQ_KEY, HQ_NAME, LOG, STRANGER, flip

SPEC_KEY = VerifierKey.parse(public.SPEC_VKEY)
NAME = "example.com/log"
KEY = VerifierKey(NAME, SignatureType.ED25519, ed25519.public_of(LOG))
TEXT = "line one\n\nline three: 电\n".encode()
SIGNED = note.sign(TEXT, LOG, NAME)


def test_the_specification_s_example_verifies() -> None:
    """C2SP signed-note prints one key and one note."""
    text, verified = open_note(public.SPEC_NOTE, [SPEC_KEY])
    assert text == b"This is an example message.\n"
    assert [(by.key, by.time_s) for by in verified] == [(SPEC_KEY, None)]


def test_a_note_of_go_s_with_two_signatures_verifies() -> None:
    """The note in the documentation of Go's implementation, with either key and with both."""
    peter, enoch = keys = [VerifierKey.parse(vkey) for vkey in public.GO_VKEYS]
    assert [by.key for by in open_note(public.GO_NOTE, keys)[1]] == [peter, enoch]
    assert [by.key for by in open_note(public.GO_NOTE, [enoch])[1]] == [enoch]


@pytest.mark.parametrize("vkey", [public.SPEC_VKEY, *public.GO_VKEYS, public.LOG_VKEY, *public.WITNESS_VKEYS])
def test_verifier_keys_come_back_as_written(vkey: str) -> None:
    """Reading a vkey and writing it gives the same text, a plus inside the base64 included."""
    assert str(VerifierKey.parse(vkey)) == vkey


@pytest.mark.parametrize(
    "vkey",
    [
        pytest.param("", id="nothing"),
        pytest.param("example.com/foo", id="only a name"),
        pytest.param("example.com/foo+530d903a", id="no key"),
        pytest.param("+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", id="no name"),
        pytest.param("example.com/fop+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", id="another name"),
        pytest.param("example.com/foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", id="another id"),
        pytest.param("example.com/foo+530D903A+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", id="another spelling"),
        pytest.param("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2", id="base64 cut short"),
        pytest.param("example.com/foo+530d903a+BukyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", id="type 6"),
        pytest.param("example.com/foo+530d903a+电", id="not ASCII"),
        pytest.param("example.com foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", id="a space"),
        pytest.param("\ud800+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", id="half a character"),
    ],
)
def test_a_damaged_verifier_key_is_refused(vkey: str) -> None:
    """A vkey carries its own checksum and has one spelling."""
    with pytest.raises(Malformed):
        VerifierKey.parse(vkey)


@pytest.mark.parametrize(
    "public_hex",
    [
        pytest.param("01" + "00" * 31, id="the neutral point"),
        pytest.param("01" + "00" * 30 + "80", id="the same with a sign"),
        pytest.param("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", id="order 8"),
        pytest.param("ee" + "ff" * 30 + "7f", id="p + 1"),
        pytest.param("00" * 31, id="31 bytes"),
    ],
)
def test_a_key_that_anyone_can_sign_for_is_refused(public_hex: str) -> None:
    """Points of small order and second spellings are no keys."""
    with pytest.raises(Malformed):
        VerifierKey("example.com/weak", SignatureType.ED25519, bytes.fromhex(public_hex))


def test_the_text_comes_back_exactly() -> None:
    """Empty lines inside the text belong to it; the last empty line parts text and signatures."""
    assert open_note(SIGNED, [KEY])[0] == TEXT
    assert Note.parse(SIGNED).to_bytes() == SIGNED


@settings(max_examples=400)
@given(st.integers(0, 8 * len(SIGNED)))
def test_a_flipped_bit_anywhere_fails(bit: int) -> None:
    """Text, name, key id, signature, even the spare bits of base64: nothing can change."""
    with pytest.raises((Malformed, BadSignature)):
        open_note(flip(SIGNED, bit), [KEY])


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: (text + "\n\n— a Qg==\n").encode()))
def test_any_bytes_are_either_read_exactly_or_refused(data: bytes) -> None:
    """Reading never fails in another way, and what is read is written back the same."""
    try:
        parsed = Note.parse(data)
    except Malformed:
        return
    assert parsed.to_bytes() == data


def line(name: str, blob: bytes) -> bytes:
    return f"— {name} {b64encode(blob).decode()}\n".encode()


def test_a_signature_by_an_unknown_key_is_ignored() -> None:
    """An unknown name, or a known name with another id, neither helps nor hurts."""
    foreign = line("else.example", b"\0" * 68) + line(NAME, b"\0" * 68)
    text, verified = open_note(SIGNED + foreign, [KEY])
    assert (text, len(verified)) == (TEXT, 1)
    with pytest.raises(BadSignature, match="only unknown keys"):
        open_note(TEXT + b"\n" + foreign, [KEY])


def test_a_bad_signature_by_a_known_key_refuses_the_note() -> None:
    """Even beside a good one by another known key."""
    other = VerifierKey("else.example", SignatureType.ED25519, ed25519.public_of(STRANGER))
    with pytest.raises(BadSignature, match="does not hold"):
        open_note(SIGNED + line(other.name, other.id + b"\0" * 64), [KEY, other])
    with pytest.raises(BadSignature, match="64 bytes"):
        open_note(SIGNED + line(other.name, other.id + b"\0" * 63), [KEY, other])


def test_a_key_signs_once() -> None:
    """Two lines by one known key are refused, so that there is never a choice between two times."""
    with pytest.raises(BadSignature, match="two"):
        open_note(SIGNED + SIGNED.removeprefix(TEXT + b"\n"), [KEY])


def test_no_known_key_means_no_note() -> None:
    """A note is never accepted on its own word."""
    with pytest.raises(BadSignature):
        open_note(SIGNED, [])


def test_one_key_pair_under_two_kinds_has_two_ids() -> None:
    """A cosignature does not pass for a plain signature by the same key pair."""
    cosigned = note.cosign(SIGNED, HQ, HQ_NAME, COSIGNED_S)
    plain = VerifierKey(HQ_NAME, SignatureType.ED25519, HQ_KEY.public)
    assert plain.id != HQ_KEY.id
    assert [by.time_s for by in open_note(cosigned, [KEY, plain, HQ_KEY])[1]] == [None, COSIGNED_S]
    with pytest.raises(BadSignature):
        open_note(cosigned, [plain])


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(TEXT, id="no signatures"),
        pytest.param(TEXT + b"\n", id="an empty signature block"),
        pytest.param(SIGNED[:-1], id="no last newline"),
        pytest.param(SIGNED + b"\n", id="an empty line after the signatures"),
        pytest.param(SIGNED + b"junk\n", id="a line that is no signature"),
        pytest.param(SIGNED + b"- a Qg==\n", id="a hyphen for the dash"),
        pytest.param(SIGNED.replace(b"\n", b"\r\n"), id="carriage returns"),
        pytest.param(b"tab\there\n" + SIGNED, id="a control character"),
        pytest.param(b"\xff\n" + SIGNED, id="not UTF-8"),
        pytest.param(SIGNED + line("a+b", b"\0" * 68), id="a plus in a name"),
        pytest.param(SIGNED + line("a\u3000b", b"\0" * 68), id="an ideographic space in a name"),
        pytest.param(SIGNED + line("a", b"\0" * 4), id="a key id alone"),
        pytest.param(SIGNED + "— a b c\n".encode(), id="three words"),
        pytest.param(SIGNED + line("a" * 256, b"\0" * 68), id="a name too long"),
        pytest.param(SIGNED + line("a", b"\0" * 68) * 64, id="too many signatures"),
        pytest.param(b"a" * 300_000 + b"\n" + SIGNED, id="too long"),
    ],
)
def test_what_is_no_note_is_refused(broken: bytes) -> None:
    """The form is strict, and has limits."""
    with pytest.raises(Malformed):
        Note.parse(broken)


def test_sixteen_large_signatures_fit() -> None:
    """signed-note demands room for 16 signatures, of nearly 5 kB each in the worst case."""
    many = SIGNED + b"".join(line(f"pq{number}.example", b"\0" * 5000) for number in range(15))
    assert open_note(many, [KEY])[0] == TEXT


@pytest.mark.parametrize("text", [b"", b"no newline", b"bell\x07\n"])
def test_a_text_that_cannot_be_a_note_s_is_not_signed(text: bytes) -> None:
    """The signer holds to the form too."""
    with pytest.raises(Malformed):
        note.sign(text, LOG, NAME)


@pytest.mark.parametrize("time_s", [-1, 2**63])
def test_a_cosignature_s_time_has_its_range(time_s: int) -> None:
    """tlog-cosignature: a timestamp must not exceed 2^63 - 1."""
    with pytest.raises(Malformed):
        note.cosign(SIGNED, HQ, HQ_NAME, time_s)


def test_a_cosignature_that_claims_a_time_beyond_the_range_is_refused() -> None:
    """The same on the reading side."""
    blob = HQ_KEY.id + (2**63).to_bytes(8, "big") + b"\0" * 64
    with pytest.raises(BadSignature, match="time"):
        open_note(SIGNED + line(HQ_NAME, blob), [KEY, HQ_KEY])


def test_nobody_cosigns_twice() -> None:
    """A repeat is answered with the bytes made the first time, not with a second line."""
    with pytest.raises(Malformed):
        note.cosign(note.cosign(SIGNED, HQ, HQ_NAME, COSIGNED_S), HQ, HQ_NAME, COSIGNED_S + 1)
