"""What stands at the charging site, who comes, and what a kWh costs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

from edge.demo.scenery import Customer, Scenery, hq_toml, port_of

BAUD = 19_200


LI = Customer("Li Wei", "04A1B2C3D4", 8_000)
WANG = Customer("Wang Fang", "04C0FFEE01", 3_000, at_home=False)
ZHAO = Customer("Zhao Min", "0455667788", 2_000)
CHEN = Customer("Chen Jie", "04DEADBEEF", 66)
CUSTOMERS = (LI, WANG, ZHAO, CHEN)


def twins_toml(site_home: Path) -> str:
    """Two chargers and their meters on one RTU line, one of each behind Modbus TCP. Batteries are small, time is
    real.
    """
    return f"""
[[line]]
id = "rtu1"
kind = "rtu"
baud = {BAUD}
link = "{site_home}/rtu1"

[[line]]
id = "tcp1"
kind = "tcp"

[[outlet]]
id = "c1"
[[outlet]]
id = "c2"
[[outlet]]
id = "c3"

[[device]]
id = "charger1"
line = "rtu1"
profile = "heidelberg-energy-control"
unit = 1
outlet = "c1"
[[device]]
id = "charger2"
line = "rtu1"
profile = "heidelberg-energy-control"
unit = 2
outlet = "c2"
[[device]]
id = "charger3"
line = "tcp1"
profile = "victron-evcs"
unit = 1
outlet = "c3"
[[device]]
id = "meter1"
line = "rtu1"
profile = "schneider-iem3155"
unit = 11
outlet = "c1"
register_start_wh = 4818377
[[device]]
id = "meter2"
line = "rtu1"
profile = "schneider-iem3155"
unit = 12
outlet = "c2"
register_start_wh = 193004
[[device]]
id = "meter3"
line = "tcp1"
profile = "schneider-iem3155"
unit = 13
outlet = "c3"
register_start_wh = 7720166
"""


def site_toml(site_home: Path, lines: Mapping[str, str], hq_port: int) -> str:
    """The daemon's config. The demo looks more often and saves more often than a real site needs to.

    A pty carries no parity bit, so the line is set to none; the twins pace it at eleven bits a character all the same.
    """
    devices = "\n".join(
        f'[[device]]\nid = "{name}"\nline = "{line}"\nprofile = "{profile}"\nunit = {unit}\npoll_s = 0.5\n'
        for name, line, profile, unit in (
            ("charger1", "rtu1", "heidelberg-energy-control", 1),
            ("charger2", "rtu1", "heidelberg-energy-control", 2),
            ("charger3", "tcp1", "victron-evcs", 1),
            ("meter1", "rtu1", "schneider-iem3155", 11),
            ("meter2", "rtu1", "schneider-iem3155", 12),
            ("meter3", "tcp1", "schneider-iem3155", 13),
        )
    )
    connectors = "\n".join(
        f'[[connector]]\nid = "c{n}"\ncharger = "charger{n}"\nmeter = "meter{n}"\n' for n in (1, 2, 3)
    )
    return f"""{hq_toml(hq_port)}
[[line]]
id = "rtu1"
path = "{site_home}/rtu1"
baud = {BAUD}
parity = "N"

[[line]]
id = "tcp1"
host = "127.0.0.1"
port = {port_of(lines["tcp1"])}

{devices}
{connectors}
[till]
fill_up_cap_fen = 1500
progress_s = 1
reaction_s = 1
silence_s = 4
restart_s = 5
full_after_s = 3
stuck_after_s = 10
"""


def tariff_toml(rises: datetime) -> str:
    """A price that rises at `rises`, seconds from now, so that sessions run across the change."""
    periods = [(rises, "peak", "2.40"), (rises + timedelta(hours=6), "valley", "1.20")]
    tables = "".join(
        f"""
[[periods]]
from = "{begins:%H:%M:%S}"
name = "{name}"
energy_yuan_per_kwh = "{price}"
service_yuan_per_kwh = "0.80"
"""
        for begins, name, price in sorted(periods, key=lambda period: period[0].time())
    )
    return f"""
id = "demo"
version = 1
zone = "Asia/Shanghai"
session_yuan = "0.50"
idle_yuan_per_min = "0"
idle_grace_s = 900
{tables}"""


SCENERY = Scenery(twins_toml, site_toml, {name: f'connector = "{name}"' for name in ("c1", "c2", "c3")})
