"""What a site and headquarters say to each other over HTTPS and MQTT: bodies, refusals, commands, and what is signed.

Every request is a POST of one encoded struct, zlib-compressed where `Content-Encoding: deflate` says so, signed by the
site's log key (enrolment: by its device key). Every answer is one encoded struct; a refusal is one with a 4xx status.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Annotated

import msgspec

from protocols.trade.codec import Wire
from protocols.trade.records import Amount, Boot, Hash, Name, Preset

REQUEST_DOMAIN = "fieldtill/request/v1"
ENROL_DOMAIN = "fieldtill/enrol/v1"
COMMAND_DOMAIN = "fieldtill/command/v1"

PATH_ENROL = "/v1/enrol"
PATH_BATCH = "/v1/batch"
PATH_GRANT = "/v1/grant"
PATH_DOCUMENT = "/v1/document"
PATH_EVIDENCE = "/v1/evidence"
"""Takes a proof.receipt_file from anyone, and answers in JSON; nobody signs the request."""

HEADER_SITE = "Fieldtill-Site"
HEADER_EPOCH = "Fieldtill-Epoch"
HEADER_SIGNATURE = "Fieldtill-Signature"  # base64

BATCH_RECORDS_MAX = 2_000
BATCH_BYTES_MAX = 4 * 1024 * 1024
"""Greatest decompressed body of a batch; headquarters refuses more, the site never sends more."""


def request_payload(method: str, path: str, site: str, epoch: int, body: bytes) -> bytes:
    """What the site's signature of a request covers; `body` as sent (after compression)."""
    return f"{method}\n{path}\n{site}\n{epoch}\n{hashlib.sha256(body).hexdigest()}\n".encode()


class EnrolAsk(Wire, frozen=True):
    """A box asks for an epoch. signature: its device key (P-256) over ENROL_DOMAIN and `enrol_payload`."""

    site: Name
    device_key: bytes  # SubjectPublicKeyInfo, DER
    log_key: Hash
    software: Name
    signature: bytes


def enrol_payload(site: str, device_key: bytes, log_key: bytes) -> bytes:
    return site.encode() + b"\n" + hashlib.sha256(device_key).digest() + log_key


class EnrolReply(Wire, frozen=True):
    """The same log key always gets the same epoch. credential_keys: newest last, secret, never logged."""

    epoch: Annotated[int, msgspec.Meta(ge=1)]
    credential_key_version: Amount
    credential_key: Hash


class Batch(Wire, frozen=True):
    """A suffix of the log from first_seq, and the signed head after it. An empty one asks for news alone.

    boot, mono_ms, wall_ms: the box's clocks as it sends, so that commands can name the boot.
    """

    first_seq: Amount
    records: list[bytes]
    checkpoint: bytes
    boot: Boot
    mono_ms: Amount
    wall_ms: int


class DocumentRef(Wire, frozen=True):
    """A document in force for this site."""

    kind: Name
    version: Amount
    hash: Hash


class BatchReply(Wire, frozen=True):
    """cosigned: the checkpoint with headquarters' cosignature: all up to it is stored, verified and posted.

    Empty while nothing has been cosigned yet. grants: signed grants newer than what the site has accepted. commands:
    signed
    commands that wait for this boot. time_ms: headquarters' clock, covered by the TLS connection.
    """

    cosigned: bytes
    grants: list[bytes]
    documents: list[DocumentRef]
    commands: list[bytes]
    time_ms: int


BEHIND = "behind"
"""A GrantReply's refusal: headquarters has more of the log than the ask shows. Either the ask was overtaken by a batch,
or the disk was set back."""


class GrantAsk(Wire, frozen=True):
    """The site wants the account behind `credential` (or named) to have `want` granted in total: U + R + H + need.

    credential: HMAC, empty when account is given. account: empty when unknown. checkpoint: the signed head of the log
    as it is now, so that a copied or set-back disk is found out before it is granted anything. A repeat changes
    nothing.
    """

    credential_key: Amount
    credential: bytes
    account: Annotated[str, msgspec.Meta(max_length=64)]
    asset: Name
    want: Amount
    checkpoint: bytes


class GrantReply(Wire, frozen=True):
    """grant: as signed; it may be for less than wanted. Empty with `refusal` set when there is none.

    refusal: "", unknown-credential, account-frozen, no-funds, or BEHIND. size: how many records headquarters has of
    this log; a disk that has fewer is not the one it was.
    """

    grant: bytes
    refusal: Annotated[str, msgspec.Meta(max_length=64)]
    size: Amount


class DocumentAsk(Wire, frozen=True):
    """have: the version of this kind that the site holds whole; 0: none, or the whole document is wanted."""

    kind: Name
    version: Amount
    have: Amount


class DocumentReply(Wire, frozen=True):
    """document: an encoded documents.Document; or, where it is empty, patched: an encoded documents.Patched of `have`.

    A site that cannot make the patched one whole, or whose hash then differs, asks again with `have` 0.
    """

    document: bytes
    patched: bytes


class RefusalCode(StrEnum):
    """Why a request was refused; it changed nothing. In order of precedence."""

    TOO_MANY = "too-many"
    TOO_LARGE = "too-large"
    UNREADABLE = "unreadable"
    UNKNOWN_SITE = "unknown-site"
    WRONG_FINGERPRINT = "wrong-fingerprint"
    UNKNOWN_EPOCH = "unknown-epoch"
    BAD_SIGNATURE = "bad-signature"
    EPOCH_FROZEN = "epoch-frozen"
    WRONG_CHECKPOINT = "wrong-checkpoint"
    GAP = "gap"
    FORK = "fork"
    NOT_CANONICAL = "not-canonical"
    NOT_FOUND = "not-found"


class Refusal(Wire, frozen=True):
    """size: how many records headquarters has of this log (the next first_seq); 0 where it does not apply."""

    code: Name
    what: str
    expected: str
    got: str
    remedy: str
    size: Amount


class Command(Wire, frozen=True):
    """Headquarters starts or stops a session. It runs at most once: boot must be the running one, number must rise.

    verb: `start` or `stop`. account: who pays; several, or another asset, as in `tender.payers`. session: the opening
    seq for stop, else 0. preset: of a cabinet also `swap`, `rent` or `return`. offer, consent: at a cabinet: by which
    price, plan or term, empty: the first that fits; the rider has agreed to a pack that is not full.
    """

    site: Name
    boot: Boot
    number: Annotated[int, msgspec.Meta(ge=1)]
    verb: Name
    connector: Name
    account: Annotated[str, msgspec.Meta(max_length=64)]
    preset: Preset
    session: Amount
    offer: Annotated[str, msgspec.Meta(max_length=64)]
    consent: bool
    expires_s: Amount


class SignedCommand(Wire, frozen=True):
    """payload: encoded Command. signature: headquarters' grant key over COMMAND_DOMAIN and payload."""

    payload: bytes
    signature: bytes


def topic(site: str, leaf: str) -> str:
    """MQTT topics: presence and state (site -> HQ), news and command (HQ -> site)."""
    return f"fieldtill/{site}/{leaf}"
