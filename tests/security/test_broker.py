"""A stranger, or another site, at the broker with the configuration that is shipped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiomqtt
import pytest
from broker_rig import Broker
from paho.mqtt.reasoncodes import ReasonCode
from sync_box import Box, enrolled, running, until
from sync_hq import Headquarters

from cloud import mqtt as hq_mqtt
from cloud.home import Mqtt as HqMqtt
from cloud.mqtt import HEARD_SITES_MAX, Presence, PublishRefused, Switchboard
from edge.config import Config, Mqtt
from edge.sync.quick import NEWS_MAX, Quick
from edge.sync.uplink import Uplink
from protocols.trade.codec import encode
from protocols.trade.wire import SignedCommand, topic

SITES = ("alpha", "beta")
LEAVES = ("presence", "state", "news", "command")


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    broker = Broker(tmp_path_factory.mktemp("broker"), SITES)
    yield broker
    broker.process.kill()
    broker.process.wait()


@pytest.fixture
async def broker(started: Broker) -> Broker:
    await started.ready()
    return started


async def may_write(client: hq_mqtt.Client, site: str, leaf: str) -> bool:
    try:
        await client.tell(topic(site, leaf), b"")
    except PublishRefused:
        return False
    return True


async def may_read(broker: Broker, reader: hq_mqtt.Client, site: str, leaf: str) -> bool:
    """mosquitto grants any subscription and filters what is delivered, so it is tried with a message."""
    codes = await reader.subscribe(topic(site, leaf), qos=1)
    assert all(isinstance(code, ReasonCode) for code in codes)
    await reader.subscribe(topic("alpha", "news"), qos=1)  # which alpha may read: it comes last
    writer = "hq" if leaf in ("news", "command") else site
    async with broker.client(writer, "writer") as other, broker.client("hq", "end") as end:
        await other.tell(topic(site, leaf), b"secret")
        await end.tell(topic("alpha", "news"), b"end")
    async with asyncio.timeout(10):
        async for message in reader.messages:
            if message.payload == b"secret":
                return True
            if message.payload == b"end":
                return False
    raise AssertionError("the connection has ended")


async def test_a_site_speaks_for_itself_alone(broker: Broker) -> None:
    """With alpha's password: alpha's presence and state, and not a word in any other topic."""
    async with broker.client("alpha") as alpha:
        allowed = {(site, leaf) for site in SITES for leaf in LEAVES if await may_write(alpha, site, leaf)}
        assert allowed == {("alpha", "presence"), ("alpha", "state")}
        for foreign in ("fieldtill/alpha", "fieldtill/alpha/news/x", "$SYS/x", "anything"):
            with pytest.raises(PublishRefused):
                await alpha.tell(foreign, b"")
    async with broker.client("hq") as headquarters:
        allowed = {(site, leaf) for site in SITES for leaf in LEAVES if await may_write(headquarters, site, leaf)}
        assert allowed == {(site, leaf) for site in SITES for leaf in ("news", "command")}


@pytest.mark.parametrize("leaf", LEAVES)
async def test_a_site_hears_nothing_of_another(broker: Broker, leaf: str) -> None:
    """A command of another site would name that site's account and prices."""
    async with broker.client("alpha") as alpha:
        assert not await may_read(broker, alpha, "beta", leaf)
        if leaf in ("news", "command"):
            assert await may_read(broker, alpha, "alpha", leaf)


async def test_a_stranger_is_not_let_in(broker: Broker) -> None:
    """No password, a wrong one, or no TLS."""
    tls = aiomqtt.TLSParameters(ca_certs=str(broker.authority.ca_file))
    for user, password, params in ((None, None, tls), ("alpha", "beta", tls), ("alpha", "alpha", None)):
        with pytest.raises(aiomqtt.MqttError):
            async with aiomqtt.Client(
                "127.0.0.1", broker.site_port, username=user, password=password, tls_params=params, timeout=3
            ):
                pass


async def test_a_client_id_throws_nobody_out(broker: Broker) -> None:
    """Alpha's password with beta's client id: beta stays."""
    async with broker.client("beta", "fieldtill-beta") as beta, broker.client("alpha", "fieldtill-beta") as alpha:
        await alpha.tell(topic("alpha", "state"), b"")
        await beta.tell(topic("beta", "state"), b"")


class Counting(Uplink):
    """The real uplink, and how often it was told of news."""

    told = 0

    def news(self) -> None:
        self.told += 1
        super().news()


@asynccontextmanager
async def quick(broker: Broker, box: Box, uplink: Uplink) -> AsyncIterator[Quick]:
    password = box.directory / "mqtt-password"
    password.write_text(f"{box.name}\n")
    at = Mqtt("127.0.0.1", broker.site_port, True, str(broker.authority.ca_file), box.name, str(password))
    one = Quick(Config(box.name, str(box.directory), hq=box.config, mqtt=at), box.site, uplink)
    task = asyncio.create_task(one.run())
    try:
        await until(lambda: one.status().connected)
        yield one
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_a_flood_of_news_is_a_few_questions(broker: Broker, hq: Headquarters, tmp_path: Path) -> None:
    """Somebody with headquarters' password says `news` five hundred times; the link is asked six times a minute."""
    async with enrolled(hq, tmp_path, "alpha", poll_s=3_600) as box:
        plain = box.uplink()
        plain.__class__ = Counting
        assert isinstance(plain, Counting)
        async with running(plain) as uplink, quick(broker, box, uplink), broker.client("hq") as somebody:
            for _ in range(500):
                await somebody.publish(topic("alpha", "news"), b"x", qos=0)
            await until(lambda: plain.told == NEWS_MAX)
            await somebody.tell(topic("alpha", "command"), b"the last of them")  # in order, behind the flood
            await asyncio.sleep(0.2)
            assert plain.told == NEWS_MAX


async def test_a_flood_of_forged_commands_is_one_line(
    broker: Broker, hq: Headquarters, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Signed by nobody, or no command at all: nothing starts, nothing is recorded, and the disk is not filled."""
    async with (
        enrolled(hq, tmp_path, "beta", poll_s=3_600) as box,
        running(box.uplink()) as uplink,
        quick(broker, box, uplink) as one,
        broker.client("hq") as somebody,
    ):
        await until(lambda: uplink.status().backlog == 0)
        before = box.journal.size
        for number in range(300):
            forged = b"\xc1" * 40 if number % 2 else encode(SignedCommand(b"start", bytes(64)))
            await somebody.publish(topic("beta", "command"), forged, qos=0)
        await until(lambda: one._disbelieved > 50)
        assert box.journal.size == before
    assert capsys.readouterr().out.count("command not believed") == 1


async def test_presence_ends_with_the_broker(tmp_path: Path) -> None:
    """What headquarters knew of its sites is unknown once nobody can tell it."""
    broker = Broker(tmp_path, SITES)
    await broker.ready()
    switchboard = Switchboard(broker.for_hq)
    running_it = asyncio.create_task(switchboard.run())
    try:
        async with broker.client("alpha") as alpha:
            await alpha.publish(topic("alpha", "presence"), b'{"online":true,"epoch":1,"boot":""}', qos=1, retain=True)
            await until(lambda: "alpha" in switchboard.heard())
        broker.process.kill()
        broker.process.wait()
        await until(lambda: not switchboard.heard())
    finally:
        broker.process.kill()
        running_it.cancel()
        await asyncio.gather(running_it, return_exceptions=True)


def test_headquarters_remembers_no_more_than_a_fleet() -> None:
    """A broker that lets everybody write anywhere cannot fill its memory; a site that is known stays known."""
    switchboard = Switchboard(HqMqtt("127.0.0.1"))
    for number in range(HEARD_SITES_MAX + 500):
        switchboard._hear(f"s{number}", "state", b"{}")
    switchboard._hear("x" * 65, "state", b"{}")
    assert len(switchboard.heard()) == HEARD_SITES_MAX
    switchboard._hear("s0", "presence", b'{"online":true,"epoch":1,"boot":""}')
    assert switchboard.heard()["s0"].presence == Presence(True, 1, "")


def test_nonsense_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    """A site that cannot say whether it is there fills no log at headquarters."""
    switchboard = Switchboard(HqMqtt("127.0.0.1"))
    for _ in range(100):
        switchboard._hear("alpha", "presence", b"\xff")
    assert capsys.readouterr().out.count("presence not understood") == 1
