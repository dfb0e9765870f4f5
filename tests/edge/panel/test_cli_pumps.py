"""A technician at a forecourt: who is on the lines, what a pump says, and what is unusual in the config."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from daemon_rig import Box, daemon, make_box, twins, until

TWINS = """
[[pump_line]]
id = "island"
protocol = "dart"
link = "{root}/tty-island"
[[pump_line]]
id = "new"
protocol = "gilbarco"
link = "{root}/tty-new"
[[pump]]
id = "p1"
line = "island"
nozzles = [{{ grade = "92", price_e3 = 785_000 }}]
[[pump]]
id = "not-in-the-config"
line = "island"
nozzles = [{{ grade = "95", price_e3 = 836_000 }}]
[[pump]]
id = "nobody-knows"
line = "new"
address = 3
nozzles = [{{ grade = "0", price_e3 = 721_000 }}]
"""

CONFIG = """
site = "hz-0001"
data_dir = "data"
ballast_mb = 1
[panel]
socket = "panel.sock"
[[line]]
id = "island"
path = "{root}/tty-island"
parity = "O"
[[line]]
id = "new"
path = "{root}/tty-new"
baud = 5787
parity = "E"
[[pump]]
id = "p1"
number = 1
protocol = "dart"
line = "island"
address = 0x50
nozzles = [{{ number = 1, grade = "92" }}]
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """One forecourt for all tests here, its pump heard of."""
    box = make_box(tmp_path_factory.mktemp("site"), CONFIG)
    with twins(box, TWINS), daemon(box) as process:
        until(lambda: box.ask("read", device="p1")["device"]["state"] == "online", process)
        yield box


def rows(box: Box, *arguments: str) -> list[list[str]]:
    """The cells of what a command prints."""
    done = box.cli(*arguments)
    assert done.returncode == 0, done.stderr
    return [re.split(r" {2,}", line.strip()) for line in done.stdout.splitlines()]


def test_devices_lists_pumps(site: Box) -> None:
    """With their line, their protocol and how they answer."""
    assert ["p1", "island", "dart", "online"] in [row[:4] for row in rows(site, "devices")]


def test_read_shows_what_a_pump_says(site: Box) -> None:
    """Every value of it, as of any device."""
    read = rows(site, "read", "p1")
    assert read[0][0].startswith("p1, dart on island, online")
    assert any(row[0] == "state" for row in read)


def test_a_scan_of_a_line_with_pumps(site: Box) -> None:
    """Those of the config as the daemon knows them, and those that are new to it; in their protocol alone."""
    found = rows(site, "scan", "island", "--first", "80", "--last", "83")
    assert [row[:2] for row in found] == [["PROTOCOL", "ADDRESS"], ["dart", "0x50"], ["dart", "0x51"]]
    assert found[1][2].startswith("p1, ")
    wrong = site.cli("scan", "island", "--protocol", "gilbarco")
    assert (wrong.returncode, "may be an order" in wrong.stderr) == (1, True)


def test_a_scan_of_a_line_that_nothing_is_known_of(site: Box) -> None:
    """Its settings say in which protocols; the first one that is answered is the last one tried."""
    found = rows(site, "scan", "new")
    assert [row[:2] for row in found] == [["PROTOCOL", "ADDRESS"], ["gilbarco", "3"]]
    assert "OFF" in found[1][2]


def test_check_counts_pumps_and_tells_doubts(site: Box) -> None:
    """What may work and mostly does not is told, and is no fault."""
    other = site.root / "other.toml"
    other.write_text(CONFIG.format(root=site.root).replace('parity = "O"', 'parity = "N"'))
    done = site.cli("check", "--config", str(other))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 pump" in done.stdout
    assert "? line[0]: dart pumps have 9600 or 19200 baud 8O1, and this line 9600 baud 8N1" in done.stdout
