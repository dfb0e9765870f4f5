"""The config: the example is whole, and every mistake is told at once, before anything is started."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from drivers.boards.config import BoardConfig
from drivers.cabinets.config import CabinetConfig, CabinetInputs, CabinetOutputs, SlotConfig
from drivers.line_config import LineConfig
from drivers.ports.config import ListenerConfig, PortBoardConfig
from drivers.ports.ykc_config import PileConfig, YkcConfig
from drivers.pumps.config import PumpConfig
from drivers.pumps.pts_config import ControllerConfig
from drivers.readers.config import CardsConfig
from drivers.registry import DeviceConfig
from edge.config import (
    Config,
    ConnectorConfig,
    Headquarters,
    JournalTable,
    Metrics,
    Mqtt,
    Page,
    Panel,
    ReaderConfig,
    load,
)
from edge.counter import CounterConfig
from edge.plant.budget import Budget
from edge.plant.slot_charging import Charging
from edge.premises import build
from edge.tank_config import TankConfig
from edge.till.fill.policy import FillPolicy
from edge.till.policy import Policy
from edge.till.port.policy import PortPolicy
from edge.till.swap.policy import SwapPolicy
from protocols.door import Refused

EXAMPLE = Path(__file__).parents[2] / "config.toml.example"
TABLES: dict[str, type[msgspec.Struct]] = {
    "": Config, "hq": Headquarters, "mqtt": Mqtt, "till": Policy, "line": LineConfig, "device": DeviceConfig,
    "connector": ConnectorConfig, "reader": ReaderConfig, "panel": Panel, "metrics": Metrics, "page": Page,
    "counter": CounterConfig, "journal": JournalTable, "pump": PumpConfig, "controller": ControllerConfig,
    "cards": CardsConfig, "fuel": FillPolicy, "tank": TankConfig, "charging": Charging, "budget": Budget,
    "board": BoardConfig, "cabinet": CabinetConfig, "cabinet.slot": SlotConfig, "cabinet.inputs": CabinetInputs,
    "cabinet.outputs": CabinetOutputs, "listener": ListenerConfig, "port_board": PortBoardConfig, "ports": PortPolicy,
    "swap": SwapPolicy,
    "ykc": YkcConfig, "ykc.pile": PileConfig,
}  # fmt: skip

WRONG = """
site = "hz 1"
hue = "blue"
ballast_mb = 9000

[hq]
url = "http://hq.example.com"
pol_s = 30

[till]
reaction_s = 0

[[line]]
id = "rs485"
path = "/dev/ttyUSB0"
host = "10.0.0.7"
baud = 200

[[line]]
id = "lan"
host = "10.0.0.8"
parity = "X"
"""

GOLDEN = """\
config.toml: 10 faults
  hue: expected one of TABLES, got an unknown key. Remove it.
  site: expected 1 to 32 letters, digits, dots, dashes and underscores, a letter or digit first, got 'hz 1'.
  data_dir: expected text, got nothing. Add it.
  hq.pol_s: expected one of ask_timeout_s, ca_file, keys_file, poll_s, timeout_s, url, got an unknown key. Did you \
mean `poll_s`?
  hq.url: expected an address that begins with https://, got 'http://hq.example.com'.
  hq.keys_file: expected text, got nothing. Add it.
  line[0].baud: expected a baud rate from 300 to 230400, got 200.
  line[1].parity: expected one of N, E, O, got 'X'.
  till.reaction_s: expected `int` >= 1, got 0.
  ballast_mb: expected `int` <= 1024, got 9000.
"""

CROSSED = """
site = "hz-1"
data_dir = "data"
[[line]]
id = "a"
path = "/dev/ttyUSB0"
[[line]]
id = "a"
path = "/dev/ttyUSB1"
[[device]]
id = "m"
line = "b"
profile = "eastron-sdm630"
[[connector]]
id = "c1"
charger = "m"
meter = "n"
[[reader]]
id = "r"
connector = "c2"
fd = 3
"""


def everything_in(text: str) -> str:
    """The example with what is commented out in force, where the line is one of TOML."""
    return re.sub(r"^# (?=\[|[a-z_]+ = )", "", text, flags=re.M)


def test_the_example_loads() -> None:
    """As it is shipped: lines, devices and connectors fit together."""
    config = load(EXAMPLE)
    premises = build(config)
    assert (len(premises.lines), len(premises.devices), len(premises.outlets)) == (2, 4, 2)
    assert config.till == Policy()  # what it shows are the defaults


def test_the_example_names_every_key_of_every_table() -> None:
    """A key that is not in the example is not found by anybody."""
    shown: dict[str, set[str]] = {name: set() for name in TABLES}
    table = ""
    for line in everything_in(EXAMPLE.read_text()).splitlines():
        if head := re.match(r"\[\[?([a-z_.]+)\]\]?", line):
            table = head[1]
            outer, _, inner = table.rpartition(".")
            shown[outer].add(inner)
        elif key := re.match(r"([a-z_]+) = ", line):
            shown[table].add(key[1])
    for name, struct in TABLES.items():
        fields = set(struct.__struct_fields__)
        assert shown[name] == fields, f"[{name}]"


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    """Exit code 2, each fault with its path, what it got and what is allowed; and nothing was begun."""
    path = tmp_path / "config.toml"
    path.write_text(WRONG)
    done = subprocess.run(
        [sys.executable, "-m", "edge", "--config", str(path)], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 2
    tables = ", ".join(sorted(Config.__struct_fields__))
    assert done.stderr.replace(str(tmp_path) + "/", "") == GOLDEN.replace("TABLES", tables)
    assert list(tmp_path.iterdir()) == [path]


def test_names_that_do_not_meet(tmp_path: Path) -> None:
    """Ids used twice, and references to what is not there, all together."""
    path = tmp_path / "config.toml"
    path.write_text(CROSSED)
    with pytest.raises(Refused) as refused:
        load(path)
    assert [str(fault) for fault in refused.value.faults] == [
        "line: expected each id once, got `a` 2 times. Rename one.",
        "device[0].line: expected one of a, got `b`.",
        "connector[0].meter: expected one of m, got `n`.",
        "reader[0].connector: expected one of c1, got `c2`.",
    ]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "8.8.8.8", "2606:4700::1", "224.0.0.1", "box.local", ""])
def test_the_page_is_for_the_sites_own_network(tmp_path: Path, host: str) -> None:
    """It has no TLS: never on every address, never on one that the internet reaches."""
    path = tmp_path / "config.toml"
    path.write_text(f'site = "hz-1"\ndata_dir = "data"\n[page]\nhost = "{host}"\n')
    with pytest.raises(Refused, match="page: expected"):
        load(path)


@pytest.mark.parametrize("host", ["192.168.1.10", "10.0.0.2", "127.0.0.1", "fd00::10", "100.64.0.9"])
def test_where_the_page_may_listen(tmp_path: Path, host: str) -> None:
    """Private addresses, the carrier's own ones included."""
    path = tmp_path / "config.toml"
    path.write_text(f'site = "hz-1"\ndata_dir = "data"\n[page]\nhost = "{host}"\n')
    page = load(path).page
    assert page is not None
    assert (page.host, page.port, page.title) == (host, 8080, None)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "no such file. Copy config.toml.example"),
        ("site = ", "a readable TOML file"),
        ("site = 'a'\nsite = 'b'", "a readable TOML file"),
    ],
)
def test_a_file_that_is_none(tmp_path: Path, text: str | None, told: str) -> None:
    """Missing, or not TOML: said in the same form."""
    if text is not None:
        (tmp_path / "config.toml").write_text(text)
    with pytest.raises(Refused, match=re.escape(told)):
        load(tmp_path / "config.toml")


def test_paths_start_at_the_files_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the daemon was started from."""
    (tmp_path / "config.toml").write_text('site = "hz-1"\ndata_dir = "data"\nsecond_copy = "/mnt/usb"\n')
    monkeypatch.chdir("/")
    config = load(tmp_path / "config.toml")
    assert config.journal_path == tmp_path / "data" / "journal.db"
    assert config.socket_path == tmp_path / "data" / "panel.sock"
    assert config.second_copy == "/mnt/usb"
