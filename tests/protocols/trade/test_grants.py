"""Grants as they travel, and card numbers as they are hidden."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.trade.codec import NotCanonical, encode
from protocols.trade.grants import SIGNATURE_BYTES, CredentialKey, Grant, hide_credential, join, split

KEY = CredentialKey(version=3, key=bytes(range(32)))
GRANT = Grant(
    account="alice",
    asset="CNY",
    site="S1",
    epoch=2,
    serial=9,
    granted=20_000,
    issued_s=1_777_590_000,
    expires_s=1_778_190_000,
    session_limit=10_000,
    may_stay=5_000,
    credential_key=3,
    credentials=[bytes.fromhex("1122334455667788")],
)
SIGNATURE = bytes(range(64))


def test_a_grant_comes_apart_as_it_was_joined() -> None:
    """The grant, the exact bytes that were signed, the signature."""
    assert split(join(GRANT, SIGNATURE)) == (GRANT, encode(GRANT), SIGNATURE)


def test_its_bytes_never_change() -> None:
    """Signed grants lie in logs and on phones."""
    assert join(GRANT, SIGNATURE).hex() == (
        "9ca5616c696365a3434e59a253310209cd4e20ce69f3def0ce69fd06b0cd2710cd138803"
        "91c4081122334455667788" + SIGNATURE.hex()
    )


@pytest.mark.parametrize("length", [0, 63, 65])
def test_a_signature_has_its_length(length: int) -> None:
    """Anything else would make the payload's end ambiguous."""
    with pytest.raises(ValueError, match="64 bytes"):
        join(GRANT, bytes(length))


@given(st.integers(0, len(encode(GRANT)) + SIGNATURE_BYTES - 1))
def test_a_grant_cut_short_is_refused(kept: int) -> None:
    """No shorter piece of a signed grant splits into another grant."""
    with pytest.raises(NotCanonical):
        split(join(GRANT, SIGNATURE)[:kept])


@given(st.binary(max_size=200))
def test_noise_is_no_grant(noise: bytes) -> None:
    """A scanned QR of something else raises NotCanonical alone."""
    with pytest.raises(NotCanonical):
        split(noise)


def test_a_card_is_hidden() -> None:
    """The first 8 bytes of HMAC-SHA256 under the fleet's key; readers write the same number in several ways."""
    expected = hmac.new(KEY.key, b"04A1B2C3", hashlib.sha256).digest()[:8]
    assert hide_credential(KEY, "04A1B2C3") == expected == bytes.fromhex("52cb5f6a7785bdd5")
    assert hide_credential(KEY, " 04a1b2c3\n") == expected
    assert hide_credential(CredentialKey(3, bytes(32)), "04A1B2C3") != expected
