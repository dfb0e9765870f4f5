"""A fold of the log that stands for the records before it: signed, checkable by itself, and enough to go on from.

    fieldtill snapshot 1\\n
    MessagePack: [site, epoch, size, frontier, state, trail, device_key, certificate, software, signature]

frontier: the tree of the first `size` records (proof.tree.Frontier); state: the till's fold of them (edge.till.state);
trail: what the audit carries on (protocols.trade.audit). The log key signs all but the signature, under DOMAIN; the
certificate is the device key's word for the log key. Whoever trusts the box's key needs nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.till.state import TillState, decode_state, encode_state
from protocols.proof import keys
from protocols.proof.ed25519 import public_of
from protocols.proof.errors import Malformed
from protocols.proof.keys import LogKeyCertificate
from protocols.proof.tree import Frontier
from protocols.trade.audit_trail import Trail, decode_trail, encode_trail
from protocols.trade.codec import NotCanonical, Wire, decode, encode
from protocols.trade.records import EpochOpened

MAGIC = b"fieldtill snapshot 1\n"
DOMAIN = "fieldtill/snapshot/v1"
BYTES_MAX = 256 * 1024 * 1024
"""A hundred thousand accounts take some 30 MB."""


class _Signed(Wire, frozen=True):
    site: str
    epoch: int
    size: int
    frontier: bytes
    state: bytes
    trail: bytes
    device_key: bytes
    certificate: bytes
    software: str


class _Encoded(Wire, frozen=True):
    signed: _Signed
    signature: bytes


@dataclass(frozen=True, slots=True)
class Fold:
    """What the first `frontier.size` records come to, for the tree, the till and the audit."""

    frontier: Frontier
    state: TillState
    trail: Trail

    @property
    def size(self) -> int:
        return self.frontier.size


@dataclass(frozen=True, slots=True)
class SignedSnapshot:
    """As read; its signature has been found good, under the log key that its own certificate names.

    device_key: SubjectPublicKeyInfo: whether it is this box's is for whoever reads to know.
    """

    site: str
    epoch: int
    fold: Fold
    log_key: bytes
    device_key: bytes
    software: str


def sign(opened: EpochOpened, fold: Fold, log_key: Ed25519PrivateKey, software: str) -> bytes:
    """The bytes of a snapshot file. opened: record 0, which names the keys. Raises BadSignature for another log key."""
    certificate = LogKeyCertificate(opened.site, opened.epoch, public_of(log_key), opened.certificate)
    certificate.verify(keys.device_public_from_spki(opened.device_key))
    signed = _Signed(
        opened.site,
        opened.epoch,
        fold.size,
        fold.frontier.to_bytes(),
        encode_state(fold.state),
        encode_trail(fold.trail),
        opened.device_key,
        certificate.to_bytes(),
        software,
    )
    return MAGIC + encode(_Encoded(signed, keys.sign(log_key, DOMAIN, encode(signed))))


def read(data: bytes) -> SignedSnapshot:
    """The snapshot, its signature and its own agreement checked. Raises Unproven."""
    if not data.startswith(MAGIC):
        raise Malformed("snapshot", expected=MAGIC.decode().strip(), got=repr(data[: len(MAGIC)]))
    try:
        encoded = decode(data[len(MAGIC) :], _Encoded, bytes_max=BYTES_MAX)
    except NotCanonical as error:
        raise Malformed("snapshot", expected="the one encoding of a snapshot", got=str(error)) from error
    signed = encoded.signed
    certificate = LogKeyCertificate.from_bytes(signed.certificate)
    certificate.verify(keys.device_public_from_spki(signed.device_key))
    keys.verify(certificate.log_public, DOMAIN, encode(signed), encoded.signature)
    fold = _fold(signed)
    told = (signed.site, signed.epoch, signed.size)
    for what, names in (
        ("certificate of a snapshot", (certificate.site, certificate.epoch, signed.size)),
        ("state in a snapshot", (fold.state.site, fold.state.epoch, fold.state.size)),
        ("trail in a snapshot", (signed.site, signed.epoch, fold.trail.size)),
        ("frontier in a snapshot", (signed.site, signed.epoch, fold.frontier.size)),
    ):
        if names != told:
            raise Malformed(what, expected=f"{told}", got=f"{names}")
    return SignedSnapshot(signed.site, signed.epoch, fold, certificate.log_public, signed.device_key, signed.software)


def _fold(signed: _Signed) -> Fold:
    try:
        return Fold(Frontier.from_bytes(signed.frontier), decode_state(signed.state), decode_trail(signed.trail))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        got = f"one written by {signed.software}: {error}"
        raise Malformed("snapshot", expected="a state that this software can read", got=got) from error
