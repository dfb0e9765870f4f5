"""Which boxes may speak for a site, and is this request really from one?

A person admits a device key by its fingerprint; the device key then gets an epoch for each log key it brings; the log
key signs every request.
"""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as Base64Error
from typing import Any

import sqlalchemy as sa
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from cloud import key_directory, schema
from cloud.clock import Clock
from cloud.key_directory import DEVICE, LOG, Key
from cloud.keys import HqKeys
from cloud.refusal import Refuse
from protocols.proof import ed25519, keys, tree
from protocols.proof.errors import Unproven
from protocols.trade import books, wire
from protocols.trade.wire import EnrolAsk, EnrolReply, RefusalCode


def enrol(connection: sa.Connection, hq: HqKeys, clock: Clock, ask: EnrolAsk) -> EnrolReply:
    """The epoch of this log key: the one it has, or the site's next. Its keys go into the directory. Raises Refuse."""
    site = _site(connection, ask.site)
    try:
        device = keys.device_public_from_spki(ask.device_key)
        ed25519.require_public(ask.log_key)
    except Unproven as error:
        raise Refuse(RefusalCode.UNREADABLE, error.what, expected=error.expected, got=error.got) from None
    if keys.fingerprint(ask.device_key) != site.device:
        got = keys.fingerprint(ask.device_key)
        raise Refuse(RefusalCode.WRONG_FINGERPRINT, "device key", expected=site.device or "none admitted", got=got)
    message = wire.ENROL_DOMAIN.encode() + b"\n" + wire.enrol_payload(ask.site, ask.device_key, ask.log_key)
    try:
        device.verify(ask.signature, message, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise Refuse(RefusalCode.BAD_SIGNATURE, "enrolment", expected="the device key's", got="another") from None
    epoch = _epoch_of(connection, clock, ask)
    box = [Key(DEVICE, ask.site, ask.device_key), Key(LOG, f"{ask.site}/{epoch}", ask.log_key)]
    key_directory.publish(connection, hq, clock, [*key_directory.own(hq), *box])
    credential_keys = schema.credential_keys
    newest = connection.execute(sa.select(credential_keys).order_by(credential_keys.c.version.desc()).limit(1)).one()
    return EnrolReply(epoch, newest.version, newest.key)


def _epoch_of(connection: sa.Connection, clock: Clock, ask: EnrolAsk) -> int:
    epochs = schema.epochs
    known = connection.execute(sa.select(epochs).where(epochs.c.site == ask.site, epochs.c.log_key == ask.log_key))
    row = known.one_or_none()
    if row is not None:
        if row.device_key != ask.device_key:
            expected, got = keys.fingerprint(row.device_key), keys.fingerprint(ask.device_key)
            raise Refuse(RefusalCode.WRONG_FINGERPRINT, "device key of this log key", expected=expected, got=got)
        return int(row.epoch)
    last = connection.execute(sa.select(sa.func.max(epochs.c.epoch)).where(epochs.c.site == ask.site)).scalar() or 0
    connection.execute(
        epochs.insert().values(
            site=ask.site,
            epoch=last + 1,
            log_key=ask.log_key,
            device_key=ask.device_key,
            software=ask.software.replace("\x00", ""),
            state="open",
            state_why="",
            size=0,
            frontier=tree.Frontier().to_bytes(),
            cosigned=b"",
            opened_ms=clock.now_ms(),
        )
    )
    return int(last) + 1


def authenticate(
    connection: sa.Connection, method: str, path: str, site: str, epoch: int, signature: str, body: bytes
) -> sa.Row[Any]:
    """The epoch whose log key signed this request (body as sent). signature: base64. Raises Refuse."""
    row = connection.execute(_EPOCH, {"site": site, "epoch": epoch}).one_or_none()
    if row is None:
        _site(connection, site)
        raise Refuse(RefusalCode.UNKNOWN_EPOCH, f"epoch of {site}", expected="an enrolled one", got=str(epoch))
    payload = wire.request_payload(method, path, site, epoch, body)
    try:
        keys.verify(row.log_key, wire.REQUEST_DOMAIN, payload, b64decode(signature, validate=True))
    except (Base64Error, ValueError):  # Unproven is a ValueError
        expected = f"one by the log key of {keys.origin(site, epoch)}"
        raise Refuse(RefusalCode.BAD_SIGNATURE, "request signature", expected=expected, got="another") from None
    return row


_ADMITTED = (
    schema.sites.c.id == sa.bindparam("site"),
    schema.sites.c.id != books.HQ,
    schema.sites.c.status == "admitted",
)
_SITE = sa.select(schema.sites).where(*_ADMITTED)
_EPOCH = (
    sa.select(schema.epochs)
    .join(schema.sites, schema.epochs.c.site == schema.sites.c.id)
    .where(*_ADMITTED, schema.epochs.c.epoch == sa.bindparam("epoch"))
)


def _site(connection: sa.Connection, site: str) -> sa.Row[Any]:
    """The site, held against a second enrolment at the same time. Raises Refuse."""
    row = connection.execute(_SITE, {"site": site}).one_or_none()
    if row is None:
        raise Refuse(RefusalCode.UNKNOWN_SITE, "site", expected="one that headquarters admitted", got=repr(site[:64]))
    return row
