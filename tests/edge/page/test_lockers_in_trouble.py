"""A locker's pages when the power has failed, or its door stands open for staff: what is said is what the till does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from page_rig import Answer, Phone, at_a_locker, hidden, link_in, text_of

from drivers.port_board import PortEnd, PortState, PortStatus
from edge.till.port.again import CUTS_MAX
from edge.till.state import OpenStay
from protocols.trade.port_prices import PortPrice, PowerStep
from protocols.trade.records import Preset
from protocols.trade.records_port import LockerClosed, PortOpened
from tests.edge.codes import code, order
from tests.edge.desk_rig import reopen
from tests.edge.ports.port_rig import Rack
from tests.edge.ports.test_lockers import notices

PIN = "471100"
HERE = "/at/rack.1?lang=en"


async def read(phone: Phone, path: str) -> str:
    """What a person reads there."""
    answer = await phone.get(path)
    assert answer.status == 200, answer.text
    return text_of(answer)


async def shut(rack: Rack, *, plugged: bool) -> None:
    """Whoever stands there shuts the door."""
    outlet = rack.steel.outlets[1]
    assert outlet.door_open
    outlet.plugged, outlet.door_open = plugged, False
    rack.steel.tell()
    await rack.wait(4, 1)


async def charging(rack: Rack, phone: Phone) -> str:
    """A pack lies in locker 1 and charges for two hours, paid by a code. The link of its stay."""
    start = order(1, "rack.1", Preset("time", 7_200))
    opens = await phone.take(code(4_000, serial=1, start=start), pin=PIN)
    await rack.wait(3, 1)
    await shut(rack, plugged=True)
    await rack.wait(600, 10)
    return link_in(opens)


async def power_fails(rack: Rack, *, back_s: int = 10) -> None:
    rack.steel.cut_power()
    rack.steel.tell()
    await rack.loop.step()
    if back_s:
        await rack.wait(back_s, 1)


async def give(phone: Phone) -> Answer:
    """The PIN, by the form of the locker's page."""
    page = await phone.get(HERE)
    return await phone.send("/open?lang=en", place="rack.1", visit=hidden(page, "visit"), pin=PIN)


async def port_link(phone: Phone, link: str) -> str:
    """Where the stay's page leads: the session at its port."""
    page = await phone.get(f"{link}&lang=en")
    (found,) = re.findall(r'<div class="figure"><a href="([^"]+)"', page.text)
    return str(found).replace("&amp;", "&")


async def staff_look(rack: Rack) -> None:
    outcome = await rack.hall.lockers.open_by_staff("rack.1", "wu", "is it warm?", remove=False)
    assert isinstance(outcome, OpenStay), outcome
    await rack.wait(4, 1)


# --- the power --------------------------------------------------------------------------------------------------------


async def test_it_goes_on_by_itself(tmp_path: Path) -> None:
    """Until it does, and once it does, on the locker's page, the stay's, and the bill of the session that was cut."""
    async with at_a_locker(tmp_path) as (rack, phone):
        link = await charging(rack, phone)
        first = await port_link(phone, link)
        await power_fails(rack, back_s=0)
        waits = "The power failed: charging goes on by itself once it is back, and you need not pay again"
        for path in (HERE, f"{link}&lang=en", first):
            assert waits in await read(phone, path)
        await rack.wait(20, 1)
        goes_on = "The power failed, and charging has gone on by itself: you need not pay again"
        for path in (HERE, f"{link}&lang=en", first):
            assert goes_on in await read(phone, path)
        assert "停过电，已自动继续充电，无需再次付款" in await read(phone, "/at/rack.1")
        bill = await phone.get(first)
        (goes_on_there,) = re.findall(r'href="([^"]+)">See how it goes on', bill.text)
        assert "End charging" in await read(phone, goes_on_there.replace("&amp;", "&"))
        await give(phone)
        await rack.wait(4, 1)
        await shut(rack, plugged=False)
        assert "by itself" not in await read(phone, first)
        assert "by itself" not in await read(phone, HERE)


@pytest.mark.parametrize("why", ["flickers", "fee"])
async def test_it_does_not_go_on(tmp_path: Path, why: str) -> None:
    """After the fourth cut, or where a fee would fall due twice: staff are told, once, and so is the customer."""
    async with at_a_locker(tmp_path) as (rack, phone):
        if why == "fee":
            dear = PortPrice("lockers", "time", [PowerStep(1_000, 100_000)], 0, 20_000, 0, 0, 0, 0, 0)
            await rack.publish_prices(dear, version=2)
        link = await charging(rack, phone)
        for _ in range(CUTS_MAX + 1 if why == "flickers" else 1):
            assert rack.steel.outlets[1].running is not None
            await power_fails(rack, back_s=60)
        for _ in range(2):
            assert rack.steel.outlets[1].running is None
            assert notices(rack).count("locker-not-charging") == 1
            for path in (HERE, f"{link}&lang=en"):
                said = await read(phone, path)
                assert "The power failed, and charging has not gone on: your pack lies in it" in said
                assert "staff have been told" in said
            sessions = len(rack.bodies(PortOpened))
            await reopen(rack, tmp_path)
            rack.site.ports = rack.hall
            phone.daemon.journal, phone.daemon.site = rack.journal, rack.site
            rack.steel.tell()
            await rack.wait(120, 5)
            assert len(rack.bodies(PortOpened)) == sessions


async def test_a_cabinet_that_settles_when_its_door_opens(tmp_path: Path) -> None:
    """It cannot go on: the page says that the pack lies there, that staff know, and has no button that does nothing."""
    async with at_a_locker(tmp_path) as (rack, phone):
        link = await charging(rack, phone)
        (found,) = rack.ports.sessions()
        number = rack.ports.order_of(found[0]).number
        over = PortStatus(
            PortState.FULL, "1B", number, 20, 600, None, 150, plugged=True, door_open=False, ended=PortEnd.POWER_LOSS
        )
        real, rack.steel._now = rack.steel._now, lambda port: over  # type: ignore[method-assign]  # the rig's own word
        rack.steel.settles = False
        await power_fails(rack)
        session = await port_link(phone, link)
        stays = (
            "The power failed, and this cabinet cannot go on by itself: your pack lies in it, and staff have been told"
        )
        for path in (HERE, f"{link}&lang=en"):
            said = await read(phone, path)
            assert stays in said
            assert "Charging in there" not in said
        said = await read(phone, session)
        assert "This cabinet settles once its door opens, and does not go on before." in said
        assert "End charging" not in said
        assert notices(rack).count("locker-not-charging") == 1
        rack.steel._now, rack.steel.settles = real, True  # type: ignore[method-assign]  # a test's stand-in
        await give(phone)
        await rack.wait(10, 1)
        assert rack.lease().held == 0
        assert "Port receipt" in await read(phone, session)


# --- a door that stands open for somebody else ------------------------------------------------------------------------


async def test_the_owner_asks_while_staff_look(tmp_path: Path) -> None:
    """It waits until the door is shut, and the page says so instead of "it opens"; then it opens."""
    async with at_a_locker(tmp_path) as (rack, phone):
        link = await charging(rack, phone)
        await staff_look(rack)
        for path in (HERE, f"{link}&lang=en"):
            assert "Staff have it open to look inside; it opens to its owner once it is shut" in await read(phone, path)
        answer = text_of(await give(phone))
        assert "stands open already, and not for you: shut it first, and it opens to you then" in answer
        assert "take your pack" not in answer
        for path in (HERE, f"{link}&lang=en"):
            assert "shut it first, and it opens to you then" in await read(phone, path)
        assert "请先关门，随后会为您打开" in await read(phone, "/at/rack.1")
        await shut(rack, plugged=True)
        assert [body.outcome for body in rack.bodies(LockerClosed)] == ["collected"]


async def test_nobody_shuts_it_in_time(tmp_path: Path) -> None:
    """It is not opened later, when nobody stands there: the page says to ask again, and then it opens."""
    async with at_a_locker(tmp_path) as (rack, phone):
        await charging(rack, phone)
        await staff_look(rack)
        again = text_of(await phone.take(code(4_000, serial=2, start=order(2, "rack.1"))))
        assert "stands open already, and not for you" in again
        await rack.wait(rack.rules.door_s + 2, 1)
        said = await read(phone, HERE)
        assert "was not opened to you; what is in it is still yours. Once it is shut, ask for it again" in said
        await shut(rack, plugged=True)
        assert "The door was not opened to you: ask for it again" in await read(phone, HERE)
        assert rack.bodies(LockerClosed) == []
        assert "opens: take your pack" in text_of(await give(phone))
        await rack.wait(4, 1)
        assert [body.outcome for body in rack.bodies(LockerClosed)] == ["collected"]
        await shut(rack, plugged=False)


async def test_a_door_that_was_forced(tmp_path: Path) -> None:
    """Whoever stands there is asked to tell the staff."""
    async with at_a_locker(tmp_path) as (rack, phone):
        await charging(rack, phone)
        rack.steel.outlets[1].door_open = True
        rack.steel.tell()
        await rack.wait(3, 1)
        assert "Its door stands open: please tell the staff." in await read(phone, HERE)
