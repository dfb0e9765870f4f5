"""`fieldtill-hq` as people and scripts use it, and the server as a process."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import typer
from hq_box import Box, read
from hq_say import Say

from cloud import documents, store
from cloud.cli import main as cli
from cloud.home import load_config, open_home
from cloud.service import Answer, Request
from protocols.proof.note import VerifierKey
from protocols.trade import wire
from protocols.trade.codec import decode
from protocols.trade.documents import Document
from protocols.trade.tariff import Tariff
from protocols.trade.wire import BatchReply, DocumentAsk, DocumentReply, EnrolReply, SignedCommand

TARIFF = """
id = "city"
version = 1
zone = "Europe/Berlin"
session_yuan = "0"
idle_yuan_per_min = "0.5"
idle_grace_s = 900

[[periods]]
from = "00:00"
name = "valley"
energy_yuan_per_kwh = "0.31"
service_yuan_per_kwh = "0.40"
"""


def test_a_fleet_from_nothing(say: Say, tmp_path: Path) -> None:
    """Init, a site, an account with a card, money, prices: each command says what it did, and JSON for scripts."""
    assert say("init").code == 0
    vkeys = [VerifierKey.parse(line) for line in say("keys").out.splitlines()]
    assert [key.name for key in vkeys] == ["hq.fieldtill/grant", "hq.fieldtill/cosign", "fieldtill/hq/1"]
    assert (tmp_path / "hq" / "hq.vkeys").read_text() == say("keys").out
    box = Box("pudong-1")
    assert say("site", "add", "pudong-1", "--device", box.fingerprint, "--title", "浦东一号").code == 0
    account = say("account", "add", "--home-site", "pudong-1", "--card", "04A1B2C3").out.strip()
    assert say("account", "top-up", account, "100.50", "--reference", "wx-1").code == 0
    assert "done before" in say("account", "top-up", account, "100.50", "--reference", "wx-1").out
    shown = json.loads(say("--json", "account", "show", account).out)
    assert (shown["free"], shown["cards"]) == ({"CNY": 10_050}, 1)
    assert "100.50" in say("account", "show", account).out
    assert json.loads(say("--json", "site", "list").out)[0]["device"] == box.fingerprint
    assert "pudong-1" in say("site", "show", "pudong-1").out
    assert "frozen" in say("account", "freeze", account).out


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("site", "add", "hq"), 1, "own log"),
        (("site", "add", "s", "--device", "12"), 1, "eight groups"),
        (("site", "add", "s", "--zone", "Mars/Olympus"), 1, "IANA"),
        (("site", "show", "nowhere"), 1, "no site"),
        (("account", "show", "NOBODY"), 1, "no account"),
        (("account", "top-up", "NOBODY", "1", "--reference", "r"), 1, "no account"),
        (("account", "top-up", "A", "1.005", "--reference", "r"), 2, "two decimals"),
        (("account", "top-up", "A", "1"), 2, "--reference"),
        (("command", "stop", "nowhere", "c1", "4"), 1, "no site"),
        (("command", "start", "nowhere", "cab-1", "x", "--kind", "borrow"), 2, "expected swap, rent or return"),
        (("command", "start", "nowhere", "cab-1", "x", "--yuan", "3", "--offer", "month"), 2, "not both"),
        (("nightly", "--date", "yesterday"), 2, "YYYY-MM-DD"),
        (("init",), 2, "has keys already"),
        (("fly",), 2, "No such command"),
    ],
)
def test_what_is_refused_and_what_is_no_input(say: Say, words: tuple[str, ...], code: int, text: str) -> None:
    """1: refused; 2: bad input. Both say why on standard error."""
    say("init")
    said = say(*words)
    assert (said.code, said.out) == (code, "")
    assert text in said.err


def test_without_a_home_it_says_how_to_make_one(say: Say) -> None:
    """Nothing is made by mistake."""
    said = say("site", "list")
    assert said.code == 2
    assert "init" in said.err


def test_a_faulty_configuration_names_every_fault(say: Say, tmp_path: Path) -> None:
    """hq.toml goes through the same door as a site's."""
    (tmp_path / "hq").mkdir()
    (tmp_path / "hq" / "hq.toml").write_text('zone = 8\n[listen]\nport = "x"\nhosts = "all"\n')
    said = say("init")
    assert said.code == 2
    assert all(path in said.err for path in ("zone", "listen.port", "listen.hosts"))


def test_a_tariff_reaches_every_site_with_its_zones_offsets(say: Say, tmp_path: Path) -> None:
    """Signed for each site; summer time stands in it as offsets, so that no site needs a zone database."""
    say("init")
    for site in ("a", "b"):
        say("site", "add", site)
    file = tmp_path / "tariff.toml"
    file.write_text(TARIFF)
    assert json.loads(say("--json", "tariff", "set", str(file)).out)["sites"] == ["a", "b"]
    assert json.loads(say("--json", "tariff", "set", str(file)).out)["sites"] == []
    home = open_home(tmp_path / "hq")
    with store.reading(home.engine) as connection:
        document = decode(documents.fetch(connection, "b", "tariff", 1), Document)
    home.engine.dispose()
    tariff = decode(document.payload, Tariff)
    assert {offset.offset_s for offset in tariff.offsets} == {3_600, 7_200}
    assert len(tariff.offsets) == 11  # two changes a year, from two years back to two ahead
    assert "valley" in say("tariff", "show", "a").out

    file.write_text(TARIFF.replace("0.31", "0.32"))
    said = say("tariff", "set", str(file))
    assert (said.code, "expected a version above 1" in said.err) == (2, True)
    file.write_text(TARIFF.replace('"0.31"', "0.31").replace("00:00", "24:00").replace("Berlin", "Nowhere"))
    said = say("tariff", "set", str(file))
    assert said.code == 2
    assert all(path in said.err for path in ("energy_yuan_per_kwh", "from"))


def test_keys_that_others_can_read_are_refused(say: Say, tmp_path: Path) -> None:
    """A group-readable grant key would let others make money."""
    say("init")
    (tmp_path / "hq" / "keys" / "grant.pem").chmod(0o640)
    said = say("keys")
    assert (said.code, "0600" in said.err) == (2, True)


@pytest.fixture
def served(say: Say, tmp_path: Path) -> Iterator[str]:
    """`fieldtill-hq serve` as a process, over TLS; its address."""
    say("init")
    say("tls", "make", str(tmp_path / "tls"))
    tls = tmp_path / "tls"
    words = ["serve", "--port", "0", "--certificate", tls / "server.pem", "--key", tls / "server.key"]
    command = [sys.executable, "-m", "cloud", "--home", tmp_path / "hq", *words]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, text=True
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().removeprefix("listening on ").strip()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) in (0, -signal.SIGTERM)


def post(address: str, request: Request, ca: Path) -> Answer:
    headers = {
        wire.HEADER_SITE: request.site,
        wire.HEADER_EPOCH: str(request.epoch),
        wire.HEADER_SIGNATURE: request.signature,
        "Content-Encoding": "deflate" if request.deflated else "identity",
    }
    reply = requests.post(address + request.path, data=request.body, headers=headers, timeout=10, verify=ca)
    return Answer(reply.status_code, reply.content)


def test_a_site_and_the_command_line_meet_at_the_server(say: Say, served: str, tmp_path: Path) -> None:
    """Server and commands are processes of their own on one database; TLS is checked against the made authority."""
    ca, box = tmp_path / "tls" / "ca.pem", Box("pudong-1")
    assert served.startswith("https://127.0.0.1:")
    say("site", "add", "pudong-1", "--device", box.fingerprint)
    account = say("account", "add", "--home-site", "pudong-1").out.strip()
    (tmp_path / "tariff.toml").write_text(TARIFF)
    say("tariff", "set", str(tmp_path / "tariff.toml"))
    box.open_epoch(read(post(served, box.enrol_request(), ca), EnrolReply).epoch)
    say("account", "top-up", account, "80", "--reference", "wx-1")

    reply = read(post(served, box.request(wire.PATH_BATCH, box.batch(0)), ca), BatchReply)
    assert len(reply.grants) == 1
    assert [(ref.kind, ref.version) for ref in reply.documents] == [("tariff", 1)]
    ask = box.request(wire.PATH_DOCUMENT, DocumentAsk("tariff", 1, 0))
    assert decode(read(post(served, ask, ca), DocumentReply).document, Document).site == "pudong-1"

    assert say("command", "start", "pudong-1", "c1", account, "--yuan", "30").code == 0
    reply = read(post(served, box.request(wire.PATH_BATCH, box.batch(1)), ca), BatchReply)
    assert len(reply.commands) == 1
    assert decode(decode(reply.commands[0], SignedCommand).payload, wire.Command).number == 1

    assert requests.get(served + "/healthz", timeout=10, verify=ca).text == "ok\n"
    metrics = requests.get(served + "/metrics", timeout=10, verify=ca).text
    assert 'fieldtill_requests_total{outcome="ok",path="/v1/batch"} 2.0' in metrics
    assert 'fieldtill_epochs{state="open"} 1.0' in metrics


def test_the_documented_configuration_loads(tmp_path: Path) -> None:
    """The whole hq.toml of docs/headquarters.md, as it is printed there."""
    text = (Path(__file__).parents[2] / "docs" / "headquarters.md").read_text(encoding="utf-8")
    (tmp_path / "hq.toml").write_text(text.split("```toml\n")[1].split("```")[0])
    config = load_config(tmp_path)
    assert config.mqtt is not None
    assert (config.listen.port, config.mqtt.username) == (8443, "hq")


def test_every_documented_command_is_there() -> None:
    """Each command that the page names has a help text."""
    text = (Path(__file__).parents[2] / "docs" / "headquarters.md").read_text(encoding="utf-8")
    group = typer.main.get_command(cli.app)
    known = {name: getattr(command, "commands", {}) for name, command in group.commands.items()}
    for words in re.findall(r"`(site|account|tariff|command|tls|nightly|report|serve|init|keys) ?([a-z-]*)", text):
        name, verb = words
        assert name in known
        assert not known[name] or verb in known[name] or group.commands[name].invoke_without_command, words
