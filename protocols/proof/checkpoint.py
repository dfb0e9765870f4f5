"""How large is a log, what is its root, and who says so? C2SP tlog-checkpoint and tlog-cosignature.

A checkpoint is a note of three lines: the log's origin, its size, its root. The site signs it with the log's key. HQ
adds its cosignature once it has stored, verified and posted every record up to that size: the acknowledgement.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from protocols.proof import note
from protocols.proof.errors import BadSignature, Malformed
from protocols.proof.note import Note, SignatureType, VerifierKey
from protocols.proof.tree import HASH_BYTES, SIZE_MAX


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log's head. Whoever signs one must never sign another that the log did not grow into."""

    origin: str  # names the log, and the key that signs its head
    size: int
    root: bytes

    def __post_init__(self) -> None:
        note.require_name(self.origin)
        if not 0 <= self.size <= SIZE_MAX:
            raise Malformed("checkpoint size", expected=f"0..={SIZE_MAX}", got=str(self.size))
        if len(self.root) != HASH_BYTES:
            raise Malformed("checkpoint root", expected=f"{HASH_BYTES} bytes", got=f"{len(self.root)} bytes")

    def text(self) -> bytes:
        """The bytes that are signed."""
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n".encode()

    @classmethod
    def parse(cls, text: bytes) -> Checkpoint:
        """From a note's text; raises Malformed. Extension lines are refused: no log here writes them, and witnesses
        vouch for nothing in them."""
        lines = text.split(b"\n")
        if len(lines) != 4 or lines[3] != b"":
            raise Malformed("checkpoint", expected="3 lines", got=f"{len(lines) - 1}")
        try:
            origin = lines[0].decode()
        except UnicodeDecodeError as error:
            raise Malformed("checkpoint origin", expected="UTF-8", got=str(error)) from None
        size = parse_decimal(lines[1], what="checkpoint size")
        return cls(origin, size, note.decode_base64(lines[2], what="checkpoint root"))


def sign_checkpoint(checkpoint: Checkpoint, key: Ed25519PrivateKey) -> bytes:
    """The checkpoint as a note signed with the log's key, whose name is the origin."""
    return note.sign(checkpoint.text(), key, checkpoint.origin)


def parse(checkpoint_note: bytes) -> Checkpoint:
    """What a checkpoint's note claims, before any signature is checked: to find out whose keys to check it with."""
    return Checkpoint.parse(Note.parse(checkpoint_note).text)


def verify_checkpoint(checkpoint_note: bytes, log_key: VerifierKey) -> Checkpoint:
    """The head that `log_key` signed. Raises Malformed or BadSignature; the origin must be the key's name."""
    text, _ = note.open_note(checkpoint_note, (_of_type(log_key, SignatureType.ED25519),))
    checkpoint = Checkpoint.parse(text)
    if checkpoint.origin != log_key.name:
        raise BadSignature("checkpoint", expected=f"origin {log_key.name}", got=checkpoint.origin)
    return checkpoint


def cosign(checkpoint_note: bytes, key: Ed25519PrivateKey, name: str, time_s: int) -> bytes:
    """The note with the cosignature/v1 of `name` at POSIX time `time_s`.

    It states that this is the largest head seen of a log that only grew; the caller has verified that.
    """
    parse(checkpoint_note)
    return note.cosign(checkpoint_note, key, name, time_s)


def verify_cosignature(checkpoint_note: bytes, cosigner: VerifierKey) -> int:
    """POSIX seconds at which `cosigner` cosigned. Raises Malformed, or BadSignature when it did not."""
    _, verified = note.open_note(checkpoint_note, (_of_type(cosigner, SignatureType.COSIGNATURE_V1),))
    parse(checkpoint_note)
    time_s = verified[0].time_s
    assert time_s is not None, "a cosignature always has its time"
    return time_s


def parse_decimal(digits: bytes, *, what: str) -> int:
    """ASCII decimal without sign or leading zero, as the C2SP formats write sizes and indexes; raises Malformed."""
    if not 1 <= len(digits) <= 19 or not digits.isdigit() or (digits[:1] == b"0" and digits != b"0"):
        raise Malformed(what, expected="a decimal number without leading zero", got=repr(digits[:24]))
    return int(digits)


def _of_type(key: VerifierKey, type_: SignatureType) -> VerifierKey:
    if key.type is not type_:
        raise ValueError(f"{key.name} is a key for {key.type.name}, not for {type_.name}")
    return key
