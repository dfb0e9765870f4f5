"""`fieldtill` as a technician uses it: against the real daemon and real twins, and without a daemon."""

from __future__ import annotations

import json
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from daemon_rig import ACCOUNT, CARD, CONFIG, Box, daemon, make_box, twins, until

from edge.panel.cli import app

DOCS = Path(__file__).parents[3] / "docs" / "cli.md"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """One site at work for all tests here, with a car at c1."""
    box = make_box(tmp_path_factory.mktemp("site"), CONFIG)
    with twins(box), daemon(box) as process:
        until(lambda: box.asks("sessions") is not None, process)
        until(lambda: box.ask("status")["connectors"][0]["iec"], process)
        until(lambda: box.ask("status")["connectors"][0]["register_wh"], process)
        yield box


def shown(box: Box, *arguments: str) -> str:
    """What a command prints, with what differs from run to run left out."""
    done = box.cli(*arguments)
    assert done.returncode == 0, done.stderr
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "TIME", done.stdout.replace(str(box.root), "ROOT"))
    text = re.sub(r"\d+(\.\d+)? (ms|s|min)( \d+ s)?\b", "AGE", text)
    return "\n".join(re.sub(r" {2,}", "  ", line).strip() for line in text.splitlines())


def test_status(site: Box) -> None:
    """The site at a glance."""
    assert shown(site, "status").replace("synchronised", "informative") == (
        "hz-0001, epoch 1, serving, up AGE\n"
        "\n"
        "clock  TIME, informative, not bounded from above\n"
        "log  3 records, 0 acknowledged\n"
        "day 1  0 sessions, 0.000 kWh, ¥0.00\n"
        "value  ¥500.00 granted to 1 account: ¥0.00 used, ¥0.00 held, ¥500.00 free\n"
        "tariff  city, version 3\n"
        "\n"
        "CONNECTOR  CAR  CHARGER  METER  REGISTER  AGE  SESSION\n"
        "c1  B plugged  charger-1 online  meter-1 online  1234.560 kWh  AGE  free"
    )


def test_devices(site: Box) -> None:
    """Lines and devices, who answers, and how fast."""
    text = re.sub(r"  \d+\b", "  N", shown(site, "devices"))
    assert text == (
        "LINE  WHERE  STATE  BUSY  QUEUE  EXCHANGES  OVERRUNS\n"
        "rs485  ROOT/tty-rs485  open  N %  N  N  N\n"
        "\n"
        "DEVICE  LINE  PROFILE  STATE  LAST GOOD  P50  P99  ANSWERED  QUIET  FAILED\n"
        "charger-1  rs485  heidelberg-energy-control  online  AGE ago  AGE  AGE  N  N  N\n"
        "meter-1  rs485  eastron-sdm630  online  AGE ago  AGE  AGE  N  N  N"
    )


def test_read(site: Box) -> None:
    """Each value with its age, the milliseconds of its request, and the register it is in."""
    lines = shown(site, "read", "meter-1").splitlines()
    assert lines[0] == "meter-1, eastron-sdm630 on rs485, online, last good AGE ago"
    assert "energy_import  1234560 Wh  good  AGE  AGE  input 0x0048" in lines


def test_a_session_from_start_to_bill(site: Box) -> None:
    """Start, look, stop and wait: the last line is the bill."""
    assert "is open: ¥20.00 of acc-1 held, ¥20.00" in shown(site, "start", "c1", "--card", CARD, "--money", "20")
    until(lambda: site.ask("sessions")[0]["energy_wh"] >= 3)
    (line,) = shown(site, "sessions").splitlines()[1:]
    assert re.match(rf"hz-0001/1/\d+  c1  {ACCOUNT}  charging  ¥20.00  0\.\d+ kWh  11\.\d kW  ¥", line)
    assert "charging, " in shown(site, "status").splitlines()[-1]
    busy = site.cli("start", "c1", "--account", ACCOUNT)
    assert (busy.returncode, busy.stderr.splitlines()[0]) == (1, "fieldtill: c1 has a session")
    assert re.search(r"session-closed  session \d+: 0\.\d+ kWh, ¥0\.\d\d, Local", shown(site, "stop", "c1", "--wait"))
    assert shown(site, "sessions") == "no session is open"


def test_a_receipt_of_what_was_sold(site: Box) -> None:
    """Out of the running daemon's journal, and proven by the fingerprint that `fieldtill keys` prints."""
    shown(site, "start", "c1", "--account", ACCOUNT)
    until(lambda: site.ask("sessions")[0]["energy_wh"] >= 1)
    sold = re.search(r"session-closed  session (\d+)", shown(site, "stop", "c1", "--wait"))
    assert sold is not None
    receipt = site.root / "receipt.json"
    told = shown(site, "receipt", sold[1], "--out", str(receipt), "--lang", "en")
    assert "State  provisional: headquarters has not cosigned it yet" in told
    keys = {one["of"]: one["public"] for one in json.loads(site.cli("keys", "--json").stdout)}
    for key in ("this box", "its measurements (OCMF, FTM)", "the log, epoch 1"):
        verified = site.cli("verify", str(receipt), "--site-key", keys[key], "--lang", "en")
        assert verified.returncode == 0, verified.stdout + verified.stderr
    assert re.search(r"The signed meter record \(OCMF, page \d\) is by the same box", verified.stdout)


def test_records_are_the_same_with_and_without_the_daemon(site: Box) -> None:
    """Off the file they are read on a connection that cannot write."""
    asked = json.loads(site.cli("records", "--first", "0", "--limit", "3", "--json").stdout)
    read = json.loads(
        site.cli("records", "--first", "0", "--limit", "3", "--json", "--journal", str(site.journal)).stdout
    )
    assert asked == read
    assert [one["kind"] for one in asked] == ["epoch-opened", "config-applied", "grant-accepted"]
    assert "acc-1 has been granted ¥500.00 in total" in shown(
        site, "records", "--first", "0", "--kind", "grant-accepted"
    )


def test_scan_and_raw(site: Box) -> None:
    """Who is on the line, and what a unit says to bytes typed by hand; both beside the daemon's own polls."""
    found = shown(site, "scan", "rs485", "--first", "11", "--last", "12", "--timeout-ms", "60").splitlines()
    assert [line.partition("  ")[0] for line in found] == ["PROTOCOL", "modbus"]
    assert "11" in found[1]
    nobody = site.cli("scan", "rs485", "--first", "90", "--last", "91", "--timeout-ms", "20")
    assert (nobody.returncode, nobody.stdout.splitlines()[0]) == (1, "nobody answers on rs485: modbus 90 to 91")
    wrong = site.cli("scan", "rs485", "--protocol", "gilbarco")
    assert "a question in gilbarco may be an order there" in wrong.stderr
    assert shown(site, "raw", "rs485", "0b 04 00 48 00 02 f1 77").splitlines()[0] == ">>  0b 04 00 48 00 02 f1 77"


def test_day(site: Box) -> None:
    """The site day, shown and closed."""
    assert "day  1, from record 0 on" in shown(site, "day", "show")
    assert shown(site, "day", "close").startswith("day 1 is closed: ")


def test_journal(site: Box) -> None:
    """Check and inspect, while the daemon runs."""
    assert re.fullmatch(r"ROOT/data/journal.db: hz-0001, epoch 1, \d+ records, whole", shown(site, "journal", "check"))
    inspected = shown(site, "journal", "inspect")
    assert "epoch-opened  1" in inspected
    assert re.search(r"records  \d+  seq, bytes", inspected)
    assert json.loads(site.cli("journal", "inspect", "--seq", "0", "--json").stdout)["body"]["site"] == "hz-0001"
    assert json.loads(site.cli("journal", "inspect", "--table", "log", "--json").stdout)[0]["epoch"] == 1


def test_keys_and_setup(site: Box) -> None:
    """The fingerprint is the same each time, and no private part is shown."""
    fingerprints = {json.loads(site.cli("setup", "--json").stdout)["fingerprint"] for _ in range(2)}
    (fingerprint,) = fingerprints
    keys = shown(site, "keys")
    assert fingerprint in keys
    assert "PRIVATE" not in keys
    assert f"fieldtill-hq site add hz-0001 --device {fingerprint}" in shown(site, "setup")


def test_check_says_the_same_as_the_daemon(site: Box, tmp_path: Path) -> None:
    """What starts passes; what does not start fails with the daemon's own words (evcc #16195)."""
    assert shown(site, "check").splitlines()[1] == "site  ok  hz-0001: 1 line, 2 devices, 1 connector; " \
        "no [hq]: it never gets an epoch of its own"  # fmt: skip
    wrong = tmp_path / "config.toml"
    wrong.write_text('site = "hz 1"\n[[line]]\nid = "a"\n')
    done = site.cli("check", "--config", str(wrong))
    assert done.returncode == 2
    assert "site: expected 1 to 32 letters" in done.stdout
    assert "line[0]: expected values that fit together" in done.stdout


def test_without_a_daemon(box: Box) -> None:
    """Exit code 5, and how to start it; what needs no daemon still works."""
    done = box.cli("status")
    assert (done.returncode, done.stdout) == (5, "")
    assert "no daemon listens on" in done.stderr
    assert "systemctl start fieldtill" in done.stderr
    assert box.cli("records", "--journal", str(box.journal)).returncode == 0
    assert box.cli("status", "--socket", "/nowhere").returncode == 5


def test_without_a_config(box: Box) -> None:
    """Where to name it."""
    done = box.cli("status", env={"FIELDTILL_CONFIG": "/nowhere/config.toml"})
    assert done.returncode == 2
    assert "--config" in done.stderr


def test_a_damaged_journal(box: Box, tmp_path: Path) -> None:
    """Checked: exit 3 with the record. Salvaged: what can be had, to a new file; the old one stays as it is."""
    with sqlite3.connect(box.journal) as connection:
        connection.execute("DELETE FROM records WHERE seq = 1")
    connection.close()
    checked = box.cli("journal", "check")
    assert checked.returncode == 3
    assert "record 1: missing" in checked.stderr
    assert box.cli("check").returncode == 3
    before = box.journal.read_bytes()
    salvaged = box.cli("journal", "salvage", str(tmp_path / "saved.db"))
    assert salvaged.returncode == 3
    assert "not complete, 2 of 3 records" in salvaged.stdout
    assert "records 1 to 1 are missing" in salvaged.stdout
    assert box.journal.read_bytes() == before


@pytest.mark.parametrize(
    "arguments",
    [
        ("start", "c1"),
        ("start", "c1", "--card", "x", "--account", "y"),
        ("start", "c1", "--card", "x", "--money", "1.234"),
        ("start", "c1", "--card", "x", "--money", "-5"),
        ("start", "c1", "--card", "x", "--energy", "0"),
        ("start", "c1", "--card", "x", "--time", "2"),
        ("start", "c1", "--card", "x", "--time", "2h", "--money", "5"),
        ("stop",),
        ("records", "--limit", "0"),
        ("records", "--kind", "swap-close"),
        ("port", "start", "rack.3"),
        ("swap", "cab-1", "--card", "x", "--rent", "--return"),
        ("slot", "open", "cab-1", "0", "--because", "to look"),
        ("slot", "open", "cab-1", "4", "--because", "x"),
        ("locker", "open", "rack.4", "--because", "y" * 65),
        ("sing",),
    ],
)
def test_a_bad_command_line(box: Box, arguments: tuple[str, ...]) -> None:
    """Exit code 2 before anything is asked."""
    assert box.cli(*arguments).returncode == 2


def commands() -> Iterator[tuple[str, list[str]]]:
    """Every command with its options."""
    top = typer.main.get_command(app)
    for name, command in sorted(top.commands.items()):  # type: ignore[attr-defined]  # a group
        inner = getattr(command, "commands", None)
        for path, one in [(name, command)] if inner is None else [(f"{name} {sub}", c) for sub, c in inner.items()]:
            yield path, [opt for param in one.params for opt in param.opts if opt.startswith("--")]


def test_the_page_names_every_command_and_option() -> None:
    """docs/cli.md and the program agree."""
    page = DOCS.read_text()
    for path, options in commands():
        assert f"fieldtill {path}" in page
        assert [option for option in options if f"`{option}" not in page] == [], path


def test_every_command_has_an_example() -> None:
    """In its --help."""
    top = typer.main.get_command(app)
    for name, command in top.commands.items():  # type: ignore[attr-defined]  # a group
        for one in getattr(command, "commands", {name: command}).values():
            assert "fieldtill" in (one.epilog or ""), one.name


def test_a_twin_serves_until_ctrl_c() -> None:
    """`fieldtill twin`: says where it is, and ends well; also where the tests run in the background, deaf to Ctrl-C."""
    hearing = "import signal, edge.panel.cli as it; signal.signal(signal.SIGINT, signal.default_int_handler); it.main()"
    command = [sys.executable, "-c", hearing, "twin", "eastron-sdm630", "--tcp", "0", "--unit", "3"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as twin:
        assert twin.stdout is not None
        assert re.match(r"eastron-sdm630 as unit 3 on 127\.0\.0\.1:\d+$", twin.stdout.readline().strip())
        twin.send_signal(signal.SIGINT)
        twin.stdout.read()
        assert twin.wait(20) == 0


def test_a_twin_of_nothing(box: Box) -> None:
    """Which profiles there are, and which was meant."""
    done = box.cli("twin", "keba-p3")
    assert done.returncode == 2
    assert "Did you mean keba-p30?" in done.stderr
