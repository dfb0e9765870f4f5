"""Pack links on a real pty: sleep, silence, noise, damage, impossible values, other packs, and the charge switch."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from pack_mouths import (
    CODE,
    PACK,
    PACKS,
    SWITCHED,
    asleep,
    daly_modbus_pack,
    daly_pack_mouth,
    damaged,
    greenway_pack,
    jbd_pack,
    jk_pack,
    vmo_board,
)
from pack_rig import Hears, silent, slot

from drivers.api import LinkState
from drivers.errors import DeviceFault, Garbled, Silent, Unsupported
from drivers.packs.bms import CONTRADICTIONS
from drivers.packs.config import WIRES, PackLinkConfig
from drivers.packs.link import ChargeSwitch, PackLink, Unheard, Vacant
from drivers.packs.registry import TONGUES
from protocols.door import Refused
from protocols.fieldbus.daly_app import Sign
from protocols.fieldbus.greenway_app import Field
from protocols.fieldbus.jbd import Status, answer_frame
from protocols.fieldbus.jbd_app import Register
from protocols.fieldbus.jk4e57 import Command
from protocols.fieldbus.pack import Alarm, Flow, PackReading

SWIFT: dict[str, Any] = {"timeout_ms": 60}
PROTOCOLS = sorted(PACKS)


async def test_every_protocol_is_a_link() -> None:
    """Each one has its wire and its driver, and does all that a cabinet may ask of a link."""
    assert set(TONGUES) == set(WIRES)
    async with slot(silent, "jbd") as it:
        assert isinstance(it.link, ChargeSwitch)
        link: PackLink = it.link
        assert (link.profile_id, link.wakes_by, link.findings(), link.link().state) == (
            "jbd",
            "frame",
            (),
            LinkState.NEW,
        )


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_what_a_cabinet_needs(protocol: str) -> None:
    """Its name, its charge, its heat and its ills, in any protocol that says them."""
    ill = replace(PACK, protections=frozenset({Alarm.CELL_HIGH}), soc_permille=800, remaining_mah=19_200)
    async with slot(PACKS[protocol](lambda: ill), protocol, **SWIFT) as it:
        read = await it.read()
        assert (read.serial, read.voltage_mv, read.charge_permille) == (CODE, 62_000, 800)
        assert read.hottest_dc is not None
        assert read.protections
        assert it.link.link().state is LinkState.ONLINE


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_an_empty_slot_is_silent_and_is_asked_each_time(protocol: str) -> None:
    """No back-off: whoever is put in answers at the very next read."""
    async with slot(silent, protocol, timeout_ms=20) as it:
        for _ in range(2):
            with pytest.raises(Silent):
                await it.read()
        assert it.link.link().state is LinkState.OFFLINE
        it.pack = PACKS[protocol](lambda: PACK)
        assert (await it.read()).serial == CODE


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_damaged_answer_is_asked_for_again(protocol: str) -> None:
    """One bad sum is noise, and no reading."""
    async with slot(damaged(PACKS[protocol](lambda: PACK)), protocol, **SWIFT) as it:
        assert (await it.read()).serial == CODE
        counts = it.link.link().counts
        assert counts.get("crc", 0) + counts.get("noise", 0) >= 1


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_nothing_but_damage(protocol: str) -> None:
    """A pack whose every answer is damaged is Garbled, not silent: it is there."""
    async with slot(damaged(PACKS[protocol](lambda: PACK), times=100), protocol, timeout_ms=30) as it:
        with pytest.raises(Garbled):
            await it.read()


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_noise_before_an_answer(protocol: str) -> None:
    """An answer is found behind whatever contacts that are just closing say."""
    pack = PACKS[protocol](lambda: PACK)

    def noisy(data: bytes) -> list[bytes]:
        said = pack(data)
        return [b"\x00\xff\x7f\x12" + said[0], *said[1:]] if said else []

    async with slot(noisy, protocol, **SWIFT) as it:
        assert (await it.read()).serial == CODE


async def test_a_jbd_board_swallows_the_first_question() -> None:
    """It sleeps; the vendor says: ask again."""
    async with slot(asleep(jbd_pack(lambda: PACK), 1), "jbd", **SWIFT) as it:
        assert (await it.read()).serial == CODE


async def test_a_jk_pack_is_activated() -> None:
    """It is deaf to every question until it is told to wake up."""
    awake = False
    pack = jk_pack(lambda: PACK)

    def sleeper(data: bytes) -> list[bytes]:
        nonlocal awake
        said = pack(data)
        awake = awake or pack.heard[-1].command is Command.ACTIVATE
        return said if awake else []

    async with slot(sleeper, "jk4e57", **SWIFT) as it:
        assert (await it.read()).serial == CODE


async def test_a_jk_pack_that_falls_asleep_between_two_reads() -> None:
    """It was there a moment ago, so it is woken and asked again, and keeps its name."""
    pack, awake = jk_pack(lambda: PACK), True

    def sleeper(data: bytes) -> list[bytes]:
        nonlocal awake
        said = pack(data)
        awake = awake or pack.heard[-1].command is Command.ACTIVATE
        return said if awake else []

    async with slot(sleeper, "jk4e57", **SWIFT) as it:
        await it.read()
        awake = False
        assert (await it.read()).serial == CODE


async def test_a_jk_pack_is_activated_by_wake_alone() -> None:
    """What a cabinet does before it reads; a pack that does not answer that is no error."""
    pack = jk_pack(lambda: PACK)
    async with slot(pack, "jk4e57", **SWIFT) as it:
        await it.link.wake()
        assert [question.command for question in pack.heard] == [Command.ACTIVATE]
        it.pack = silent
        await it.link.wake()


async def test_a_greenway_pack_waits_for_a_charger() -> None:
    """Its transceiver misses three questions; out of deep sleep only charger voltage brings it, so we send nothing."""
    pack = greenway_pack(lambda: PACK)
    async with slot(asleep(pack, 3), "greenway", **SWIFT) as it:
        assert (await it.read()).serial == CODE
        assert it.link.wakes_by == "charger"
        asked = len(pack.heard)
        await it.link.wake()
        assert len(pack.heard) == asked


async def test_a_silent_field_is_asked_once() -> None:
    """A Greenway pack without a status field costs its four questions only at the first read."""
    pack = greenway_pack(lambda: replace(PACK, protections=None))
    async with slot(pack, "greenway", timeout_ms=30) as it:
        assert (await it.read()).protections is None
        pack.heard.clear()
        await it.read()
        assert {request.field for request in pack.heard} == {
            Field.VOLTAGE,
            Field.CURRENT,
            Field.SOC,
            Field.TEMPERATURES,
        }


@pytest.mark.parametrize(
    ("protocol", "wrong", "said"),
    [
        ("greenway", {"soc_permille": 2_000}, "soc_permille 2000 is not 0..=1000"),
        ("greenway", {"voltage_mv": 4_000_000_000}, "voltage_mv 4000000000"),
        ("jbd", {"temps_dc": (210, -2731)}, "temps_dc -2731"),
        ("jk4e57", {"cells_mv": (3_800, 60_000)}, "cells_mv 60000"),
        ("daly", {"soc_permille": 60_000, "remaining_mah": 1}, "soc_permille 60000"),
        ("daly-modbus", {"cycles": 65_535}, "cycles 65535"),
        ("pace", {"design_mah": 10}, "design_mah 10"),
    ],
)
async def test_what_cannot_be(protocol: str, wrong: dict[str, Any], said: str) -> None:
    """A sound frame with an impossible value is the pack's fault, and says which value."""
    async with slot(PACKS[protocol](lambda: replace(PACK, **wrong)), protocol, **SWIFT) as it:
        with pytest.raises(DeviceFault, match=said):
            await it.read()
        it.pack = PACKS[protocol](lambda: PACK)
        assert (await it.read()).serial == CODE


OTHER = "BT3072020120000200521001"


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_another_pack_after_a_silence(protocol: str) -> None:
    """The name of the one before is never given to the next."""
    async with slot(PACKS[protocol](lambda: PACK), protocol, timeout_ms=30) as it:
        assert (await it.read()).serial == CODE
        it.pack = silent
        with pytest.raises(Silent):
            await it.read()
        it.pack = PACKS[protocol](lambda: replace(PACK, serial=OTHER))
        assert (await it.read()).serial == OTHER


@pytest.mark.parametrize("protocol", ["jbd", "greenway", "daly", "daly-modbus", "pace"])
async def test_another_pack_without_a_silence(protocol: str) -> None:
    """A fast hand between two polls: the charge jumps, so all is asked anew."""
    async with slot(PACKS[protocol](lambda: PACK), protocol, **SWIFT) as it:
        assert (await it.read()).serial == CODE
        it.pack = PACKS[protocol](lambda: replace(PACK, serial=OTHER, soc_permille=100, remaining_mah=2_400))
        assert (await it.read()).serial == OTHER


async def test_another_pack_just_like_the_one_before() -> None:
    """Only who knows that the door was open can tell: it says so."""
    async with slot(jbd_pack(lambda: PACK), "jbd", **SWIFT) as it:
        assert (await it.read()).serial == CODE
        it.pack = jbd_pack(lambda: replace(PACK, serial=OTHER))
        it.link.forget()
        assert (await it.read()).serial == OTHER


async def test_a_jbd_pack_without_a_barcode() -> None:
    """Its serial number will do; with neither it has no name, and is no swap pack."""
    honest = jbd_pack(lambda: PACK)

    def without(*registers: Register) -> Hears:
        def hears(data: bytes) -> list[bytes]:
            said = honest(data)
            register = honest.heard[-1].register
            return [answer_frame(register, status=Status.NO_SUCH_REGISTER)] if register in registers else said

        return hears

    async with slot(without(Register.BARCODE), "jbd", **SWIFT) as it:
        assert (await it.read()).serial == CODE
        it.pack = without(Register.BARCODE, Register.SERIAL)
        it.link.forget()
        assert (await it.read()).serial is None


@pytest.mark.parametrize(
    ("protocol", "mouth", "told", "remedy"),
    [
        ("daly", daly_pack_mouth, Sign.ABOVE_CHARGES, "above-charges"),
        ("daly-modbus", daly_modbus_pack, Sign.ABOVE_DISCHARGES, "above-discharges"),
    ],
)
async def test_the_sign_is_the_wrong_way_round(protocol: str, mouth: Any, told: Sign, remedy: str) -> None:
    """A pack that charges by its state and discharges by its current: after three times it is said what to change."""
    pack = mouth(lambda: replace(PACK, current_ma=5_000, flow=Flow.CHARGING), told)
    async with slot(pack, protocol, **SWIFT) as it:
        for _ in range(CONTRADICTIONS):
            assert it.link.findings() == ()
            assert (await it.read()).contradicts_itself
        (finding,) = it.link.findings()
        assert "options.sign" in finding
        assert remedy in finding
    async with slot(pack, protocol, options={"sign": remedy}, **SWIFT) as it:
        for _ in range(CONTRADICTIONS):
            assert (await it.read()).current_ma == 5_000
        assert it.link.findings() == ()


async def test_one_reading_in_a_change_is_no_finding() -> None:
    """Current and state are measured one after the other."""
    said = [replace(PACK, current_ma=5_000, flow=flow) for flow in (Flow.DISCHARGING, Flow.DISCHARGING, Flow.CHARGING)]
    now = iter(said * 3)
    pack = PackReading()

    def knows() -> PackReading:
        return pack

    async with slot(daly_modbus_pack(knows), "daly-modbus", **SWIFT) as it:
        for pack in now:  # noqa: B007  # what `knows` tells
            await it.read()
        assert it.link.findings() == ()


@pytest.mark.parametrize("protocol", sorted(SWITCHED))
async def test_the_charge_switch(protocol: str) -> None:
    """It is turned, and reads back so; discharging is let be."""
    on = True

    def turn(to: bool) -> None:
        nonlocal on
        on = to

    options = {"charge_switch": True} | ({"switch_on": "one"} if protocol == "pace" else {})
    pack = SWITCHED[protocol](lambda: replace(PACK, charge_on=on), switched=turn)
    async with slot(pack, protocol, options=options, **SWIFT) as it:
        for wanted in (False, True):
            await it.link.switch_charge(wanted)
            assert on is wanted
            read = await it.read()
            assert (read.charge_on, read.discharge_on) == (wanted, True)


@pytest.mark.parametrize("protocol", sorted(SWITCHED))
async def test_a_switch_that_does_not_obey(protocol: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An acknowledgement is no proof: some of these packs do the contrary."""
    monkeypatch.setattr("drivers.packs.bms.SETTLE_S", 0.01)
    options = {"charge_switch": True} | ({"switch_on": "zero"} if protocol == "pace" else {})
    async with slot(SWITCHED[protocol](lambda: PACK), protocol, options=options, **SWIFT) as it:
        with pytest.raises(DeviceFault, match="is on after it was turned off"):
            await it.link.switch_charge(False)


@pytest.mark.parametrize("protocol", sorted(WIRES))
async def test_no_switch_unless_config_says_so(protocol: str) -> None:
    """Nothing is sent."""
    async with slot(silent, protocol, timeout_ms=20) as it:
        with pytest.raises(Unsupported, match="charge switch"):
            await it.link.switch_charge(False)


@pytest.mark.parametrize(
    ("config", "fault"),
    [
        ({"protocol": "daly", "options": {"sign": "both"}}, "options.sign"),
        ({"protocol": "pace", "options": {"charge_switch": True}}, "switch_on"),
        ({"protocol": "greenway", "options": {"sign": "above-charges"}}, "options.sign"),
    ],
)
async def test_options_are_those_of_the_protocol(config: dict[str, Any], fault: str) -> None:
    """Every other one is refused, and nothing is left on the line."""
    with pytest.raises(Refused, match=fault):
        async with slot(silent, **config):
            pass


def test_addresses_are_those_of_the_protocol() -> None:
    """A Daly host address is 40h and up."""
    with pytest.raises(ValueError, match="0x40 to 0x80"):
        PackLinkConfig(protocol="daly", line="s1", address=1)


async def test_a_slot_board_that_mirrors_its_pack() -> None:
    """It answers always: an empty slot and a pack without its CAN plug are silent all the same, and say why."""
    ill = replace(PACK, current_ma=-4_000, temps_dc=(-50, 210), protections=frozenset({Alarm.CELL_HIGH}))
    async with slot(vmo_board(lambda: ill), "vmo") as it:
        read = await it.read()
        assert (read.voltage_mv, read.current_ma, read.charge_permille) == (62_000, -4_000, 750)
        assert (read.soh_permille, read.cycles, read.cells_mv) == (980, 78, (3_875,) * 13)
        assert (read.hottest_dc, read.coldest_dc, read.protections) == (210, -50, {Alarm.OTHER})
        it.pack = vmo_board(lambda: PACK, here=False)
        with pytest.raises(Vacant, match="no pack"):
            await it.read()
        it.pack = vmo_board(lambda: PACK, hears=False)
        with pytest.raises(Silent, match="hears nothing"):
            await it.read()
        it.pack = lambda data: []
        with pytest.raises(Unheard, match="board"):
            await it.read()


async def test_two_reads_at_once() -> None:
    """A poll and a customer's read do not mix their questions."""
    pack = jbd_pack(lambda: PACK)
    async with slot(pack, "jbd") as it:
        reads = await asyncio.gather(it.read(), it.read())
        assert [read.serial for read in reads] == [CODE, CODE]
        assert [request.register for request in pack.heard] == [0x03, 0xA2, 0x05, 0x03]


async def test_the_slow_facts_are_asked_again_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a wrong belief about whose pack it is ends by itself."""
    monkeypatch.setattr("drivers.packs.bms.SLOW_AGE_MAX_S", 0.0)
    async with slot(jbd_pack(lambda: PACK), "jbd", **SWIFT) as it:
        await it.read()
        it.pack = jbd_pack(lambda: replace(PACK, serial=OTHER))
        assert (await it.read()).serial == OTHER
