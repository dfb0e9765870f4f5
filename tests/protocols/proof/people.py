"""A site, its box and headquarters, with keys that are the same in every run."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from protocols.proof import ed25519, keys, tree
from protocols.proof.checkpoint import Checkpoint, cosign, sign_checkpoint

SITE, EPOCH = "shanghai-7", 3
HQ_NAME = "hq.example/cosigner"
COSIGNED_S = 1_790_000_000

DEVICE = ec.derive_private_key(0x1234567890ABCDEF, ec.SECP256R1())
LOG = Ed25519PrivateKey.from_private_bytes(b"\x01" * 32)
HQ = Ed25519PrivateKey.from_private_bytes(b"\x02" * 32)
STRANGER = Ed25519PrivateKey.from_private_bytes(b"\x03" * 32)

LOG_KEY = keys.log_verifier(SITE, EPOCH, ed25519.public_of(LOG))
HQ_KEY = keys.cosigner_verifier(HQ_NAME, ed25519.public_of(HQ))
CERTIFICATE = keys.certify_log_key(DEVICE, SITE, EPOCH, ed25519.public_of(LOG))

RECORDS = [b"record %d" % seq for seq in range(50)]
LEAVES = [tree.leaf_hash(record) for record in RECORDS]


def head(size: int) -> Checkpoint:
    return Checkpoint(LOG_KEY.name, size, tree.Frontier().append_many(LEAVES[:size]).root())


def signed_head(size: int) -> bytes:
    return sign_checkpoint(head(size), LOG)


def cosigned_head(size: int) -> bytes:
    return cosign(signed_head(size), HQ, HQ_NAME, COSIGNED_S)


def flip(data: bytes, bit: int) -> bytes:
    """`data` with one bit changed; `bit` may be any number."""
    place, mask = bit // 8 % len(data), 1 << bit % 8
    return data[:place] + bytes([data[place] ^ mask]) + data[place + 1 :]
