"""A locker on a customer's phone, over real HTTP: which is free, what does it cost, and open mine."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from msgspec.structs import replace
from page_rig import Answer, Phone, at_a_locker, hidden, link_in, text_of

from edge.page.visits import VISIT_S
from protocols.trade.records import Preset
from protocols.trade.records_port import LockerClosed, LockerDoor, LockerOpened
from tests.edge.codes import code, order
from tests.edge.ports.port_rig import Rack

PIN = "471100"
HERE = "/at/rack.1?lang=en"


def a_stay(number: int = 1, *, total: int = 4_000, place: str = "rack.1") -> str:
    """A code that stores a pack there, or has it out again."""
    return code(total, serial=number, start=order(number, place, Preset("full", 0)))


async def read(phone: Phone, path: str) -> str:
    """What a person reads there."""
    answer = await phone.get(path)
    assert answer.status == 200, answer.text
    return text_of(answer)


async def shut(rack: Rack, *, plugged: bool, port: int = 1) -> None:
    """The customer shuts the door that has opened."""
    await rack.wait(3, 1)
    outlet = rack.steel.outlets[port]
    assert outlet.door_open
    outlet.plugged, outlet.door_open = plugged, False
    rack.steel.tell()
    await rack.wait(3, 1)


async def stored(rack: Rack, phone: Phone, *, pin: str = PIN) -> str:
    """A pack lies in locker 1. The link of its stay."""
    opens = await phone.take(a_stay(), **({"pin": pin} if pin else {}))
    assert "Locker rack.1 opens: put your pack in" in text_of(opens)
    await shut(rack, plugged=True)
    return link_in(opens)


async def give(phone: Phone, pin: str, place: str = "rack.1") -> Answer:
    """The PIN, by the form of the locker's page."""
    page = await phone.get(f"/at/{place}?lang=en")
    return await phone.send("/open?lang=en", place=place, visit=hidden(page, "visit"), pin=pin)


def doors(rack: Rack) -> int:
    """How often a door was told to open."""
    return sum(1 for what, _ in rack.steel.asked if what == "open")


# --- what there is ----------------------------------------------------------------------------------------------------


async def test_free_ones_and_what_they_cost(tmp_path: Path) -> None:
    """The locker that was scanned, the others of its board, what keeping a pack costs and what charging it costs."""
    async with at_a_locker(tmp_path) as (rack, phone):
        assert "Lockers rack · 3 of 3 free" in await read(phone, "/?lang=en")
        said = await read(phone, HERE)
        for text in (
            "Locker rack.1 中文 Free", "The first 24 h are free", "Then ¥2.00 for each day begun, 3 days at most",
            "¥6.00 are set aside", "Any power ¥1.00 an hour", "A PIN of 6 to 10 digits",
        ):  # fmt: skip
            assert text in said
        assert "Open mine" not in said
        await stored(rack, phone)
        said = await read(phone, HERE)
        for text in ("Taken", "Open mine", "Other lockers that are free 2 free 3 free"):
            assert text in said
        assert "2/3 空闲" in await read(phone, "/")


async def test_after_hours(tmp_path: Path) -> None:
    """None is given out, and the page says when; what is stored can be taken."""
    async with at_a_locker(tmp_path) as (rack, phone):
        await stored(rack, phone)
        rules = replace(rack.rules, hours=("09:00-10:00",))  # it is midnight UTC, eight in the morning there
        rack.ports.policy = rack.hall.lockers.desk.policy = rules
        said = await read(phone, "/at/rack.2?lang=en")
        assert "Closed now Come back when it is open; a pack that is stored can be taken at any hour." in said
        assert "Open 09:00-10:00" in said
        assert "did not begin Closed now" in text_of(await phone.take(a_stay(2, total=8_000, place="rack.2")))
        assert "opens: take your pack" in text_of(await give(phone, PIN))
        await shut(rack, plugged=False)


async def test_in_and_out_by_pin(tmp_path: Path) -> None:
    """A code and a PIN open it; the pack charges; the PIN alone opens it again, whoever's phone it is typed on."""
    async with at_a_locker(tmp_path) as (rack, phone):
        link = await stored(rack, phone)
        await rack.wait(1_800, 60)
        mine = await phone.get(f"{link}&lang=en")
        assert "Stored Charging in there: 0.07" in text_of(mine)
        (charging,) = set(re.findall(r"/receipt/hz-1/1/[0-9]+", mine.text)) - {link.partition("?")[0]}
        (path,) = re.findall(rf'href="({charging}[^"]+)"', mine.text)
        assert "End charging" in await read(phone, path.replace("&amp;", "&"))
        assert "Locker rack.1 opens: take your pack" in text_of(await give(phone, PIN))
        await shut(rack, plugged=False)
        assert [body.outcome for body in rack.bodies(LockerClosed)] == ["collected"]
        assert [body.origin.via for body in rack.bodies(LockerDoor)] == ["pin"]
        assert "Locker receipt 中文 ¥0.00" in await read(phone, f"{link}&lang=en")
        assert "Free" in await read(phone, HERE)


async def test_in_and_out_by_code(tmp_path: Path) -> None:
    """Without a PIN: a new code of the same account opens it. The one that stored it does not, nor one twice."""
    async with at_a_locker(tmp_path) as (rack, phone):
        await stored(rack, phone, pin="")
        before = doors(rack)
        assert "Locker rack.1 is yours" in text_of(await phone.take(a_stay()))
        stranger = code(4_000, account="eve", start=order(1, "rack.1"))
        assert "Use the card or PIN" in text_of(await phone.take(stranger))
        await rack.wait(3, 1)
        assert doors(rack) == before
        assert "Locker rack.1 opens: take your pack" in text_of(await phone.take(a_stay(2)))
        await shut(rack, plugged=False)
        assert len(rack.bodies(LockerClosed)) == 1
        after = doors(rack)
        for used in (a_stay(), a_stay(2)):
            assert "This code has started a session before" in text_of(await phone.take(used))
        await rack.wait(3, 1)
        assert doors(rack) == after


async def test_a_door_that_does_not_open(tmp_path: Path) -> None:
    """The page says so, and the PIN may be given once more."""
    async with at_a_locker(tmp_path) as (rack, phone):
        await stored(rack, phone)
        rack.steel.outlets[1].door_stuck = True
        assert "opens" in text_of(await give(phone, PIN))
        await rack.wait(10, 1)
        assert "The door did not open; please ask the staff" in await read(phone, HERE)
        rack.steel.outlets[1].door_stuck = False
        assert "opens" in text_of(await give(phone, PIN))
        await shut(rack, plugged=False)
        assert [body.outcome for body in rack.bodies(LockerClosed)] == ["collected"]


async def test_a_locker_that_never_opened(tmp_path: Path) -> None:
    """Nothing was put in: the link says that nothing was charged, and the locker is free again."""
    async with at_a_locker(tmp_path) as (rack, phone):
        rack.steel.outlets[1].door_stuck = True
        link = link_in(await phone.take(a_stay()))
        assert "Opening" in await read(phone, f"{link}&lang=en")
        await rack.wait(10, 1)
        assert "Nothing delivered, nothing charged" in await read(phone, f"{link}&lang=en")
        assert "Free" in await read(phone, HERE)


# --- whoever has no right to it ---------------------------------------------------------------------------------------


async def test_a_wrong_pin(tmp_path: Path) -> None:
    """Three are counted by the till, durably; then the right one waits, too. What is no PIN is no try."""
    async with at_a_locker(tmp_path) as (rack, phone):
        await stored(rack, phone)
        before = doors(rack)
        for pin in ("", "12", "١٢٣٤٥٦", "1" * 6, "'; drop", "47110"):
            assert "Wrong PIN" in text_of(await give(phone, pin))
        for pin in ("471101", "471102"):
            assert "Wrong PIN Look at the locker's number" in text_of(await give(phone, pin))
        locked = text_of(await give(phone, PIN))
        assert "Too many wrong PINs; try again later Your card still opens it" in locked
        await rack.wait(3, 1)
        assert doors(rack) == before
        rack.elapse(121)
        assert "opens" in text_of(await give(phone, PIN))
        await shut(rack, plugged=False)


async def test_a_form_acts_once_and_soon(tmp_path: Path) -> None:
    """Sent again, sent for another locker, sent half an hour later, or made up: nothing opens."""
    async with at_a_locker(tmp_path) as (rack, phone):
        await stored(rack, phone)
        before = doors(rack)
        old = hidden(await phone.get(HERE), "visit")
        rack.elapse(VISIT_S + 1)
        rack.steel.tell()
        fresh = hidden(await phone.get(HERE), "visit")
        for visit in (old, "", "1.2.3"):
            assert (await phone.send("/open", place="rack.1", visit=visit, pin=PIN)).status == 403
        assert (await phone.send("/open", place="rack.2", visit=fresh, pin=PIN)).status == 403
        assert (await phone.send("/open", place="rack.9", visit=fresh, pin=PIN)).status == 404
        assert doors(rack) == before
        assert (await phone.send("/open", place="rack.1", visit=fresh, pin=PIN)).status == 200
        assert (await phone.send("/open", place="rack.1", visit=fresh, pin=PIN)).status == 403
        await shut(rack, plugged=False)


async def test_a_link_alone_opens_nothing(tmp_path: Path) -> None:
    """It is a receipt, and is shown to others."""
    async with at_a_locker(tmp_path) as (rack, phone):
        path, _, token = (await stored(rack, phone)).partition("?")
        before = doors(rack)
        visit = hidden(await phone.get(f"{path}?{token}"), "visit")
        await phone.send(f"{path}/end?{token}", visit=visit)
        assert "Wrong PIN" in text_of(await phone.send("/open?lang=en", place="rack.1", visit=visit))
        await rack.wait(3, 1)
        assert doors(rack) == before


@pytest.mark.parametrize("pin", ["1234", "12345", "111111", "12345678901", "secret"])
async def test_a_pin_that_is_too_weak_keeps_the_code(tmp_path: Path, pin: str) -> None:
    """Said before the code is used up."""
    async with at_a_locker(tmp_path) as (rack, phone):
        said = text_of(await phone.take(a_stay(), pin=pin))
        assert "A PIN has 6 to 10 digits, not all the same" in said
        assert rack.bodies(LockerOpened) == []
        await stored(rack, phone)


async def test_two_at_once(tmp_path: Path) -> None:
    """Both with the right PIN: the door opens for the pack's one owner, once."""
    async with at_a_locker(tmp_path) as (rack, phone):
        await stored(rack, phone)
        answers = await asyncio.gather(give(phone, PIN), give(phone, PIN))
        assert all(answer.status == 200 for answer in answers)
        await shut(rack, plugged=False)
        assert len(rack.bodies(LockerClosed)) == 1
