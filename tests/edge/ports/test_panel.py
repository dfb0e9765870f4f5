"""What the panel can ask of ports and lockers, on a real journal and without a socket."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from typer.testing import CliRunner

from drivers.ports.strangers import Strangers
from edge.daemon_state import Daemon
from edge.panel import verbs_port as verbs
from edge.panel.cli_port import app
from edge.panel.messages import LineView
from edge.panel.messages_port import PortSessionView, PortView
from edge.panel.paper import Paper
from edge.panel.show import devices
from edge.panel.show_port import opened, ports, sessions
from edge.panel.verbs import Declined, NoArgs, StopSession
from tests.edge.desk_rig import CARD
from tests.edge.ports.port_rig import Rack, a_rack, with_doors


def daemon_of(rack: Rack) -> Daemon:
    rack.site.ports = rack.hall
    return cast(Daemon, SimpleNamespace(site=rack.site))


def shown(views: Any) -> Any:
    """As the command line gets them."""
    return msgspec.json.decode(msgspec.json.encode(views))


async def test_a_port_is_started_shown_and_stopped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By a card, as a tap at the board would; stopped by the name of its port."""
    async with a_rack(tmp_path) as rack:
        daemon = daemon_of(rack)
        told = shown(
            await verbs.port_start(daemon, verbs.StartPort("rack.1", card=CARD, preset="money", amount=300), "li")
        )
        opened(Paper(), msgspec.convert(told, PortSessionView))
        await rack.wait(600)
        ports(Paper(), msgspec.convert(shown(await verbs.ports(daemon, NoArgs(), "li")), list[PortView]))
        listed = shown(await verbs.port_sessions(daemon, NoArgs(), "li"))
        sessions(Paper(), msgspec.convert(listed, list[PortSessionView]))
        text = capsys.readouterr().out
        assert all(word in text for word in ("rack.1", "¥3.00", "60 min at most", "running, 150 W"))
        assert listed[0]["fen"] in (16, 17)
        await verbs.stop(daemon, StopSession(connector="rack.1"), "li")
        await rack.wait(10)
        assert rack.bills[0][0] == "local"


async def test_a_locker_by_pin_and_by_staff(tmp_path: Path) -> None:
    """Given to a customer, refused to a wrong PIN, opened by staff with a reason."""
    async with a_rack(tmp_path, price="lockers", traits=with_doors()) as rack:
        for outlet in rack.steel.outlets.values():
            outlet.plugged = False
        rack.steel.tell()
        daemon = daemon_of(rack)
        given = shown(await verbs.locker_store(daemon, verbs.StorePack(account="ann", pin="4711"), "li"))
        await rack.wait(5, 1)
        rack.steel.outlets[1].door_open = False
        rack.steel.tell()
        await rack.wait(5, 1)
        (view, *_) = msgspec.convert(shown(await verbs.ports(daemon, NoArgs(), "li")), list[PortView])
        assert view.stay is not None
        assert (given["place"], view.stay.state, view.stay.pin) == ("rack.1", "stored", True)
        with pytest.raises(Declined) as wrong:
            await verbs.locker_collect(daemon, verbs.CollectPack("rack.1", pin="4712"), "li")
        assert wrong.value.trouble.code == "wrong-pin"
        await verbs.locker_open(daemon, verbs.OpenLocker("rack.1", "lost its PIN", remove=True), "wu")
        await rack.wait(5, 1)
        assert rack.desk.state.ports.stays == {}


async def test_by_hand_alone_is_refused(tmp_path: Path) -> None:
    """It says that the pack is out, and that it stays its owner's: no door opens, and nothing goes into the log."""
    async with a_rack(tmp_path, price="lockers", traits=with_doors()) as rack:
        size = rack.journal.size
        with pytest.raises(Declined) as declined:
            await verbs.locker_open(daemon_of(rack), verbs.OpenLocker("rack.1", "its switch", by_hand=True), "wu")
        assert declined.value.trouble.code == "bad-request"
        assert "Say both" in declined.value.trouble.remedy
        assert ("open", 1) not in rack.steel.asked
        assert rack.journal.size == size


def test_by_hand_alone_asks_nobody() -> None:
    """The command line says so before it looks for a daemon."""
    told = CliRunner().invoke(app, ["locker", "open", "rack.1", "--because", "its switch", "--by-hand"])
    assert told.exit_code == 2
    assert "say both if you have it" in " ".join(told.output.replace("│", " ").split())


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (verbs.StartPort("rack.9", account="ann"), "unknown-port"),
        (verbs.StartPort("rack.1"), "bad-request"),
        (verbs.StartPort("rack.1", account="nobody"), "unknown-account"),
        (verbs.StartPort("rack.1", account="ann", preset="money", amount=99_999_999), "not-enough"),
    ],
)
async def test_what_is_refused_says_why(tmp_path: Path, args: verbs.StartPort, code: str) -> None:
    """Each with its word and a remedy."""
    async with a_rack(tmp_path) as rack:
        with pytest.raises(Declined) as declined:
            await verbs.port_start(daemon_of(rack), args, "li")
        assert declined.value.trouble.code == code


def test_a_stranger_at_a_listener_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """With its number and address, and what to do, though the listener is open and well."""
    strangers = Strangers("pile", "Give it a [[ykc.pile]].")
    strangers.met("32010200000009", "10.0.0.7:4711")
    line = LineView("piles", "192.168.8.1:8768", True, strangers.words(), 0.0, 1, 0, 0)
    devices(Paper(), [line], [])
    text = " ".join(capsys.readouterr().out.split())
    assert "unknown pile 32010200000009 at 10.0.0.7:4711. Give it a [[ykc.pile]]." in text
