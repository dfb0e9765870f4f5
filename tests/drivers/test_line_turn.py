"""One device may keep the line for several frames, and words that nobody answers have their own silence."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from word_rig import Word, WordBus

from drivers import line_turn
from drivers.api import LinkState
from drivers.errors import LineDown, Silent, Transient
from drivers.line import DevicePolicy, Line, LineConfig, Priority
from drivers.line_turn import Turn

QUICK = DevicePolicy(timeout_s=0.05, retries=0, late_s=0.0)
"""For a device that does not answer."""
PATIENT = DevicePolicy(timeout_s=10.0, retries=0, late_s=0.0)
"""For one that does, however busy this machine is."""


def all_but(told: bytes) -> Callable[[bytes], bytes]:
    """Every word is answered, but for those that are only told; also where several are heard at once."""
    return lambda asked: bytes(word for word in asked if word not in told).upper()


def times_sent(line: Line, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """When each frame goes out, loop times. When the far end gets to hear it, a busy machine decides."""
    times: list[float] = []
    write = line._write

    def noted(frame: bytes) -> None:
        times.append(asyncio.get_running_loop().time())
        write(frame)

    monkeypatch.setattr(line, "_write", noted)
    return times


async def has_heard(bus: WordBus, words: bytes) -> None:
    """The far end has all of it, and has echoed it: its loop is this one, which may be busy for longer than a pause."""
    while b"".join(bus.heard) != words:  # noqa: ASYNC110  # a pty sets no event
        await asyncio.sleep(0.005)


@asynccontextmanager
async def rig(
    tmp_path: Path,
    answers: Callable[[bytes], bytes] = lambda asked: asked.upper(),
    *,
    echoes: bool = False,
    **config: object,
) -> AsyncIterator[tuple[WordBus, Line]]:
    async with WordBus(tmp_path / "by-id", answers, echoes) as bus:
        settings = {"id": "loop", "path": str(bus.link), "baud": 115200, **config}
        async with Line(LineConfig(**settings)) as line:  # type: ignore[arg-type]  # a test may set any field
            yield bus, line


async def test_nobody_speaks_between_the_frames_of_a_turn(tmp_path: Path) -> None:
    """A command of another device, which else overtakes all polls, waits for the end of the turn."""
    async with rig(tmp_path, all_but(b"b")) as (bus, line):
        first, second = line.attach("first", PATIENT), line.attach("second", PATIENT)
        async with first.turn() as turn:
            assert await turn.ask(b"a", Word(b"a")) == b"A"
            command = asyncio.create_task(second.exchange(b"x", Word(b"x"), priority=Priority.COMMAND))
            await asyncio.sleep(0)
            await turn.tell(b"b")
            assert await turn.ask(b"c", Word(b"c")) == b"C"
        assert await command == b"X"
        assert b"".join(bus.heard) == b"abcx"
        assert first.link().counts == {"answered": 2}


async def test_a_turn_ends_with_its_block_whatever_ends_that(tmp_path: Path) -> None:
    """A silent device, a fault of the driver and a caller that goes away all give the line free."""
    async with rig(tmp_path, all_but(b"s")) as (_, line):
        first, second = line.attach("first", QUICK), line.attach("second", PATIENT)

        with pytest.raises(Silent):
            async with first.turn() as turn:
                await turn.ask(b"s", Word(b"s"))
        with pytest.raises(ZeroDivisionError):
            async with first.turn() as turn:
                1 / 0  # noqa: B018  # a fault

        async def leave() -> None:
            async with asyncio.timeout(0.01), first.turn() as turn:
                await turn.ask(b"s", Word(b"s"))

        with pytest.raises(TimeoutError):
            await leave()
        assert await second.exchange(b"x", Word(b"x")) == b"X"
        with pytest.raises(Transient, match="over"):
            await turn.tell(b"late")


async def test_a_turn_that_never_got_the_line_leaves_nothing_behind(tmp_path: Path) -> None:
    """Whoever goes away while waiting for a turn is skipped."""
    async with rig(tmp_path, all_but(b"a")) as (bus, line):
        first, second = line.attach("first", PATIENT), line.attach("second", PATIENT)

        async def wants() -> None:
            async with second.turn() as turn:
                await turn.tell(b"never")

        async with first.turn() as turn:
            waiting = asyncio.create_task(wants())
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.wait([waiting])
            await turn.tell(b"a")
        assert await second.exchange(b"x", Word(b"x")) == b"X"
        assert b"".join(bus.heard) == b"ax"


async def test_a_turn_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver that keeps the line too long loses it to the others, and is told at its next frame."""
    monkeypatch.setattr("drivers.line.TURN_MAX_S", 0.05)
    async with rig(tmp_path) as (_, line):
        first, second = line.attach("first", PATIENT), line.attach("second", PATIENT)
        async with first.turn() as turn:
            assert await second.exchange(b"x", Word(b"x")) == b"X"
            with pytest.raises(Transient, match="has taken"):
                await turn.ask(b"a", Word(b"a"))
    assert line_turn.TURN_MAX_S < 10


async def test_a_turn_with_an_offline_device_is_its_probe(tmp_path: Path) -> None:
    """While a device is offline one turn per step is let through, and its first answer brings the device back."""
    answering = False
    policy = DevicePolicy(timeout_s=0.02, retries=0, late_s=0.0, offline_after_s=0.0, offline_after_fails=1)
    async with rig(tmp_path, lambda asked: asked.upper() if answering else b"") as (_, line):
        device = line.attach("pump", policy)
        with pytest.raises(Silent):
            async with device.turn() as turn:
                await turn.ask(b"a", Word(b"a"))
        with pytest.raises(Silent, match="next probe"):
            async with device.turn():
                pytest.fail("in its back-off pause")
        answering = True
        device.on_return.clear()
        while device.link().state is LinkState.OFFLINE:
            try:
                async with device.turn() as turn:
                    assert await turn.ask(b"a", Word(b"a")) == b"A"
            except Silent:
                await asyncio.sleep(0.05)
        assert device.on_return.is_set()


async def test_the_end_of_the_line_ends_the_turn(tmp_path: Path) -> None:
    """Closing the line in mid-turn is LineDown at the next frame, not a driver that waits for ever."""
    entered: asyncio.Future[Turn] = asyncio.get_running_loop().create_future()

    async def keep(line: Line) -> None:
        async with line.attach("pump", PATIENT).turn() as turn:
            entered.set_result(turn)
            await asyncio.sleep(60)

    async with rig(tmp_path) as (_, line):
        keeper = asyncio.create_task(keep(line))
        turn = await entered
    with pytest.raises(LineDown):
        await turn.tell(b"a")
    keeper.cancel()
    await asyncio.wait([keeper])


async def test_each_word_that_nobody_answers_has_its_own_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Gilbarco pump needs 68 ms after an authorisation; the line's own pause after broadcasts is not used then."""
    async with rig(tmp_path, all_but(b"pq"), turnaround_ms=5000.0) as (bus, line):
        sent = times_sent(line, monkeypatch)
        pump = line.attach("pump", PATIENT)
        await pump.broadcast(b"p", pause_s=0.03)
        assert await pump.exchange(b"a", Word(b"a")) == b"A"
        await pump.broadcast(b"q", pause_s=0.0)
        assert await pump.exchange(b"b", Word(b"b")) == b"B"
        assert b"".join(bus.heard) == b"paqb"
        assert sent[1] - sent[0] >= 0.029


async def test_a_device_may_need_a_longer_guard_than_the_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`guard_s` holds before each frame to the device, also in its turns."""
    patient = DevicePolicy(timeout_s=10.0, retries=0, guard_s=0.03)
    async with rig(tmp_path) as (_, line):
        sent = times_sent(line, monkeypatch)
        async with line.attach("pump", patient).turn() as turn:
            for word in (b"a", b"b"):
                await turn.ask(word, Word(word))
        assert sent[1] - sent[0] >= 0.029


async def test_a_guard_in_the_config_is_the_last_word(tmp_path: Path) -> None:
    """A site that knows its line better says so with `guard_ms`, and no device's own need goes before it."""
    async with rig(tmp_path, guard_ms=1.0) as (bus, line):
        pump = line.attach("pump", DevicePolicy(timeout_s=10.0, guard_s=30.0))
        for word in (b"a", b"b"):
            await pump.exchange(word, Word(word))
        assert bus.heard_at[1] - bus.heard_at[0] < 30.0


async def test_the_caller_may_forbid_repeats(tmp_path: Path) -> None:
    """What must not be sent twice as it is, is sent once, whatever the policy says."""
    async with rig(tmp_path, lambda _: b"") as (bus, line):
        pump = line.attach("pump", DevicePolicy(timeout_s=0.02, retries=3, late_s=0.0))
        with pytest.raises(Silent):
            await pump.exchange(b"a", Word(b"a"), retries=0)
        assert bus.heard == [b"a"]


@pytest.mark.parametrize("configured", [True, False])
async def test_a_current_loop_that_hears_itself(tmp_path: Path, configured: bool) -> None:
    """The echo of a word is as long as its answer: it is stripped where configured, and learnt where both came."""
    async with rig(tmp_path, all_but(b"p"), echoes=True, echo=configured) as (bus, line):
        pump = line.attach("pump", PATIENT)
        assert await pump.exchange(b"a", Word(b"a")) == b"A"
        await pump.broadcast(b"p", pause_s=0.02)
        await has_heard(bus, b"ap")
        assert await pump.exchange(b"b", Word(b"b")) == b"B"
        async with pump.turn() as turn:
            await turn.tell(b"p", pause_s=0.02)
            await has_heard(bus, b"apbp")
            assert await turn.ask(b"c", Word(b"c")) == b"C"
        counts = pump.link().counts
        assert counts == ({"answered": 3} if configured else {"answered": 3, "echo": 1})
        assert line.stats().stray_bytes == 0


async def test_a_silent_pump_on_an_echoing_line_is_silent(tmp_path: Path) -> None:
    """Where the echo is configured, an echo alone is never an answer."""
    async with rig(tmp_path, lambda _: b"", echoes=True, echo=True) as (_, line):
        with pytest.raises(Silent):
            await line.attach("pump", QUICK).exchange(b"a", Word(b"a"))


async def test_an_adapter_that_is_pulled_in_mid_turn(tmp_path: Path) -> None:
    """The turn is over with the port: the driver hears LineDown, and the line opens again without waiting for it."""
    async with rig(tmp_path) as (bus, line):
        pump = line.attach("pump", PATIENT)
        async with pump.turn() as turn:
            assert await turn.ask(b"a", Word(b"a")) == b"A"
            bus.unplug()
            while line.up:  # noqa: ASYNC110  # the line sets no event
                await asyncio.sleep(0.01)
            with pytest.raises(LineDown):
                await turn.ask(b"b", Word(b"b"))
            bus.plug_in()
            while not line.up:  # noqa: ASYNC110  # the same
                await asyncio.sleep(0.01)
        assert await pump.exchange(b"c", Word(b"c")) == b"C"
