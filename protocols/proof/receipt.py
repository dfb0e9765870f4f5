"""How does a customer prove, offline and to a stranger, that a bill is in the log? C2SP tlog-proof v1.

    c2sp.org/tlog-proof@v1
    extra ZmllbGR0aWxsL2xvZy1rZXkvdjEK...          the log key's certificate; not signed itself, it must verify
    index 9398
    gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=   the hashes from the record's leaf up to the root
    ...
                                                   an empty line, then the checkpoint's note as it is

Before HQ has cosigned the checkpoint the receipt is provisional: the site vouches for it. With the cosignature it is
final: HQ has stored the record and posted what it moved. The record's bytes travel beside the receipt.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec

from protocols.proof import checkpoint as heads
from protocols.proof import note, tree
from protocols.proof.checkpoint import Checkpoint
from protocols.proof.errors import BadSignature, Malformed
from protocols.proof.keys import LogKeyCertificate
from protocols.proof.note import Note, VerifierKey

HEADER = b"c2sp.org/tlog-proof@v1"
HASHES_MAX = 63  # a tree of SIZE_MAX leaves is no deeper
EXTRA_BYTES_MAX = 64 * 1024
RECEIPT_BYTES_MAX = note.NOTE_BYTES_MAX + 2 * EXTRA_BYTES_MAX


@dataclass(frozen=True, slots=True)
class Receipt:
    """A proof as it is stored and handed out, not verified."""

    index: int  # the record's seq
    path: tuple[bytes, ...]  # nearest the leaf first
    checkpoint: bytes  # a checkpoint's note, its signatures included
    extra: bytes | None = None  # nobody has signed it; here: LogKeyCertificate.to_bytes()

    def __post_init__(self) -> None:
        if not 0 <= self.index <= tree.SIZE_MAX:
            raise Malformed("receipt index", expected=f"0..={tree.SIZE_MAX}", got=str(self.index))
        if len(self.path) > HASHES_MAX:
            raise Malformed("receipt", expected=f"at most {HASHES_MAX} hashes", got=str(len(self.path)))
        if any(len(hashed) != tree.HASH_BYTES for hashed in self.path):
            raise Malformed("receipt", expected=f"hashes of {tree.HASH_BYTES} bytes", got="another length")
        if self.extra is not None and not 1 <= len(self.extra) <= EXTRA_BYTES_MAX:
            raise Malformed("receipt extra", expected=f"1..={EXTRA_BYTES_MAX} bytes", got=str(len(self.extra)))
        Note.parse(self.checkpoint)

    def to_bytes(self) -> bytes:
        lines = [HEADER]
        if self.extra is not None:
            lines.append(b"extra " + b64encode(self.extra))
        lines.append(b"index %d" % self.index)
        lines += [b64encode(hashed) for hashed in self.path]
        return b"\n".join(lines) + b"\n\n" + self.checkpoint

    @classmethod
    def parse(cls, data: bytes) -> Receipt:
        """Raises Malformed. What it accepts, `to_bytes` gives back unchanged."""
        if len(data) > RECEIPT_BYTES_MAX:
            raise Malformed("receipt", expected=f"at most {RECEIPT_BYTES_MAX} bytes", got=f"{len(data)} bytes")
        head, separator, checkpoint = data.partition(b"\n\n")
        lines = head.split(b"\n")
        if not separator or lines.pop(0) != HEADER:
            raise Malformed("receipt", expected=HEADER.decode(), got=repr(data[:40]))
        extra = None
        if lines and lines[0].startswith(b"extra "):
            extra = note.decode_base64(lines.pop(0).removeprefix(b"extra "), what="receipt extra")
        if not lines or not lines[0].startswith(b"index "):
            raise Malformed("receipt", expected="an index line", got=repr(lines[0][:40] if lines else b""))
        index = heads.parse_decimal(lines.pop(0).removeprefix(b"index "), what="receipt index")
        if len(lines) > HASHES_MAX:
            raise Malformed("receipt", expected=f"at most {HASHES_MAX} hashes", got=str(len(lines)))
        path = tuple(note.decode_base64(line, what="receipt hash") for line in lines)
        return cls(index, path, checkpoint, extra)


@dataclass(frozen=True, slots=True)
class Proven:
    """What a receipt has proven of a record: it is number `index` of the log that `checkpoint` names."""

    index: int
    checkpoint: Checkpoint
    cosigned_s: int | None  # HQ's POSIX clock when it acknowledged; None: provisional, the site alone vouches

    @property
    def final(self) -> bool:
        return self.cosigned_s is not None


def verify(receipt: Receipt, record: bytes, log_key: VerifierKey, cosigner: VerifierKey | None = None) -> Proven:
    """What `receipt` proves of `record`, the exact bytes of the leaf, under a log key known from elsewhere.

    cosigner: HQ's key; with it the receipt must be final, without it the cosignatures are not looked at.
    Raises Malformed, BadSignature, NotIncluded.
    """
    checkpoint = heads.verify_checkpoint(receipt.checkpoint, log_key)
    cosigned_s = None if cosigner is None else heads.verify_cosignature(receipt.checkpoint, cosigner)
    tree.verify_inclusion(tree.leaf_hash(record), receipt.index, checkpoint.size, receipt.path, checkpoint.root)
    return Proven(receipt.index, checkpoint, cosigned_s)


def verify_from_device(
    receipt: Receipt, record: bytes, device_public: ec.EllipticCurvePublicKey, cosigner: VerifierKey | None = None
) -> Proven:
    """As `verify`, with nothing known but the box's device key: the log key is the one certified in `extra`.

    Raises BadSignature too when there is no certificate in the receipt.
    """
    if receipt.extra is None:
        raise BadSignature("receipt", expected="the log key's certificate as extra", got="none")
    return verify(receipt, record, LogKeyCertificate.from_bytes(receipt.extra).verify(device_public), cosigner)
