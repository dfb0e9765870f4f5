"""What becomes of what readers say: on a serial port or a descriptor, with all that real readers do."""

from __future__ import annotations

import asyncio
import os
import pty
import tty
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from drivers.api import LinkState
from drivers.line_config import LineConfig
from drivers.readers.config import CardsConfig, FormConfig
from drivers.readers.reader import CardReader
from drivers.readers.registry import build_reader
from edge import clock, logs
from edge.config_readers import ReaderConfig, reader_doubts, reader_faults
from edge.reader import read_cards
from protocols.fieldbus.card_number import Part, Radix


class Taps(list[tuple[str, str]]):
    """Who tapped where."""

    async def __call__(self, connector: str, card: str) -> None:
        self.append((connector, card))


def reader(**config: Any) -> CardReader:
    """A reader of lines, as a config says it."""
    return build_reader(ReaderConfig("r1", "c1", **config).set_up())


@asynccontextmanager
async def pipe() -> AsyncIterator[tuple[Callable[[bytes], int], Taps, asyncio.Task[None]]]:
    """A reader on a descriptor; write to it what the reader says."""
    out, into = os.pipe()
    taps = Taps()
    task = asyncio.create_task(read_cards(reader(fd=out), partial(taps, "c1")))
    try:
        yield lambda data: os.write(into, data), taps, task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        os.close(out)
        os.close(into)


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(500):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("did not come")


async def test_a_line_is_a_tap() -> None:
    """With or without a carriage return, in pieces or many at once."""
    async with pipe() as (write, taps, _):
        write(b"6222-00")
        await asyncio.sleep(0.02)
        write(b"01\r\n6222-0002\n")
        await until(lambda: len(taps) == 2)
        assert taps == [("c1", "6222-0001"), ("c1", "6222-0002")]


async def test_a_card_that_lies_there_is_one_tap() -> None:
    """Readers repeat a card several times a second while it is near."""
    async with pipe() as (write, taps, _):
        write(b"6222-0001\n" * 20)
        write(b"6222-0002\n")
        await until(lambda: len(taps) == 2)
        assert [card for _, card in taps] == ["6222-0001", "6222-0002"]


@pytest.mark.parametrize("noise", [b"\n\n\n", b"abc\n", b"\xff\xfe\x00\x01\x02\n", b"x" * 5_000 + b"\n", b"a b c d\n"])
async def test_noise_is_no_card(noise: bytes) -> None:
    """Too short, too long, or not text: passed over, and the next card counts."""
    async with pipe() as (write, taps, _):
        write(noise)
        write(b"6222-0001\n")
        await until(lambda: bool(taps))
        assert taps == [("c1", "6222-0001")]


async def test_a_code_is_taken_not_tapped() -> None:
    """A scanner on the reader's line: what begins with FT1: is a code, up to its full length, and once."""
    out, into = os.pipe()
    taps, codes = Taps(), list[str]()

    async def take(code: str) -> None:
        codes.append(code)

    task = asyncio.create_task(read_cards(reader(fd=out), partial(taps, "c1"), take))
    try:
        longest = "FT1:" + "A $%" * 170
        os.write(into, f"{longest}\r\n{longest}\r\n6222-0001\n".encode())
        await until(lambda: bool(taps))
        assert (codes, taps) == ([longest], [("c1", "6222-0001")])
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        os.close(out)
        os.close(into)


async def test_a_card_number_is_in_no_log(capsys: pytest.CaptureFixture[str]) -> None:
    """Nor is what only looked like one."""
    logs.set_up(clock.system().wall_ms, terminal=False)
    async with pipe() as (write, taps, _):
        write(b"62 22 00 01\n6222-0001\n")
        await until(lambda: bool(taps))
    assert "00" not in capsys.readouterr().out.replace("+00:00", "").partition("characters")[2]


async def test_a_serial_reader_comes_back(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pulled out and put in again: the next tap counts."""
    monkeypatch.setattr("edge.reader.REOPEN_S", 0.05)
    link = f"{tmp_path}/reader"
    taps = Taps()
    task = asyncio.create_task(read_cards(reader(path=link), partial(taps, "c1")))
    try:
        for card in (b"6222-0001", b"6222-0002"):
            ours, theirs = pty.openpty()
            tty.setraw(theirs)
            os.symlink(os.ttyname(theirs), f"{link}.new")
            os.replace(f"{link}.new", link)
            os.close(theirs)
            before = len(taps)
            for _ in range(100):
                os.write(ours, card + b"\n")
                await asyncio.sleep(0.05)
                if len(taps) > before:
                    break
            os.close(ours)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert [card for _, card in taps] == ["6222-0001", "6222-0002"]


async def test_what_is_said_while_a_tap_is_served_is_the_same_tap(monkeypatch: pytest.MonkeyPatch) -> None:
    """F-63: a card is held there until something happens. Serving may take longer than a repeat counts as one."""
    monkeypatch.setattr("drivers.readers.presented.AGAIN_S", 0.3)
    out, into = os.pipe()
    served, taps = asyncio.Event(), list[str]()

    async def tap(card: str) -> None:
        taps.append(card)
        await served.wait()

    task = asyncio.create_task(read_cards(reader(fd=out), tap))
    try:
        os.write(into, b"6222-0001\n")
        await until(lambda: bool(taps))
        await asyncio.sleep(0.4)
        os.write(into, b"6222-0001\n6222-0001\n")
        served.set()
        os.write(into, b"6222-0002\n")
        await until(lambda: len(taps) == 2)
        assert taps == ["6222-0001", "6222-0002"]
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        os.close(out)
        os.close(into)


async def test_a_card_is_one_customer_at_every_reader(tmp_path: Path) -> None:
    """Printed in decimal by one reader, said as octets by another: the fleet's rule makes one credential of both."""
    cards, taps = CardsConfig(octets=4), Taps()
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    out, into = os.pipe()
    form = FormConfig(radix=Radix.DECIMAL, octets=4, part=Part.LAST)
    configs = (
        ReaderConfig("r1", path=os.ttyname(theirs), kind="rdm6300", cabinet="cab-1"),
        ReaderConfig("r2", fd=out, form=form, board="ports-1"),
    )
    readers = [build_reader(config.set_up(cards)) for config in configs]
    tasks = [asyncio.create_task(read_cards(one, partial(taps, one.id))) for one in readers]
    try:
        await until(lambda: all(one.link().state is LinkState.ONLINE for one in readers))
        os.write(ours, bytes.fromhex("02 30 31 30 30 30 37 33 34 45 30 44 32 03"))
        os.write(into, b"0000472288\r\nno number\r\n")
        await until(lambda: len(taps) == 2)
        assert sorted(taps) == [("r1", "000734E0"), ("r2", "000734E0")]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for end in (ours, theirs, out, into):
            os.close(end)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"fd": 3}, "where a tap starts"),
        ({"fd": 3, "cabinet": "cab-1", "board": "ports-1"}, "where a tap starts"),
        ({"fd": 3, "connector": "c1", "kind": "pn532"}, "needs `path`"),
        ({"connector": "c1", "kind": "pcsc", "path": "/dev/ttyUSB0"}, "terminal"),
        ({"connector": "c1", "kind": "pcsc", "terminal": "", "fd": 3}, "no `path` and no `fd`"),
        ({"connector": "c1", "terminal": "ACR122U", "fd": 3}, "terminal"),
        ({"connector": "c1"}, "path"),
    ],
)
def test_what_does_not_fit_together(config: dict[str, Any], said: str) -> None:
    """Found when the config is read."""
    with pytest.raises(ValueError, match=said):
        ReaderConfig("r1", **config)


def test_two_owners_of_a_port_and_places_that_are_not_there() -> None:
    """All at once, each with its path."""
    readers = [
        ReaderConfig("r1", connector="c2", path="/dev/ttyUSB0"),
        ReaderConfig("r2", cabinet="cab-2", path="/dev/ttyUSB1"),
        ReaderConfig("r3", pump="9", path="/dev/ttyUSB1"),
    ]
    lines = [LineConfig(id="a", path="/dev/ttyUSB0")]
    assert [str(fault) for fault in reader_faults(readers, lines, ["c1"], ["1", "p1"], ["cab-1"])] == [
        "reader[0].connector: expected one of c1, got `c2`.",
        "reader[0].path: expected a port of its own, got `/dev/ttyUSB0`, which line `a` has.",
        "reader[1].cabinet: expected one of cab-1, got `cab-2`.",
        "reader[2].pump: expected one of 1, p1, got `9`.",
        "reader[2].path: expected a port of its own, got `/dev/ttyUSB1`, which reader `r2` has.",
    ]


@pytest.mark.parametrize(
    ("reader", "cards", "doubt"),
    [
        ({"kind": "wiegand"}, None, "`[cards]` is not there"),
        ({"kind": "wiegand"}, CardsConfig(octets=4), "says 3 octets of a number and `[cards]` keeps 4"),
        ({"kind": "wiegand"}, CardsConfig(octets=3, part="first"), "the other end of a number"),
        ({"kind": "wiegand"}, CardsConfig(octets=3), None),
        ({"form": FormConfig(octets=4, part=Part.LAST)}, CardsConfig(octets=4), None),
        ({"form": FormConfig(octets=4)}, CardsConfig(octets=5), "says 4 octets"),
        ({"form": FormConfig()}, None, None),
        ({"kind": "rdm6300"}, None, None),
        ({}, CardsConfig(octets=4), None),
    ],
)
def test_a_reader_that_would_serve_nobody(reader: dict[str, Any], cards: CardsConfig | None, doubt: str | None) -> None:
    """`fieldtill check` says so before a customer does."""
    found = list(reader_doubts([ReaderConfig("r1", "c1", fd=3, **reader)], cards))
    assert len(found) == (doubt is not None)
    assert doubt is None or doubt in found[0]
