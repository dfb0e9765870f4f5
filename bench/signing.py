"""What does proof cost a session? One meter record by the device key, and the heads of its commits by the log key."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace

from bench.figure import Figure, ratio_at_most
from bench.headquarters import PRICES
from bench.run import Benchmark, Run, wait
from edge.journal.journal import Journal
from edge.journal.step import Step
from edge.till.progress import StopReason
from protocols.proof import ocmf
from protocols.proof.checkpoint import Checkpoint, sign_checkpoint
from protocols.proof.ocmf import SoftwareSigner
from protocols.proof.ocmf_lint import lint
from protocols.proof.ocmf_session import Plate, Session, payload_of
from protocols.trade.documents import TARIFF
from protocols.trade.records import (
    CNY,
    BillLine,
    ClockQuality,
    Draft,
    Hold,
    Origin,
    Pin,
    Preset,
    Register,
    SessionClosed,
    SessionOpened,
    Slice,
    Stamp,
)

MEANS = """\
A session has one OCMF record, made, linted, signed by the device key and verified once before it is billed from, and a
head of the log signed in each of its three commits (opened, told to stop, closed). *Share* is all of that beside the
three commits themselves on this disk.
"""

CALLS = 500
SESSIONS = 100
COMMITS = 3
OPENED_MS = 1_780_272_000_000
OPENED = SessionOpened(
    "c1", [Hold("account", CNY, 20_000)], Preset("full", 0), Origin("card", bytes(8), 0, ""),
    Register("m1", 1_000_000, 10_000, OPENED_MS), [Pin(TARIFF, 1, bytes(32))], OPENED_MS, OPENED_MS,
)  # fmt: skip
CLOSED = SessionClosed(
    session=1, reason=StopReason.LOCAL, end=Register("m1", 1_018_000, 3_010_000, OPENED_MS + 3_000_000),
    energy_wh=18_000, slices=[Slice(0, 3_000_000, 18_000)], idle_s=0, clock_lb_ms=OPENED_MS, clock_ub_ms=OPENED_MS,
    lines=[BillLine("energy", 0, 18_000, 65_000, 1_170), BillLine("service", 0, 18_000, 40_000, 720)],
    amount_fen=1_890, exact_num=1_890, exact_den=1, overrun_fen=0, meter_record=None,
)  # fmt: skip


def figures(run: Run) -> list[Figure]:
    device, log = ec.generate_private_key(ec.SECP256R1()), Ed25519PrivateKey.generate()
    calls = run.sized(CALLS, least=5)
    payload, head = _payload(), Checkpoint("fieldtill/bench/1", 1_000_000, bytes(32))
    text = ocmf.sign(payload, SoftwareSigner(device))
    algorithm = ec.ECDSA(hashes.SHA256())
    bare_us = _each_us(lambda: device.sign(payload.encode(), algorithm), calls)
    bare_head_us = _each_us(lambda: log.sign(head.text()), calls)
    whole_us = _each_us(partial(_whole, SoftwareSigner(device)), calls)
    head_us = _each_us(lambda: sign_checkpoint(head, log), calls)
    all_us = whole_us + COMMITS * head_us
    commits_us = wait(_commits_us(run, log, text))
    return [
        Figure("meter record: made and linted", _each_us(lambda: lint(_payload()), calls), "us", bare_us, P256),
        Figure("meter record: made, linted, signed, verified", whole_us, "us", bare_us, P256, ratio_at_most(20)),
        Figure("head: signed as a note", head_us, "us", bare_head_us, "bare Ed25519 signature"),
        Figure("share: all signatures of a session", all_us, "us", commits_us, "its three commits", ratio_at_most(0.5)),
        Figure("meter record: length", len(text), "bytes", len(payload), "what is signed of it"),
    ]


P256 = "bare P-256 signature"


def _payload() -> str:
    began = Stamp(b"bench-01", 10_000, OPENED_MS, ClockQuality.SYNCHRONISED, OPENED_MS, OPENED_MS)
    session = Session("bench", 1, 1, began, OPENED, CLOSED, began)
    return ocmf.build(payload_of(session, 1, PRICES, Plate("24071133", "Eastron", "SDM630"), "0.1.0"))


def _whole(signer: SoftwareSigner) -> None:
    payload = _payload()
    assert lint(payload) == []
    ocmf.verify(ocmf.sign(payload, signer), signer.public)


async def _commits_us(run: Run, log: Ed25519PrivateKey, text: str) -> float:
    """Of one session: opening, order to stop, closing with its meter record."""
    path = run.folder("signing") / "journal.db"
    journal = Journal.create(path, "bench", 1, log, ballast_bytes=4096)
    now = Stamp(b"bench-01", 10_000, OPENED_MS, ClockQuality.SYNCHRONISED, OPENED_MS, OPENED_MS)
    closed = [Draft(replace(CLOSED, meter_record=text))]
    sessions = run.sized(SESSIONS, least=3)
    try:
        began_s = time.perf_counter()
        for _ in range(sessions):
            opening = journal.seal([Draft(OPENED)], now)
            await journal.commit(Step(opening))
            await journal.commit(Step((), progress={opening[0].seq: bytes(300)}))
            await journal.commit(Step(journal.seal(closed, now), progress={opening[0].seq: None}))
        return (time.perf_counter() - began_s) / sessions * 1e6
    finally:
        await journal.close()


def _each_us(call: Callable[[], object], calls: int) -> float:
    """Microseconds of one call: the best of three goes."""
    best_s = float("inf")
    for _ in range(3):
        began_s = time.perf_counter()
        for _ in range(calls):
            call()
        best_s = min(best_s, time.perf_counter() - began_s)
    return best_s / calls * 1e6


BENCHMARK = Benchmark("signing", MEANS, figures)
