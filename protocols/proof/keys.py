"""Who may sign for a box, a log and headquarters, and over what?

    device key    P-256, one per box, in hardware where there is any; signs meter records and certifies log keys
    log key       Ed25519, one per site and epoch; signs that log's checkpoints
    HQ's keys     Ed25519: one grants value, another cosigns checkpoints

No key is made or stored here: making one needs chance, storing one a file.
"""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from protocols.proof import ed25519
from protocols.proof.errors import BadSignature, Malformed
from protocols.proof.note import SignatureType, VerifierKey, decode_base64

CERTIFICATE_DOMAIN = "fieldtill/log-key/v1"
EPOCH_MAX = 2**63 - 1

_SITE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ORIGIN = re.compile(rf"fieldtill/({_SITE.pattern})/(0|[1-9][0-9]{{0,18}})")
# Never the first line of a checkpoint, whose origin ends in a bare number, nor that of a cosignature.
_DOMAIN = re.compile(r"fieldtill/[a-z][a-z0-9-]*/v[0-9]+")


def origin(site: str, epoch: int) -> str:
    """The name of a log and of its key. `site`: up to 64 letters, digits, dots, dashes and underscores."""
    if not _SITE.fullmatch(site):
        raise Malformed("site", expected="letters, digits, `.`, `_` and `-`, at most 64", got=repr(site[:80]))
    if not 0 <= epoch <= EPOCH_MAX:
        raise Malformed("epoch", expected=f"0..={EPOCH_MAX}", got=str(epoch))
    return f"fieldtill/{site}/{epoch}"


def parse_origin(name: str) -> tuple[str, int]:
    """Site and epoch; raises Malformed."""
    match = _ORIGIN.fullmatch(name)
    if match is None or int(match[2]) > EPOCH_MAX:
        raise Malformed("origin", expected="fieldtill/SITE/EPOCH", got=repr(name[:100]))
    return match[1], int(match[2])


def log_verifier(site: str, epoch: int, log_public: bytes) -> VerifierKey:
    """The key that checks a log's checkpoints. `log_public`: 32-byte Ed25519."""
    return VerifierKey(origin(site, epoch), SignatureType.ED25519, log_public)


def cosigner_verifier(name: str, public: bytes) -> VerifierKey:
    """The key that checks HQ's acknowledgements. `public`: 32-byte Ed25519."""
    return VerifierKey(name, SignatureType.COSIGNATURE_V1, public)


@dataclass(frozen=True, slots=True)
class LogKeyCertificate:
    """The device key's word that this log key signs for this site and epoch.

    signature: ECDSA P-256 with SHA-256, DER, over `certificate_message`.
    """

    site: str
    epoch: int
    log_public: bytes  # Ed25519, 32 bytes
    signature: bytes

    def verifier(self) -> VerifierKey:
        """The log key, to be trusted only after `verify`."""
        return log_verifier(self.site, self.epoch, self.log_public)

    def verify(self, device_public: ec.EllipticCurvePublicKey) -> VerifierKey:
        """The log key, when the device key certified it; raises BadSignature or Malformed."""
        message = certificate_message(self.site, self.epoch, self.log_public)
        what = f"certificate of the log key of {origin(self.site, self.epoch)}"
        try:
            _require_p256(device_public).verify(self.signature, message, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            raise BadSignature(
                what,
                expected=f"a signature by device {fingerprint(spki(device_public))}",
                got="one that does not hold over these bytes",
            ) from None
        return self.verifier()

    def to_bytes(self) -> bytes:
        """Three lines of text: domain, vkey, base64 of the signature."""
        return certificate_message(self.site, self.epoch, self.log_public) + b64encode(self.signature) + b"\n"

    @classmethod
    def from_bytes(cls, data: bytes) -> LogKeyCertificate:
        """Not verified. Raises Malformed unless `data` is exactly what `to_bytes` writes."""
        lines = data.split(b"\n")
        if len(data) > 1024 or len(lines) != 4 or lines[3] or lines[0] != CERTIFICATE_DOMAIN.encode():
            form = f"3 lines, the first {CERTIFICATE_DOMAIN}"
            raise Malformed("log key certificate", expected=form, got=repr(data[:40]))
        try:
            key = VerifierKey.parse(lines[1].decode("ascii"))
        except UnicodeDecodeError as error:
            raise Malformed("log key certificate", expected="ASCII", got=str(error)) from None
        if key.type is not SignatureType.ED25519:
            raise Malformed("log key certificate", expected="a key of type 01", got=f"{key.type:02x}")
        site, epoch = parse_origin(key.name)
        return cls(site, epoch, key.public, decode_base64(lines[2], what="log key certificate"))


def certificate_message(site: str, epoch: int, log_public: bytes) -> bytes:
    """The bytes that the device key signs, in hardware or below: the domain and the log's vkey, a line each."""
    return f"{CERTIFICATE_DOMAIN}\n{log_verifier(site, epoch, log_public)}\n".encode()


def certify_log_key(device: ec.EllipticCurvePrivateKey, site: str, epoch: int, log_public: bytes) -> LogKeyCertificate:
    """Certify with a device key held in software; the same inputs give the same bytes (RFC 6979)."""
    _require_p256(device.public_key())
    signature = device.sign(
        certificate_message(site, epoch, log_public), ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
    )
    return LogKeyCertificate(site, epoch, log_public, signature)


def sign(key: Ed25519PrivateKey, domain: str, payload: bytes) -> bytes:
    """64-byte signature over `domain`, a newline and `payload`.

    domain: `fieldtill/WHAT/vN`, one for each kind of signed thing, so that no signature passes for another kind's.
    """
    return key.sign(_separated(domain, payload))


def verify(public: bytes, domain: str, payload: bytes, signature: bytes) -> None:
    """Return when the signature holds; raise BadSignature. `public`: 32-byte Ed25519."""
    ed25519.check(public, _separated(domain, payload), signature, what=domain)


def fingerprint(spki_der: bytes) -> str:
    """The first 16 bytes of the SHA-256 of a public key's SubjectPublicKeyInfo, in hex, to be read aloud in fours."""
    digits = sha256(spki_der).digest()[:16].hex()
    return "-".join(digits[at : at + 4] for at in range(0, len(digits), 4))


def spki(public: ec.EllipticCurvePublicKey) -> bytes:
    """SubjectPublicKeyInfo, DER: the form in which device keys are listed, compared and given to meter tools."""
    return public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def device_public_from_spki(spki_der: bytes) -> ec.EllipticCurvePublicKey:
    """Raises Malformed unless it is a P-256 key in exactly the form `spki` writes."""
    try:
        public = serialization.load_der_public_key(spki_der)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Malformed("device key", expected="SubjectPublicKeyInfo", got=str(error)) from None
    if not isinstance(public, ec.EllipticCurvePublicKey):
        raise Malformed("device key", expected="P-256", got=type(public).__name__)
    _require_p256(public)
    if spki(public) != spki_der:
        raise Malformed("device key", expected="an uncompressed named-curve point", got="another encoding")
    return public


def to_pem(key: Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    """PKCS#8 PEM, not encrypted: the file that holds it is what is sealed."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def ed25519_from_pem(pem: bytes) -> Ed25519PrivateKey:
    """Raises Malformed unless it is an unencrypted PKCS#8 Ed25519 key."""
    key = _from_pem(pem)
    if not isinstance(key, Ed25519PrivateKey):
        raise Malformed("private key", expected="Ed25519", got=type(key).__name__)
    return key


def p256_from_pem(pem: bytes) -> ec.EllipticCurvePrivateKey:
    """Raises Malformed unless it is an unencrypted PKCS#8 P-256 key."""
    key = _from_pem(pem)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise Malformed("private key", expected="P-256", got=type(key).__name__)
    _require_p256(key.public_key())
    return key


def _from_pem(pem: bytes) -> object:
    if not pem.lstrip().startswith(b"-----BEGIN PRIVATE KEY-----"):  # older forms leave the kind of key to guessing
        raise Malformed("private key", expected="PKCS#8 PEM without a password", got="another form")
    try:
        return serialization.load_pem_private_key(pem, password=None)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Malformed("private key", expected="PKCS#8 PEM", got=str(error)) from None


def _require_p256(public: ec.EllipticCurvePublicKey) -> ec.EllipticCurvePublicKey:
    if not isinstance(public.curve, ec.SECP256R1):
        raise Malformed("device key", expected="P-256", got=public.curve.name)
    return public


def _separated(domain: str, payload: bytes) -> bytes:
    if not _DOMAIN.fullmatch(domain):
        raise ValueError(f"a signing domain reads fieldtill/WHAT/vN, not {domain!r}")
    return domain.encode() + b"\n" + payload
