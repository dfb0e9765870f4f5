"""The site at work: taps, commands, the order of things, price boundaries and the day's end, on a real journal."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from msgspec.structs import replace as changed

from edge.forecourt.islands import Islands
from edge.plant.drive import Drive
from edge.shop.shop import Shop
from edge.site import Tapped
from edge.till.start import Refusal, Refused
from edge.till.state import OpenSession
from protocols.trade.codec import encode
from protocols.trade.records import (
    ClockMoved,
    DayClosed,
    Draft,
    Notice,
    Preset,
    SessionClosed,
    SessionOpened,
    TechnicianAct,
    TotalizersRead,
)
from protocols.trade.wire import Command
from tests.edge.desk_rig import CARD, FULL, Till, a_till, reopen, slow_disk, turns, until
from tests.edge.till.story import MIDNIGHT_MS, TWO_PRICES

BOBS = "04BBBBBB"


@pytest.fixture
async def till(tmp_path: Path) -> AsyncIterator[Till]:
    async with a_till(tmp_path) as till:
        yield till


# --- order ------------------------------------------------------------------------------------------------------------


async def test_the_meter_is_read_before_the_hold(till: Till) -> None:
    """citrineos_1060: the begin register is asked for now; what the last poll said is not what a session begins at."""
    bay = till.bays["c1"]
    bay.polls, bay.register_wh = False, 1_000_123
    outcome = await till.site.start(till.ask())
    assert isinstance(outcome, OpenSession)
    assert bay.asked == ["read"]
    (opened,) = till.bodies(SessionOpened)
    assert opened.begin.energy_wh == 1_000_123


async def test_the_charger_is_told_only_after_the_commit(till: Till) -> None:
    """The real drive stands by with its charger; while the disk is busy it says `stop`, and `allow` once it is done."""
    bay = till.bays["c1"]
    async with driving(till.site.drives["c1"]):
        await until(lambda: bay.asked == ["stop"])
        with slow_disk(till.journal) as disk_goes_on:
            starting = asyncio.create_task(till.site.start(till.ask()))
            await until(lambda: till.desk.session_at("c1") is not None)
            await asyncio.sleep(0.6)  # longer than the drive waits between two looks
            assert "allow" not in bay.asked
            disk_goes_on()
            await starting
        await until(lambda: bay.delivering)


async def test_a_silent_meter_starts_nothing(till: Till) -> None:
    """Neither an answer now nor a recent one: nobody is let in, and nothing is held."""
    till.bays["c1"].meter_answers = False
    outcome = await till.site.start(till.ask())
    assert isinstance(outcome, Refused)
    assert outcome.refusal == Refusal.METER_SILENT
    assert till.lease().held == 0


async def test_a_connector_that_is_not_there(till: Till) -> None:
    """No devices are asked for it."""
    outcome = await till.site.start(till.ask("c9"))
    assert isinstance(outcome, Refused)
    assert outcome.refusal == Refusal.UNKNOWN_CONNECTOR


# --- taps -------------------------------------------------------------------------------------------------------------


async def test_tapping_twice_stops(till: Till) -> None:
    """The first tap starts, the second ends; no third thing happens."""
    first = await till.site.tap("c1", CARD)
    assert first.session is not None
    till.obey()
    await till.wait(30)
    second = await till.site.tap("c1", CARD)
    assert second.ended
    till.obey()
    await till.wait(4)
    (closed,) = till.bodies(SessionClosed)
    assert (closed.energy_wh, closed.reason) == (60, "Local")


async def test_the_same_card_in_other_writing_is_the_same_card(till: Till) -> None:
    """Readers give small letters and blanks."""
    assert (await till.site.tap("c1", f" {CARD.lower()} ")).session is not None


async def test_somebody_elses_card_neither_stops_nor_starts(till: Till) -> None:
    """At a connector in use another customer is told that it is; the session goes on."""
    await till.grant(5_000, "bob", BOBS)
    await till.site.tap("c1", CARD)
    tapped = await till.site.tap("c1", BOBS)
    assert why(tapped) == Refusal.CONNECTOR_BUSY
    assert till.desk.wants_delivery("c1")


async def test_a_card_that_nobody_knows(till: Till) -> None:
    """It is refused at a free connector, and stops nothing at a busy one."""
    assert why(await till.site.tap("c1", "04FFFFFF")) == Refusal.UNKNOWN_ACCOUNT
    await till.site.tap("c1", CARD)
    assert why(await till.site.tap("c1", "04FFFFFF")) == Refusal.CONNECTOR_BUSY
    assert till.desk.wants_delivery("c1")


async def test_only_the_cards_of_the_newest_grant_open_the_account(till: Till) -> None:
    """A lost card is left out of the next grant: from then on it is nobody's."""
    await till.grant(10_000, card=BOBS)
    assert why(await till.site.tap("c1", CARD)) == Refusal.UNKNOWN_ACCOUNT
    assert (await till.site.tap("c1", BOBS)).session is not None


async def test_two_taps_at_one_connector_in_one_moment(till: Till) -> None:
    """The reader repeats itself while the meter is being read: one session, and the other tap is told to wait."""
    taps = await asyncio.gather(till.site.tap("c1", CARD), till.site.tap("c1", CARD))
    assert [tap.session is not None for tap in taps] == [True, False]
    assert why(taps[1]) == Refusal.CONNECTOR_BUSY
    assert len(till.bodies(SessionOpened)) == 1


async def test_fuelflux_two_taps_at_two_connectors_never_overspend(tmp_path: Path) -> None:
    """One card at two places in one moment, with headquarters asked in between: the rights are set aside once."""
    async with a_till(tmp_path, granted_fen=300) as till:
        asked: list[int] = []

        async def ask(credential: bytes, account: str, want: int, asset: str) -> bool:
            asked.append(want)
            await turns()
            return await till.grant(700) > 0  # all that the account has

        till.site.ask_for_grant = ask
        taps = await asyncio.gather(till.site.tap("c1", CARD), till.site.tap("c2", CARD))
        holds = [tap.session.hold_fen for tap in taps if tap.session is not None]
        assert holds == [700]
        assert why(taps[1]) == Refusal.NOT_ENOUGH
        assert asked == [1_000, 1_000]
        assert (till.lease().held, till.lease().rights) == (700, 0)


# --- rights from headquarters -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("granted", "preset", "want"),
    [
        (10_000, FULL, None),  # enough is here
        (400, FULL, 1_000),  # some is here: more is asked for, and 400 would do
        (400, Preset("money", 300), None),
        (400, Preset("money", 500), 500),
        (0, FULL, 1_000),
    ],
)
async def test_headquarters_is_asked_only_when_rights_are_short(
    tmp_path: Path, granted: int, preset: Preset, want: int | None
) -> None:
    """The total that would do is named; what comes is used for this very session."""
    async with a_till(tmp_path, granted_fen=granted) as till:
        asked: list[int] = []

        async def ask(credential: bytes, account: str, want: int, asset: str) -> bool:
            asked.append(want)
            return await till.grant(want) > 0

        till.site.ask_for_grant = ask
        outcome = await till.site.start(till.ask(preset=preset))
        assert isinstance(outcome, OpenSession)
        assert asked == ([] if want is None else [want])
        assert outcome.hold_fen == (preset.amount or 1_000)


async def test_a_session_begins_after_the_question_not_before_it(tmp_path: Path) -> None:
    """Asking took two seconds, and the register moved: the session begins at what the meter says then."""
    async with a_till(tmp_path, granted_fen=0) as till:

        async def ask(credential: bytes, account: str, want: int, asset: str) -> bool:
            till.time += 2_000
            till.bays["c1"].register_wh += 3
            return await till.grant(want) > 0

        till.site.ask_for_grant = ask
        await till.site.start(till.ask())
        (opened,) = till.bodies(SessionOpened)
        assert opened.begin.energy_wh == 1_000_003
        assert opened.clock_lb_ms == till.time.wall_ms


async def test_a_car_that_leaves_during_the_question_starts_nothing(tmp_path: Path) -> None:
    """The customer did not want to wait."""
    async with a_till(tmp_path, granted_fen=0) as till:

        async def ask(credential: bytes, account: str, want: int, asset: str) -> bool:
            till.bays["c1"].plugged = False
            return await till.grant(want) > 0

        till.site.ask_for_grant = ask
        outcome = await till.site.start(till.ask())
        assert isinstance(outcome, Refused)
        assert outcome.refusal == Refusal.NO_CAR
        assert till.lease().held == 0


async def test_headquarters_that_does_not_answer_leaves_what_is_here(tmp_path: Path) -> None:
    """A fill-up begins with the rights at the site; a preset beyond them is refused."""
    async with a_till(tmp_path, granted_fen=400) as till:

        async def ask(credential: bytes, account: str, want: int, asset: str) -> bool:
            return False

        till.site.ask_for_grant = ask
        refused = await till.site.start(till.ask(preset=Preset("money", 500)))
        assert isinstance(refused, Refused)
        outcome = await till.site.start(till.ask())
        assert isinstance(outcome, OpenSession)
        assert outcome.hold_fen == 400


async def test_a_car_that_is_not_there_costs_no_question(till: Till) -> None:
    """Headquarters is not asked for money that could not be spent."""

    async def ask(credential: bytes, account: str, want: int, asset: str) -> bool:
        raise AssertionError("asked")

    till.site.ask_for_grant = ask
    till.bays["c1"].plugged = False
    outcome = await till.site.start(till.ask(preset=Preset("money", 50_000)))
    assert isinstance(outcome, Refused)
    assert outcome.refusal == Refusal.NO_CAR


# --- commands ---------------------------------------------------------------------------------------------------------


def command(till: Till, number: int = 1, **more: object) -> bytes:
    expires_s = till.time.wall_ms // 1000 + 60
    usual = Command("hz-1", till.time.boot, number, "start", "c1", "ann", FULL, 0, "", False, expires_s)
    return encode(changed(usual, **more))


async def test_a_command_starts_and_another_stops(till: Till) -> None:
    """Both run once, however often they come."""
    start, stop = command(till, 1), command(till, 2, verb="stop", session=3)
    answers = [await till.site.command(one) for one in (start, start, stop, stop, start)]
    assert answers == ["started", "old-number", "stopping", "old-number", "old-number"]
    assert not till.desk.wants_delivery("c1")
    assert till.bodies(SessionOpened)[0].origin.number == 1


async def test_a_stop_names_connector_and_session(till: Till) -> None:
    """One that names another connector than the session's was meant for something else: nothing is stopped."""
    assert await till.site.command(command(till, 1)) == "started"
    assert await till.site.command(command(till, 2, verb="stop", session=3, connector="c2")) == "no-such-session"
    assert till.desk.wants_delivery("c1")


async def test_a_command_is_not_run_again_after_a_restart(till: Till, tmp_path: Path) -> None:
    """The daemon's memory is gone, the opening record is not; and another boot takes no orders meant for this one."""
    start = command(till)
    assert await till.site.command(start) == "started"
    await till.desk.save()
    await reopen(till, tmp_path)
    assert await till.site.command(start) == "old-number"
    await reopen(till, tmp_path, boot=b"boot-002")
    assert await till.site.command(start) == "other-boot"


@pytest.mark.parametrize(
    ("wrong", "answer"),
    [
        ({"site": "hz-2"}, "other-site"),
        ({"expires_s": MIDNIGHT_MS // 1000}, "expired"),
        ({"verb": "unlock"}, "unknown-verb"),
        ({"verb": "stop", "session": 99}, "no-such-session"),
        ({"account": "eve"}, "unknown-account"),
        ({"connector": "c9"}, "unknown-connector"),
    ],
)
async def test_a_command_that_cannot_run(till: Till, wrong: dict[str, object], answer: str) -> None:
    """What became of it is said in a word."""
    assert await till.site.command(command(till, **wrong)) == answer


async def test_two_commands_at_once_run_one_after_the_other(till: Till) -> None:
    """The broker and the batch's answer bring the same command in the same moment."""
    start = command(till)
    assert sorted(await asyncio.gather(till.site.command(start), till.site.command(start))) == ["old-number", "started"]


# --- the day, the clock -----------------------------------------------------------------------------------------------


async def test_the_day_closes_with_all_meters_read(till: Till) -> None:
    """Every meter is asked now; one that is silent is left out, and stops nobody from closing the day."""
    till.bays["c1"].polls = False
    till.bays["c1"].register_wh = 1_000_007
    till.bays["c2"].meter_answers = False
    await till.site.close_day("li")
    (read,) = till.bodies(TotalizersRead)
    assert [(one.meter, one.energy_wh) for one in read.registers] == [("m1", 1_000_007)]
    assert [body.verb for body in till.bodies(TechnicianAct)] == ["day-close"]
    assert till.bodies(DayClosed)[0].day == 1


async def test_a_day_says_what_has_ended_while_it_was_read(till: Till) -> None:
    """A filling ends while cabinets are scanned: the day's record of fuel stands right before the day's own, so it
    counts it.
    """
    ended: list[str] = []

    async def scan() -> list[Draft]:
        await asyncio.sleep(0)
        ended.append("filling")
        return []

    async def fuel() -> list[Draft]:
        return [Draft(Notice("fuel", "day", ",".join(ended)))]

    till.site.shop = cast(Shop, SimpleNamespace(day=scan, swaps=SimpleNamespace(day=list)))
    till.site.islands = cast(Islands, SimpleNamespace(day=fuel))
    await till.site.close_day("ann")
    assert till.bodies(Notice)[-1].detail == "filling"


async def test_a_clock_that_is_set_is_on_record(till: Till) -> None:
    """MicroOcpp_311: old and new time stand in the log; the running session's energy and time do not move."""
    await till.site.start(till.ask())
    till.obey()
    await till.wait(10)
    till.time.wall_ms += 3_600_000
    await till.site._look()
    (moved,) = till.bodies(ClockMoved)
    assert moved.new_ms - moved.old_ms == 3_600_000
    await till.wait(10)
    await till.finish()
    (closed,) = till.bodies(SessionClosed)
    assert closed.energy_wh == 40
    assert all(piece.to_ms <= 25_000 for piece in closed.slices)


async def test_a_note_of_a_technician_is_on_record(till: Till) -> None:
    """Whoever sends raw frames is named."""
    await till.site.note("li", "raw", "01 03")
    assert till.bodies(TechnicianAct) == [TechnicianAct("li", "raw", "01 03")]


async def test_whoever_listens_hears_of_changes(till: Till) -> None:
    """The uplink is woken by a start and by an end, and by nothing else."""
    heard: list[int] = []
    till.site.on_change.append(lambda: heard.append(till.journal.size))
    await till.site.start(till.ask())
    assert heard == [4]
    await till.site._look()
    assert heard == [4]
    await till.desk.record([Draft(Notice("x", "y", "z"))])
    assert heard == [4]


# --- boundaries -------------------------------------------------------------------------------------------------------


async def test_meters_are_read_around_a_change_of_price(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One reading right before and one right after, so that almost no energy lies across: each has its own price."""
    async with a_till(tmp_path, tariff=TWO_PRICES) as till:
        bay, eight_ms = till.bays["c1"], MIDNIGHT_MS + 8 * 3_600_000
        till.time += eight_ms - till.time.wall_ms - 10_300
        assert isinstance(await till.site.start(till.ask()), OpenSession)
        till.obey()
        reads: list[int] = []
        real_sleep, real_read = asyncio.sleep, bay.read_now

        def pass_by(seconds: float) -> None:
            """2 Wh flow in each second."""
            till.time += round(seconds * 1000)
            bay.register_wh = 1_000_000 + (till.time.wall_ms - eight_ms + 10_300) // 500

        async def sleep(seconds: float) -> None:
            """Waiting is virtual; what others wait for passes beside the site's own time, or it would race ahead."""
            if asyncio.current_task() in at_work:
                pass_by(seconds)
            await real_sleep(0)

        async def read_now() -> object:
            pass_by(0.02)
            reads.append(till.time.wall_ms - eight_ms)
            return await real_read()

        monkeypatch.setattr(bay, "read_now", read_now)
        monkeypatch.setattr(asyncio, "sleep", sleep)
        at_work: list[asyncio.Task[None]] = []
        async with task(till.site.run()) as running:
            at_work.append(running)
            while till.time.wall_ms < eight_ms + 5_000:
                await real_sleep(0)
        assert [-150 <= at_ms <= 50 for at_ms in reads] == [True, True]
        assert reads[0] < 0 <= reads[1]
        (_, progress) = till.desk.sessions()[0]
        opened_ms = till.bodies(SessionOpened)[0].clock_lb_ms
        across = [piece for piece in progress.slices if opened_ms + piece.from_ms < eight_ms < opened_ms + piece.to_ms]
        assert sum(piece.energy_wh for piece in across) <= 1
        assert progress.slices[0].energy_wh >= 19
        assert progress.slices[-1].energy_wh >= 9


# --- help -------------------------------------------------------------------------------------------------------------


def why(tapped: Tapped) -> Refusal | None:
    return tapped.refused.refusal if tapped.refused is not None else None


@asynccontextmanager
async def driving(drive: Drive) -> AsyncIterator[None]:
    async with task(drive.run()):
        yield


@asynccontextmanager
async def task(work: Coroutine[Any, Any, None]) -> AsyncIterator[asyncio.Task[None]]:
    running = asyncio.create_task(work)
    try:
        yield running
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
