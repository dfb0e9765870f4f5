"""What stands at the demo's forecourt, who comes, and what a litre costs.

Four pumps of four protocols, each on a wire of its own, and three tanks. Lines keep to their real pace; the pumps' own
time runs `SPEED` times faster, so that a filling of half a minute takes some seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
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

TANKS = {"t92": ("92", 30_000, 12_400), "t95": ("95", 20_000, 8_150), "t0": ("0", 50_000, 21_000)}
"""By id: grade, capacity in litres, and what stands in it this morning."""
EVAPORATED_ML = 1_200
"""What the dipstick finds missing in each tank at night."""

PRICES = {"92": "7.85", "95": "8.36", "0": "7.49"}
PRICES_LATER = {"92": "7.79", "95": "8.29", "0": "7.42"}

FIRST_TOTAL_ML = {"p1": 120_345_670, "p2": 88_004_150, "p3": 300_517_980, "p4": 41_200_000}


def twins_toml(site_home: Path) -> str:
    """A DART dispenser on RS-485, a two-wire pump on a current loop that hears itself, an AZT head, and a PTS-2."""

    def line(name: str, protocol: str, more: str) -> str:
        return f'\n[[pump_line]]\nid = "{name}"\nprotocol = "{protocol}"\nspeed = {SPEED}\n{more}\n'

    def pump(name: str, on: str, grades: tuple[str, ...], more: str = "") -> str:
        nozzles = ", ".join(f'{{ grade = "{grade}", total_ml = {FIRST_TOTAL_ML[name]} }}' for grade in grades)
        return f'\n[[pump]]\nid = "{name}"\nline = "{on}"\nnozzles = [{nozzles}]\n{more}\n'

    return (
        line("rs485", "dart", f'link = "{site_home}/rs485"')
        + line("loop", "gilbarco", f'link = "{site_home}/loop"\necho = true')
        + line("azt", "azt", f'link = "{site_home}/azt"')
        + line("pts", "pts", f'options = {{ login = "till", password = "{PASSWORD}" }}')
        + pump("p1", "rs485", ("92", "95"))
        + pump("p2", "loop", ("92", "95"), "decimals = { volume = 3, total_volume = 2 }")
        + pump("p3", "azt", ("0",))
        + pump("p4", "pts", ("92", "0"))
    )


def site_toml(site_home: Path, lines: Mapping[str, str], hq_port: int) -> str:
    """The daemon's config, as it would be with real pumps. The demo looks at totals more often than a real site."""
    tanks = "".join(
        f'\n[[tank]]\nid = "{name}"\ngrade = "{grade}"\ncapacity_l = {capacity_l}\n'
        for name, (grade, capacity_l, _) in TANKS.items()
    )
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

[[pump]]
id = "p1"
number = 1
protocol = "dart"
line = "rs485"
address = 0x50
nozzles = [{{ number = 1, grade = "92", tank = "t92" }}, {{ number = 2, grade = "95", tank = "t95" }}]

[[pump]]
id = "p2"
number = 2
protocol = "gilbarco"
line = "loop"
address = 1
nozzles = [{{ number = 1, grade = "92", tank = "t92" }}, {{ number = 2, grade = "95", tank = "t95" }}]
decimals = {{ volume = 3, amount = 2, price = 2, total_volume = 2, total_amount = 2 }}
options = {{ nozzle_from = "special" }}

[[pump]]
id = "p3"
number = 3
protocol = "azt"
line = "azt"
address = 1
nozzles = [{{ number = 1, grade = "0", tank = "t0" }}]

[[pump]]
id = "p4"
number = 4
protocol = "pts"
controller = "pts"
address = 1
nozzles = [{{ number = 1, grade = "92", tank = "t92" }}, {{ number = 2, grade = "0", tank = "t0" }}]
{tanks}"""


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


LIMITS = ("--session-limit", "500", "--placed", "900", "--site-max", "900")
"""Of each account, in yuan: fuel takes more than a charge does."""

SCENERY = Scenery(twins_toml, site_toml, {"island-1": 'pumps = ["1", "2"]', "island-2": 'pumps = ["3", "4"]'})
