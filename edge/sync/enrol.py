"""How does a box get its epoch? It shows its device key to headquarters, which a person there has admitted."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from edge.config import Headquarters
from edge.journal.files import write_private
from edge.keys import KeyRing
from edge.sync.client import Connection, read
from edge.sync.errors import HqRefused
from protocols.proof.ed25519 import public_of
from protocols.proof.keys import spki
from protocols.trade import wire
from protocols.trade.codec import NotCanonical, decode, encode
from protocols.trade.grants import CredentialKey
from protocols.trade.wire import EnrolAsk, EnrolReply

CREDENTIAL_KEY = "credential.key"
SOFTWARE = "fieldtill"


class EnrolmentRefused(HqRefused):
    """Headquarters does not admit this box, yet. A person there decides; asking again is harmless."""


class NoCredentialKey(Exception):
    """The fleet's key for card numbers is not there, so no card can be told from another."""

    remedy = "Enrol again (`fieldtill setup`): headquarters hands the key out with the epoch."


def enrol(site: str, hq: Headquarters, ring: KeyRing, keys_dir: Path, *, software: str = SOFTWARE) -> EnrolReply:
    """The epoch of this box's pending log key; the credential key that comes with it is stored first.

    Blocks for up to some `timeout_s`; for a thread. The same log key always gets the same epoch, so a lost reply is
    asked for again. Raises EnrolmentRefused, HqUnreachable, HqGarbled, KeyUnusable.
    """
    device, log_public = ring.make_device(), public_of(ring.make_pending_log())
    device_key = spki(device.public_key())
    message = wire.ENROL_DOMAIN.encode() + b"\n" + wire.enrol_payload(site, device_key, log_public)
    signature = device.sign(message, ec.ECDSA(hashes.SHA256()))
    ask = EnrolAsk(site, device_key, log_public, software, signature)
    connection = Connection(hq.url, hq.ca_file, hq.timeout_s)
    try:
        reply = read(connection.post(wire.PATH_ENROL, encode(ask), {}), EnrolReply)
    except HqRefused as error:
        raise EnrolmentRefused(error.refusal) from error
    finally:
        connection.close()
    store_credential_key(keys_dir, CredentialKey(reply.credential_key_version, reply.credential_key))
    return reply


def store_credential_key(keys_dir: Path, key: CredentialKey) -> None:
    """Keep the key for `load_credential_key`."""
    write_private(keys_dir / CREDENTIAL_KEY, encode(key))


def load_credential_key(keys_dir: Path) -> CredentialKey:
    """The newest key as stored by `enrol`. Raises NoCredentialKey."""
    path = keys_dir / CREDENTIAL_KEY
    try:
        return decode(path.read_bytes(), CredentialKey)
    except (OSError, NotCanonical) as error:
        raise NoCredentialKey(f"{path}: {error}") from error
