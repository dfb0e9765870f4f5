"""A profile with mistakes is refused with all of them, each with its path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from drivers.profile_load import load, parse
from protocols.door import Refused
from tests.drivers.profile_text import meter

CHARGER = Path(__file__).parents[2] / "drivers" / "profiles" / "mennekes-amtron-compact.toml"


def faults(overrides: dict[str, Any]) -> dict[str, str]:
    """Path -> complaint of a sound charger profile with `overrides` laid over it."""
    with pytest.raises(Refused) as refused:
        load(CHARGER, overrides)
    return {fault.path: str(fault) for fault in refused.value.faults}


@pytest.mark.parametrize(
    ("overrides", "path", "complaint"),
    [
        ({"points.state.adr": 1}, "points.state.adr", "Did you mean `addr`?"),
        ({"points.state.addr": 70000}, "points.state.addr", "<= 65535"),
        ({"points.state.type": "u17"}, "points.state.type", "Did you mean"),
        ({"points.state.type": "bool"}, "points.state.type", "only there"),
        ({"points.state.length": 2}, "points.state.length", "only of these"),
        ({"points.state.unit": "0.1 Volt"}, "points.state.unit", "not one of"),
        ({"points.state.unit": "x V"}, "points.state.unit", "not a number"),
        ({"points.power.resolution": "1 V"}, "points.power.resolution", "unit of W"),
        ({"points.state.null": [65536]}, "points.state.null", "bit patterns"),
        ({"points.state.when": "layout > 'x'"}, "points.state.when", "cannot be compared"),
        ({"points.state.when": "power > 1"}, "points.state.when", '`poll = "once"`'),
        ({"points.state.verify": "nobody"}, "points.state.verify", "a point: one of"),
        ({"points.limit.write_fc": 6}, "points.limit.write_fc", "several registers"),
        ({"points.limit.wear": "stored"}, "command.start[0].point", "wear out"),
        ({"points.release.access": "r"}, "command.stop[0].point", "access w or rw"),
        ({"points.state.space": "input", "points.state.access": "rw"}, "points.state.access", "cannot be written"),
        ({"limits.barriers": [0x0303]}, "points.limit.addr", "one side of the barrier"),
        ({"limits.max_read": 126}, "limits.max_read", "<= 125"),
        ({"device.address_base": 1}, "points.layout.addr", "a wire address"),
        ({"gives.power": ["voltage_l1"]}, "gives.power[0]", "a unit of W"),
        ({"gives.register": ["energy_session"]}, "gives.register[0]", 'counter = "total"'),
        ({"gives.limit_max": "nobody"}, "gives.limit_max", "a point: one of"),
        ({"command.min": 40}, "command.min", "at most max"),
        ({"command.step": "zero"}, "command.step", "a number"),
        ({"command.stop": []}, "command.stop", "at least one"),
        ({"command.stop": [{"point": "limit", "value": "$limit"}]}, "command.stop[0].value", "a fixed value"),
        ({"command.start": [{"point": "release", "value": 70000}]}, "command.start[0].value", "does not fit"),
        ({"keepalive.period_s": 10}, "keepalive.period_s", "less than deadline_s"),
        ({"keepalive.kind": "wriet"}, "keepalive.kind", "Did you mean `write`?"),
        ({"state": [{"when": "state == 5 or", "iec": "C"}]}, "state[0].when", "not a condition"),
        ({"state": [{"when": "state == 5", "iec": "G"}]}, "state[0].iec", "one of A, B"),
        ({"state": []}, "state", "a charger has them"),
        ({"link": {}}, "link", "at least one of"),
    ],
)
def test_mistake(overrides: dict[str, Any], path: str, complaint: str) -> None:
    """Each kind of mistake is found at its path, and says what was expected."""
    found = faults(overrides)
    assert path in found, found
    assert complaint in found[path]


def test_all_mistakes_are_told_at_once() -> None:
    """Wrong types, unknown keys and faults between sections come in one answer."""
    found = faults(
        {
            "points.state.adr": 1,
            "limits.max_read": "many",
            "gives.limit": ["nobody"],
            "command.stop": [{"point": "layout", "value": 1}],
            "state": [{"when": "stat == 1", "iec": "C"}],
        }
    )
    assert {"points.state.adr", "limits.max_read", "gives.limit[0]", "command.stop[0].point", "state[0].when"} <= set(
        found
    )


def test_apparent_energy_does_not_pass_for_energy() -> None:
    """VAh in a billing register is refused: Heidelberg counts VAh."""
    with pytest.raises(Refused, match=r"gives.register\[0\]: expected a point in a unit of Wh, got energy in VAh"):
        meter(overrides={"points.energy.unit": "VAh", "points.energy.resolution": "10 VAh"})


def test_decimals_stay_exact() -> None:
    """0.1 in TOML never becomes a binary float."""
    profile = load(CHARGER, {"command.step": 0.1})
    assert profile.command is not None
    assert profile.command.step == "0.1"


def test_what_is_no_toml_is_refused_like_everything_else() -> None:
    """A syntax error names the file and the line."""
    with pytest.raises(Refused, match=r"mine.toml.*\n.*line 2"):
        parse("[device]\nid = \n", source="mine.toml")
