"""How is a text signed so that any tool for transparency logs can check it? C2SP signed-note.

    fieldtill/shanghai-7/3                       text: lines, each ended by a newline; signed as these exact bytes
    9413
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
                                                 the last empty line
    — fieldtill/shanghai-7/3 Az3grlgtzPICa5...   one line per signature: em dash, key name, base64(key id, signature)
    — hq.example/cosigner jWbPPwAAAABkGF...

A signature is looked for by key name *and* key id. One by an unknown key is ignored; one by a known key that does not
hold refuses the whole note. Two kinds are spoken: plain Ed25519 over the text, and the timestamped cosignature/v1 of
C2SP tlog-cosignature.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from protocols.proof import ed25519
from protocols.proof.errors import BadSignature, Malformed

# Verifiers must accept 16 signatures, and post-quantum ones are nearly 5 kB each (signed-note, Format).
NOTE_BYTES_MAX = 256 * 1024
SIGNATURES_MAX = 64
NAME_BYTES_MAX = 255
TIME_S_MAX = 2**63 - 1  # tlog-cosignature, Format

_DASH = "— ".encode()
_CONTROL = re.compile(rb"[\x00-\x09\x0b-\x1f]")
_NO_NAME = re.compile(r"[\s+\x00-\x1f]")
_KEY_ID_BYTES = 4
_TIME_BYTES = 8


class SignatureType(IntEnum):
    """The kinds of signature spoken here, by the byte assigned in signed-note, Signature types."""

    ED25519 = 0x01
    COSIGNATURE_V1 = 0x04


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A named public key and the kind of signature it makes. `public` is the 32-byte Ed25519 key."""

    name: str
    type: SignatureType
    public: bytes

    def __post_init__(self) -> None:
        require_name(self.name)
        ed25519.require_public(self.public)

    @property
    def id(self) -> bytes:
        """Four bytes that find the key's signatures; short, so never proof of anything."""
        return key_id(self.name, self.type, self.public)

    def __str__(self) -> str:
        """The vkey: `name+hex(id)+base64(type, public)`."""
        return f"{self.name}+{self.id.hex()}+{b64encode(bytes([self.type]) + self.public).decode()}"

    @classmethod
    def parse(cls, vkey: str) -> VerifierKey:
        """Raises Malformed unless `vkey` is exactly what `str` gives for a key of a kind spoken here."""
        name, _, rest = vkey.partition("+")
        hex_id, _, encoded = rest.partition("+")  # base64 may hold a plus of its own
        require_name(name)
        if not encoded.isascii():
            raise Malformed(f"vkey {name}", expected="base64", got=repr(encoded[:40]))
        material = decode_base64(encoded.encode(), what=f"vkey {name}")
        if material[:1] not in (b"\x01", b"\x04"):
            raise Malformed(f"vkey {name}", expected="signature type 01 or 04", got=material[:1].hex() or "none")
        key = cls(name, SignatureType(material[0]), material[1:])
        if hex_id != key.id.hex():
            raise Malformed(f"vkey {name}", expected=f"key id {key.id.hex()}", got=hex_id)
        return key


@dataclass(frozen=True, slots=True)
class SignatureLine:
    """One signature as it stands in a note, not verified. `signature` is what follows the key id."""

    name: str
    key_id: bytes
    signature: bytes

    def to_bytes(self) -> bytes:
        return _DASH + self.name.encode() + b" " + b64encode(self.key_id + self.signature) + b"\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A note taken apart, not verified. `text` is what is signed, its last newline included."""

    text: bytes
    signatures: tuple[SignatureLine, ...]

    def to_bytes(self) -> bytes:
        return self.text + b"\n" + b"".join(line.to_bytes() for line in self.signatures)

    @classmethod
    def parse(cls, note: bytes) -> Note:
        """Raises Malformed. What it accepts, `to_bytes` gives back unchanged."""
        if len(note) > NOTE_BYTES_MAX:
            raise Malformed("note", expected=f"at most {NOTE_BYTES_MAX} bytes", got=f"{len(note)} bytes")
        try:
            note.decode()
        except UnicodeDecodeError as error:
            raise Malformed("note", expected="UTF-8", got=str(error)) from None
        head, separator, tail = note.rpartition(b"\n\n")
        if not separator:
            raise Malformed("note", expected="a text, an empty line and signatures", got="no empty line")
        text = head + b"\n"
        _require_text(text)
        if not tail.endswith(b"\n"):
            raise Malformed("note", expected="signature lines ended by a newline", got=repr(tail[-20:]))
        lines = tail[:-1].split(b"\n")
        if len(lines) > SIGNATURES_MAX:
            raise Malformed("note", expected=f"at most {SIGNATURES_MAX} signatures", got=str(len(lines)))
        return cls(text, tuple(_parse_line(line) for line in lines))


@dataclass(frozen=True, slots=True)
class Verified:
    """A signature that holds. `time_s`: when it was made, by the signer's POSIX clock; None for plain signatures."""

    key: VerifierKey
    time_s: int | None


def key_id(name: str, type_: int, public: bytes) -> bytes:
    return sha256(name.encode() + b"\n" + bytes([type_]) + public).digest()[:_KEY_ID_BYTES]


def sign(text: bytes, key: Ed25519PrivateKey, name: str) -> bytes:
    """The note of `text` with one plain Ed25519 signature. Raises Malformed when `text` cannot be a note's text."""
    _require_text(text)
    verifier = VerifierKey(name, SignatureType.ED25519, ed25519.public_of(key))
    return Note(text, (SignatureLine(name, verifier.id, key.sign(text)),)).to_bytes()


def cosign(note: bytes, key: Ed25519PrivateKey, name: str, time_s: int) -> bytes:
    """The note with one more line: a cosignature/v1 over its text at POSIX time `time_s`.

    What the signer states by it is for the caller to have checked, and so are the signatures already there.
    """
    parsed = Note.parse(note)
    verifier = VerifierKey(name, SignatureType.COSIGNATURE_V1, ed25519.public_of(key))
    if any((line.name, line.key_id) == (name, verifier.id) for line in parsed.signatures):
        raise Malformed("note to cosign", expected=f"no cosignature by {name} yet", got="one")
    signature = _time_bytes(time_s) + key.sign(_cosigned_message(parsed.text, time_s))
    line = SignatureLine(name, verifier.id, signature)
    return Note(parsed.text, (*parsed.signatures, line)).to_bytes()


def open_note(note: bytes, keys: Iterable[VerifierKey]) -> tuple[bytes, tuple[Verified, ...]]:
    """The text and the signatures by `keys` that hold, at least one, in the note's order.

    Raises Malformed, or BadSignature when none of `keys` signed, one of them signed twice, or a signature by one of
    them does not hold. The text must not be used before this returns.
    """
    parsed = Note.parse(note)
    known = {(key.name, key.id): key for key in keys}
    verified: list[Verified] = []
    for line in parsed.signatures:
        key = known.get((line.name, line.key_id))
        if key is None:
            continue
        if any(earlier.key == key for earlier in verified):
            raise BadSignature("note", expected=f"one signature by {key.name}", got="two")
        verified.append(Verified(key, _check(parsed.text, line, key)))
    if not verified:
        names = " or ".join(sorted(name for name, _ in known)) or "a known key"
        signers = ", ".join(line.name for line in parsed.signatures)
        raise BadSignature("note", expected=f"a signature by {names}", got=f"only unknown keys, named {signers}")
    return parsed.text, tuple(verified)


def decode_base64(encoded: bytes, *, what: str) -> bytes:
    """Standard base64 with padding, in its one canonical spelling; raises Malformed."""
    try:
        data = b64decode(encoded, validate=True)
    except ValueError as error:
        raise Malformed(what, expected="base64", got=str(error)) from None
    if b64encode(data) != encoded:
        raise Malformed(what, expected="canonical base64", got=repr(encoded[-8:]))
    return data


def require_name(name: str) -> None:
    """Return when `name` can name a key; raise Malformed."""
    try:
        length = len(name.encode())
    except UnicodeEncodeError as error:
        raise Malformed("key name", expected="UTF-8", got=str(error)) from None
    if not 1 <= length <= NAME_BYTES_MAX:
        raise Malformed("key name", expected=f"1..={NAME_BYTES_MAX} bytes", got=repr(name[:40]))
    if _NO_NAME.search(name):
        raise Malformed("key name", expected="no spaces, plus or control characters", got=repr(name[:40]))


def _check(text: bytes, line: SignatureLine, key: VerifierKey) -> int | None:
    what = f"note, signature by {key.name}"
    if key.type is SignatureType.ED25519:
        ed25519.check(key.public, text, line.signature, what=what)
        return None
    time_s = int.from_bytes(line.signature[:_TIME_BYTES], "big")
    if time_s > TIME_S_MAX:
        raise BadSignature(what, expected=f"a time up to {TIME_S_MAX} s", got=str(time_s))
    ed25519.check(key.public, _cosigned_message(text, time_s), line.signature[_TIME_BYTES:], what=what)
    return time_s


def _cosigned_message(text: bytes, time_s: int) -> bytes:
    return b"cosignature/v1\ntime %d\n%s" % (time_s, text)


def _time_bytes(time_s: int) -> bytes:
    if not 0 <= time_s <= TIME_S_MAX:
        raise Malformed("cosignature time", expected=f"0..={TIME_S_MAX} s", got=str(time_s))
    return time_s.to_bytes(_TIME_BYTES, "big")


def _require_text(text: bytes) -> None:
    if not text.endswith(b"\n"):
        raise Malformed("note text", expected="a newline at its end", got=repr(text[-20:]))
    control = _CONTROL.search(text)
    if control is not None:
        raise Malformed("note text", expected="no control character but newline", got=repr(control[0]))


def _parse_line(line: bytes) -> SignatureLine:
    parts = line.removeprefix(_DASH).split(b" ")
    if not line.startswith(_DASH) or len(parts) != 2:
        raise Malformed("signature line", expected="`— name base64`", got=repr(line[:40]))
    name = parts[0].decode()
    require_name(name)
    blob = decode_base64(parts[1], what=f"signature by {name}")
    if len(blob) <= _KEY_ID_BYTES:
        raise Malformed(f"signature by {name}", expected="a key id and a signature", got=f"{len(blob)} bytes")
    return SignatureLine(name, blob[:_KEY_ID_BYTES], blob[_KEY_ID_BYTES:])
