"""The real daemon as a process: how it starts, sells, ends, and what it says with its exit code."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from daemon_rig import CARD, CONFIG, Box, daemon, make_box, run_daemon, tell, twins, until

from edge import clock
from edge.__main__ import DISK_FAILED, OTHER, _say
from edge.clock import System
from edge.config import load
from edge.daemon import serve
from edge.journal.errors import JournalFailed
from edge.lean import UNUSED
from edge.logs import set_up


@pytest.fixture(autouse=True)
def _logs() -> None:
    set_up(clock.system().wall_ms, terminal=False)


def connector(box: Box) -> dict:
    return box.ask("status")["connectors"][0]


def ready(box: Box) -> bool:
    """The till is open, charger and meter have answered."""
    place = connector(box) if box.asks("sessions") is not None else {"iec": None, "register_wh": None}
    return place["iec"] is not None and place["register_wh"] is not None


def test_a_session_outlives_the_daemon(box: Box) -> None:
    """SIGTERM saves running sessions and ends in order; the next daemon of the boot goes on, and bills the whole."""
    with twins(box) as field:
        with daemon(box) as process:
            until(lambda: ready(box), process)
            opened = box.ask("start", connector="c1", card=CARD)
            until(lambda: box.ask("sessions")[0]["energy_wh"] >= 3, process)
        assert [line["event"] for line in box.events()][-2:] == ["stopping", "stopped"]
        with daemon(box) as process:
            until(lambda: ready(box), process)
            assert box.ask("sessions")[0]["id"] == opened["id"]
            box.ask("stop", connector="c1")
            until(lambda: box.ask("records", kind="session-closed"), process)
            (bill,) = box.ask("records", first=-1, limit=1, kind="session-closed")
            truth = tell(field, do="state")["outlets"]["c1"]["delivered_wh"]
            assert abs(bill["body"]["energy_wh"] - truth) <= 10  # the meter counts in steps of 10 Wh
            assert bill["body"]["amount_fen"] == round(bill["body"]["energy_wh"] * 0.12)


def test_evcc_14496_starts_with_device_off(box: Box) -> None:
    """No line is there at the start: the daemon serves, says so once, and takes the devices when they come."""
    with daemon(box) as process:
        until(lambda: box.events("line down"), process)
        assert box.ask("devices")["lines"][0]["up"] is False
        refused = box.cli("start", "c1", "--card", CARD)
        assert refused.returncode == 1
        assert "rs485:charger-1" in refused.stderr
        with twins(box):
            until(lambda: ready(box), process)
            assert box.ask("start", connector="c1", card=CARD)["connector"] == "c1"


def test_everest_523_no_log_flood(box: Box) -> None:
    """A device that is dead is told of once, however often it is asked."""
    with twins(box) as field, daemon(box) as process:
        until(lambda: ready(box), process)
        tell(field, do="fault", device="meter-1", fault={"kind": "dead"})
        until(lambda: box.events("device offline"), process)
        failed = box.ask("devices")["devices"][1]["counts"]["timeouts"]
        until(lambda: box.ask("devices")["devices"][1]["counts"]["timeouts"] > failed, process)
        (once,) = box.events("device offline")
        assert "meter-1" in once["error"]
        assert "fieldtill scan" in once["error"]
        assert len(box.events()) < 12


def test_what_the_supervisor_hears(box: Box) -> None:
    """READY=1 when customers are let in, WATCHDOG=1 while all is well, STOPPING=1 at the end."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(str(box.root / "notify"))
        supervisor.settimeout(20)
        heard: list[str] = []
        env = {"NOTIFY_SOCKET": str(box.root / "notify"), "WATCHDOG_USEC": "300000"}
        with daemon(box, env):
            while "READY=1" not in heard or heard.count("WATCHDOG=1") < 3:
                heard += supervisor.recv(4096).decode().splitlines()
        while "STOPPING=1" not in heard:
            heard += supervisor.recv(4096).decode().splitlines()
        assert "STATUS=0 sessions, 0 of 2 devices online" in heard


def test_a_wrong_clock_is_no_reason_not_to_sell(box: Box) -> None:
    """1970 on the box: it serves, and says that the time is not known."""
    right = clock.system()
    wrong = System(b"another.", right.mono_ms, lambda: 1_000, lambda: False)

    async def look() -> dict:
        serving = asyncio.create_task(serve(load(box.config), wrong))
        while (told := await asyncio.to_thread(box.asks, "status")) is None or told["waiting_for"]:
            assert not serving.done(), serving.exception()
            await asyncio.sleep(0.05)
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        return told

    told = asyncio.run(look())
    assert (told["clock_quality"], told["uncertain_ms"]) == ("unknown", None)


def test_without_an_epoch_it_waits_and_says_for_what(tmp_path: Path) -> None:
    """A box that headquarters has not admitted polls its devices, answers the panel, and sells nothing."""
    fresh = Box(tmp_path)
    fresh.config.write_text(CONFIG.format(root=tmp_path))
    with twins(fresh), daemon(fresh) as process:
        until(lambda: fresh.ask("devices")["devices"][0]["state"] == "online", process)
        assert "[hq]" in fresh.ask("status")["waiting_for"]
        refused = fresh.cli("start", "c1", "--card", CARD)
        assert "not open" in refused.stderr
    assert not fresh.journal.exists()


def test_metrics(tmp_path: Path) -> None:
    """Prometheus text on a port of its own: devices, lines, till, journal, watchdog."""
    box = make_box(tmp_path, CONFIG + "\n[metrics]\nport = 0\n")
    with daemon(box) as process:
        until(lambda: box.events("metrics") and box.ask("status")["epoch"], process)
        url = box.events("metrics")[0]["url"]
        with urllib.request.urlopen(url) as page:
            text = page.read().decode()
        for line in (
            'fieldtill_device_online{device="meter-1"} 0.0', "fieldtill_serving 1.0", "fieldtill_records_total 3.0",
            'fieldtill_line_up{line="rs485"} 0.0', "fieldtill_watchdog_age_seconds", "fieldtill_held_fen 0.0",
        ):  # fmt: skip
            assert line in text
        rss_kb = int(Path(f"/proc/{process.pid}/status").read_text().partition("VmHWM:")[2].split()[0])
        assert rss_kb < 64 * 1024


def test_exit_3_for_a_damaged_journal(box: Box) -> None:
    """One changed record: not served, not written, and the remedy is said."""
    data = box.journal.read_bytes()
    box.journal.write_bytes(data.replace(b"epoch-opened", b"epoch-opemed"))
    ended = run_daemon(box)
    assert ended.returncode == 3
    said = json.loads(ended.stdout.splitlines()[-1])
    assert "salvage" in said["remedy"]


def test_a_second_daemon_leaves_the_first_alone(box: Box) -> None:
    """It ends by itself, and the first keeps its journal and its socket."""
    with daemon(box) as first:
        second = run_daemon(box)
        assert second.returncode == 1
        assert "another" in second.stdout
        assert first.poll() is None
        assert box.ask("status")["site"] == "hz-0001"


def test_exit_4_for_a_failed_disk(capsys: pytest.CaptureFixture[str]) -> None:
    """Of all that ends together the disk is what counts, said once and without a traceback."""
    inner = BaseExceptionGroup("", [asyncio.CancelledError(), JournalFailed("fsync: Input/output error")])
    assert _say(BaseExceptionGroup("unhandled errors in a TaskGroup", [ValueError("follows from it"), inner])) == 4
    assert DISK_FAILED == 4
    said = capsys.readouterr().out
    assert "Input/output error" in said
    assert "Traceback" not in said


def test_exit_1_for_a_bug(capsys: pytest.CaptureFixture[str]) -> None:
    """Anything unknown is told with its traceback, for a report."""
    assert _say(ExceptionGroup("", [ZeroDivisionError("by zero")])) == OTHER
    assert "ZeroDivisionError" in capsys.readouterr().out


def test_sigint_is_as_good_as_sigterm(box: Box) -> None:
    """Ctrl-C in `fieldtill run` ends in order, too."""
    with daemon(box) as process:
        until(lambda: box.events("serving"), process)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0


def test_the_daemon_loads_no_more_than_it_needs() -> None:
    """A box pays for typer, requests, MQTT, sqlite-utils and Prometheus only where it uses them."""
    code = "import sys, edge.__main__; print(sorted({'typer', 'requests', 'aiomqtt', 'prometheus_client', " \
           "'sqlite_utils', 'uvicorn', 'h11'} & set(sys.modules)))"  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert done.stdout.strip() == "[]"


def test_what_libraries_load_for_nothing_is_left_out(tmp_path: Path) -> None:
    """Neither structlog nor requests brings along what the daemon never uses, and both work without it, unwarned."""
    command = [sys.executable, "-X", "importtime", "-m", "edge", "--config", str(tmp_path / "none.toml")]
    loaded = subprocess.run(command, capture_output=True, text=True, check=False).stderr
    names = [line.rpartition("|")[2].strip() for line in loaded.splitlines() if line.startswith("import time:")]
    assert "structlog" in names
    assert [name for name in names if name.partition(".")[0] in UNUSED and "." in name] == []  # asked for, not there
    code = "from edge.lean import leave_out; leave_out(); import requests, structlog; " \
           "structlog.dev.ConsoleRenderer(); print(requests.models.Response().text)"  # fmt: skip
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")
