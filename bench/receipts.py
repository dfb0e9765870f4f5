"""What does a receipt cost? Its bytes beside the hashes it must carry, and its check beside the bare signatures."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from hashlib import sha256

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench.box import Box
from bench.figure import Figure, ratio_at_least, ratio_at_most
from bench.run import Benchmark, Run
from edge.evidence.gather import receipt_of
from edge.journal import reading
from edge.journal.connection import connect_reader
from protocols.proof import keys, receipt_file
from protocols.proof.reader_keys import SiteKey
from protocols.proof.statement import state
from protocols.trade.codec import decode
from protocols.trade.records import Record

MEANS = """\
Receipts of sessions out of a journal: opening and closing record, each with its whole tlog-proof, and the tariff. The
limit of a proof is 20 + log2(records) hashes in base64: the path, and head, signatures and certificate in the room of
twenty. A check is all that `fieldtill verify` does, from the file's bytes to the bill priced again; beside it the bare
signatures that it rests on: of certificate, head and meter record. One that is made is checked before it is given out.
"""

RECORDS = 100_000
RECEIPTS = 300
HASH_LINE_BYTES = 45  # 32 bytes in base64, and a newline


def figures(run: Run) -> list[Figure]:
    box = run.box("sold-out", run.sized(RECORDS, least=200))
    count = run.sized(RECEIPTS, least=5)
    with closing(connect_reader(box.journal_path)) as connection:
        size = reading.read_head(connection).size
        openings = _openings(box, count)
        began_s = time.perf_counter()
        made = [receipt_of(connection, seq).file for seq in openings]
        made_per_s = len(made) / (time.perf_counter() - began_s)
        began_s = time.perf_counter()
        for seq in openings:
            reading.read_records(connection, seq, 64, 2**62)
        read_per_s = len(openings) / (time.perf_counter() - began_s)
    texts = [file.to_bytes() for file in made]
    known = [SiteKey(fingerprint=keys.fingerprint(made[0].device_key))]
    assert all(state(receipt_file.parse(text, source="bench"), known, []).proven for text in texts)
    checked_per_s = _rate(lambda n: state(receipt_file.parse(texts[n], source="bench"), known, []), len(texts))
    hashes_most = 20 + (size - 1).bit_length()
    proof_bytes = max(len(one.proof.to_bytes()) for file in made for one in file.records)
    limit = f"{hashes_most} hashes"
    return [
        Figure("a proof", proof_bytes, "bytes", hashes_most * HASH_LINE_BYTES, limit, ratio_at_most(1)),
        Figure(
            "receipt.json", max(map(len, texts)), "bytes", 2 * hashes_most * HASH_LINE_BYTES, f"two times {limit}",
            ratio_at_most(3),
        ),
        Figure("made from the journal", made_per_s, "receipts/s", read_per_s, "64 records read"),
        Figure(
            "checked, line by line", checked_per_s, "receipts/s", _signatures_per_s(len(texts)), "3 signatures alone",
            ratio_at_least(0.2),
        ),
    ]  # fmt: skip


def _openings(box: Box, count: int) -> list[int]:
    """Seqs of opening records, the first ones of the log: those with the longest way up are among them."""
    found: list[int] = []
    with closing(connect_reader(box.journal_path)) as connection:
        first = 0
        while len(found) < count and (chunk := reading.read_records(connection, first, 500, 2**62)):
            found += [seq for seq, data in enumerate(chunk, first) if decode(data, Record).kind == "session-opened"]
            first += len(chunk)
    return found[:count]


def _signatures_per_s(count: int) -> float:
    """Of three at a time, as a receipt has: two of P-256, one of Ed25519, and nothing around them."""
    message = sha256(b"receipt").digest() * 16
    device, log = ec.generate_private_key(ec.SECP256R1()), Ed25519PrivateKey.generate()
    by_device, by_log = device.sign(message, ec.ECDSA(hashes.SHA256())), log.sign(message)
    device_public, log_public = device.public_key(), log.public_key()

    def once(_: int) -> None:
        device_public.verify(by_device, message, ec.ECDSA(hashes.SHA256()))
        device_public.verify(by_device, message, ec.ECDSA(hashes.SHA256()))
        log_public.verify(by_log, message)

    return _rate(once, count)


def _rate(work: Callable[[int], object], count: int) -> float:
    began_s = time.perf_counter()
    for number in range(count):
        work(number)
    return count / (time.perf_counter() - began_s)


BENCHMARK = Benchmark("receipts", MEANS, figures)
