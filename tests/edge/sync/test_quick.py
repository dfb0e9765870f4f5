"""Presence, live state, news and commands over a real broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from sync_box import BAY, Box, enrolled, running, until
from sync_broker import PASSWORDS, Broker, headquarters_at
from sync_hq import Headquarters, Link

from cloud import commands, store
from edge.config import Config, Mqtt
from edge.sync.quick import Quick
from edge.sync.uplink import Uplink
from protocols.trade.codec import decode, encode
from protocols.trade.wire import SignedCommand


@pytest.fixture(scope="session")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """One broker for the run; a test that kills it starts it again."""
    broker = Broker(tmp_path_factory.mktemp("broker") / "mosquitto")
    yield broker
    broker.kill()


@pytest.fixture
async def broker(started: Broker) -> Broker:
    started.kill()  # no retained message of an earlier test
    await started.start()
    return started


def quick(box: Box, broker: Broker, uplink: Uplink | None, *, user: str = "box", port: int | None = None) -> Quick:
    password = box.directory / "mqtt-password"
    password.write_text(PASSWORDS.get(user, "nothing") + "\n")
    mqtt = Mqtt(
        "127.0.0.1",
        port or broker.port,
        ca_file=str(broker.authority.ca_file),
        username=user,
        password_file=str(password),
    )
    return Quick(Config(box.name, str(box.directory), hq=box.config, mqtt=mqtt), box.site, uplink)


@asynccontextmanager
async def connected(one: Quick) -> AsyncIterator[Quick]:
    task = asyncio.create_task(one.run())
    try:
        yield one
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def ready_to_sell(hq: Headquarters, box: Box) -> str:
    """A tariff is on its way, and a customer has an account; its id."""
    hq.publish(box.name)
    return hq.customer(f"CARD-{box.name}", 9_000, session_limit=1_000)


async def test_presence_follows_the_box(hq: Headquarters, broker: Broker, tmp_path: Path) -> None:
    """Online with the boot that commands must name; offline by the last will when the line breaks, and at the end."""
    async with enrolled(hq, tmp_path, "presence") as box, headquarters_at(broker, box.name) as ear:
        async with Link(broker.port).running() as link, connected(quick(box, broker, None, port=link.port)) as one:
            await until(lambda: ear.last("presence").get("online") is True)
            assert ear.last("presence")["boot"] == box.clock.boot.hex()
            assert one.status().connected
            link.drop()
            await until(lambda: {"online": False}.items() <= ear.last("presence").items())
            await until(lambda: ear.last("presence").get("online") is True)  # it comes back by itself
        await until(lambda: ear.last("presence").get("online") is False)


async def test_state_shows_a_session_with_its_price_and_no_person(
    hq: Headquarters, broker: Broker, tmp_path: Path
) -> None:
    """Whoever reads the broker sees places, energy and money, and neither account nor card."""
    async with enrolled(hq, tmp_path, "state") as box, headquarters_at(broker, box.name) as ear:
        account = await ready_to_sell(hq, box)
        async with running(box.uplink()) as uplink, connected(quick(box, broker, uplink)):
            await until(lambda: box.site.desk.tariff is not None)
            await until(lambda: ear.last("state").get("connectors") is not None)
            assert ear.last("state")["connectors"][0]["plugged"] is True
            assert ear.last("state")["sessions"] == []
            await box.site.tap(BAY, "CARD-state")
            box.bay.delivering = True
            await box.look()
            box.bay.register_wh += 500
            await box.look()
            await until(lambda: [s["amount_fen"] for s in ear.last("state")["sessions"]] == [50])
            (session,) = ear.last("state")["sessions"]
            assert session["session"].startswith("state/1/")
            assert (session["energy_wh"], session["phase"], session["connector"]) == (500, "charging", BAY)
        assert account not in repr(ear.heard)


async def test_news_makes_the_site_ask_at_once(hq: Headquarters, broker: Broker, tmp_path: Path) -> None:
    """A site that polls once an hour has a new tariff a moment after headquarters told it."""
    async with (
        enrolled(hq, tmp_path, "news", poll_s=3_600) as box,
        headquarters_at(broker, box.name) as ear,
        running(box.uplink()) as uplink,
        connected(quick(box, broker, uplink)) as one,
    ):
        await until(lambda: one.status().connected and uplink.status().backlog == 0)
        hq.publish(box.name)
        await ear.say("news", b"")
        await until(lambda: box.site.desk.tariff is not None)


async def test_a_signed_command_runs_once(hq: Headquarters, broker: Broker, tmp_path: Path) -> None:
    """Start, the same start again, and a forged one: one session. Then stop ends it."""
    async with enrolled(hq, tmp_path, "command") as box, headquarters_at(broker, box.name) as ear:
        account = await ready_to_sell(hq, box)
        async with running(box.uplink()) as uplink, connected(quick(box, broker, uplink)) as one:
            await until(lambda: box.site.desk.tariff is not None and one.status().connected)
            start = order(hq, box, "start", account=account)
            forged = encode(SignedCommand(decode(start, SignedCommand).payload, bytes(64)))
            for signed in (forged, start, start):
                await ear.say("command", signed)
            await until(lambda: box.site.desk.session_at(BAY) is not None)
            found = box.site.desk.session_at(BAY)
            assert found is not None
            session, _ = found
            assert (session.opened.origin.via, session.opened.origin.number) == ("command", 1)
            await ear.say("command", order(hq, box, "stop", session=session.seq))
            await until(lambda: box.site.desk.session_at(BAY) is None, box.look)
            await ear.say("command", start)
            await ear.say("news", b"")
            await box.write(1)
            box.site.on_change[0]()
            await until(lambda: uplink.status().backlog == 0)
            assert box.site.desk.session_at(BAY) is None


async def test_aiomqtt_a_refused_publish_is_an_error(hq: Headquarters, broker: Broker, tmp_path: Path) -> None:
    """The ACL forbids `state`: the negative PUBACK is trouble with its remedy, not a publish that looks delivered."""
    async with enrolled(hq, tmp_path, "mute") as box, connected(quick(box, broker, None, user="mute")) as one:
        await until(lambda: one.status().trouble is not None)
        trouble = one.status().trouble
        assert trouble is not None
        assert (trouble.code, "fieldtill/mute/state" in trouble.what) == ("BrokerRefused", True)
        assert "ACL" in trouble.remedy


async def test_without_a_broker_the_site_goes_on(hq: Headquarters, broker: Broker, tmp_path: Path) -> None:
    """A dead broker is trouble of its own; uploads go on, and the box is back as soon as the broker is."""
    async with (
        enrolled(hq, tmp_path, "brokerless") as box,
        running(box.uplink()) as uplink,
        connected(quick(box, broker, uplink)) as one,
    ):
        await until(lambda: one.status().connected)
        broker.kill()
        await until(lambda: not one.status().connected)
        await box.write(3)
        box.site.on_change[0]()
        await until(lambda: uplink.status().backlog == 0)
        await until(lambda: one.status().trouble is not None)
        await broker.start()
        await until(lambda: one.status().connected)
        assert one.status().trouble is None


async def test_a_wrong_password_is_told(hq: Headquarters, broker: Broker, tmp_path: Path) -> None:
    """The broker's refusal to let the box in is trouble with what to check, and no secret in it."""
    async with enrolled(hq, tmp_path, "password") as box, connected(quick(box, broker, None, user="nobody")) as one:
        await until(lambda: one.status().trouble is not None)
        trouble = one.status().trouble
        assert trouble is not None
        assert trouble.code == "BrokerLost"
        assert "password_file" in trouble.remedy
        assert "nothing" not in trouble.what


def order(hq: Headquarters, box: Box, verb: str, *, account: str = "", session: int = 0) -> bytes:
    with store.writing(hq.engine) as connection:
        return commands.order(connection, hq.keys, hq.clock, box.name, verb, BAY, account=account, session=session)[1]
