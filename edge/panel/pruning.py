"""Prune the journal of this box now, all that is due, without the daemon."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edge import clock as clocks
from edge.clock import Clock
from edge.config import Config
from edge.daemon import last_stamp
from edge.enrolment import SOFTWARE
from edge.journal.errors import JournalDamaged, JournalError
from edge.journal.journal import Journal
from edge.journal.prune import Pruner
from edge.keys import KeyRing, KeyUnusable
from edge.panel.client import Failed
from edge.panel.journal_file import identity_of, opened
from edge.panel.messages import Trouble


async def prune_now(config: Config, retain_days: int) -> dict[str, Any]:
    """How many records went, and up to which a snapshot stands for them. Raises Failed."""
    path = config.journal_path
    try:
        before = _count(config)
        log_key = KeyRing(config.keys_dir).log(identity_of(path).epoch)
        copy = Path(config.second_copy) if config.second_copy else None
        journal = Journal.open(path, log_key, ballast_bytes=config.ballast_mb * 1024 * 1024, second_copy=copy)
        try:
            pruner = Pruner(journal, Clock(clocks.system(), last_stamp(journal)).stamp, retain_days, SOFTWARE)
            while await pruner.step():
                pass
            base = journal.base_size
        finally:
            await journal.close()
    except KeyUnusable as error:
        raise Failed(Trouble("bad-config", error.what, error.remedy)) from error
    except JournalError as error:
        code = "journaldamaged" if isinstance(error, JournalDamaged) else "journalerror"
        raise Failed(Trouble(code, f"{path}: {error}", error.remedy)) from error
    if pruner.stopped is not None:
        raise Failed(Trouble("journalerror", f"{path}: {pruner.stopped.what}", pruner.stopped.remedy))
    return {"path": str(path), "base": base, "dropped": before - _count(config)}


def _count(config: Config) -> int:
    """Records in the file."""
    with opened(config.journal_path) as connection:
        ((count,),) = connection.execute("SELECT count(*) FROM records")
    return int(count)
