"""What may be believed of what claims to come from headquarters? What its pinned keys have signed, for this log."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from protocols.door import Fault, Refused
from protocols.proof import checkpoint, keys
from protocols.proof.checkpoint import Checkpoint
from protocols.proof.errors import BadSignature, Malformed
from protocols.proof.note import SignatureType, VerifierKey
from protocols.trade import carried, documents, grants
from protocols.trade.carried import Carried
from protocols.trade.codec import decode
from protocols.trade.documents import Document
from protocols.trade.grants import Grant
from protocols.trade.key_set import KeySet
from protocols.trade.wire import COMMAND_DOMAIN, DocumentRef, SignedCommand

_ROLES = {"grant": SignatureType.ED25519, "cosign": SignatureType.COSIGNATURE_V1}


@dataclass(slots=True)
class HqKeys:
    """Headquarters' public keys as this box believes them: pinned, then followed (see key_chain). One object for all
    who check. They differ: who acknowledges cannot also make money.

    grant: signs grants, documents, commands and codes. cosign: acknowledges. older: keys before these whose signatures
    may still be under way. version: of the newest key set followed. file: where that is kept; None: nowhere.
    """

    grant: VerifierKey
    cosign: VerifierKey
    older: tuple[VerifierKey, ...] = ()
    version: int = 0
    file: Path | None = field(default=None, compare=False)
    pinned: bytes = field(init=False, compare=False)

    def __post_init__(self) -> None:
        self.pinned = self.grant.public

    @property
    def granters(self) -> list[VerifierKey]:
        return [self.grant, *(key for key in self.older if key.type is self.grant.type)]

    @property
    def cosigners(self) -> list[VerifierKey]:
        return [self.cosign, *(key for key in self.older if key.type is self.cosign.type)]

    def take(self, newer: KeySet) -> None:
        """Believe what this key set says, which has been checked."""
        granters = [VerifierKey(self.grant.name, self.grant.type, public) for public in newer.grant]
        cosigners = [VerifierKey(self.cosign.name, self.cosign.type, public) for public in newer.cosign]
        self.grant, self.cosign = granters[0], cosigners[0]
        self.older = (*granters[1:], *cosigners[1:])
        self.version = newer.version


def verify_by_any(by: Sequence[VerifierKey], domain: str, payload: bytes, signature: bytes) -> None:
    """Return when one of these keys, of which there is at least one, signed it. Raises BadSignature."""
    for key in by[:-1]:
        with suppress(BadSignature):
            return keys.verify(key.public, domain, payload, signature)
    return keys.verify(by[-1].public, domain, payload, signature)


def load(path: Path) -> HqKeys:
    """The keys in a file of vkey lines as `fieldtill-hq keys` prints them. Raises Refused with every fault.

    A key's role is the last part of its name; keys of other roles, empty lines and `#` comments are passed over.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        remedy = "Write there what `fieldtill-hq keys` prints at headquarters."
        raise Refused(str(path), [Fault("", "a file of headquarters' public keys", str(error), remedy)]) from error
    found: dict[str, VerifierKey] = {}
    faults: list[Fault] = []
    for number, line in enumerate(lines, 1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        try:
            key = VerifierKey.parse(text)
        except Malformed as error:
            faults.append(Fault(f"line {number}", error.expected, error.got, "Copy the line again, whole."))
            continue
        role = key.name.rpartition("/")[2]
        if role not in _ROLES:
            continue
        if key.type is not _ROLES[role]:
            faults.append(Fault(f"line {number}", f"a key of type {_ROLES[role]:02x}", f"type {key.type:02x}"))
        elif role in found:
            faults.append(Fault(f"line {number}", f"one {role} key", "a second one", "Keep the one that is in use."))
        found[role] = key
    faults += [Fault("", f"a key named .../{role}", "none") for role in _ROLES if role not in found]
    if faults:
        raise Refused(str(path), faults)
    return HqKeys(found["grant"], found["cosign"])


def check_grant(pinned: HqKeys, signed: bytes, site: str, epoch: int) -> Grant:
    """The grant, when headquarters signed it for this very log. Raises BadSignature or NotCanonical."""
    grant, payload, signature = grants.split(signed)
    verify_by_any(pinned.granters, grants.DOMAIN, payload, signature)
    if (grant.site, grant.epoch) != (site, epoch):
        raise BadSignature(
            "grant", expected=f"one for {site}, epoch {epoch}", got=f"one for {grant.site}, epoch {grant.epoch}"
        )
    return grant


def check_code(pinned: HqKeys, code: Carried) -> None:
    """Return when headquarters signed the grant, and the start if there is one. Raises carried.BadCode: FORGED."""
    for key in pinned.granters[:-1]:
        with suppress(carried.BadCode):
            return carried.verify(code, key.public)
    return carried.verify(code, pinned.granters[-1].public)


def check_document(pinned: HqKeys, encoded: bytes, site: str, ref: DocumentRef) -> Document:
    """The document that `ref` names, when headquarters signed it for this site. Raises BadSignature, NotCanonical."""
    document = decode(encoded, Document, bytes_max=documents.BYTES_MAX)
    signed = documents.signed_part(document.kind, document.site, document.version, document.payload)
    verify_by_any(pinned.granters, documents.DOMAIN, signed, document.signature)
    pin = documents.pin(document)
    if document.site != site or (pin.kind, pin.version, pin.hash) != (ref.kind, ref.version, ref.hash):
        raise BadSignature(
            "document",
            expected=f"{ref.kind} {ref.version} ({ref.hash.hex()[:16]}) for {site}",
            got=f"{pin.kind} {pin.version} ({pin.hash.hex()[:16]}) for {document.site}",
        )
    return document


def check_command(pinned: HqKeys, signed: bytes) -> bytes:
    """The command's payload, when headquarters signed it. Raises BadSignature or NotCanonical.

    Whether it is for this site, this boot, and new, is the till's to say.
    """
    command = decode(signed, SignedCommand)
    verify_by_any(pinned.granters, COMMAND_DOMAIN, command.payload, command.signature)
    return command.payload


def check_cosignature(pinned: HqKeys, note: bytes, origin: str) -> Checkpoint:
    """The head that headquarters acknowledges. Raises BadSignature or Malformed.

    That it is a head of this log, and not of another history under its name, is for the caller to compare.
    """
    _check_cosigned(pinned, note)
    head = checkpoint.parse(note)
    if head.origin != origin:
        raise BadSignature("acknowledgement", expected=f"one of {origin}", got=f"one of {head.origin}")
    return head


def _check_cosigned(pinned: HqKeys, note: bytes) -> None:
    cosigners = pinned.cosigners
    for key in cosigners[:-1]:
        with suppress(BadSignature):
            checkpoint.verify_cosignature(note, key)
            return
    checkpoint.verify_cosignature(note, cosigners[-1])
