"""What stands at the demo's forecourt, who comes, and what a litre costs.

Four pumps of four protocols, each on a wire of its own, and three tanks. Wires keep to their real pace; the pumps' own
time runs `SPEED` times faster, so that a filling of half a minute takes some seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from edge.demo.scenery import Customer, Scenery, hq_toml, port_of

SPEED = 6
PASSWORD_FILE = "pts.password"  # noqa: S105  (a file's name)
PASSWORD = "drive-in-and-fill-up"  # noqa: S105  (of a simulated controller on this machine)

LI = Customer("Li Wei", "04A1B2C3D4", 60_000)
WANG = Customer("Wang Fang", "04C0FFEE01", 60_000, at_home=False)
ZHAO = Customer("Zhao Min", "0455667788", 90_000)
CHEN = Customer("Chen Jie", "04DEADBEEF", 40_000)
SHIFT = Customer("the shift", "04000000FF", 50_000)
CUSTOMERS = (LI, WANG, ZHAO, CHEN, SHIFT)
"""Zhao drives a lorry: diesel only. The shift's account stands in for whoever pays after filling."""
LIMITS = ("--session-limit", "500", "--placed", "900", "--site-max", "900")
"""Of each account, in yuan: fuel takes more than a charge does."""


@dataclass(frozen=True, slots=True)
class PlacedPump:
    """One side of a dispenser, on a line or, with `pts`, a controller of its own.

    number: as customers read it. grades: of its nozzles, from 1 on. total_ml: what each totalizer has shown before.
    twin, config: what else the simulated pump and the daemon must be told.
    """

    id: str
    number: int
    protocol: str
    line: str
    address: int
    grades: tuple[str, ...]
    total_ml: int
    island: str
    twin: str = ""
    config: str = ""


PUMPS = (
    PlacedPump("p1", 1, "dart", "rs485", 0x50, ("92", "95"), 120_345_670, "island-1"),
    PlacedPump(
        "p2", 2, "gilbarco", "loop", 1, ("92", "95"), 88_004_150, "island-1",
        twin="decimals = { volume = 3, total_volume = 2 }",
        config='decimals = { volume = 3, total_volume = 2 }\noptions = { nozzle_from = "special" }',
    ),
    PlacedPump("p3", 3, "azt", "azt", 1, ("0",), 300_517_980, "island-2"),
    PlacedPump("p4", 4, "pts", "pts", 1, ("92", "0"), 41_200_000, "island-2"),
)  # fmt: skip
TOTAL_STEP_ML = 10
"""One step of all their totalizers."""


@dataclass(frozen=True, slots=True)
class PlacedTank:
    """stock_l: what stands in it this morning."""

    id: str
    grade: str
    capacity_l: int
    stock_l: int


TANKS = (
    PlacedTank("t92", "92", 30_000, 12_400),
    PlacedTank("t95", "95", 20_000, 8_150),
    PlacedTank("t0", "0", 50_000, 21_000),
)
EVAPORATED_ML = 1_200
"""What the dipstick finds missing in each tank at night."""

PRICES = {"92": "7.85", "95": "8.36", "0": "7.49"}
PRICES_LATER = {"92": "7.79", "95": "8.29", "0": "7.42"}


def twins_toml(site_home: Path) -> str:
    """A DART dispenser on RS-485, a two-wire pump on a current loop that hears itself, an AZT head, and a PTS-2."""
    more = {
        "rs485": f'link = "{site_home}/rs485"',
        "loop": f'link = "{site_home}/loop"\necho = true',
        "azt": f'link = "{site_home}/azt"',
        "pts": f'options = {{ login = "till", password = "{PASSWORD}" }}',
    }
    return "".join(_twin(pump, more[pump.line]) for pump in PUMPS)


def _twin(pump: PlacedPump, line: str) -> str:
    nozzles = ", ".join(f'{{ grade = "{grade}", total_ml = {pump.total_ml} }}' for grade in pump.grades)
    return f"""
[[pump_line]]
id = "{pump.line}"
protocol = "{pump.protocol}"
speed = {SPEED}
{line}

[[pump]]
id = "{pump.id}"
line = "{pump.line}"
nozzles = [{nozzles}]
{pump.twin}
"""


def site_toml(site_home: Path, lines: Mapping[str, str], hq_port: int) -> str:
    """The daemon's config, as it would be with real pumps. The demo reads totals more often than a real site."""
    return f"""{hq_toml(hq_port)}
[fuel]
fill_up_cap_fen = 50_000
silence_s = 4
stuck_after_s = 10
idle_totals_s = 5
pay_within_s = 120

[[line]]
id = "rs485"
path = "{site_home}/rs485"
baud = 9600
parity = "O"

[[line]]
id = "loop"
path = "{site_home}/loop"
baud = 5787
parity = "E"
echo = true

[[line]]
id = "azt"
path = "{site_home}/azt"
baud = 4800
data_bits = 7
parity = "E"
stop_bits = 2

[[controller]]
id = "pts"
host = "127.0.0.1"
port = {port_of(lines["pts"])}
tls = false
login = "till"
password_file = "{PASSWORD_FILE}"
""" + "".join([*map(_pump, PUMPS), *map(_tank, TANKS)])


def _pump(pump: PlacedPump) -> str:
    nozzles = ", ".join(
        f'{{ number = {number}, grade = "{grade}", tank = "t{grade}" }}' for number, grade in enumerate(pump.grades, 1)
    )
    return f"""
[[pump]]
id = "{pump.id}"
number = {pump.number}
protocol = "{pump.protocol}"
{"controller" if pump.protocol == "pts" else "line"} = "{pump.line}"
address = {pump.address}
nozzles = [{nozzles}]
{pump.config}
"""


def _tank(tank: PlacedTank) -> str:
    return f'\n[[tank]]\nid = "{tank.id}"\ngrade = "{tank.grade}"\ncapacity_l = {tank.capacity_l}\n'


def prices_toml(changes: datetime | None = None) -> str:
    """A price list, with a change at `changes`, local time of the site."""
    steps = [("2026-01-01 00:00", PRICES)]
    if changes is not None:
        steps.append((f"{changes:%Y-%m-%d %H:%M:%S}", PRICES_LATER))
    grades = "".join(f'\n[[grades]]\ncode = "{code}"\nname = "{code}#"\n' for code in PRICES)
    return f'id = "city"\nzone = "Asia/Shanghai"\n{grades}' + "".join(
        f'\n[[steps]]\nfrom = "{begins}"\n[steps.yuan_per_litre]\n'
        + "".join(f'{grade} = "{price}"\n' for grade, price in prices.items())
        for begins, prices in steps
    )


def terms_toml(lorry: str) -> str:
    """lorry: the account whose cards buy diesel alone."""
    return f'[[terms]]\naccount = "{lorry}"\ngrades = ["0"]\n'


SCENERY = Scenery(
    twins_toml,
    site_toml,
    {
        island: f"pumps = {[str(pump.number) for pump in PUMPS if pump.island == island]}".replace("'", '"')
        for island in ("island-1", "island-2")
    },
)
