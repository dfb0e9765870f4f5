"""How a box comes to its log: the one it has, or a new one for the epoch that headquarters gives it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge import epochs
from edge.clock import Clock
from edge.config import Config, Headquarters
from edge.journal.connection import connect_reader
from edge.journal.errors import JournalError
from edge.journal.journal import Journal
from edge.journal.reading import read_identity
from edge.journal.step import Identity, Step
from edge.keys import KeyRing, KeyUnusable
from edge.sync.enrol import EnrolmentRefused, enrol, load_credential_key
from edge.sync.errors import HqError
from protocols.proof.ed25519 import public_of
from protocols.proof.keys import certify_log_key, spki
from protocols.trade.grants import CredentialKey
from protocols.trade.records import Draft, EpochOpened, Notice

RETRY_S = 5.0
SOFTWARE = "fieldtill 0.1.0"

log = structlog.get_logger()


async def open_log(
    config: Config, ring: KeyRing, clock: Clock, say: Callable[[str], None]
) -> tuple[Journal, CredentialKey]:
    """The journal, opened and checked, with its first record in it. Waits for headquarters only where there is no log.

    `say`: told what is waited for, for the technician. Raises JournalError, KeyUnusable.
    """
    epochs.finish_move(config.journal_path)
    if epochs.is_over(config.journal_path):
        log.info("closed log moved aside", to=str(epochs.put_aside(config.journal_path)))
    identity = _identity_at(config.journal_path)
    ballast = config.ballast_mb * 1024 * 1024
    copy = Path(config.second_copy) if config.second_copy else None
    if identity is None:
        epoch = await _new_epoch(config, ring, say)
        key = ring.make_pending_log()
        journal = Journal.create(config.journal_path, config.site, epoch, key, ballast_bytes=ballast, second_copy=copy)
        ring.name_pending_log(epoch)  # after the log is there: a crash in between finds both, and goes on
    else:
        key = _log_key(ring, identity)
        journal = Journal.open(config.journal_path, key, ballast_bytes=ballast, second_copy=copy)
    if journal.site != config.site:
        raise JournalError(
            f"the journal is of site {journal.site}, the config of {config.site}",
            remedy="Put the right name into the config, or give the box a data_dir of its own.",
        )
    if journal.size == 0:
        device = ring.device()
        epoch = journal.epoch
        certificate = certify_log_key(device, config.site, epoch, public_of(key))
        opened = EpochOpened(
            config.site, epoch, public_of(key), spki(device.public_key()), certificate.signature, SOFTWARE
        )
        await journal.commit(Step(sealed=journal.seal([Draft(opened)], clock.stamp())))
    if journal.put_back:
        detail = f"{journal.put_back} records that this disk had lost, from the second copy; look at the disk"
        await journal.commit(
            Step(sealed=journal.seal([Draft(Notice("journal-put-back", journal.site, detail))], clock.stamp()))
        )
    return journal, load_credential_key(config.keys_dir)


def _identity_at(path: Path) -> Identity | None:
    """Whose log lies there. None: none, or one whose creation was cut short before it had a name."""
    if not path.exists():
        return None
    connection = connect_reader(path)
    try:
        return read_identity(connection)
    finally:
        connection.close()


def _log_key(ring: KeyRing, identity: Identity) -> Ed25519PrivateKey:
    """The key of this log, named now if the box lost power before it was."""
    try:
        return ring.log(identity.epoch)
    except KeyUnusable:
        if public_of(ring.make_pending_log()) != identity.log_key:
            raise
        ring.name_pending_log(identity.epoch)
        return ring.log(identity.epoch)


async def _new_epoch(config: Config, ring: KeyRing, say: Callable[[str], None]) -> int:
    """Ask headquarters until it gives an epoch. The same log key always gets the same one."""
    ring.make_device()
    while True:
        if config.hq is None:
            say("[hq] in the config: without headquarters there is no epoch, and nothing can be sold")
        else:
            try:
                return await _ask(config, config.hq, ring)
            except (EnrolmentRefused, HqError) as error:
                say(f"headquarters to admit this box: {error}")
                log.warning("not enrolled yet", error=str(error))
        await asyncio.sleep(RETRY_S)


async def _ask(config: Config, hq: Headquarters, ring: KeyRing) -> int:
    return (await asyncio.to_thread(enrol, config.site, hq, ring, config.keys_dir)).epoch
