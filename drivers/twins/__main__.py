"""`python -m drivers.twins SITE.toml [--stay]`: serve a site of twins, obeying one JSON command a line on stdin.

The first line on stdout says where everything is, as JSON. It ends on the command `quit`, on SIGTERM or SIGINT, and
when stdin ends, so that it never outlives a test; `--stay` goes on without stdin.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import threading
import tomllib
from pathlib import Path
from typing import Any

from drivers.loop import new_event_loop
from drivers.twins.commands import ready, run
from drivers.twins.config import read_site
from drivers.twins.site import TwinSite
from protocols.door import Refused

LINE_MAX = 65_536  # a command is far shorter; more is not a command


def main(arguments: list[str]) -> int:
    """0 when it served and ended; 2 when there was nothing to serve."""
    paths = [argument for argument in arguments if argument != "--stay"]
    if len(paths) != 1 or paths[0].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    try:
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(_serve(Path(paths[0]), stay="--stay" in arguments))
    except (OSError, Refused, tomllib.TOMLDecodeError) as error:
        print(f"{paths[0]}: {error}", file=sys.stderr)
        return 2
    return 0


async def _serve(path: Path, *, stay: bool) -> None:
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[bytes | None] = asyncio.Queue()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, lines.put_nowait, None)
    async with TwinSite(read_site(path)) as site:
        _say(ready(site))
        threading.Thread(target=_listen, args=(loop, lines, stay), daemon=True).start()
        go_on = True
        while go_on and (line := await lines.get()) is not None:
            if line.strip():
                answer, go_on = await run(site, line)
                _say(answer)


def _say(answer: dict[str, Any]) -> None:
    try:
        print(json.dumps(answer), flush=True)
    except BrokenPipeError:  # nobody listens any more; the twins serve on
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  (held until the process ends)


def _listen(loop: asyncio.AbstractEventLoop, lines: asyncio.Queue[bytes | None], stay: bool) -> None:
    """A thread of its own, because stdin may be a file, a pipe or a terminal. Reads below Python's buffers, whose lock
    would hold up the end of the process."""
    rest = b""
    while chunk := os.read(0, LINE_MAX):
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            loop.call_soon_threadsafe(lines.put_nowait, line)
        rest = rest[:LINE_MAX]
    if not stay:
        loop.call_soon_threadsafe(lines.put_nowait, rest or None)
        loop.call_soon_threadsafe(lines.put_nowait, None)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
