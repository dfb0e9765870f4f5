"""A forecourt as processes: the daemon, the command line, and a DART dispenser on a pty that is killed and cut off."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from edge import clock
from edge.clock import Clock
from edge.daemon import last_stamp
from edge.desk import Desk
from edge.journal.journal import Journal
from edge.keys import KeyRing
from edge.till.policy import Policy
from protocols.proof import keys
from protocols.trade import documents, fuel_prices
from protocols.trade.codec import encode
from protocols.trade.documents import Document
from protocols.trade.fuel_prices import Grade, GradePrice, PriceList, PriceStep
from protocols.trade.tariff import Offset
from tests.edge.daemon_rig import ACCOUNT, CARD, EPOCH, HQ_KEY, SITE, Box, daemon, make_box, tell, twins, until

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

TWINS = """
[[pump_line]]
id = "dart"
protocol = "dart"
link = "{root}/tty-dart"
speed = 4
[[pump]]
id = "t1"
line = "dart"
address = 0x50
nozzles = [
  {{ number = 1, grade = "92", price_e3 = 700_000, total_ml = 120_345_670 }},
  {{ number = 2, grade = "0", price_e3 = 700_000, total_ml = 5_550 }},
]
[[pump]]
id = "t2"
line = "dart"
address = 0x51
nozzles = [{{ number = 1, grade = "92" }}]
"""

CONFIG = """
site = "hz-0001"
data_dir = "data"
ballast_mb = 1
[till]
progress_s = 1
[panel]
socket = "panel.sock"
[fuel]
silence_s = 3
stuck_after_s = 5
[[line]]
id = "island"
path = "{root}/tty-dart"
baud = 9600
parity = "O"
[[pump]]
id = "p1"
number = 3
protocol = "dart"
line = "island"
address = 0x50
nozzles = [{{ number = 1, grade = "92", tank = "t1" }}, {{ number = 2, grade = "0" }}]
[[pump]]
id = "p2"
number = 4
protocol = "dart"
line = "island"
address = 0x51
nozzles = [{{ number = 1, grade = "92", tank = "t1" }}]
"""

LIST = PriceList(
    "east", 1, "UTC", [Offset(0, 0)], [Grade("92", "92#"), Grade("0", "diesel")],
    [PriceStep(0, [GradePrice("92", 785_000), GradePrice("0", 750_000)])],
)  # fmt: skip


OTHERS = {
    "gilbarco": ('baud = 5787\nparity = "E"', "decimals = { volume = 3, total_volume = 2 }"),
    "azt": ('baud = 4800\ndata_bits = 7\nparity = "E"\nstop_bits = 2', ""),
    "sanki": ('baud = 9600\nparity = "E"', ""),
}
"""The line of each other protocol, and where the points stand in its pump's digits."""

READER = """
[[reader]]
id = "island-reader"
pumps = ["3", "p2"]
path = "{path}"
"""


@contextmanager
def island(root: Path, config: str = CONFIG, pumps_: str = TWINS) -> Iterator[tuple[Box, subprocess.Popen[str]]]:
    """A box with a price list, and its two pumps; the daemon is the test's to start."""
    box = make_box(root, config)
    asyncio.run(publish(box))
    with twins(box, pumps_) as pumps:
        yield box, pumps


async def publish(box: Box) -> None:
    journal = Journal.open(box.journal, KeyRing(box.keys_dir, {}).log(EPOCH), ballast_bytes=0)
    desk = Desk(journal, Clock(clock.system(), last_stamp(journal)), Policy(), {})
    payload = encode(LIST)
    part = documents.signed_part(fuel_prices.KIND, SITE, 1, payload)
    await desk.take_documents(
        [encode(Document(fuel_prices.KIND, SITE, 1, payload, keys.sign(HQ_KEY, documents.DOMAIN, part)))]
    )
    await journal.close()


def pump(box: Box, name: str = "p1") -> dict[str, Any]:
    return next(one for one in box.ask("pumps") if one["id"] == name)


def is_ready(box: Box) -> bool:
    """Read, and showing what the list says."""
    views = box.asks("pumps") or []
    return bool(views) and all(
        view["state"] == "idle" and all(one["shown_e3"] == one["due_e3"] and one["total_ml"] for one in view["nozzles"])
        for view in views
        if view["id"] == "p1"
    )


def closed(box: Box) -> list[dict[str, Any]]:
    return [one["body"] for one in box.ask("records", first=-50, limit=50, kind="filling-closed")]


def pour(box: Box, pumps: subprocess.Popen[str], ml: int) -> None:
    """Lift, wait for the pump's permission, squeeze, hang up once it has flowed."""
    tell(pumps, do="lift", pump="t1", nozzle=1)
    until(lambda: pump(box)["filling"] and pump(box)["filling"]["phase"] in ("authorised", "delivering"))
    tell(pumps, do="squeeze", pump="t1", ml_s=800, ml=ml)
    until(
        lambda: (
            pump(box)["filling"] is None or pump(box)["filling"]["volume_ml"] >= ml or pump(box)["state"] == "reached"
        )
    )
    tell(pumps, do="hang-up", pump="t1")


def test_a_filling_from_the_command_line_to_the_bill(tmp_path: Path) -> None:
    """Prices set, 30 yuan ordered and delivered to the fen, bill on the screen; prepaid by volume with a card too."""
    with island(tmp_path) as (box, pumps), daemon(box) as process:
        until(lambda: is_ready(box), process)
        done = box.cli("fill", "3", "--account", ACCOUNT, "--money", "30")
        assert done.returncode == 0, done.stderr
        pour(box, pumps, 9_000)
        until(lambda: closed(box), process)
        (bill,) = closed(box)
        assert (bill["amount_fen"], bill["reason"], bill["sold"]["grade"]) == (3_000, "preset", "92")
        until(lambda: is_ready(box), process)
        assert box.cli("fill", "3", "--card", CARD, "--volume", "2.5").returncode == 0
        busy = box.cli("fill", "3", "--account", ACCOUNT)
        assert (busy.returncode, "p1 has a filling" in busy.stderr) == (1, True)
        pour(box, pumps, 9_000)
        until(lambda: len(closed(box)) == 2, process)
        assert closed(box)[1]["volume_ml"] == 2_500
        status = box.ask("status")
        assert status["value"]["used_fen"] == sum(one["amount_fen"] for one in closed(box))
        assert status["value"]["held_fen"] == 0
        for words in (["pump", "list"], ["pump", "show", "3"], ["pump", "prices"], ["pump", "totals"], ["status"]):
            assert box.cli(*words).returncode == 0
        assert box.cli("fill", "9", "--account", ACCOUNT).returncode == 1


def test_the_daemon_is_killed_while_fuel_flows(tmp_path: Path) -> None:
    """kill -9 in mid-sale, the customer fills up and hangs up, the daemon comes back: one bill of all of it."""
    with island(tmp_path) as (box, pumps), ExitStack() as first:
        process = first.enter_context(daemon(box))
        until(lambda: is_ready(box), process)
        assert box.cli("fill", "3", "--account", ACCOUNT).returncode == 0
        tell(pumps, do="lift", pump="t1", nozzle=1)
        until(lambda: pump(box)["filling"]["phase"] == "authorised", process)
        tell(pumps, do="squeeze", pump="t1", ml_s=500, ml=12_340)
        until(lambda: pump(box)["filling"]["volume_ml"] > 0, process)
        process.kill()
        process.wait()
        until(lambda: tell(pumps, do="squeeze", pump="t1", ml_s=0, ml=0) is not None)
        tell(pumps, do="hang-up", pump="t1")
        with daemon(box) as again:
            until(lambda: closed(box), again)
            (bill,) = closed(box)
            assert bill["volume_ml"] > 0
            assert bill["amount_fen"] == (bill["volume_ml"] * 785 + 500) // 1000
            assert box.ask("status")["value"]["held_fen"] == 0
            assert box.ask("records", first=-50, limit=50, kind="fuel-unattributed") == []


def test_a_card_at_the_islands_reader(tmp_path: Path) -> None:
    """A tap takes the pump with its nozzle out; the log is sound meanwhile and afterwards, and the day closes."""
    says, reader = os.openpty()
    with island(tmp_path, CONFIG + READER.format(path=os.ttyname(reader))) as (box, pumps), daemon(box) as process:
        until(lambda: is_ready(box), process)
        tell(pumps, do="lift", pump="t1", nozzle=2)
        until(lambda: pump(box)["state"] == "calling", process)
        os.write(says, f"{CARD}\n".encode())
        until(lambda: (pump(box)["filling"] or {}).get("phase") == "authorised", process)
        assert box.cli("verify").returncode == 0
        tell(pumps, do="squeeze", pump="t1", ml_s=800, ml=4_000)
        until(lambda: pump(box)["filling"]["volume_ml"] >= 4_000, process)
        assert box.cli("sessions").returncode == 0
        tell(pumps, do="hang-up", pump="t1")
        until(lambda: closed(box), process)
        (bill,) = closed(box)
        assert (bill["sold"]["nozzle"], bill["volume_ml"], bill["amount_fen"]) == (2, 4_000, 3_000)
        until(lambda: is_ready(box), process)
        assert box.cli("day", "close").returncode == 0
        kinds = [one["kind"] for one in box.ask("records", first=-3, limit=3)]
        assert kinds[-2:] == ["fuel-day-closed", "day-closed"]
        done = box.cli("verify")
        assert done.returncode == 0, done.stdout
    os.close(says)
    os.close(reader)


def test_every_serial_protocol_sells(tmp_path: Path) -> None:
    """Three pumps at once, each on a line and in a protocol of its own: 30 yuan at each, and a sound log."""
    config = CONFIG[: CONFIG.index("[[line]]")]
    simulated = ""
    for number, (protocol, (line, decimals)) in enumerate(OTHERS.items(), start=1):
        config += f'[[line]]\nid = "{protocol}"\npath = "{{root}}/tty-{protocol}"\n{line}\n'
        config += f'[[pump]]\nid = "{protocol}"\nnumber = {number}\nprotocol = "{protocol}"\nline = "{protocol}"\n'
        config += f'address = 1\nnozzles = [{{{{ number = 1, grade = "92" }}}}]\n{_braced(decimals)}\n'
        simulated += (
            f'[[pump_line]]\nid = "{protocol}"\nprotocol = "{protocol}"\nlink = "{{root}}/tty-{protocol}"\nspeed = 4\n'
        )
        simulated += f'[[pump]]\nid = "{protocol}"\nline = "{protocol}"\naddress = 1\n'
        simulated += 'nozzles = [{{ number = 1, grade = "92", price_e3 = 700_000, total_ml = 120_345_670 }}]\n'
    with island(tmp_path, config, simulated) as (box, pumps), daemon(box) as process:
        until(lambda: all(view["nozzles"][0]["shown_e3"] == 785_000 for view in box.ask("pumps")), process)
        until(lambda: all(view["nozzles"][0]["total_ml"] for view in box.ask("pumps")), process)
        for name in OTHERS:
            box.ask("fill", pump=name, account=ACCOUNT, preset="money", amount=3_000)
            tell(pumps, do="lift", pump=name, nozzle=1)
        for name in OTHERS:
            until(lambda name=name: pump(box, name)["filling"]["phase"] in ("authorised", "delivering"), process)
            tell(pumps, do="squeeze", pump=name, ml_s=800)
        for name in OTHERS:
            until(
                lambda name=name: tell(pumps, do="squeeze", pump=name, ml_s=800)["phase"] in ("reached", "ended"),
                process,
            )
            tell(pumps, do="hang-up", pump=name)
        until(lambda: len(closed(box)) == len(OTHERS), process)
        assert {(one["amount_fen"], one["volume_ml"] // 10) for one in closed(box)} == {(3_000, 382), (3_000, 383)}
        done = box.cli("verify")
        assert done.returncode == 0, done.stdout


def _braced(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")
