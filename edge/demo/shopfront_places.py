"""What stands at the demo's shop front, who comes, and what a swap, a month's pack and a kWh cost.

Two swap cabinets on boards and packs of different makers, a board of ten charging ports, a cabinet of twelve lockers
that charge, and a pile for cars. Wires keep to their real pace; the time of doors, hands and batteries runs faster.
"""

from __future__ import annotations

import socket
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from edge.demo.scenery import Customer, Scenery, hq_toml

SHOP_SPEED: Final = 2
PORT_SPEED: Final = 200
PILE_SPEED: Final = 5
SHOP_FILE: Final = "shop.toml"
"""Where the twins write their own part of the gateway's config."""

SWAPS: Final = "swaps-30"
DEPOSIT: Final = "DEPOSIT"
DEPOSIT_FEN: Final = 30_000

LI = Customer("Li Wei", "04A1B2C3D4", 10_000)
WANG = Customer("Wang Fang", "04C0FFEE01", 4_000)
ZHAO = Customer("Zhao Min", "0455667788", 26_000)
CHEN = Customer("Chen Jie", "04DEADBEEF", 2_000)
SUN = Customer("Sun Tao", "0412A6B301", 2_000)
ZHOU = Customer("Zhou Yan", "0412A6B302", 3_000)
WU = Customer("Wu Jing", "0412A6B303", 5_000)
HE = Customer("He Jun", "0412A6B304", 3_000)
CUSTOMERS = (LI, WANG, ZHAO, CHEN, SUN, ZHOU, WU, HE)
"""Li has a plan, Wang pays each swap by itself, Zhao rents for a month, Chen rides on 60 V, Sun finds things; Zhou has
an e-bike to charge, Wu a car, He a pack of his own."""
LIMITS = ("--session-limit", "300", "--placed", "300", "--site-max", "300")
"""Of each account, in yuan: a month's rent is held at once."""
PLAN_SWAPS: Final = 30
PLAN_FEN: Final = 9_000
PEOPLE: Final[Mapping[str, str]] = {"li": LI.card, "wang": WANG.card, "zhao": "", "chen": CHEN.card, "sun": SUN.card}
"""Who shows what at a cabinet's reader. Zhao comes to the counter, which sees to it."""
BROUGHT: Final[Mapping[str, int]] = {"li": 51, "wang": 52, "chen": 81}
"""The number of the pack that each comes with."""
CAB_1_PACKS, CAB_2_PACKS = range(1, 11), range(71, 74)
"""The numbers of those that stand in each; its first slots are empty."""


def twins_toml(site_home: Path) -> str:
    """A cabinet of twelve slots on an "8A/80" lock board, a board of inputs and two of relays; a small one of four on a
    KERONG board; ten ports and twelve lockers on RS-485; and a pile that calls."""
    people = "".join(f'\n[[shop.person]]\nname = "{name}"\ncredential = "{card}"\n' for name, card in PEOPLE.items())
    brought = "".join(
        f'\n[[shop.pack]]\nnumber = {number}\nperson = "{name}"\nsoc_permille = {120 + number}\n'
        + ('protocol = "jbd"\nvolts = 60\n' if name == "chen" else "")
        for name, number in BROUGHT.items()
    )
    return f"""
[shop]
speed = {SHOP_SPEED}
ambient_dc = 220
writes = "{site_home / SHOP_FILE}"

[[shop.board]]
id = "locks-1"
protocol = "xor"
line = "locks-1"
feedback = "nc"
poll_s = 0.15

[[shop.board]]
id = "inputs-1"
protocol = "relay"
line = "io-1"
address = 11
poll_s = 0.15
options = {{ relays = 0, inputs = 32 }}

[[shop.board]]
id = "relays-1"
protocol = "relay"
line = "io-1"
address = 1

[[shop.board]]
id = "relays-2"
protocol = "relay"
line = "io-1"
address = 2

[[shop.board]]
id = "locks-2"
protocol = "kerong"
line = "locks-2"
feedback = "nc"
poll_s = 0.15

[[shop.board]]
id = "io-2"
protocol = "relay"
line = "io-2"
address = 3
poll_s = 0.15
options = {{ relays = 8, inputs = 16 }}

[[shop.cabinet]]
id = "cab-1"
number = 1
pack_poll_s = 4
slot = [
  {_run(1, 8, "locks-1/1", "inputs-1/1", "inputs-1/13", "relays-1/1", "greenway", "pack")},
  {_run(9, 4, "locks-1/9", "inputs-1/9", "inputs-1/21", "relays-2/1", "greenway", "pack")},
]
inputs = {{ smoke = ["inputs-1/25"], emergency_stop = ["not inputs-1/27"], mains = "inputs-1/28" }}
outputs = {{ fan = "relays-2/5" }}

[[shop.cabinet]]
id = "cab-2"
number = 2
pack_poll_s = 4
slot = [{_run(1, 4, "locks-2/1", "io-2/1", "io-2/5", "io-2/1", "jbd", "small")}]
inputs = {{ smoke = ["io-2/9"] }}

[[shop.twin]]
cabinet = "cab-1"
seed = 1

[[shop.pack]]
number = {CAB_1_PACKS.start}
count = {len(CAB_1_PACKS)}
cabinet = "cab-1"
slot = 3
soc_permille = 960
cycles = 40

[[shop.pack]]
number = {CAB_2_PACKS.start}
count = {len(CAB_2_PACKS)}
cabinet = "cab-2"
slot = 2
volts = 60
soc_permille = 980
{brought}{people}
[[shop.reader]]
id = "door-1"
cabinet = "cab-1"
link = "{site_home}/door-1"

[[shop.reader]]
id = "door-2"
cabinet = "cab-2"
link = "{site_home}/door-2"

[[port_board]]
id = "rack"
device = 11_220_795
address = 20
link = "{site_home}/rack"
speed = {PORT_SPEED}

[[port_board]]
id = "lockers"
device = 11_220_796
address = 21
ports = 12
doors = true
link = "{site_home}/lockers"
speed = {PORT_SPEED}

[[pile]]
id = "pile"
code = "32010200000001"
port = {_free_port()}
speed = {PILE_SPEED}
"""


def _run(number: int, count: int, lock: str, shut: str, present: str, charger: str, packs: str, line: str) -> str:
    """So many slots in a row, as a table on one line. shut: the contact that is set while the door is."""
    channels = f'lock = "{lock}", door_open = "not {shut}", present = "{present}", charger = "{charger}"'
    pack = f'{{ protocol = "{packs}", line = "{line}-{{slot}}" }}'
    return f"{{ number = {number}, count = {count}, {channels}, charge_power_w_max = 600, pack = {pack} }}"


def site_toml(site_home: Path, lines: Mapping[str, str], hq_port: int) -> str:
    """The daemon's config, as it would be with real boards; what concerns the cabinets the twins have written."""
    (pile,) = tomllib.loads((site_home / "twins.toml").read_text())["pile"]
    return f"""{hq_toml(hq_port)}
[swap]
interval_s = 0
door_shut_ms = 600
put_in_s = 15
not_put_in_s = 3
not_taken_s = 3
pulse_apart_s = 2
wake_apart_s = 2

[ports]
price = "bikes"
board_prices = {{ pile = "cars", lockers = "lockers" }}
fill_up_cap_fen = 500

{(site_home / SHOP_FILE).read_text()}
[[line]]
id = "rack"
path = "{site_home}/rack"
baud = 9600

[[line]]
id = "lockers"
path = "{site_home}/lockers"
baud = 9600

[[port_board]]
id = "rack"
number = 1
protocol = "dny"
line = "rack"
device = 11_220_795
address = 20
ports = 10
options = {{ poll_s = 0.2, answer_s = 3.0, gap_s = 0.1, floating = {{ detect_s = 120, float_s = 120 }} }}

[[port_board]]
id = "lockers"
number = 3
protocol = "dny"
line = "lockers"
device = 11_220_796
address = 21
ports = 12
options = {{ doors = true, poll_s = 0.2, answer_s = 3.0, gap_s = 0.1, floating = {{ detect_s = 120, float_s = 120 }} }}

[[ykc]]
id = "yard"
host = "127.0.0.1"
port = {pile["port"]}

[[ykc.pile]]
id = "pile"
number = 2
code = "{pile["code"]}"
guns = 1
poll_s = 1
tick_s = 0.2

[[reader]]
id = "door-1"
cabinet = "cab-1"
path = "{site_home}/door-1"

[[reader]]
id = "door-2"
cabinet = "cab-2"
path = "{site_home}/door-2"
"""


def swap_terms_toml() -> str:
    """Plans first, then by the swap; a month's rent; and the fleet's models."""
    return f"""
zone = "Asia/Shanghai"
consent_percent = 50

[[models]]
name = "72V20"
codes = ["BT3072020??FTIL*"]
deposit_yuan = "{DEPOSIT_FEN // 100}"

[[models]]
name = "60V20"
codes = ["BT3060020??FTIL*"]
deposit_yuan = "{DEPOSIT_FEN // 100}"

[[swaps]]
name = "{SWAPS}"
kind = "plan"
interval_min = 0

[[swaps]]
name = "single"
kind = "single"
interval_min = 0
yuan = "3.50"

[[rents]]
name = "month"
days = 30
yuan = "199.00"
late_yuan_per_day = "5"
grace_hours = 12
"""


def port_prices_toml() -> str:
    """Bikes by the kWh, cars by the time of day; a locker is free for a day."""
    return """
id = "shop"
zone = "Asia/Shanghai"

[[prices]]
name = "bikes"
by = "energy"
yuan_per_kwh = "1.20"
yuan_per_session = "0.20"

[[prices]]
name = "cars"
by = "tariff"

[[prices]]
name = "lockers"
by = "energy"
yuan_per_kwh = "1.50"
late_yuan_per_day = "1"
late_after_hours = 24
late_days_at_most = 7
"""


def tariff_toml() -> str:
    """One price all day."""
    return """
id = "demo"
version = 1
zone = "Asia/Shanghai"
session_yuan = "0"
idle_yuan_per_min = "0"
idle_grace_s = 900

[[periods]]
from = "00:00:00"
name = "flat"
energy_yuan_per_kwh = "0.80"
service_yuan_per_kwh = "0.40"
"""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


SCENERY = Scenery(twins_toml, site_toml, {name: f'board = "{name}"' for name in ("rack", "lockers", "pile")})
