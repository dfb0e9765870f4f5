"""What is written about a line is checked at the door."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from drivers.line import DevicePolicy, LineConfig
from protocols.door import Refused, admit, check


@pytest.mark.parametrize(
    ("baud", "guard_ms"), [(1200, 32.083), (9600, 4.010), (19200, 2.005), (38400, 1.75), (115200, 1.75)]
)
def test_the_guard_time_is_three_and_a_half_characters_up_to_19200_baud(baud: int, guard_ms: float) -> None:
    """Serial Line V1.02, clause 2.5.1: 3.5 characters of 11 bits, and 1.75 ms above 19,200 baud."""
    config = admit({"id": "a", "path": "/dev/ttyS0", "baud": baud}, LineConfig, source="test")
    assert config.guard_s * 1000 == pytest.approx(guard_ms, abs=0.001)


def test_tcp_needs_no_guard() -> None:
    """A TCP peer frames its own messages."""
    config = LineConfig(id="a", host="10.0.0.5")
    assert (config.guard_s, config.character_s, config.modbus_framing) == (0.0, 0.0, "tcp")


def test_the_guard_can_be_set() -> None:
    """guard_ms overrides what follows from the baud rate."""
    assert LineConfig(id="a", path="/dev/ttyS0", guard_ms=20.0).guard_s == 0.02


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"id": "a"}, "either `path`"),
        ({"id": "a", "path": "/dev/ttyS0", "host": "10.0.0.5"}, "either `path`"),
        ({"id": "a", "path": "/dev/ttyS0", "framing": "tcp"}, "needs `host`"),
        ({"id": "a", "path": "/dev/ttyS0", "baud": 200}, "300 to 230400"),
        ({"id": "a", "path": "/dev/ttyS0", "parity": "X"}, "one of"),
        ({"id": "a", "path": "/dev/ttyS0", "speed": 9600}, "unknown key"),
    ],
)
def test_what_does_not_fit_is_refused(data: dict[str, object], says: str) -> None:
    """Each mistake is named with what was expected."""
    _, faults = check(data, LineConfig)
    assert says in "".join(str(fault) for fault in faults)
    with pytest.raises(Refused):
        admit(data, LineConfig, source="test")


@pytest.mark.parametrize("struct", [LineConfig, DevicePolicy])
def test_the_page_on_lines_names_every_setting_with_its_default(struct: type[msgspec.Struct]) -> None:
    """docs/lines.md has a row for each field, and the default in it is the one in force."""
    page = (Path(__file__).parents[2] / "docs" / "lines.md").read_text()
    rows = {line.split("|")[1].strip(" `"): line.split("|")[2].strip(" `") for line in page.splitlines() if "|" in line}
    for field in msgspec.structs.fields(struct):
        default = "required" if field.required else "none" if field.default is None else str(field.default).lower()
        assert rows.get(field.name, "no row").lower() == default, field.name
