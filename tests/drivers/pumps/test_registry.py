"""From the config to a pump: every protocol is built, its options are checked, and only what is used is loaded."""

from __future__ import annotations

import subprocess
import sys
from typing import Any, get_args

import pytest

from drivers.line import Line, LineConfig
from drivers.pump import Pump
from drivers.pumps.config import WIRES, DecimalsConfig, NozzleConfig, Protocol, PumpConfig
from drivers.pumps.pts_config import ControllerConfig
from drivers.pumps.registry import DRIVERS, PROBES, build_controller, build_pump
from protocols.door import Refused

ON_A_LINE = [protocol for protocol in DRIVERS if protocol != "pts"]


def config(protocol: Protocol, **more: Any) -> PumpConfig:
    on: dict[str, Any] = {"controller": "pts"} if protocol == "pts" else {"line": "l"}
    nozzles = (NozzleConfig(number=1, grade="92"),)
    address = WIRES[protocol].addresses[0]
    return PumpConfig(id="p1", number=1, protocol=protocol, address=address, nozzles=nozzles, **on, **more)


def place(protocol: Protocol) -> Any:
    if protocol != "pts":
        return Line(LineConfig(id="l", path="/dev/null"))
    return build_controller(ControllerConfig(id="pts", host="127.0.0.1", password_file="none", tls=False))


def test_every_protocol_of_the_config_has_a_driver_and_a_wire() -> None:
    """What can be written down can be built; and looked for, but behind a controller, which knows its pumps."""
    assert list(DRIVERS) == list(WIRES) == list(get_args(Protocol))
    assert set(PROBES) == set(ON_A_LINE)


@pytest.mark.parametrize("protocol", list(DRIVERS))
async def test_a_pump_is_built_without_a_word_to_it(protocol: Protocol) -> None:
    """It has its nozzles and no status yet, and names its protocol."""
    pump = build_pump(config(protocol), place(protocol))
    assert isinstance(pump, Pump)
    assert (pump.id, pump.profile_id, pump.traits.nozzles) == ("p1", protocol, (1,))
    assert pump.status().value is None
    assert [point.value for point in pump.points() if point.quality.value == "good"] == []


@pytest.mark.parametrize("protocol", list(DRIVERS))
async def test_options_are_the_protocols_own(protocol: Protocol) -> None:
    """One that it does not have is refused by name, with those that there are."""
    with pytest.raises(Refused) as refused:
        build_pump(config(protocol, options={"colour": "red", "volume": 11}), place(protocol))
    assert [fault.path for fault in refused.value.faults] == ["options.colour", "options.volume"]


@pytest.mark.parametrize("protocol", ON_A_LINE)
async def test_the_digits_of_a_pump_are_the_configs(protocol: Protocol) -> None:
    """Its steps follow from where the config puts the points."""
    coarse = DecimalsConfig(volume=1, amount=1, price=2)
    steps = [build_pump(config(protocol, decimals=one), place(protocol)).traits for one in (DecimalsConfig(), coarse)]
    assert [(one.volume_step_ml, one.amount_step_fen, one.price_step_e3) for one in steps] == [
        (10, 1, 1000),
        (100, 10, 1000),
    ]


def test_a_site_without_pumps_loads_no_driver_of_them() -> None:
    """The memory of a charging site's box is not spent on pumps."""
    code = "import sys, edge.daemon; print(*[name for name in sys.modules if name.startswith('drivers.pumps.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    loaded = {name.rpartition(".")[2] for name in done.stdout.split()}
    assert loaded <= {"config", "probe", "pts_config", "registry", "scan"}
