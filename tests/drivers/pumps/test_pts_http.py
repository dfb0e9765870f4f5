"""Getting through to a PTS-2: login, certificate, and every fault of the wire."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pts_rig import PASSWORD, Rig, certificate, order, pts

from drivers.api import LinkState
from drivers.errors import DeviceError, Garbled, LineDown, Misconfigured, Silent
from drivers.pump import PumpState
from drivers.pumps.pts_config import ControllerConfig
from drivers.twins.pumps.faults import parse_pump_faults


@pytest.mark.parametrize("auth", ["digest", "basic"])
async def test_login(tmp_path: Path, auth: str) -> None:
    """Digest with DIP-2 off, Basic with it on; one connection for all."""
    async with pts(tmp_path, polled=False, server={"auth": auth}, controller={"auth": auth}) as rig:
        for _ in range(3):
            await rig.pump.read_status()
        stats = rig.controller.stats()
        assert (stats.up, stats.opened, stats.error, rig.server.requests) == (True, 1, None, 3)


async def test_a_controller_that_hangs_up_after_each_answer(tmp_path: Path) -> None:
    """A new connection for each request, with the nonce of the one before."""
    async with pts(tmp_path, polled=False, server={"keeps_alive": False}) as rig:
        for _ in range(3):
            await rig.pump.read_status()
        assert (rig.server.requests, rig.controller.stats().opened) == (3, 4)


async def test_a_nonce_that_is_used_up(tmp_path: Path) -> None:
    """A new one is taken from the 401, and the question is asked again: it was not looked at."""
    async with pts(tmp_path, polled=False, server={"nonce_uses": 2}) as rig:
        for _ in range(7):
            await rig.pump.read_status()
        assert rig.server.requests == 7


@pytest.mark.parametrize("auth", ["digest", "basic"])
async def test_a_wrong_password(tmp_path: Path, auth: str, caplog: pytest.LogCaptureFixture) -> None:
    """Misconfigured, with what to check and never the password; a corrected file is read without a restart."""
    caplog.set_level(logging.DEBUG)
    async with pts(tmp_path, polled=False, server={"auth": auth}, controller={"auth": auth}) as rig:
        (tmp_path / "password").write_text("wrong-secret")
        with pytest.raises(Misconfigured, match="refuses the login") as caught:
            await rig.pump.read_status()
        assert "DIP-2" in caught.value.remedy
        assert rig.server.requests == 0
        (tmp_path / "password").write_text(PASSWORD)
        await rig.pump.read_status()
        shown = f"{caught.value!r} {caught.value.remedy} {rig.controller.stats()} {rig.pump.link()} {caplog.text}"
        assert "secret" not in shown
        assert base64.b64encode(b"till:wrong-secret").decode() not in shown


@pytest.mark.parametrize("text", [None, "", "\n", "\xff\xfe"])
async def test_a_password_file_that_holds_none(tmp_path: Path, text: str | None) -> None:
    """Missing, empty or no text: said with its path."""
    async with pts(tmp_path, polled=False) as rig:
        path = tmp_path / "password"
        path.unlink()
        if text is not None:
            path.write_bytes(text.encode("latin-1"))
        with pytest.raises(Misconfigured, match="password_file"):
            await rig.pump.read_status()


async def test_a_pinned_certificate(tmp_path: Path) -> None:
    """The controller's own self-signed one, by its own name."""
    context, cert = certificate(tmp_path, "pts2")
    tls = {"tls": True, "ca_file": str(cert), "tls_name": "pts2"}
    async with pts(tmp_path, polled=False, server={"tls": context}, controller=tls) as rig:
        await rig.pump.read_status()
        await rig.pump.read_status()
        assert rig.controller.stats().opened == 1


@pytest.mark.parametrize(("pinned", "name"), [("other", "pts2"), ("pts2", "other")])
async def test_a_certificate_that_is_not_the_pinned_one(tmp_path: Path, pinned: str, name: str) -> None:
    """Another's certificate, or another name in it: Misconfigured before the password is told to anybody."""
    context, own = certificate(tmp_path, "pts2")
    pins = {"pts2": own, "other": certificate(tmp_path, "other")[1]}
    tls = {"tls": True, "ca_file": str(pins[pinned]), "tls_name": name}
    async with pts(tmp_path, polled=False, server={"tls": context}, controller=tls) as rig:
        with pytest.raises(Misconfigured, match="certificate is not the one expected"):
            await rig.pump.read_status()
        assert rig.server.requests == 0


async def test_the_dates_of_a_pinned_certificate_do_not_matter(tmp_path: Path) -> None:
    """A box whose clock is not set yet still reaches its pumps."""
    context, cert = certificate(tmp_path, "pts2", days=1)
    tls = {"tls": True, "ca_file": str(cert), "tls_name": "pts2"}
    async with pts(tmp_path, polled=False, server={"tls": context}, controller=tls) as rig:
        await rig.pump.read_status()


async def test_a_ca_file_that_is_none(tmp_path: Path) -> None:
    """Said with its path."""
    context, _ = certificate(tmp_path, "pts2")
    tls = {"tls": True, "ca_file": str(tmp_path / "none.pem")}
    async with pts(tmp_path, polled=False, server={"tls": context}, controller=tls) as rig:
        with pytest.raises(Misconfigured, match="ca_file"):
            await rig.pump.read_status()


async def test_nobody_listens(tmp_path: Path) -> None:
    """LineDown at once; the polls find the controller again by themselves."""
    async with pts(tmp_path) as rig:
        await rig.server.close()
        with pytest.raises(LineDown):
            await rig.pump.read_status()
        await rig.server.open()
        await _online(rig)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("silent:1", Silent),
        ("late:1:5000", Silent),
        ("slow:1:20", Silent),
        ("short:1:5", Silent),
        ("noise-before:1:30", Garbled),
    ],
)
async def test_faults_of_the_wire(tmp_path: Path, fault: str, error: type[DeviceError]) -> None:
    """Each is named, the connection is given up, and the next question is answered."""
    async with pts(tmp_path, polled=False, controller={"timeout_s": 0.6}) as rig:
        await rig.pump.read_status()
        _arm(rig, fault)
        with pytest.raises(error):
            await rig.pump.read_status()
        await rig.pump.read_status()
        assert rig.controller.stats().opened == 2


async def test_answers_with_turned_bits(tmp_path: Path) -> None:
    """Wherever the bit is: a DeviceError or an answer, never another exception, and it goes on."""
    async with pts(tmp_path, polled=False, controller={"timeout_s": 0.25}) as rig:
        errors = 0
        for _ in range(120):
            _arm(rig, "garble:1:3")
            try:
                await rig.pump.read_status()
            except DeviceError:
                errors += 1
        rig.bay.faults.clear()
        await rig.pump.read_status()
        assert errors > 10


async def test_an_answer_for_another_pump(tmp_path: Path) -> None:
    """Garbled: it is not taken for ours."""
    async with pts(tmp_path, polled=False, faults=["foreign:1"]) as rig:
        with pytest.raises(Garbled, match="got another's"):
            await rig.pump.read_status()


@pytest.mark.parametrize("status", [301, 404, 500, 503])
async def test_other_servers(tmp_path: Path, status: int) -> None:
    """Redirects are not followed; an error page is no answer."""
    page = f"HTTP/1.1 {status} X\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 2\r\n\r\nno"
    async with impostor(page.encode()) as port, pts(tmp_path, polled=False, controller={"port": port}) as rig:
        with pytest.raises(Garbled, match=f"got {status}"):
            await rig.pump.read_status()


async def test_an_answer_without_end(tmp_path: Path) -> None:
    """A body larger than the limit is not read on."""
    head, chunk = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b" " * 65_536 + b"\r\n"
    async with impostor(head + chunk * 20) as port, pts(tmp_path, polled=False, controller={"port": port}) as rig:
        with pytest.raises(Garbled, match="expected at most"):
            await rig.pump.read_status()


async def test_an_authorisation_whose_answer_is_lost(tmp_path: Path) -> None:
    """Silent, asked once and never again by itself; the next status shows that it was done."""
    async with pts(tmp_path, polled=False, controller={"timeout_s": 0.6}) as rig:
        await rig.pump.read_status()
        _arm(rig, "silent@authorised:1")
        with pytest.raises(Silent):
            await rig.pump.authorise(order())
        assert [type(question).__name__ for question in rig.twin.asked].count("PumpAuthorize") == 1
        status = (await rig.pump.read_status()).value
        assert status is not None
        assert status.state is PumpState.AUTHORISED


async def test_polls_and_commands_share_one_connection(tmp_path: Path) -> None:
    """Ten commands at once, with the polls going on: each gets its own answer, one after the other."""
    async with pts(tmp_path) as rig:
        await asyncio.gather(*(pump.read_prices() for pump in rig.pumps), *(rig.pump.read_status() for _ in range(8)))
        assert rig.controller.stats().opened == 1
        assert rig.controller.stalled_s < 1


async def test_a_cancelled_question_leaves_nothing_behind(tmp_path: Path) -> None:
    """Its connection is given up, so that its late answer is never taken for another's."""
    async with pts(tmp_path, polled=False) as rig:
        await rig.pump.read_status()
        _arm(rig, "late:1:500")
        asked = asyncio.create_task(rig.pump.read_status())
        await asyncio.sleep(0.05)
        asked.cancel()
        await asyncio.wait([asked])
        await rig.pump.read_status()
        assert rig.controller.stats().opened == 2


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"tls": True}, "needs `ca_file`"),
        ({"tls": False, "host": "8.8.8.8"}, "private address"),
        ({"tls": False, "host": "pts.example.org"}, "private address"),
        ({"tls": False, "ca_file": "x"}, "are for `tls = true`"),
    ],
)
def test_config_that_would_tell_the_password(changes: dict[str, object], wanted: str) -> None:
    """TLS needs a pin; without TLS only within the station."""
    with pytest.raises(ValueError, match=wanted):
        ControllerConfig(**{"id": "pts", "host": "192.168.1.117", "password_file": "x", **changes})  # type: ignore[arg-type]  # keywords as given


def test_ports_of_a_controller() -> None:
    """443 with TLS, 80 without, or what is written down."""
    plain = ControllerConfig(id="a", host="10.0.0.5", password_file="x", tls=False)
    assert plain.where == "10.0.0.5:80"
    assert ControllerConfig(id="a", host="pts2.lan", password_file="x", ca_file="y").where == "pts2.lan:443"


@asynccontextmanager
async def impostor(answer: bytes) -> AsyncIterator[int]:
    """Somebody else at the controller's address, who says this to the first question and then nothing."""
    writers: list[asyncio.StreamWriter] = []

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
            await reader.read()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(client, "127.0.0.1", 0)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0.05)


async def _online(rig: Rig) -> None:
    async with asyncio.timeout(10):
        while rig.pump.link().state is not LinkState.ONLINE:  # noqa: ASYNC110  (nothing tells of it)
            await asyncio.sleep(0.02)


def _arm(rig: Rig, fault: str) -> None:
    for parsed in parse_pump_faults([fault]):
        rig.bay.faults.set(parsed)
