"""The keys of a box and of headquarters, and what each may sign."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from protocols.proof import checkpoint, ed25519, keys, note
from protocols.proof.errors import BadSignature, Malformed, Unproven
from protocols.proof.keys import LogKeyCertificate

from .people import CERTIFICATE, DEVICE, EPOCH, HQ, LOG, LOG_KEY, SITE, STRANGER, flip, head

DOMAIN = "fieldtill/grant/v1"
HQ_PUBLIC = ed25519.public_of(HQ)


def test_an_origin_names_site_and_epoch() -> None:
    """It is the log's name in every checkpoint."""
    assert keys.origin("shanghai-7", 3) == "fieldtill/shanghai-7/3"
    assert keys.parse_origin("fieldtill/shanghai-7/3") == ("shanghai-7", 3)


@pytest.mark.parametrize("site", ["", "a/b", "a b", "a+b", "-a", "上海", "a\n", "a" * 65])
def test_a_site_s_name_cannot_break_its_origin(site: str) -> None:
    """No separators, nothing that a note's key name may not hold."""
    with pytest.raises(Malformed):
        keys.origin(site, 1)


@pytest.mark.parametrize("epoch", [-1, 2**63])
def test_an_epoch_has_its_range(epoch: int) -> None:
    """0 to 2^63 - 1."""
    with pytest.raises(Malformed):
        keys.origin("a", epoch)


@pytest.mark.parametrize(
    "name", ["", "fieldtill/a", "fieldtill/a/01", "fieldtill/a/-1", "fieldtill/a/1/2", "other/a/1", "fieldtill/a/1\n"]
)
def test_what_is_no_origin_is_refused(name: str) -> None:
    """One spelling."""
    with pytest.raises(Malformed):
        keys.parse_origin(name)


def test_the_device_certifies_the_log_key() -> None:
    """Whoever knows the device key can check the log's heads."""
    verifier = LogKeyCertificate.from_bytes(CERTIFICATE.to_bytes()).verify(DEVICE.public_key())
    assert verifier == LOG_KEY
    assert checkpoint.verify_checkpoint(checkpoint.sign_checkpoint(head(3), LOG), verifier) == head(3)


def test_a_certificate_is_three_lines() -> None:
    """A person can read what was certified."""
    domain, vkey, _signature, rest = CERTIFICATE.to_bytes().split(b"\n")
    assert (domain, vkey, rest) == (b"fieldtill/log-key/v1", str(LOG_KEY).encode(), b"")
    assert keys.certificate_message(SITE, EPOCH, LOG_KEY.public) == domain + b"\n" + vkey + b"\n"
    assert keys.certify_log_key(DEVICE, SITE, EPOCH, LOG_KEY.public) == CERTIFICATE


@pytest.mark.parametrize(
    "claimed",
    [
        pytest.param(LogKeyCertificate("other", EPOCH, LOG_KEY.public, CERTIFICATE.signature), id="another site"),
        pytest.param(LogKeyCertificate(SITE, EPOCH + 1, LOG_KEY.public, CERTIFICATE.signature), id="the next epoch"),
        pytest.param(LogKeyCertificate(SITE, EPOCH, HQ_PUBLIC, CERTIFICATE.signature), id="another key"),
        pytest.param(LogKeyCertificate(SITE, EPOCH, LOG_KEY.public, b""), id="no signature"),
    ],
)
def test_a_certificate_is_for_one_site_epoch_and_key(claimed: LogKeyCertificate) -> None:
    """Nothing in it can be exchanged."""
    with pytest.raises(BadSignature):
        claimed.verify(DEVICE.public_key())


@given(st.integers(0, 8 * len(CERTIFICATE.to_bytes())))
def test_a_flipped_bit_in_a_certificate_fails(bit: int) -> None:
    """Every byte of it counts."""
    with pytest.raises(Unproven):
        LogKeyCertificate.from_bytes(flip(CERTIFICATE.to_bytes(), bit)).verify(DEVICE.public_key())


def test_a_cosigner_s_key_is_not_certified_as_a_log_s() -> None:
    """The kind of key is part of what is certified."""
    message = f"fieldtill/log-key/v1\n{keys.cosigner_verifier(keys.origin(SITE, EPOCH), LOG_KEY.public)}\nAAAA\n"
    with pytest.raises(Malformed, match="type 01"):
        LogKeyCertificate.from_bytes(message.encode())


def test_a_signature_holds_for_its_domain_and_payload_alone() -> None:
    """A grant's signature is not a command's."""
    signature = keys.sign(HQ, DOMAIN, b"payload")
    keys.verify(HQ_PUBLIC, DOMAIN, b"payload", signature)
    HQ.public_key().verify(signature, b"fieldtill/grant/v1\npayload")
    for public, domain, payload, claimed in [
        (HQ_PUBLIC, "fieldtill/command/v1", b"payload", signature),
        (HQ_PUBLIC, "fieldtill/grant/v2", b"payload", signature),
        (HQ_PUBLIC, DOMAIN, b"payloae", signature),
        (HQ_PUBLIC, DOMAIN, b"payload", flip(signature, 5)),
        (HQ_PUBLIC, DOMAIN, b"payload", signature[:-1]),
        (ed25519.public_of(STRANGER), DOMAIN, b"payload", signature),
    ]:
        with pytest.raises(BadSignature):
            keys.verify(public, domain, payload, claimed)


@pytest.mark.parametrize("domain", ["", "grant", "fieldtill/a/1", "cosignature/v1", "fieldtill/grant/v1\n", "a\nb"])
def test_a_domain_never_looks_like_a_note(domain: str) -> None:
    """Were a log's origin or a cosignature's header a domain, signing a payload could forge a checkpoint."""
    with pytest.raises(ValueError, match="fieldtill/WHAT/vN"):
        keys.sign(HQ, domain, b"payload")


def test_a_generic_signature_is_no_note_s() -> None:
    """The other way round: what `sign` covers never begins like a checkpoint of a log."""
    with pytest.raises(Malformed):
        keys.parse_origin(DOMAIN)


def test_a_fingerprint_can_be_read_aloud() -> None:
    """Eight groups of four; `openssl pkey -pubin -outform der | sha256sum` begins with the same digits."""
    assert keys.fingerprint(keys.spki(DEVICE.public_key())) == "2a22-a91f-d74a-c9b9-f4b2-c1fb-92f1-1096"


def test_device_keys_come_back_from_their_spki() -> None:
    """The one form in which they are listed and compared."""
    spki = keys.spki(DEVICE.public_key())
    assert keys.spki(keys.device_public_from_spki(spki)) == spki


def spki_of(key: ec.EllipticCurvePrivateKey | Ed25519PrivateKey) -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.DER, form)


@pytest.mark.parametrize(
    "spki",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(spki_of(DEVICE)[:-1], id="cut short"),
        pytest.param(spki_of(DEVICE) + b"\0", id="something after it"),
        pytest.param(spki_of(LOG), id="Ed25519"),
        pytest.param(spki_of(ec.derive_private_key(7, ec.SECP384R1())), id="P-384"),
    ],
)
def test_what_is_no_device_key_is_refused(spki: bytes) -> None:
    """P-256 in one form."""
    with pytest.raises(Malformed):
        keys.device_public_from_spki(spki)


def test_private_keys_come_back_from_pem() -> None:
    """What `to_pem` writes is what the loaders read."""
    assert ed25519.public_of(keys.ed25519_from_pem(keys.to_pem(LOG))) == LOG_KEY.public
    assert keys.spki(keys.p256_from_pem(keys.to_pem(DEVICE)).public_key()) == keys.spki(DEVICE.public_key())


def test_private_keys_of_another_kind_are_refused() -> None:
    """A device key does not sign a log, nor a log key meter records; and a sealed file is no key."""
    with pytest.raises(Malformed, match="Ed25519"):
        keys.ed25519_from_pem(keys.to_pem(DEVICE))
    with pytest.raises(Malformed, match="P-256"):
        keys.p256_from_pem(keys.to_pem(LOG))
    with pytest.raises(Malformed, match="P-256"):
        keys.p256_from_pem(keys.to_pem(ec.derive_private_key(7, ec.SECP384R1())))
    for pem in (b"", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"):
        with pytest.raises(Malformed):
            keys.ed25519_from_pem(pem)


def test_a_certificate_needs_a_p256_device() -> None:
    """Another curve is refused before anything is signed."""
    with pytest.raises(Malformed, match="P-256"):
        keys.certify_log_key(ec.derive_private_key(7, ec.SECP384R1()), SITE, EPOCH, LOG_KEY.public)


def test_the_log_key_s_vkey_is_what_other_tools_take() -> None:
    """A log's verifier key is an ordinary signed-note vkey."""
    assert note.VerifierKey.parse(str(LOG_KEY)) == LOG_KEY
