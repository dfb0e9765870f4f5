"""Readers and pumps of a config: what fits, and what is told when it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.config import Config, load
from protocols.door import Refused

SITE = """
site = "hz-1"
data_dir = "data"
[[line]]
id = "island"
path = "/dev/ttyUSB0"
parity = "O"
[[pump]]
id = "p1"
number = 3
protocol = "dart"
line = "island"
address = 0x50
nozzles = [{ number = 1, grade = "92" }]
[[pump]]
id = "p2"
number = 4
protocol = "dart"
line = "island"
address = 0x51
nozzles = [{ number = 1, grade = "92" }]
[[reader]]
id = "r1"
fd = 3
"""


def read(path: Path, reader: str) -> Config:
    (path / "config.toml").write_text(SITE + reader)
    return load(path / "config.toml")


@pytest.mark.parametrize(
    ("reader", "island"), [('pump = "3"', ("3",)), ('pump = "p1"', ("p1",)), ('pumps = ["3", "p2"]', ("3", "p2"))]
)
def test_a_reader_names_pumps_by_id_or_number(tmp_path: Path, reader: str, island: tuple[str, ...]) -> None:
    """One, or all of an island."""
    assert read(tmp_path, reader).reader[0].island == island


ONE_PLACE = (
    "reader[0]: expected values that fit together, got one of `connector`, `pump`, `pumps`, `cabinet` and `board` says "
    "where a tap starts."
)
FAULTS = [
    ('pump = "9"', "reader[0].pump: expected one of 3, 4, p1, p2, got `9`."),
    ('pumps = ["3", "p9"]', "reader[0].pumps: expected one of 3, 4, p1, p2, got `p9`."),
    ("", ONE_PLACE),
    ('pump = "3"\nconnector = "c1"', ONE_PLACE),
    (
        'pump = "3"\n[[connector]]\nid = "p1"\ncharger = "x"',
        "connector or pump: expected each id once, got `p1` 2 times. Rename one.",
    ),
]


@pytest.mark.parametrize(("reader", "fault"), FAULTS)
def test_what_does_not_fit(tmp_path: Path, reader: str, fault: str) -> None:
    """A place that is not there, none or two, and a name that a command could mean two things by."""
    with pytest.raises(Refused) as refused:
        read(tmp_path, reader)
    assert fault in [str(one) for one in refused.value.faults]
