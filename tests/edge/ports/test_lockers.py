"""Lockers keep a customer's own pack and open to its owner only."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from edge.till.ask import Refusal, Refused, Source
from edge.till.port.ask import StayAsk
from edge.till.state import OpenStay
from protocols.trade.grants import hide_credential
from protocols.trade.records import Notice, Origin, SessionVoided, TechnicianAct
from protocols.trade.records_port import LockerClosed, LockerOverdue, LockerStored
from tests.edge.desk_rig import CARD, CREDENTIAL_KEY, reopen
from tests.edge.ports.port_rig import FULL, Rack, a_rack, with_doors

ANN = hide_credential(CREDENTIAL_KEY, CARD)
BY_CARD = Origin("card", ANN, 0, "")
PANEL = Origin("panel", b"", 0, "li")
DAY_S = 86_400


@asynccontextmanager
async def lockers(path: Path) -> AsyncIterator[Rack]:
    """Three lockers with nothing in them."""
    async with a_rack(path, price="lockers", traits=with_doors()) as rack:
        for outlet in rack.steel.outlets.values():
            outlet.plugged = False
        rack.steel.tell()
        yield rack


def ann(place: str = "") -> StayAsk:
    return StayAsk(place, BY_CARD, (Source("", ANN),), ANN)


def to_charge() -> StayAsk:
    """Ann's pack, to be charged until it is full."""
    return StayAsk("rack.1", BY_CARD, (Source("", ANN),), ANN, charge=FULL)


async def put_in(rack: Rack, port: int = 1, ask: StayAsk | None = None, pin: str = "") -> OpenStay:
    """The door opens, the pack goes in and is plugged in, the door is shut."""
    outcome = await rack.hall.lockers.store(ask or ann(f"rack.{port}"), pin=pin)
    assert isinstance(outcome, OpenStay), outcome
    await rack.wait(5, 1)
    assert rack.steel.outlets[port].door_open
    await rack.wait(5, 1)
    shut(rack, port, plugged=True)
    await rack.wait(5, 1)
    return rack.desk.state.ports.stays[outcome.seq]


def shut(rack: Rack, port: int = 1, *, plugged: bool) -> None:
    outlet = rack.steel.outlets[port]
    outlet.plugged, outlet.door_open = plugged, False
    rack.steel.tell()


def opened(rack: Rack) -> int:
    """How often a door was told to open."""
    return sum(1 for what, _ in rack.steel.asked if what == "open")


def notices(rack: Rack) -> list[str]:
    return [body.what for body in rack.bodies(Notice)]


async def test_a_pack_goes_in_and_comes_out_to_its_owner(tmp_path: Path) -> None:
    """Stored by card, collected by the same card within a day: nothing is due, and the hold goes back."""
    async with lockers(tmp_path) as rack:
        stay = await put_in(rack)
        assert stay.stored is not None
        assert rack.lease().held == 600  # three late days
        collected = await rack.hall.lockers.collect("rack.1", BY_CARD)
        assert isinstance(collected, OpenStay)
        await rack.wait(5, 1)
        assert rack.steel.outlets[1].door_open
        assert [(body.outcome, body.amount_fen) for body in rack.bodies(LockerClosed)] == [("collected", 0)]
        assert (rack.lease().used, rack.lease().held) == (0, 0)


async def test_nobody_else_opens_it(tmp_path: Path) -> None:
    """Another card, an account by its name alone at somebody else's locker, and no card at all are refused."""
    async with lockers(tmp_path) as rack:
        await put_in(rack)
        before = opened(rack)
        for origin, account in ((Origin("card", b"stranger", 0, ""), ""), (PANEL, "bob"), (PANEL, "")):
            refused = await rack.hall.lockers.collect("rack.1", origin, account=account)
            assert isinstance(refused, Refused)
            assert refused.refusal is Refusal.NOT_OWNER
        await rack.wait(10, 1)
        assert opened(rack) == before
        assert (await rack.hall.lockers.store(ann("rack.1"))).refusal is Refusal.LOCKER_FULL  # type: ignore[union-attr]  # refused


async def test_a_pin_opens_it_and_wrong_ones_lock_it(tmp_path: Path) -> None:
    """Three wrong PINs, and the right one is not taken either until the pause is over; a restart forgets no try."""
    async with lockers(tmp_path) as rack:
        ask = StayAsk("rack.1", PANEL, (Source("ann"),))
        stay = await put_in(rack, ask=ask, pin="4711")
        assert b"4711" not in stay.opened.secret
        for pin in ("4712", "0000", "9999"):
            refused = await rack.hall.lockers.collect("rack.1", PANEL, pin=pin)
            assert isinstance(refused, Refused)
            assert refused.refusal is Refusal.WRONG_PIN
        await reopen(rack, tmp_path)
        refused = await rack.hall.lockers.collect("rack.1", PANEL, pin="4711")
        assert isinstance(refused, Refused)
        assert refused.refusal is Refusal.PIN_LOCKED
        rack.elapse(121)
        assert isinstance(await rack.hall.lockers.collect("rack.1", PANEL, pin="4711"), OpenStay)
        await rack.wait(5, 1)
        assert len(rack.bodies(LockerClosed)) == 1


async def test_a_locker_charges_what_lies_in_it(tmp_path: Path) -> None:
    """Once its door is shut the port begins; collecting stops it first, and both bills are paid."""
    async with lockers(tmp_path) as rack:
        await put_in(rack, ask=to_charge())
        await rack.wait(5, 1)
        assert rack.steel.outlets[1].running is not None
        await rack.wait(1_800, 60)
        await rack.hall.lockers.collect("rack.1", BY_CARD)
        assert rack.steel.outlets[1].running is None  # before the door opens
        await rack.wait(10, 1)
        assert [reason for reason, _ in rack.bills] == ["collected"]
        assert rack.bills[0][1] in range(50, 53)
        assert len(rack.bodies(LockerClosed)) == 1


async def test_only_the_owner_charges_in_a_locker(tmp_path: Path) -> None:
    """A port behind somebody else's door, or behind one with nothing in it, does not start."""
    async with lockers(tmp_path) as rack:
        refused = await rack.hall.start(rack.asks(2))
        assert isinstance(refused, Refused)
        await put_in(rack, ask=StayAsk("rack.1", PANEL, (Source("ann"),)), pin="4711")
        await rack.grant(1_000, "bob", "0B0B0B0B")
        refused = await rack.hall.start(rack.asks(1, account="bob"))
        assert isinstance(refused, Refused)
        assert refused.refusal is Refusal.NOT_OWNER


async def test_late_days_cost_what_the_list_says(tmp_path: Path) -> None:
    """A pack that stays two days and an hour beyond the free one is reported once, and pays three days begun."""
    async with lockers(tmp_path) as rack:
        await put_in(rack)
        rack.time += 3 * DAY_S * 1000 + 3_600_000
        rack.steel.tell()
        await rack.wait(10, 1)
        assert len(rack.bodies(LockerOverdue)) == 1
        assert notices(rack).count("locker-overdue") == 1
        await rack.hall.lockers.collect("rack.1", BY_CARD)
        await rack.wait(5, 1)
        assert [body.amount_fen for body in rack.bodies(LockerClosed)] == [600]
        assert (rack.lease().used, rack.lease().held) == (600, 0)


async def test_staff_take_an_overdue_pack_out(tmp_path: Path) -> None:
    """With a reason that stands in the log; the locker is free again, and the stay is billed."""
    async with lockers(tmp_path) as rack:
        await put_in(rack)
        await rack.hall.lockers.open_by_staff("rack.1", "wu", "is it still there?", remove=False)
        await rack.wait(5, 1)
        shut(rack, plugged=True)
        await rack.wait(5, 1)
        assert rack.bodies(LockerClosed) == []
        await rack.hall.lockers.open_by_staff("rack.1", "wu", "nobody came", remove=True)
        await rack.wait(5, 1)
        assert [body.outcome for body in rack.bodies(LockerClosed)] == ["removed"]
        assert [act.verb for act in rack.bodies(TechnicianAct)] == ["locker-look", "locker-remove"]


async def test_a_door_that_does_not_open(tmp_path: Path) -> None:
    """To store: the stay is void and all is given back. To collect: the stay goes on, and may be tried again."""
    async with lockers(tmp_path) as rack:
        rack.steel.outlets[1].door_stuck = True
        await rack.hall.lockers.store(ann("rack.1"))
        await rack.wait(15, 1)
        assert [body.reason for body in rack.bodies(SessionVoided)] == ["door-stuck"]
        assert rack.lease().held == 0
        rack.steel.outlets[1].door_stuck = False
        await put_in(rack)
        rack.steel.outlets[1].door_stuck = True
        await rack.hall.lockers.collect("rack.1", BY_CARD)
        await rack.wait(15, 1)
        assert notices(rack).count("locker-door-stuck") == 2
        assert len(rack.desk.state.ports.stays) == 1
        rack.steel.outlets[1].door_stuck = False
        await rack.wait(30, 1)
        assert not rack.steel.outlets[1].door_open  # nobody stands there any more
        await rack.hall.lockers.collect("rack.1", BY_CARD)
        await rack.wait(5, 1)
        assert len(rack.bodies(LockerClosed)) == 1


async def test_a_door_that_is_not_shut(tmp_path: Path) -> None:
    """It is reported once, and nothing is stored until it is shut; a locker whose door stands open is nobody's next."""
    async with lockers(tmp_path) as rack:
        await rack.hall.lockers.store(ann("rack.1"))
        await rack.wait(120, 1)
        assert notices(rack).count("locker-door-open") == 1
        assert rack.bodies(LockerStored) == []
        shut(rack, plugged=True)
        await rack.wait(5, 1)
        assert len(rack.bodies(LockerStored)) == 1
        await rack.hall.lockers.collect("rack.1", BY_CARD)
        await rack.wait(5, 1)
        rack.steel.outlets[1].plugged = False
        rack.steel.tell()
        refused = await rack.hall.lockers.store(ann("rack.1"))
        assert isinstance(refused, Refused)
        assert refused.refusal is Refusal.PORT_BUSY
        elsewhere = await rack.hall.lockers.store(ann())
        assert isinstance(elsewhere, OpenStay)
        assert elsewhere.place == "rack.2"
        await rack.wait(5, 1)


@pytest.mark.parametrize("boot", [None, b"boot-002"])
async def test_death_while_a_pack_is_put_in(tmp_path: Path, boot: bytes | None) -> None:
    """The daemon dies with the door open, and comes back to a shut one: what may be in there stays somebody's."""
    async with lockers(tmp_path) as rack:
        await rack.hall.lockers.store(ann("rack.1"))
        await rack.loop.step()
        await reopen(rack, tmp_path, boot=boot, meanwhile=lambda: shut(rack, plugged=True))
        rack.steel.tell()
        await rack.wait(10, 1)
        (stay,) = rack.desk.state.ports.stays.values()
        assert stay.stored is not None
        assert isinstance(await rack.hall.lockers.collect("rack.1", BY_CARD), OpenStay)
        await rack.wait(5, 1)
        assert len(rack.bodies(LockerClosed)) == 1


async def test_death_before_the_door_was_told(tmp_path: Path) -> None:
    """Nothing was opened, and nobody stands there any more: void, and the door stays shut."""
    async with lockers(tmp_path) as rack:
        await rack.hall.lockers.store(ann("rack.1"))
        await reopen(rack, tmp_path)
        await rack.wait(10, 1)
        assert opened(rack) == 0
        assert [body.reason for body in rack.bodies(SessionVoided)] == ["not-opened"]


async def test_death_before_the_owner_got_it(tmp_path: Path) -> None:
    """A collection that the daemon did not live to see opens no door later; the owner comes again."""
    async with lockers(tmp_path) as rack:
        await put_in(rack)
        before = opened(rack)
        await rack.hall.lockers.collect("rack.1", BY_CARD)
        await reopen(rack, tmp_path)
        await rack.wait(20, 1)
        assert opened(rack) == before
        assert len(rack.desk.state.ports.stays) == 1
        await rack.hall.lockers.collect("rack.1", BY_CARD)
        await rack.wait(5, 1)
        assert len(rack.bodies(LockerClosed)) == 1
