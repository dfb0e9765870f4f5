"""Does this Ed25519 signature hold, under a key that only its owner can sign with?"""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from protocols.proof.errors import BadSignature, Malformed

PUBLIC_BYTES = 32
SIGNATURE_BYTES = 64

_FIELD = 2**255 - 19
# The points of small order. Under such a "key" anyone can make signatures that verify, so a site that registered one
# could deny everything it signed. Known values, listed in libsodium as ge25519_has_small_order.
_SMALL_ORDER_Y = frozenset(
    int.from_bytes(bytes.fromhex(y), "little")
    for y in (
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    )
)


def public_of(key: Ed25519PrivateKey) -> bytes:
    """The 32-byte public key (RFC 8032, 5.1.5)."""
    return key.public_key().public_bytes_raw()


def require_public(public: bytes) -> None:
    """Return when `public` may be trusted as somebody's key; raise Malformed."""
    if len(public) != PUBLIC_BYTES:
        raise Malformed("Ed25519 public key", expected=f"{PUBLIC_BYTES} bytes", got=f"{len(public)} bytes")
    y = int.from_bytes(public, "little") & (2**255 - 1)
    if y >= _FIELD:
        raise Malformed("Ed25519 public key", expected="the canonical encoding", got=public.hex())
    if y in _SMALL_ORDER_Y:
        raise Malformed("Ed25519 public key", expected="a point of full order", got=public.hex())


def check(public: bytes, message: bytes, signature: bytes, *, what: str) -> None:
    """Return when `signature` over `message` holds; raise BadSignature. `what` names the signed thing for a person."""
    require_public(public)
    if len(signature) != SIGNATURE_BYTES:
        raise BadSignature(what, expected=f"a signature of {SIGNATURE_BYTES} bytes", got=f"{len(signature)} bytes")
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except InvalidSignature:
        raise BadSignature(
            what, expected=f"a signature by {public.hex()}", got="one that does not hold over these bytes"
        ) from None
