"""What does a receipt prove to somebody who brings a key of their own? Line by line, as values.

The lines come in the order in which trust is handed on: from the box to its log's key, to a signed head, to the
records, to what they say. Where a link of that chain breaks nothing after it is looked at, since bytes that are not
proven are not worth reading.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from protocols.proof import checkpoint as heads
from protocols.proof import keys, tree
from protocols.proof.bill_check import check_bill
from protocols.proof.checkpoint import Checkpoint
from protocols.proof.errors import Unproven
from protocols.proof.filling_check import check_filling
from protocols.proof.keys import LogKeyCertificate
from protocols.proof.lines import Line, Mark, either, failed, open_, proven
from protocols.proof.locker_check import check_locker
from protocols.proof.note import Note, SignatureType, VerifierKey
from protocols.proof.pinned import Documents
from protocols.proof.port_check import check_port
from protocols.proof.reader_keys import SiteKey
from protocols.proof.receipt_file import ProvenRecord, ReceiptFile
from protocols.proof.receipt_story import (
    ChargeStory,
    FillingStory,
    LockerStory,
    NoStory,
    PortStory,
    Story,
    SwapStory,
    read_story,
)
from protocols.proof.receipt_view import port_name, view
from protocols.proof.swap_check import check_swap

_COSIGNATURE_BYTES = 72  # a time and an Ed25519 signature, as no other signature here has


@dataclass(frozen=True, slots=True)
class Statement:
    """lines: every claim in order, up to the first that breaks the chain. story: None where it is broken.

    proven: somebody whose key the reader brought vouches for all of it, and nothing that was asked for is missing.
    """

    lines: tuple[Line, ...]
    proven: bool
    story: Story | None

    def mark_of(self, code: str) -> Mark | None:
        """Of the first line of that code; None where there is none."""
        return next((line.mark for line in self.lines if line.code == code), None)


def state(file: ReceiptFile, site_keys: Sequence[SiteKey], cosigners: Sequence[VerifierKey]) -> Statement:
    """What `file` proves under these keys.

    Without a site's key the box is only named, and headquarters alone can vouch. With a key of headquarters the receipt
    must be final; without one its cosignature is not looked at.
    """
    lines, log_key = _box(file, site_keys)
    if log_key is None:
        return Statement(tuple(lines), False, None)
    checkpoint = _head(file, log_key, lines)
    if checkpoint is None:
        return Statement(tuple(lines), False, None)
    lines.append(_cosigned(file.checkpoint, checkpoint, cosigners))
    lines += [_included(one, file.checkpoint, checkpoint) for one in file.records]
    if any(line.mark is Mark.FAILED for line in lines):
        return Statement(tuple(lines), False, None)

    site, epoch = keys.parse_origin(checkpoint.origin)
    try:
        story = read_story(site, epoch, [(one.proof.index, one.data) for one in file.records])
    except NoStory as error:
        return Statement((*lines, failed("session", why=error.code, seq=error.seq)), False, None)
    documents = [(one.kind, one.payload) for one in file.documents]
    lines += _delivery(story, documents, file.device_key)
    lines.append(either(file.view == view(story), "view"))
    lines += [open_(_unproven(story)), open_("software-keys")]
    told = Statement(tuple(lines), False, story)
    vouched = Mark.PROVEN in (told.mark_of("site-key"), told.mark_of("cosigned"))
    missing = any(line.mark is Mark.FAILED or line.code == "not-cosigned" for line in lines)
    return Statement(told.lines, vouched and not missing, story)


def _delivery(story: Story, documents: Documents, device_key: bytes) -> list[Line]:
    """What the session is, and every claim about it."""
    session = story.session
    match story:
        case ChargeStory(opened=charge):
            told = proven("session", session=session, connector=charge.connector)
            return [told, *check_bill(story, documents, device_key)]
        case FillingStory(opened=filling):
            told = proven("filling", session=session, pump=filling.pump)
            return [told, *check_filling(story, documents, device_key)]
        case SwapStory(opened=swap):
            told = proven(swap.kind, session=session, cabinet=swap.cabinet)
            return [told, *check_swap(story, documents, device_key)]
        case PortStory():
            told = proven("port", session=session, port=port_name(story))
            return [told, *check_port(story, documents, device_key)]
        case LockerStory():
            told = proven("locker", session=session, locker=port_name(story))
            return [told, *check_locker(story, documents)]


def _unproven(story: Story) -> str:
    """Whose right measuring no receipt can prove."""
    match story:
        case ChargeStory():
            return "meter"
        case FillingStory():
            return "pump-meter"
        case SwapStory():
            return "pack-meter"
        case PortStory():
            return "board-meter"
        case LockerStory():
            return "locker-content"


def _box(file: ReceiptFile, site_keys: Sequence[SiteKey]) -> tuple[list[Line], VerifierKey | None]:
    """Who certified the log's key, whether that is the box that the reader knows, and the key."""
    try:
        certificate = LogKeyCertificate.from_bytes(file.certificate)
        log_key = certificate.verify(keys.device_public_from_spki(file.device_key))
    except Unproven:
        return [failed("box")], None
    mark = keys.fingerprint(file.device_key)
    lines = [proven("box", fingerprint=mark, site=certificate.site, epoch=certificate.epoch)]
    if not site_keys:
        lines.append(open_("site-key", fingerprint=mark))
        return lines, log_key
    known = any(key.vouches_for(file.device_key, log_key) for key in site_keys)
    lines.append(either(known, "site-key", fingerprint=mark))
    return lines, log_key if known else None


def _head(file: ReceiptFile, log_key: VerifierKey, lines: list[Line]) -> Checkpoint | None:
    try:
        checkpoint = heads.verify_checkpoint(file.checkpoint, log_key)
    except Unproven:
        lines.append(failed("head", log=log_key.name))
        return None
    lines.append(proven("head", log=log_key.name, size=checkpoint.size))
    return checkpoint


def _cosigned(note: bytes, checkpoint: Checkpoint, cosigners: Sequence[VerifierKey]) -> Line:
    signers = [line for line in Note.parse(note).signatures if line.name != checkpoint.origin]
    if not cosigners:
        named = ", ".join(line.name for line in signers if len(line.signature) == _COSIGNATURE_BYTES)
        return open_("not-asked", names=named) if named else open_("provisional")
    for cosigner in cosigners:
        if any((line.name, line.key_id) == (cosigner.name, cosigner.id) for line in signers):
            try:
                at_s = heads.verify_cosignature(note, cosigner)
            except Unproven:
                return failed("cosigned", name=cosigner.name)
            return proven("cosigned", name=cosigner.name, at_s=at_s)
    assert all(cosigner.type is SignatureType.COSIGNATURE_V1 for cosigner in cosigners)
    return open_("not-cosigned", name=cosigners[0].name)


def _included(one: ProvenRecord, note: bytes, checkpoint: Checkpoint) -> Line:
    """The record under the very head whose signatures have been checked."""
    proof = one.proof
    try:
        tree.verify_inclusion(tree.leaf_hash(one.data), proof.index, checkpoint.size, proof.path, checkpoint.root)
    except Unproven:
        return failed("included", seq=proof.index)
    return either(proof.checkpoint == note, "included", seq=proof.index)
