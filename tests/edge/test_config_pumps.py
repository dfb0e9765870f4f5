"""The pumps of a config: the example's forecourt is whole, and what cannot work is told at once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edge.config import Config, doubts, load
from edge.premises import build
from protocols.door import Refused

EXAMPLE = Path(__file__).parents[2] / "config.toml.example"

HEAD = """
site = "hz-1"
data_dir = "data"
"""
LINE = """
[[line]]
id = "{id}"
path = "/dev/ttyUSB{id}"
baud = {baud}
data_bits = {data_bits}
parity = "{parity}"
stop_bits = {stop_bits}
"""
PUMP = """
[[pump]]
id = "{id}"
number = {number}
protocol = "{protocol}"
{place} = "{on}"
address = {address}
nozzles = [{nozzles}]
"""
ONE = '{ number = 1, grade = "92", tank = "t1" }'


def line(id: str = "0", baud: int = 9600, mode: str = "8O1") -> str:  # noqa: A002
    return LINE.format(id=id, baud=baud, data_bits=mode[0], parity=mode[1], stop_bits=mode[2])


def pump(
    number: int = 1, protocol: str = "dart", on: str = "0", address: str = "0x50", nozzles: str = ONE, **more: str
) -> str:
    place = more.pop("place", "controller" if protocol == "pts" else "line")
    text = PUMP.format(
        id=f"p{number}", number=number, protocol=protocol, place=place, on=on, address=address, nozzles=nozzles
    )
    return text + "".join(f"{key} = {value}\n" for key, value in more.items())


def read(tmp_path: Path, text: str) -> Config:
    (tmp_path / "config.toml").write_text(HEAD + text)
    return load(tmp_path / "config.toml")


def faults(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(Refused) as refused:
        read(tmp_path, text)
    return [str(fault) for fault in refused.value.faults]


def test_the_forecourt_of_the_example(tmp_path: Path) -> None:
    """Its commented block is a site that loads, without a doubt, once the marks are taken away."""
    text = EXAMPLE.read_text()
    block = text[text.index("# --- fuel pumps") : text.index("# --- connectors")]
    config = read(tmp_path, re.sub(r"^# (?=\[|[a-z_]+ = )", "", block, flags=re.M))
    assert [(one.id, one.protocol, one.line, one.controller) for one in config.pump] == [
        ("p1", "dart", "island-1", None),
        ("p2", "pts", None, "pts"),
    ]
    assert config.controller[0].password_file == str(tmp_path / "pts.password")
    assert doubts(config) == []


def test_what_cannot_be_is_told_at_once(tmp_path: Path) -> None:
    """Each pump of its own is looked at before how they fit each other."""
    text = line() + pump(1, address="1") + pump(2, "azt", place="controller", address="1") + pump(3, nozzles="")
    text += pump(4, "gilbarco", address="3", nozzles='{ number = 2, grade = "92" }, { number = 1, grade = "9 5" }')
    assert faults(tmp_path, text + pump(5, address="0x51", decimals="{ volume = 4, amount = 3 }", tank='"x"')) == [
        "pump[0]: expected values that fit together, got `address` of `dart` is 80 to 207 (0x50 to 0xCF), not 1.",
        "pump[1]: expected values that fit together, got `azt` hangs on a `line`, and on no `controller`.",
        "pump[2]: expected values that fit together, got `nozzles` are at least one, each number once, rising; "
        "these are [].",
        'pump[3].nozzles[1].grade: expected a grade such as "92": 1 to 16 letters, digits and . _ + -, a letter or '
        "digit first, got '9 5'.",
        "pump[4].tank: expected one of address, controller, decimals, flow_ml_s_max, id, line, nozzles, number, "
        "options, poll_s, protocol, serial, got an unknown key. Remove it.",
        "pump[4].decimals.volume: expected `int` <= 3, got 4.",
        "pump[4].decimals.amount: expected `int` <= 2, got 3.",
    ]


def test_pumps_that_do_not_fit_each_other(tmp_path: Path) -> None:
    """One number, one address, one protocol on a line, one grade in a tank; and names that are there."""
    diesel = '{ number = 1, grade = "0", tank = "t1" }'
    text = line("0") + line("1", 9601, "8N1") + pump(1) + pump(2, nozzles=diesel).replace("number = 2", "number = 1")
    text += pump(3, "sanki", address="1") + pump(4, on="2", address="0x51") + pump(5, "pts", on="pts", address="1")
    text += '[[device]]\nid = "p1"\nline = "1"\nprofile = "eastron-sdm630"\n'
    assert faults(tmp_path, text) == [
        "device: expected each id once, got `p1` 2 times. Rename one.",
        "pump number: expected each id once, got `1` 2 times. Rename one.",
        "pump[3].line: expected one of 0, 1, got `2`.",
        "pump[4].controller: expected one of (none defined), got `pts`.",
        "pump[1].address: expected an address of its own, got 80, which `p1` on `0` has already.",
        "line `0`: expected one protocol, got dart, sanki. Give each a line of its own.",
        "tank `t1`: expected one grade at all its nozzles, got 0, 92.",
        "line[1].baud: expected one of 300, 600, 1200, 2400, 4800, 9600, 14400, 19200, 38400, 57600, 115200, 230400, "
        "got 9601. Did you mean 9600?",
    ]


def test_meters_and_pumps_do_not_share_a_line(tmp_path: Path) -> None:
    """A byte of a Modbus frame may be an order to a pump."""
    text = line() + pump() + '[[device]]\nid = "m"\nline = "0"\nprofile = "eastron-sdm630"\n'
    assert faults(tmp_path, text) == ["line `0`: expected one protocol, got dart, modbus. Give each a line of its own."]


@pytest.mark.parametrize(
    ("protocol", "address", "baud", "mode", "told"),
    [
        ("dart", "0x50", 9600, "8O1", None),
        ("dart", "0x50", 9600, "8N1", "dart pumps have 9600 or 19200 baud 8O1, and this line 9600 baud 8N1"),
        ("gilbarco", "16", 5787, "8E1", None),
        ("gilbarco", "16", 4800, "8E1", "this line 4800 baud 8E1"),
        ("azt", "1", 4800, "7E2", None),
        ("azt", "1", 9600, "8E1", "7E2, and this line 9600 baud 8E1"),
        ("sanki", "1", 9600, "8E1", None),
    ],
)
def test_settings_that_a_protocol_mostly_does_not_have(
    tmp_path: Path, protocol: str, address: str, baud: int, mode: str, told: str | None
) -> None:
    """No fault, for there are converters; but `fieldtill check` says so."""
    said = doubts(read(tmp_path, line("0", baud, mode) + pump(1, protocol, address=address)))
    assert said == [] if told is None else told in said[0]


def test_a_serial_server_for_pumps_needs_its_framing(tmp_path: Path) -> None:
    """Without it the time that characters take behind it is not reckoned with."""
    config = read(tmp_path, '[[line]]\nid = "0"\nhost = "192.168.1.50"\n' + pump())
    assert doubts(config) == ['line[0]: a serial server with pumps behind it has `framing = "raw"`']


@pytest.mark.parametrize("page", ["dart", "gilbarco", "azt", "sanki", "pts"])
def test_the_config_on_each_protocols_page(tmp_path: Path, page: str) -> None:
    """What a reader copies from docs/ loads and builds, options included, and raises no doubt."""
    text = (EXAMPLE.parent / "docs" / f"{page}.md").read_text()
    blocks = [block for block in re.findall(r"```toml\n(.*?)```", text, re.S) if "[[pump]]" in block]
    assert blocks
    for block in blocks:
        config = read(tmp_path, block)
        assert {one.protocol for one in config.pump} == {page}
        assert list(build(config).pumps) == [one.id for one in config.pump]
        assert doubts(config) == []
