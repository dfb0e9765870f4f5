"""Codes as a customer's phone shows them, signed by a headquarters of the test's own."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.sync.trust import HqKeys
from protocols.proof import keys
from protocols.proof.ed25519 import public_of
from protocols.proof.note import SignatureType, VerifierKey
from protocols.trade import carried, grants
from protocols.trade.carried import CarriedStart
from protocols.trade.codec import encode
from protocols.trade.grants import Grant
from protocols.trade.records import CNY, Preset

GRANT_KEY = Ed25519PrivateKey.from_private_bytes(b"g" * 32)
COSIGN_KEY = Ed25519PrivateKey.from_private_bytes(b"c" * 32)
PINNED = HqKeys(
    VerifierKey("hq.example.com/grant", SignatureType.ED25519, public_of(GRANT_KEY)),
    VerifierKey("hq.example.com/cosign", SignatureType.COSIGNATURE_V1, public_of(COSIGN_KEY)),
)
FOR_EVER_S = 4_000_000_000
FULL = Preset("full", 0)


def code(
    total: int,
    *,
    account: str = "guest-7",
    site: str = "hz-1",
    epoch: int = 1,
    serial: int = 1,
    issued_s: int = 0,
    expires_s: int = FOR_EVER_S,
    limit: int = 100_000,
    start: CarriedStart | None = None,
    key: Ed25519PrivateKey = GRANT_KEY,
) -> str:
    """A grant of `total` fen; nothing of it may stay at the site."""
    grant = Grant(account, CNY, site, epoch, serial, total, issued_s, expires_s, limit, 0, 1, [])
    signed = grants.join(grant, keys.sign(key, grants.DOMAIN, encode(grant)))
    if start is None:
        return carried.write(signed)
    signature = keys.sign(key, carried.START_DOMAIN, carried.start_payload(grant, start))
    return carried.write(signed, carried.join_start(start, signature))


def order(number: int, connector: str = "c1", preset: Preset = FULL, expires_s: int = FOR_EVER_S) -> CarriedStart:
    """Start there."""
    return CarriedStart(connector, number, preset, expires_s)


def vkeys() -> str:
    """The lines that `fieldtill-hq keys` would print."""
    return f"{PINNED.grant}\n{PINNED.cosign}\n"
