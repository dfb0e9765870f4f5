"""How does a box learn that headquarters signs with another key? From the key it knows, one key set after the other.

Each set is signed by the grant key before it, so a box that was away follows them in order. What it believes by then
stands in a file beside its own keys, together with the pinned key that the chain began with: whoever pins another key
by hand begins anew. A box that was pinned with the newest keys already learns nothing from a set that names them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import structlog

from edge.journal.files import write_private
from edge.sync.client import Hq
from edge.sync.errors import HqRefused
from edge.sync.trust import HqKeys, verify_by_any
from protocols.proof.errors import BadSignature, Unproven
from protocols.trade import documents
from protocols.trade.codec import NotCanonical, Wire, decode, encode
from protocols.trade.documents import Document
from protocols.trade.key_set import KIND, KeySet
from protocols.trade.records import Hash
from protocols.trade.wire import DocumentAsk, DocumentRef

FILE = "hq.keys"
SETS_MAX = 64
"""Key sets followed in one exchange: more rotations than a box is ever away for."""

log = structlog.get_logger()


class Followed(Wire, frozen=True):
    """The file: where the chain began, and where it has led."""

    pinned: Hash
    newest: KeySet


def restore(believed: HqKeys, file: Path) -> None:
    """Take up what was followed from these very pinned keys in an earlier run, and keep what is followed from now on.

    A file that is damaged keeps nobody from selling: the chain is followed again from the pinned keys.
    """
    believed.file = file
    try:
        followed = decode(file.read_bytes(), Followed)
    except FileNotFoundError:
        return
    except (OSError, NotCanonical) as error:
        log.error("what was followed of headquarters' keys cannot be read", file=str(file), error=str(error))
        return
    if followed.pinned == believed.pinned:
        believed.take(followed.newest)


async def follow(hq: Hq, believed: HqKeys, site: str, refs: Sequence[DocumentRef]) -> None:
    """Learn of every newer key set that headquarters names. Raises HqError; Unproven or NotCanonical for the newest."""
    newest = next((ref.version for ref in refs if ref.kind == KIND), 0)
    for version in range(believed.version + 1, min(newest, believed.version + SETS_MAX) + 1):
        try:
            reply = await hq.document(DocumentAsk(KIND, version, 0))
            if take(believed, reply.document, site):
                log.warning("headquarters signs with other keys", version=version)
        except (Unproven, NotCanonical, HqRefused):
            if version == newest:
                raise


def take(believed: HqKeys, encoded: bytes, site: str) -> bool:
    """Believe what this key set says, when a believed grant key signed it for this site; False: it says nothing new.

    Raises BadSignature, NotCanonical.
    """
    document = decode(encoded, Document, bytes_max=documents.BYTES_MAX)
    wanted = decode(document.payload, KeySet)
    if (document.kind, document.site, document.version) != (KIND, site, wanted.version):
        raise BadSignature("key set", expected=f"one for {site}", got=f"{document.kind} for {document.site}")
    if wanted.version <= believed.version:
        return False
    signed = documents.signed_part(document.kind, document.site, document.version, document.payload)
    try:
        verify_by_any(believed.granters, documents.DOMAIN, signed, document.signature)
    except BadSignature:
        if (wanted.grant[0], wanted.cosign[0]) != (believed.grant.public, believed.cosign.public):
            raise
        believed.version = wanted.version  # pinned by hand since
        return False
    if believed.file is not None:
        write_private(believed.file, encode(Followed(believed.pinned, wanted)))
    believed.take(wanted)
    return True
