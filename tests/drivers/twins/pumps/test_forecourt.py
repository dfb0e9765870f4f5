"""A forecourt from a file: every protocol's driver on its twin, the process, and what the documentation says of it."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from drivers.pump import Order, PumpState
from drivers.twins.commands import run
from drivers.twins.config import SiteConfig, read_site
from drivers.twins.pumps.config import PumpLineConfig, TwinNozzleConfig, TwinPumpConfig
from drivers.twins.pumps.customer import CUSTOMER_WORDS, parse_customers
from drivers.twins.pumps.faults import DEFAULT_AMOUNT, PumpFaultKind
from drivers.twins.pumps.forecourt import Forecourt
from drivers.twins.pumps.parts import Head, Phase
from drivers.twins.pumps.registry import PROTOCOLS
from drivers.twins.pumps.serve import parse_nozzles, serve_pump
from drivers.twins.site import TwinSite
from protocols import door

from .driven import PRICE_E3, driven, shows

DOCS = Path(__file__).parents[4] / "docs"
PAGE = (DOCS / "pump-twins.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_every_protocol_sells_the_same(protocol: str, tmp_path: Path) -> None:
    """Ten litres ordered, twenty wanted: driver, head, meter and customer agree on what was sold, in every protocol."""
    lines = [PumpLineConfig(id="line", protocol=protocol, kind="tcp", speed=50)]
    nozzle = TwinNozzleConfig(grade="92", price_e3=PRICE_E3, total_ml=1_000_000, total_fen=785_000)
    pumps = [TwinPumpConfig(id="p1", line="line", nozzles=(nozzle,))]
    async with Forecourt(lines, pumps) as site, driven(protocol, site, tmp_path) as pump:
        bay = site.bays["p1"]
        await shows(pump, PumpState.IDLE, PumpState.ENDED)
        await pump.release()
        before = (await pump.read_totals())[1]
        bay.pump.lift(1)
        await shows(pump, PumpState.CALLING)
        await pump.authorise(Order("volume", 10_000, (1,), {1: PRICE_E3}))
        bay.pump.squeeze(700, 20_000)
        async with asyncio.timeout(20):
            while bay.pump.phase is not Phase.REACHED:  # noqa: ASYNC110  # not every head shows it
                await asyncio.sleep(0.01)
        bay.pump.hang_up()
        await shows(pump, PumpState.ENDED)
        sale, after = await pump.read_sale(), (await pump.read_totals())[1]
        assert sale is not None
        assert (sale.volume_ml, sale.amount_fen, sale.price_e3) == (10_000, 7_850, PRICE_E3)
        assert after.volume_ml - before.volume_ml == 10_000
        await pump.release()
        assert [one.ul for one in bay.sold if one.ul] == [10_000_000] == [bay.pump.delivered_ul[1]]


async def test_the_documented_forecourt_serves(tmp_path: Path) -> None:
    """docs/forecourt.toml, with its links elsewhere: three pumps on two lines, told what to do by commands."""
    text = (DOCS / "forecourt.toml").read_text(encoding="utf-8").replace("/tmp/fieldtill", str(tmp_path / "tty"))
    (tmp_path / "site.toml").write_text(text, encoding="utf-8")
    async with TwinSite(read_site(tmp_path / "site.toml")) as site:
        assert site.forecourt.about() == {
            "p1": {"line": "dart", "protocol": "dart", "address": 0x50},
            "p2": {"line": "dart", "protocol": "dart", "address": 0x51},
            "p3": {"line": "two-wire", "protocol": "gilbarco", "address": 1},
        }
        assert (tmp_path / "tty-dart").is_symlink()
        assert site.pump("p2").pump.head.overrun_ml == 20

        async def tell(**command: Any) -> dict[str, Any]:
            answer, go_on = await run(site, json.dumps(command))
            assert go_on
            return answer

        assert (await tell(do="customer", pump="p2", who="fills:1:5000"))["busy"]
        assert not (await tell(do="customer", pump="p2", who="random"))["ok"]
        assert not (await tell(do="lift", pump="p9", nozzle=1))["ok"]
        assert (await tell(do="lift", pump="p3", nozzle=2))["out"] == 2
        assert not (await tell(do="lift", pump="p3", nozzle=3))["ok"]
        site.pump("p3").pump.authorise()
        assert (await tell(do="squeeze", pump="p3", ml_s=700, ml=1))["flow_ml_s"] == 700
        assert (await tell(do="hang-up", pump="p3"))["out"] is None
        fault = {"kind": "power-cut", "amount": 60_000}
        assert (await tell(do="pump-fault", pump="p3", fault=fault))["phase"] == "dark"
        assert (await tell(do="pump-clear", pump="p2"))["faults"] == []
        assert set((await tell(do="state"))["pumps"]) == {"p1", "p2", "p3"}
        assert set((await tell(do="stats"))["lines"]) == {"dart", "two-wire"}
        await tell(do="cut", line="dart")
        assert not (tmp_path / "tty-dart").is_symlink()
        assert (await tell(do="restore", line="dart"))["port"] == site.port("dart")


@pytest.mark.parametrize("protocol", ["dart", "pts"])
async def test_a_port_that_comes_back(protocol: str) -> None:
    """Cut and put back, a line in the network is where it was."""
    nozzle = TwinNozzleConfig(grade="92", price_e3=PRICE_E3)
    lines = [PumpLineConfig(id="l", protocol=protocol, kind="tcp")]
    async with Forecourt(lines, [TwinPumpConfig(id="p", line="l", nozzles=(nozzle,))]) as site:
        port = site.lines["l"].port
        await site.lines["l"].close()
        await site.lines["l"].open()
        assert site.lines["l"].port == port


async def test_a_process_of_its_own(tmp_path: Path) -> None:
    """`python -m drivers.twins FILE`: says where, obeys, ends with its stdin; a filling needs nobody else."""
    (tmp_path / "site.toml").write_text(
        'pump_line = [{ id = "l", protocol = "dart", kind = "tcp", speed = 100 }]\n'
        'pump = [{ id = "p", line = "l", nozzles = [{ grade = "92", price_e3 = 785_000 }] }]\n'
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "drivers.twins", str(tmp_path / "site.toml"),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    ready = json.loads(await process.stdout.readline())
    assert ready["pumps"] == {"p": {"line": "l", "protocol": "dart", "address": 0x50}}
    process.stdin.write(b'{"do": "lift", "pump": "p", "nozzle": 1}\n{"do": "state"}\n')
    assert json.loads(await process.stdout.readline())["out"] == 1
    assert json.loads(await process.stdout.readline())["pumps"]["p"]["phase"] == "ended"  # DART waits for a reset
    process.stdin.close()
    assert await asyncio.wait_for(process.wait(), 20) == 0


def test_every_mistake_at_once() -> None:
    """A file full of mistakes is refused with all of them."""
    lines = [
        PumpLineConfig(id="a", protocol="morse"),
        PumpLineConfig(id="b", protocol="dart"),
        PumpLineConfig(id="b", protocol="dart"),
    ]
    nozzle = TwinNozzleConfig(grade="92", price_e3=1)
    pumps = [
        TwinPumpConfig(id="1", line="b", nozzles=(nozzle,)),
        TwinPumpConfig(id="1", line="b", nozzles=(nozzle,)),
        TwinPumpConfig(id="2", line="c", nozzles=(nozzle,)),
        TwinPumpConfig(id="3", line="b", nozzles=(nozzle,), head={"volume": 1, "overrun_ml": True}),
        TwinPumpConfig(id="4", line="b", nozzles=()),
        TwinPumpConfig(id="5", line="b", nozzles=(nozzle,), customers=("ghosts",)),
        TwinPumpConfig(id="6", line="b", nozzles=(nozzle,), address=0x50),
        TwinPumpConfig(id="7", line="b", nozzles=(nozzle,), options={"colour": "red"}),
    ]
    with pytest.raises(door.Refused) as refused:
        Forecourt(lines, pumps)
    assert [fault.path for fault in refused.value.faults] == [
        "pump_line[0].protocol", "pump_line[2].id", "pump[1].id", "pump[2].line", "pump[3].head.volume",
        "pump[3].head.overrun_ml", "pump[4].nozzles", "pump[5].customers", "pump[6]", "pump[7]",
    ]  # fmt: skip


async def test_one_at_a_terminal() -> None:
    """Says where it is, and how it stands whenever that has changed."""
    said: list[str] = []
    stop = asyncio.Event()
    serving = asyncio.create_task(
        serve_pump("sanki", tcp_port=0, nozzles="92=7.85", customers=["fills:1"], say=said.append, stop=stop)
    )
    async with asyncio.timeout(10):
        while len(said) < 2:  # noqa: ASYNC110  # said once a second
            await asyncio.sleep(0.05)
    stop.set()
    await serving
    assert re.fullmatch(r"sanki at address 1 on 127\.0\.0\.1:\d+", said[0])
    assert said[1] == "idle nozzle 1 out, 0.00 L 0.00 yuan; totals 1: 0.00 L; 0 sold"


NOZZLES = [("92", [("92", 785_000)]), ("92=7.85, 95=8.39001", [("92", 785_000), ("95", 839_001)])]


@pytest.mark.parametrize(("text", "nozzles"), NOZZLES)
def test_nozzles_in_words(text: str, nozzles: list[tuple[str, int]]) -> None:
    """Grades in the order of their numbers, with prices in yuan."""
    assert [(nozzle.grade, nozzle.price_e3) for nozzle in parse_nozzles(text)] == nozzles


@pytest.mark.parametrize("text", ["", "92,", "92=0", "92=x", "92=NaN", "92=1e99999999", "92=7.8500001", "92=-1", "9 2"])
def test_nozzles_that_cannot_be(text: str) -> None:
    """Anything else is refused with an example."""
    with pytest.raises(ValueError, match=r"such as 92=7\.85"):
        parse_nozzles(text)


def table(heading: str) -> list[list[str]]:
    """The rows of a table of the page."""
    part = PAGE.partition(f"## {heading}")[2].partition("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_the_page_names_every_fault() -> None:
    """Each kind in the enum's order, with the amount that holds."""
    rows = table("Faults of a pump")
    assert [row[0].strip("`") for row in rows] == [kind.value for kind in PumpFaultKind]
    for kind, row in zip(PumpFaultKind, rows, strict=True):
        told = re.search(r"\((\d+)\)", row[2])
        assert int(told[1] if told else 0) == DEFAULT_AMOUNT.get(kind, 0), kind


def test_the_page_names_every_head_and_its_default() -> None:
    """Each field of a head, with what it is if nothing is said."""
    told = {
        name: value.strip()
        for row in table("How a dispenser counts")
        for name, value in zip(re.findall(r"`(\w+)`", row[0]), row[2].split(","), strict=True)
    }
    head = Head()
    true = {f.name: getattr(head, f.name) for f in dataclasses.fields(Head) if f.name != "decimals"}
    assert told == {name: "never" if value is None else str(value).lower() for name, value in true.items()}


def test_the_page_names_every_customer_and_protocol() -> None:
    """Every example is understood, and every kind has one."""
    words = [word for row in table("Customers") for word in re.findall(r"`([^`]+)`", row[0])]
    assert {word.partition(":")[0] for word in words} | {"random"} == {
        word.split("[")[0].split(":")[0] for word in CUSTOMER_WORDS
    }
    for word in words:
        next(parse_customers([word], 0, (1, 2)))
    assert re.findall(r"`(\w+)`", re.search(r"Protocols: (.*)\. `--unit`", PAGE)[1]) == list(PROTOCOLS)  # type: ignore[index]  # it is there


def test_the_documented_file_has_every_key() -> None:
    """docs/forecourt.toml shows all that can be said of a line and a pump, but a port and a protocol's options."""
    text = (DOCS / "forecourt.toml").read_text(encoding="utf-8")
    site = door.admit(tomllib.loads(text), SiteConfig, source="docs/forecourt.toml")
    assert len(site.pump) == 3
    keys = {*PumpLineConfig.__struct_fields__, *TwinPumpConfig.__struct_fields__, *TwinNozzleConfig.__struct_fields__}
    assert {key for key in keys if not re.search(rf"\b{key} = ", text)} == {"host", "port", "options"}
