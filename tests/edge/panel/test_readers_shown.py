"""Readers in `fieldtill status`: which are known to live, which only have an open port, and what is wrong."""

from __future__ import annotations

import asyncio
import io
import os
import re
import tty
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

import pytest

from drivers.errors import LineDown, Silent
from drivers.readers.config import ReaderSetup
from drivers.readers.credential import Said
from drivers.readers.reader import CardReader
from drivers.readers.registry import build_reader
from edge.panel import show, views
from edge.panel.messages import StatusView
from edge.panel.paper import Paper


def shown(*readers: CardReader) -> list[str]:
    """The lines about readers."""
    view = StatusView(
        site="hz-1", epoch=None, waiting_for=None, no_starts=None, ill=None, running_s=1.0, clock_quality="unknown",
        wall_ms=0, uncertain_ms=None, hq=None, mqtt=None, day=None, value=None, tariff=None, connectors=[], pumps=[],
        readers=[views.reader(one) for one in readers], journal=None,
    )  # fmt: skip
    out = io.StringIO()
    show.status(Paper(out), view)
    text = re.sub(r"\d+(\.\d+)? m?s ago", "AGE", out.getvalue())
    return [re.sub(r" {2,}", "  ", line).strip() for line in text.splitlines() if line][2:]


async def heard(reader: CardReader, count: int) -> None:
    """Listen until it has said so much, or is gone."""
    async with aclosing(reader.listen()) as said:
        for _ in range(count):
            await asyncio.wait_for(anext(said), 10)


async def alive(setup: ReaderSetup) -> AsyncGenerator[Said | None, None]:
    """A driver that hears its reader live, once, and a card."""
    yield None
    yield "6222-0001"
    raise Silent("no sign of life for 30 s", where=setup.id)


async def test_readers(tmp_path: Path) -> None:
    """A reader that only speaks is never said to be online: nobody knows. What is wrong stands below."""
    ours, theirs = os.openpty()
    tty.setraw(ours)
    tty.setraw(theirs)
    text = build_reader(ReaderSetup("door", "text", path=os.ttyname(theirs)))
    gone = build_reader(ReaderSetup("yard", "rdm6300", path=str(tmp_path / "gone")))
    chip = CardReader(ReaderSetup("cab", "pn532", path="/dev/ttyUSB7"), alive)
    assert [line.split("  ")[3] for line in shown(text, gone, chip)[1:]] == ["new"] * 3
    with pytest.raises(LineDown):
        await heard(gone, 1)
    await heard(chip, 1)
    async with aclosing(text.listen()) as said:
        card = asyncio.ensure_future(anext(said))
        while not card.done():
            os.write(ours, b"6222-0001\r")
            await asyncio.sleep(0.05)
        lines = shown(text, gone, chip)
    assert lines[:4] == [
        "READER  KIND  WHERE  STATE  LAST SIGN  SAID",
        f"door  text  {os.ttyname(theirs)}  port open  AGE  {text.link().counts['said']}",
        f"yard  rdm6300  {tmp_path / 'gone'}  offline  never  0",
        "cab  pn532  /dev/ttyUSB7  online  AGE  1",
    ]
    assert lines[4].startswith("! yard  yard: ")
    with pytest.raises(Silent):
        await heard(chip, 2)
    assert any("no sign of life" in line for line in shown(chip))
    for end in (ours, theirs):
        os.close(end)
