"""A shop front from a file: its lines, its commands, what it tells a gateway, and what the documentation says of it."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import re
import tomllib
import tty
from pathlib import Path
from typing import Any

import pytest

from drivers.api import MeterReading
from drivers.boards.config import BoardConfig
from drivers.cabinets.config import CabinetConfig
from drivers.dlt645_meter import Dlt645Meter
from drivers.line import Line, LineConfig
from drivers.twins.cabinets import config as config_module
from drivers.twins.cabinets import rider_words
from drivers.twins.cabinets.config import ShopConfig
from drivers.twins.cabinets.faults import CASES, DEFAULT_AMOUNT, CabinetFaultKind
from drivers.twins.cabinets.front import ShopFront
from drivers.twins.cabinets.gateway import toml_of
from drivers.twins.cabinets.pack import pack_code
from drivers.twins.commands import ready, run
from drivers.twins.config import SiteConfig, read_site
from drivers.twins.site import TwinSite
from protocols import door
from protocols.fieldbus.expect import NEED_MORE
from protocols.fieldbus.rdm6300 import Tag, ear

from .front_rig import TWELVE, driven, shop_config, until

DOCS = Path(__file__).parents[4] / "docs"
PAGE = (DOCS / "cabinet-twins.md").read_text(encoding="utf-8")


async def test_a_swap_from_end_to_end(tmp_path: Path) -> None:
    """The documented shop front with its links elsewhere: a rider, a driver that opens two doors, and the ledger."""
    text = (DOCS / "shopfront.toml").read_text(encoding="utf-8").replace("/tmp/fieldtill", str(tmp_path / "tty"))
    text = text.replace('riders = ["swaps:ann", "random:120000"]', "").replace("speed = 1 ", "speed = 3 ")
    text = re.sub(r"^faults = .*$", "", text, flags=re.MULTILINE)
    (tmp_path / "site.toml").write_text(text, encoding="utf-8")
    async with TwinSite(read_site(tmp_path / "site.toml")) as site, driven(site.shop) as cabinet:
        shop = site.shop.shop

        async def tell(**command: Any) -> dict[str, Any]:
            answer, go_on = await run(site, json.dumps(command))
            assert go_on
            return answer

        assert (await tell(do="rider", cabinet="c1", who="swaps:ann"))["ok"]
        await cabinet.open(1)
        await until(lambda: cabinet.sight().slots[1].present is True and cabinet.sight().slots[1].door_open is False)
        assert str(shop.ledger.places[pack_code(50)]) == "c1/1"
        reading = (await cabinet.read_slot(1)).pack
        assert reading is not None
        assert (reading.serial, reading.soc_permille) == (pack_code(50), 140)
        await cabinet.open(2)
        await until(lambda: cabinet.sight().slots[2].present is False and cabinet.sight().slots[2].door_open is False)
        assert [thing.name for thing in shop.hands("ann")] == [pack_code(1)]
        assert shop.audit() == []
        assert (await tell(do="state"))["shop"]["places"][pack_code(1)] == "ann"


async def test_every_command(tmp_path: Path) -> None:
    """Hands, faults, lines; and what a person may get wrong."""
    (tmp_path / "site.toml").write_text(
        TWELVE.replace("PROTOCOL", "greenway").replace("[[", "[[shop.").replace("[cabinet.", "[shop.cabinet.")
        .replace("speed = 1", "[shop]")
    )  # fmt: skip
    async with TwinSite(read_site(tmp_path / "site.toml")) as site:

        async def tell(**command: Any) -> dict[str, Any]:
            return (await run(site, json.dumps({"cabinet": "c1"} | command)))[0]

        code = pack_code(1)
        assert not (await tell(do="take", slot=3))["ok"]
        assert (await tell(do="force", slot=3, by_key=True))["slots"]["3"]["open"]
        assert (await tell(do="take", slot=3))["slots"]["3"]["in"] is None
        assert (await tell(do="put", slot=3, name=code))["slots"]["3"]["in"] == code
        assert not (await tell(do="put", slot=3, name=code))["ok"]
        assert not (await tell(do="shut", slot=3))["slots"]["3"]["open"]
        moves = (await tell(do="moves"))["moves"]
        assert [(one["was"], one["now"]) for one in moves if one["name"] == code][1:] == [
            ("c1/3", "staff"),
            ("staff", "c1/3"),
        ]
        await tell(do="rider", who="swaps:ann")
        assert site.shop.shop.busy
        await tell(do="leave")
        assert not site.shop.shop.busy
        assert (await tell(do="cabinet-fault", fault={"kind": "smoke"}))["hazards"] == ["smoke"]
        assert (await tell(do="cabinet-clear", kind="smoke"))["hazards"] == []
        for wrong in (
            {"do": "force", "slot": 99}, {"do": "rider", "who": "random"}, {"do": "rider", "who": "swims"},
            {"do": "shut", "slot": 3, "cabinet": "c9"}, {"do": "cabinet-fault", "fault": {"kind": "smoke", "slot": 99}},
            {"do": "put", "slot": 3, "name": "nothing"},
        ):  # fmt: skip
            answer = await tell(**wrong)
            assert not answer["ok"], wrong
        before = site.port("bus")
        assert await asyncio.to_thread(os.path.exists, before)
        await site.cut("bus")
        await site.restore("bus")
        assert await asyncio.to_thread(os.path.exists, site.port("bus"))
        assert ready(site)["shop"]["cabinets"] == {"c1": list(range(1, 13))}
        stats = await run(site, '{"do": "stats"}')
        assert {"bus", "modbus", "pack-1", "pack-12"} <= stats[0]["lines"].keys()


async def test_what_is_written_for_a_gateway(tmp_path: Path) -> None:
    """Lines where they serve, boards and cabinets as they were said; read back by the gateway's own structs."""
    path = tmp_path / "gateway.toml"
    meter = {"id": "grid", "cabinet": "c1", "line": "meters", "address": "000000000012"}
    async with ShopFront(shop_config(writes=str(path), meter=[meter])) as front:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
        lines = [door.admit(line, LineConfig, source="line") for line in told["line"]]
        assert {line.id for line in lines} == front.lines.keys()
        assert {f"{line.host}:{line.port}" for line in lines} == {line.port for line in front.lines.values()}
        boards = tuple(door.admit(board, BoardConfig, source="board") for board in told["board"])
        cabinets = tuple(door.admit(one, CabinetConfig, source="cabinet") for one in told["cabinet"])
        assert (boards, cabinets) == (front.config.board, front.config.cabinet)
        assert told["device"] == [{"id": "grid", "line": "meters", "profile": "dlt645-2007", "address": "000000000012"}]


def test_toml_is_what_was_said() -> None:
    """Texts with quotes, lists of tables, truths: read back they are the same."""
    tables: dict[str, list[dict[str, Any]]] = {
        "a": [{"x": 'a "b" \\ 中', "y": [{"n": 1, "t": True}], "z": {"k-1": [0.5, "not di/1"]}}],
        "b": [{"n": -3}],
    }
    assert tomllib.loads(toml_of(tables)) == tables


@pytest.mark.parametrize("slot", [None, 3])
async def test_the_meter_by_its_own_driver(slot: int | None) -> None:
    """DL/T 645: what the cabinet draws, or one charger; energy in whole steps of 10 Wh."""
    meter = {"id": "m", "cabinet": "c1", "line": "meters", "address": "000000000012"}
    config = shop_config(meter=[meter | ({} if slot is None else {"slot": slot})], speed=1)
    async with ShopFront(config, clock=None) as front:
        cabinet = front.cabinet("c1")
        cabinet.slots[3].switch(True)
        front.shop.run(1_800_000)
        host, _, port = front.lines["meters"].port.rpartition(":")
        async with Line(LineConfig(id="meters", host=host, port=int(port), framing="raw")) as line:
            driver = Dlt645Meter(line, id="m", address="000000000012")
            truth_mj = cabinet.account.metered_mj if slot is None else cabinet.slots[3].drawn_mj
            power_w = cabinet.power_w if slot is None else cabinet.slots[3].power_w
            wanted = MeterReading(truth_mj // 36_000_000 * 10, power_w, "000000000012")
            running = asyncio.create_task(driver.run())
            await until(lambda: driver.reading().value == wanted)
            running.cancel()
            await asyncio.wait([running])


async def test_readers_say_what_is_shown(tmp_path: Path) -> None:
    """As text with a line's end, and as an RDM6300 says it; at that cabinet alone."""
    readers = [
        {"id": "qr", "cabinet": "c1", "link": str(tmp_path / "qr")},
        {"id": "rfid", "cabinet": "c1", "kind": "rdm6300", "link": str(tmp_path / "rfid")},
    ]
    config = shop_config(reader=readers, person=[{"name": "ann", "credential": "0412A6B301"}])
    async with ShopFront(config, clock=None) as front:
        ports = {name: os.open(reader.port, os.O_RDWR | os.O_NOCTTY) for name, reader in front.readers.items()}
        heard: dict[str, bytes] = dict.fromkeys(ports, b"")

        def listen(name: str) -> None:
            heard[name] += os.read(ports[name], 4096)

        loop = asyncio.get_running_loop()
        for name, port in ports.items():
            tty.setraw(port)
            loop.add_reader(port, listen, name)
        front.shop.tap("elsewhere", "ann", "0412A6B302")
        front.shop.tap("c1", "ann", "0412A6B301")
        await until(lambda: len(heard["qr"]) >= 12 and len(heard["rfid"]) >= 3 * 14)
        for port in ports.values():
            loop.remove_reader(port)
            os.close(port)
        assert heard["qr"] == b"0412A6B301\r\n"
        listener = ear()
        listener.receive_data(heard["rfid"])
        tags = [listener.next_event() for _ in range(4)]
        assert tags == [Tag(0x04, 0x12A6B301)] * 3 + [NEED_MORE]


def test_every_mistake_at_once() -> None:
    """A file full of mistakes is refused with all of them."""
    plain = tomllib.loads(TWELVE.replace("PROTOCOL", "greenway"))
    plain["board"].append(plain["board"][0])
    plain["line"] = [{"id": "nowhere"}]
    plain["twin"] = [
        {"cabinet": "c2"},
        {"cabinet": "c1", "riders": ["swims"], "feedback": {"lucks": "no"}},
    ]
    plain["pack"] += [
        {"number": 60, "cabinet": "c1", "slot": 3},
        {"number": 61, "cabinet": "c1", "slot": 40},
        {"number": 62, "person": "eve"},
        {"number": 50, "person": "ann"},
    ]
    plain["meter"] = [{"id": "m", "cabinet": "c1", "slot": 40, "line": "m", "address": "000000000001"}]
    plain["reader"] = [{"id": "r", "cabinet": "c1", "kind": "rdm6300"}, {"id": "s", "cabinet": "c3"}]
    with pytest.raises(door.Refused) as refused:
        ShopFront(door.admit(plain, ShopConfig, source="shop"))
    assert [fault.path for fault in refused.value.faults] == [
        "shop.board", "shop.line nowhere", "shop.twin[0].cabinet", "shop.twin[1].feedback", "shop.twin[1].riders",
        "shop.pack[2]", "shop.pack[3]", "shop.pack[4].person", "shop.pack[5]", "shop.meter[0]",
        "shop.person ann.credential", "shop.reader[1].cabinet",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "pack", [{"number": 1}, {"number": 1, "cabinet": "c1"}, {"number": 1, "count": 2, "person": "ann"}]
)
def test_a_pack_has_one_place(pack: dict[str, Any]) -> None:
    """In a slot, or with a person."""
    with pytest.raises(door.Refused):
        shop_config(pack=[pack])


def table(heading: str) -> list[list[str]]:
    """The rows of the first table under a heading of the page."""
    part = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in part.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def test_the_page_names_every_fault() -> None:
    """Each kind in the enum's order, with the amount that holds and the cases that it provokes."""
    rows = table("Faults")
    assert [row[0].strip("`") for row in rows] == [kind.value for kind in CabinetFaultKind]
    for kind, row in zip(CabinetFaultKind, rows, strict=True):
        told = re.search(r"\((\d+)\)", row[1])
        assert int(told[1] if told else 0) == DEFAULT_AMOUNT.get(kind, 0), kind
        assert tuple(row[2].split(", ")) == CASES[kind]


def test_the_page_names_every_rider() -> None:
    """In their own words, with the cases that they provoke."""
    rows = {row[0].strip("`"): row for row in table("Riders")}
    assert list(rows) == list(rider_words.SCRIPTS)
    for kind, script in rider_words.SCRIPTS.items():
        words = " ".join((inspect.getdoc(script) or "").split()).rstrip(".")
        assert rows[kind][1].lower() == words.lower()
        assert tuple(rows[kind][2].split(", ")) == (rider_words.CASES[kind] or ("",))


def test_the_page_names_every_command() -> None:
    """Each example is one."""
    for row in table("Commands"):
        command = json.loads(row[0].strip("`"))
        assert f'tag="{command["do"]}"' in (DOCS.parent / "drivers/twins/cabinets/commands.py").read_text()


def test_the_documented_file_has_every_key() -> None:
    """docs/shopfront.toml shows all that can be said but for what few need; and it holds together."""
    text = (DOCS / "shopfront.toml").read_text(encoding="utf-8")
    site = door.admit(tomllib.loads(text), SiteConfig, source="docs/shopfront.toml")
    assert len(ShopFront(site.shop, clock=None).cabinet("c1").slots) == 12
    structs = [getattr(config_module, name) for name in dir(config_module) if name.endswith("Config")]
    ours = [struct for struct in structs if struct.__module__ == config_module.__name__]
    tables = {"board", "cabinet", "line", "twin", "pack", "person", "meter", "reader"}
    keys = {key for struct in ours for key in struct.__struct_fields__} - tables
    missing = {key for key in keys if not re.search(rf"\b{key} = ", text)}
    assert missing == {
        "baud", "host", "port", "pulse_ms", "yield_permille", "protocol", "volts", "soh_permille", "cycles", "temp_dc",
    } - {"protocol"}  # fmt: skip
