"""Lockers against thieves, hoarders, power cuts, and a disk without room: a pack is its owner's, and so is its bill."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from edge.journal.errors import JournalFull
from edge.journal.journal import Journal
from edge.ports.ports import PortHall
from edge.ports.taps import code, tap
from edge.till.ask import Refusal, Refused, Source
from edge.till.port.ask import StayAsk
from edge.till.state import OpenStay
from protocols.trade.grants import hide_credential
from protocols.trade.records import Origin, SessionVoided
from protocols.trade.records_port import LockerClosed, LockerStored, PortOpened
from tests.edge.desk_rig import CARD, CREDENTIAL_KEY, reopen, slow_disk, turns, until
from tests.edge.ports.port_rig import BY_ENERGY, BY_TARIFF, BY_TIME, FULL, LOCKERS
from tests.edge.ports.test_lockers import (
    ANN,
    BY_CARD,
    DAY_S,
    PANEL,
    ann,
    lockers,
    notices,
    opened,
    put_in,
    shut,
    to_charge,
)


@contextmanager
def full_disk(journal: Journal) -> Iterator[None]:
    """No commit finds room."""
    committer = journal._committer
    real = committer.commit

    def commit(group: object) -> object:
        raise JournalFull("no room")

    committer.commit = commit  # type: ignore[assignment]  # a test's stand-in
    try:
        yield
    finally:
        committer.commit = real  # type: ignore[method-assign]  # a test's stand-in


def card(number: int) -> StayAsk:
    """Some card that nobody knows."""
    credential = bytes([number]) * 32
    return StayAsk("", Origin("card", credential, 0, ""), (Source("", credential),), credential)


# --- what charges ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("boot", [None, b"boot-002"], ids=["daemon", "power"])
async def test_what_was_to_charge_charges_after_a_restart(tmp_path: Path, boot: bytes | None) -> None:
    """The box dies with the door open: the log says what the pack was put in for, and it is started once."""
    async with lockers(tmp_path) as rack:
        await rack.hall.lockers.store(to_charge())
        await rack.wait(3, 1)
        await reopen(rack, tmp_path, boot=boot)
        rack.steel.tell()
        await rack.wait(5, 1)
        shut(rack, plugged=True)
        await rack.wait(10, 1)
        assert rack.steel.outlets[1].running is not None
        await reopen(rack, tmp_path, boot=boot)
        await rack.wait(60, 1)
        assert len(rack.bodies(PortOpened)) == 1


async def test_death_between_the_shut_door_and_the_charge(tmp_path: Path) -> None:
    """Stored, and nothing was started yet: it is after the restart, even where its board is silent for minutes."""
    async with lockers(tmp_path) as rack:
        await rack.hall.lockers.store(to_charge())
        await rack.wait(3, 1)
        shut(rack, plugged=True)
        await rack.loop.step()
        assert len(rack.bodies(LockerStored)) == 1
        assert rack.bodies(PortOpened) == []
        rack.steel.answers = False
        await reopen(rack, tmp_path, boot=b"boot-002")
        rack.time += 120_000
        await rack.wait(60)
        assert rack.bodies(PortOpened) == []
        rack.steel.answers = True
        await rack.wait(60)
        assert rack.steel.outlets[1].running is not None
        assert "locker-not-charging" not in notices(rack)


async def test_a_pack_that_its_owner_wants_back_is_not_charged(tmp_path: Path) -> None:
    """The door stuck when it was collected, and the box restarts: no charge is begun on somebody who wants to leave."""
    async with lockers(tmp_path) as rack:
        await rack.hall.lockers.store(to_charge())
        await rack.wait(3, 1)
        shut(rack, plugged=True)
        await rack.loop.step()
        rack.steel.outlets[1].door_stuck = True
        await rack.hall.lockers.collect("rack.1", BY_CARD)
        await rack.wait(60, 1)
        await reopen(rack, tmp_path)
        await rack.wait(60, 1)
        assert rack.bodies(PortOpened) == []


async def test_a_code_charges_in_a_locker(tmp_path: Path) -> None:
    """The code's number is used up by the stay; what it was sent for charges all the same."""
    async with lockers(tmp_path) as rack:
        stay = await code(rack.hall, "rack.1", FULL, Origin("qr", b"", 1, ""), Source("ann"))
        assert isinstance(stay, OpenStay)
        await rack.wait(3, 1)
        shut(rack, plugged=True)
        await rack.wait(5, 1)
        assert rack.steel.outlets[1].running is not None


@pytest.mark.parametrize("hours", ["06:00-08:01", "06:00-08:00"])
async def test_closed_hours(tmp_path: Path, hours: str) -> None:
    """It is eight in the morning. Nothing begins after hours; what lies there is charged and given back."""
    async with lockers(tmp_path) as rack:
        rack.hall.lockers.desk.policy = rack.ports.policy = replace(rack.rules, hours=(hours,))
        outcome = await rack.hall.lockers.store(to_charge())
        if hours == "06:00-08:00":
            assert isinstance(outcome, Refused)
            assert outcome.refusal is Refusal.PORTS_CLOSED
            return
        rack.hall.lockers.desk.policy = rack.ports.policy = replace(rack.rules, hours=("06:00-08:00",))
        await rack.wait(3, 1)
        shut(rack, plugged=True)
        await rack.wait(10, 1)
        assert rack.steel.outlets[1].running is not None
        assert isinstance(await rack.hall.lockers.collect("rack.1", BY_CARD), OpenStay)
        await rack.wait(5, 1)
        assert len(rack.bodies(LockerClosed)) == 1


# --- money ----------------------------------------------------------------------------------------------------------


async def test_late_days_behind_a_stuck_door_are_the_operators(tmp_path: Path) -> None:
    """The owner comes on the first day, the door is mended on the fourth: nothing is late."""
    async with lockers(tmp_path) as rack:
        await put_in(rack)
        rack.steel.outlets[1].door_stuck = True
        await rack.hall.lockers.collect("rack.1", BY_CARD)
        await rack.wait(15, 1)
        rack.time += 4 * DAY_S * 1000
        rack.steel.tell()
        rack.steel.outlets[1].door_stuck = False
        await rack.hall.lockers.collect("rack.1", BY_CARD)
        await rack.wait(5, 1)
        assert [body.amount_fen for body in rack.bodies(LockerClosed)] == [0]


async def test_late_days_before_the_owner_came_are_paid(tmp_path: Path) -> None:
    """They come on the third day, and the door is stuck until the fifth: what was late then is late."""
    async with lockers(tmp_path) as rack:
        await put_in(rack)
        rack.time += 2 * DAY_S * 1000 + 1_000
        rack.steel.tell()
        rack.steel.outlets[1].door_stuck = True
        await rack.hall.lockers.collect("rack.1", BY_CARD)
        await rack.wait(15, 1)
        rack.time += 2 * DAY_S * 1000
        rack.steel.tell()
        await rack.hall.lockers.open_by_staff("rack.1", "wu", "the lock was broken", remove=True)
        rack.steel.outlets[1].door_stuck = False
        await rack.wait(5, 1)
        assert [body.amount_fen for body in rack.bodies(LockerClosed)] == [400]


# --- a disk without room --------------------------------------------------------------------------------------------


async def test_a_pack_taken_out_while_the_disk_is_full(tmp_path: Path) -> None:
    """The door is seen open and that cannot be written: it is not told to open again, and the stay ends once there is
    room.
    """
    async with lockers(tmp_path) as rack:
        await put_in(rack)
        await put_in(rack, 2)
        await rack.hall.lockers.collect("rack.1", BY_CARD)
        await rack.hall.lockers.collect("rack.2", BY_CARD)
        rack.steel.outlets[1].door_stuck = rack.steel.outlets[2].door_stuck = True
        await rack.loop.step()
        before = opened(rack)
        for port in (1, 2):
            rack.steel.outlets[port].door_open = True
        rack.steel.tell()
        with full_disk(rack.journal):
            await rack.wait(3, 1)
            for port in (1, 2):
                shut(rack, port, plugged=False)
            await rack.wait(30, 1)
        assert opened(rack) == before
        assert rack.bodies(LockerClosed) == []
        await rack.wait(3, 1)
        assert [body.outcome for body in rack.bodies(LockerClosed)] == ["collected", "collected"]
        assert rack.lease().held == 0


async def test_a_pack_put_in_while_the_disk_is_full(tmp_path: Path) -> None:
    """Its door is shut and that cannot be written: the locker stays its owner's, and is stored once there is room."""
    async with lockers(tmp_path) as rack:
        await rack.hall.lockers.store(ann("rack.1"))
        await rack.wait(3, 1)
        with full_disk(rack.journal):
            shut(rack, plugged=True)
            await rack.wait(30, 1)
            assert isinstance(await rack.hall.lockers.store(ann("rack.1")), Refused)
        await rack.wait(3, 1)
        assert len(rack.bodies(LockerStored)) == 1


# --- thieves and hoarders -------------------------------------------------------------------------------------------


async def test_a_door_that_is_forced_is_told_of(tmp_path: Path) -> None:
    """A screwdriver, and shut again within a minute: staff hear of it each time, and the stay goes on."""
    async with lockers(tmp_path) as rack:
        await put_in(rack)
        for times in (1, 2):
            rack.steel.outlets[1].door_open = True
            rack.steel.tell()
            await rack.wait(5, 1)
            shut(rack, plugged=False)
            await rack.wait(5, 1)
            assert notices(rack).count("locker-forced") == times
        assert len(rack.desk.state.ports.stays) == 1


async def test_staff_who_look_are_no_thieves(tmp_path: Path) -> None:
    """A door opened with a reason is not forced; one that is opened again after that is."""
    async with lockers(tmp_path) as rack:
        await put_in(rack)
        await rack.hall.lockers.open_by_staff("rack.1", "wu", "is it still there?", remove=False)
        await rack.wait(5, 1)
        shut(rack, plugged=True)
        await rack.wait(5, 1)
        assert "locker-forced" not in notices(rack)
        rack.steel.outlets[1].door_open = True
        rack.steel.tell()
        await rack.wait(5, 1)
        assert notices(rack).count("locker-forced") == 1


@pytest.mark.parametrize("act", ["store", "collect"])
async def test_no_door_opens_hours_after_it_was_asked_for(tmp_path: Path, act: str) -> None:
    """Its board is away when the customer asks, and comes back when they are gone: the pack is not laid out."""
    async with lockers(tmp_path) as rack:
        if act == "collect":
            await put_in(rack)
        before = opened(rack)
        rack.steel.answers = False
        if act == "collect":
            await rack.hall.lockers.collect("rack.1", BY_CARD)
        else:
            await rack.hall.lockers.store(ann("rack.1"))
        rack.time += 120_000  # what it said last is old, before the loop has turned
        await rack.wait(600, 20)
        rack.steel.answers = True
        rack.steel.tell()
        await rack.wait(30, 1)
        assert not rack.steel.outlets[1].door_open
        assert opened(rack) == before
        if act == "collect":
            assert "locker-door-stuck" in notices(rack)
        else:
            assert [body.reason for body in rack.bodies(SessionVoided)] == ["not-opened"]


async def test_nobody_takes_all_lockers(tmp_path: Path) -> None:
    """Two for an account, by whatever card; staff may give it a third."""
    async with lockers(tmp_path) as rack:
        await put_in(rack, 1)
        await put_in(rack, 2)
        third = await rack.hall.lockers.store(StayAsk("", BY_CARD, (Source("", ANN),), ANN))
        assert isinstance(third, Refused)
        assert third.refusal is Refusal.TOO_MANY_LOCKERS
        assert isinstance(await rack.hall.lockers.store(StayAsk("", PANEL, (Source("ann"),))), OpenStay)


async def test_a_phone_with_many_cards_takes_no_more_than_its_share(tmp_path: Path) -> None:
    """Where a stay costs nothing, cards that nobody knows may have some lockers between them, and no more."""
    async with lockers(tmp_path) as rack:
        free = replace(LOCKERS, late_e3=0)
        await rack.publish_prices(BY_TIME, BY_ENERGY, BY_TARIFF, free, version=2)
        rack.hall.lockers.desk.policy = replace(rack.rules, lockers_unknown=1)
        assert isinstance(await rack.hall.lockers.store(card(7)), OpenStay)
        again = await rack.hall.lockers.store(card(8))
        assert isinstance(again, Refused)
        assert again.refusal is Refusal.TOO_MANY_LOCKERS
        assert isinstance(await rack.hall.lockers.store(ann()), OpenStay)

        async def knows_bob(credential: bytes, account: str, want: int, asset: str) -> bool:
            return bool(await rack.grant(1_000, "bob", "0B0B0B0B"))

        rack.site.ask_for_grant = knows_bob
        bob = hide_credential(CREDENTIAL_KEY, "0B0B0B0B")
        ask = StayAsk("", Origin("card", bob, 0, ""), (Source("", bob),), bob)
        stay = await rack.hall.lockers.store(ask)
        assert isinstance(stay, OpenStay)
        assert stay.opened.account == "bob"  # headquarters knows whose card it is


async def test_a_locker_for_somebody_who_was_told_no(tmp_path: Path) -> None:
    """The board's ten seconds run out while the record is on its way: no door opens, and all is given back."""
    async with lockers(tmp_path) as rack:
        with slow_disk(rack.journal) as disk_goes_on:
            asked = asyncio.create_task(rack.hall.lockers.store(ann("rack.1")))
            await turns()
            asked.cancel()
            await asyncio.wait([asked])
            disk_goes_on()
            await until(lambda: bool(rack.hall.lockers.desk.stays()))
        await rack.wait(10, 1)
        assert opened(rack) == 0
        assert [body.reason for body in rack.bodies(SessionVoided)] == ["not-opened"]
        assert rack.lease().held == 0


async def test_two_phones_at_one_locker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second PIN is still being compared when the door has opened to the first: it is too late, and no more."""
    async with lockers(tmp_path) as rack:
        await put_in(rack, ask=StayAsk("rack.1", PANEL, (Source("ann"),)), pin="4711")
        compared = asyncio.Event()

        async def slowly(call: object, *args: object) -> bool:
            await compared.wait()
            return True

        with monkeypatch.context() as patched:
            patched.setattr("edge.ports.lockers.asyncio.to_thread", slowly)
            second = asyncio.create_task(rack.hall.lockers.collect("rack.1", PANEL, pin="4711"))
            await until(lambda: rack.hall.lockers.desk.stays()[0][1].tries == 1)
            await rack.hall.lockers.collect("rack.1", BY_CARD)
            await rack.wait(5, 1)
            assert len(rack.bodies(LockerClosed)) == 1
            compared.set()
            late = await second
        assert isinstance(late, Refused)
        assert late.refusal is Refusal.LOCKER_EMPTY
        shut(rack, plugged=False)
        await put_in(rack, 2)


async def test_a_stuck_locker_does_not_hide_the_next(tmp_path: Path) -> None:
    """One reader for the rack, two packs of one card, and the first door is stuck: the second tap opens the other."""
    async with lockers(tmp_path) as rack:
        await put_in(rack, 1)
        await put_in(rack, 2)
        rack.steel.outlets[1].door_stuck = True
        assert (await tap(rack.hall, "rack", CARD)).place == "rack.1"
        await rack.wait(15, 1)
        assert (await tap(rack.hall, "rack", CARD)).place == "rack.2"
        await rack.wait(5, 1)
        assert len(rack.bodies(LockerClosed)) == 1
        assert (await tap(rack.hall, "rack", CARD)).place == "rack.1"


async def test_nobody_pays_late_days_for_a_locker_that_may_be_empty(tmp_path: Path) -> None:
    """The box died when the door was told to open, and nobody knows whether a pack was put in: it is kept, and free."""
    async with lockers(tmp_path) as rack:
        rack.steel.outlets[1].door_stuck = True
        await rack.hall.lockers.store(ann("rack.1"))
        await rack.wait(2, 1)
        await reopen(rack, tmp_path, boot=b"boot-002")
        await rack.wait(5, 1)
        assert "locker-unsure" in notices(rack)
        rack.steel.outlets[1].door_stuck = False
        rack.time += 5 * DAY_S * 1000
        rack.steel.tell()
        await rack.hall.lockers.collect("rack.1", BY_CARD)
        await rack.wait(5, 1)
        assert [body.amount_fen for body in rack.bodies(LockerClosed)] == [0]


async def test_an_owner_who_comes_while_the_board_is_not_in_the_config(tmp_path: Path) -> None:
    """They are told so, and their late days end: what was taken out of the config is not their doing."""
    async with lockers(tmp_path) as rack:
        await put_in(rack)
        rack.hall = PortHall(rack.site, rack.ports, rack.hall.lockers.desk, {}, rack.clock)
        told = await rack.hall.lockers.collect("rack.1", BY_CARD)
        assert isinstance(told, Refused)
        assert told.refusal is Refusal.PORT_SILENT
        rack.time += 5 * DAY_S * 1000
        await rack.hall.lockers.open_by_staff("rack.1", "wu", "scrapped", remove=True)
        assert [body.amount_fen for body in rack.bodies(LockerClosed)] == [0]
