"""Headquarters and a real MQTT 5 broker: news goes out, presence comes in, and a refused publish is an error."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import aiomqtt
import msgspec
import pytest

from cloud.home import Mqtt
from cloud.mqtt import Presence, PublishRefused, Switchboard, connect, publish_once
from protocols.trade.wire import topic

ACL = "topic readwrite fieldtill/+/news\ntopic readwrite fieldtill/+/presence\ntopic readwrite fieldtill/+/state\n"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mqtt]:
    """A broker that lets everybody write news and presence, and nobody commands."""
    program = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    if program is None:
        pytest.skip("no broker here: apt-get install mosquitto")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (tmp_path / "acl").write_text(ACL)
    (tmp_path / "acl").chmod(0o644)
    tmp_path.chmod(0o755)
    lines = f"listener {port} 127.0.0.1\nallow_anonymous true\nacl_file {tmp_path}/acl\nuser root\n"
    (tmp_path / "mosquitto.conf").write_text(lines)
    with subprocess.Popen([program, "-c", tmp_path / "mosquitto.conf"], stderr=subprocess.DEVNULL) as process:
        _wait_for(port)
        yield Mqtt("127.0.0.1", port, tls=False)
        process.terminate()


def _wait_for(port: int) -> None:
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except ConnectionRefusedError:
            time.sleep(0.05)
    pytest.fail("the broker did not start")


async def until(true: Callable[[], bool]) -> None:
    while not true():  # noqa: ASYNC110 (nothing in the switchboard would wake a waiter)
        await asyncio.sleep(0.02)


async def test_a_refused_publish_is_an_error(broker: Mqtt) -> None:
    """aiomqtt 2.5.1 swallows the negative PUBACK of MQTT 5; ours does not, and goes on working afterwards."""
    async with connect(broker, "hq") as client:
        with pytest.raises(PublishRefused, match=r"(?i)not authorized"):
            await client.tell(topic("pudong-1", "command"), b"start")
        await client.tell(topic("pudong-1", "news"), b"")
    with pytest.raises(PublishRefused):
        await publish_once(broker, [(topic("pudong-1", "command"), b"start")])


async def test_the_switchboard_tells_and_hears(broker: Mqtt) -> None:
    """A site is told that something waits, and what it says of itself is remembered."""
    switchboard = Switchboard(broker)
    running = asyncio.create_task(switchboard.run())
    try:
        async with aiomqtt.Client(broker.host, broker.port, protocol=aiomqtt.ProtocolVersion.V5) as box:
            await box.subscribe(topic("pudong-1", "news"), qos=1)
            presence = Presence(True, 3, "ab" * 8)
            await box.publish(topic("pudong-1", "presence"), msgspec.json.encode(presence), qos=1, retain=True)
            await box.publish(topic("pudong-1", "state"), b'{"size":7}', qos=1, retain=True)
            switchboard.tell("pudong-1")
            async with asyncio.timeout(10):
                message = await anext(aiter(box.messages))
                await until(lambda: "pudong-1" in switchboard.heard() and switchboard.heard()["pudong-1"].state != b"")
        assert str(message.topic) == "fieldtill/pudong-1/news"
        assert switchboard.heard()["pudong-1"].presence == presence
        assert switchboard.heard()["pudong-1"].state == b'{"size":7}'
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_what_a_box_says_is_never_trusted(broker: Mqtt) -> None:
    """Nonsense from a box is passed over; the switchboard goes on."""
    switchboard = Switchboard(broker)
    running = asyncio.create_task(switchboard.run())
    try:
        async with connect(broker, "box") as box:
            await box.publish(topic("s", "presence"), b"\xff{", qos=1, retain=True)
            await box.publish(topic("s", "state"), b"x" * 70_000, qos=1, retain=True)
            await box.publish(topic("t", "state"), b"{}", qos=1, retain=True)
            async with asyncio.timeout(10):
                await until(lambda: "t" in switchboard.heard())
        heard = switchboard.heard()["s"]
        assert (heard.presence, heard.state) == (None, b"")
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
