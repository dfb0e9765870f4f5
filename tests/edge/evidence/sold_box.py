"""A box that has sold a session for real: the production till on a real journal, with keys that certify each other."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
from desk_rig import LOG_KEY, Till, Time

from edge.journal.journal import Journal
from edge.journal.step import Step
from edge.meter_record import MeterRecorder
from edge.panel import cli
from edge.till.progress import StopReason
from protocols.proof import checkpoint, keys, ocmf
from protocols.proof.ed25519 import public_of
from protocols.trade.records import Draft, EpochOpened
from tests.edge.till.story import TWO_PRICES
from tests.protocols.proof.people import COSIGNED_S, DEVICE, HQ, HQ_NAME

SITE, EPOCH = "hz-1", 1
SPKI = keys.spki(DEVICE.public_key())
FINGERPRINT = keys.fingerprint(SPKI)


def sell(folder: Path, *, cosigned: bool = True) -> Path:
    """A journal with one sold session (seq 4), one that drew nothing, and one still running; its path."""
    asyncio.run(_sell(folder / "journal.db", cosigned))
    return folder / "journal.db"


async def _sell(path: Path, cosigned: bool) -> None:
    journal = Journal.create(path, SITE, EPOCH, LOG_KEY, ballast_bytes=0)
    recorder = MeterRecorder(ocmf.SoftwareSigner(DEVICE), "0.1.0")
    till = Till(journal, Time(), tariff=TWO_PRICES, recorder=recorder)
    certificate = keys.certify_log_key(DEVICE, SITE, EPOCH, public_of(LOG_KEY))
    opened = EpochOpened(SITE, EPOCH, public_of(LOG_KEY), SPKI, certificate.signature, "fieldtill test")
    try:
        await till.desk.record([Draft(opened)])
        await till.publish(till.tariff)
        await till.grant(100_000, may_stay=100_000)
        await _one_session(till, 1_200)
        await _one_session(till, 0)
        if cosigned:
            note = checkpoint.cosign(journal.checkpoint(), HQ, HQ_NAME, COSIGNED_S)
            await journal.commit(Step(cosigned=(journal.size, note)))
        await till.start("c2")
    finally:
        await journal.close()


async def _one_session(till: Till, seconds: int) -> None:
    await till.start()
    await till.wait(seconds)
    await till.finish(StopReason.LOCAL)


class Said:
    """What a command printed, and its exit code."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *arguments: str) -> None:
        argv, sys.argv = sys.argv, ["fieldtill", *arguments]
        try:
            cli.main()
        except SystemExit as end:
            self.code = end.code
        finally:
            sys.argv = argv
        self.out, self.err = capsys.readouterr()
