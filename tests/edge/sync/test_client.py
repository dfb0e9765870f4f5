"""What the site understands of what answers it: TLS, refusals, and whatever is not headquarters."""

from __future__ import annotations

import datetime
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
import pytest
from sync_box import Box, enrolled
from sync_hq import Authority, Headquarters

from edge.sync.client import ANSWER_BYTES_MAX, HttpsHq
from edge.sync.errors import HqError, HqGarbled, HqRefused, HqUnreachable, Untrusted
from protocols.trade.codec import encode
from protocols.trade.records import TechnicianAct
from protocols.trade.wire import Batch, GrantAsk, RefusalCode


@contextmanager
def answering(tls: ssl.SSLContext, answer: bytes) -> Iterator[str]:
    """A server that answers every request with these bytes; its address."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return  # the test is over
            with plain, suppress(OSError), tls.wrap_socket(plain, server_side=True) as secure:
                with secure.makefile("rb") as request:
                    head = [line.lower() for line in iter(lambda: request.readline() or b"\r\n", b"\r\n")]
                    request.read(sum(int(line[15:]) for line in head if line.startswith(b"content-length:")))
                secure.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        listener.close()


def context(authority: Authority, name: str, **dates: datetime.datetime) -> ssl.SSLContext:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(*authority.certify(name, **dates))
    return tls


def http(status: str, body: bytes) -> bytes:
    length = b"" if "Content-Length" in status else b"\r\nContent-Length: %d" % len(body)
    return b"HTTP/1.1 %s%s\r\n\r\n%s" % (status.encode(), length, body)


async def answer_of(box: Box, url: str) -> HqError:
    """How the site takes what answers there."""
    hq = box.hq(url)
    with pytest.raises(HqError) as caught:
        await hq.grant(GrantAsk(1, b"", "ann", "CNY", 1, b""))
    hq.close()
    assert caught.value.remedy
    return caught.value


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        ("502 Bad Gateway", b"<html>", HqUnreachable),
        ("503 Service Unavailable", b"", HqUnreachable),
        ("302 Found", b"<html>log in to the wifi</html>", HqGarbled),
        ("404 Not Found", b"<html>", HqGarbled),
        ("200 OK", b"<html>", HqGarbled),
        ("200 OK", b"\x92\xc4\x00\xa0trailing", HqGarbled),
        ("200 OK", b"x" * (ANSWER_BYTES_MAX + 1), HqGarbled),
        ("200 OK\r\nContent-Length: 99", b"short", HqUnreachable),
    ],
)
async def test_what_is_not_headquarters_is_told_apart(
    hq: Headquarters, tmp_path: Path, status: str, body: bytes, expected: type[HqError]
) -> None:
    """A proxy's page, a captive portal and a flood are link trouble or nonsense, never an answer."""
    tls = context(hq.authority, "portal")
    async with enrolled(hq, tmp_path, "portal") as box:
        with answering(tls, http(status, body)) as url:
            assert type(await answer_of(box, url)) is expected


async def test_nobody_there_is_unreachable(hq: Headquarters, tmp_path: Path) -> None:
    """A refused connection is link trouble, with what to check."""
    async with enrolled(hq, tmp_path, "nobody") as box:
        with answering(context(hq.authority, "nobody"), b"") as url:
            pass
        assert type(await answer_of(box, url)) is HqUnreachable


async def test_another_authority_is_not_trusted(hq: Headquarters, tmp_path: Path) -> None:
    """Somebody with a certificate by anyone else is not headquarters."""
    tls = context(Authority(tmp_path / "mallory"), "hq")
    async with enrolled(hq, tmp_path, "mitm") as box:
        with answering(tls, http("200 OK", b"")) as url:
            assert type(await answer_of(box, url)) is Untrusted


async def test_a_batch_replayed_is_answered_with_the_same_bytes(hq: Headquarters, tmp_path: Path) -> None:
    """The stored acknowledgement answers every repeat; an older one changes nothing either."""
    async with enrolled(hq, tmp_path, "replay") as box:
        to = box.hq()
        await box.write(4)
        early, late = batch(box, 0, 3), batch(box, 3, 5)
        first = await to.batch(early)
        second = await to.batch(late)
        for again in (late, early, late, early):
            assert (await to.batch(again)).cosigned == second.cosigned
        assert first.cosigned != second.cosigned
        assert len(hq.records(box.name)) == 5
        to.close()


async def test_a_batch_that_comes_too_early_is_a_gap(hq: Headquarters, tmp_path: Path) -> None:
    """Reordered batches never leave a hole: the refusal names where to go on."""
    async with enrolled(hq, tmp_path, "gap") as box:
        to = box.hq()
        await box.write(4)
        await to.batch(batch(box, 0, 2))
        refused = await refusal(to, batch(box, 3, 5))
        assert (refused.code, refused.size) == (RefusalCode.GAP, 2)
        assert refused.remedy
        to.close()


async def test_an_edited_batch_is_not_taken(hq: Headquarters, tmp_path: Path) -> None:
    """One byte of one record changed, signed head unchanged: the roots differ and nothing is stored."""
    async with enrolled(hq, tmp_path, "edited") as box:
        to = box.hq()
        await box.write(2)
        good = batch(box, 0, 3)
        body = msgspec.msgpack.encode(TechnicianAct("li", "stole", "it"))
        record = msgspec.msgpack.decode(good.records[1])
        edited = msgspec.structs.replace(good, records=[good.records[0], encode([*record[:4], body]), good.records[2]])
        assert (await refusal(to, edited)).code is RefusalCode.FORK
        assert hq.records(box.name) == []
        to.close()


async def test_others_cannot_speak_for_a_site(hq: Headquarters, tmp_path: Path) -> None:
    """Unknown site, unknown epoch, another site's key: refused in that order, and nothing is stored."""
    async with enrolled(hq, tmp_path / "a", "site-a") as ours, enrolled(hq, tmp_path / "b", "site-b") as theirs:
        for site, epoch, code in (
            ("nowhere", 1, RefusalCode.UNKNOWN_SITE),
            ("site-a", 7, RefusalCode.UNKNOWN_EPOCH),
            ("site-a", 1, RefusalCode.BAD_SIGNATURE),
        ):
            to = HttpsHq(theirs.config, site, epoch, theirs.ring.log(theirs.journal.epoch))
            assert (await refusal(to, batch(ours, 0, 1))).code is code
            to.close()
        assert hq.records("site-a") == []


def batch(box: Box, first: int, end: int) -> Batch:
    stamp = box.clock.stamp()
    records = box.journal.read(first, end - first, 2**30)
    return Batch(first, records, box.journal.checkpoint_at(end), stamp.boot, stamp.mono_ms, stamp.wall_ms)


async def refusal(to: HttpsHq, sent: Batch) -> HqRefused:
    with pytest.raises(HqRefused) as caught:
        await to.batch(sent)
    return caught.value
