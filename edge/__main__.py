"""`python -m edge --config PATH`: the daemon. It says with its exit code what the supervisor should do next.

0  ended as asked          2  bad config: a person must act     4  the disk failed: start again, then look at it
1  anything else           3  damaged journal: a person must act
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

if __name__ == "__main__":  # and not where a test or a command imports this
    from edge.lean import leave_out

    leave_out()

import structlog

from drivers.loop import new_event_loop
from edge import clock, logs
from edge.config import load
from edge.daemon import serve
from edge.journal.errors import JournalDamaged, JournalError, JournalFailed
from edge.keys import KeyUnusable
from edge.sync.enrol import NoCredentialKey
from protocols.door import Refused

OK, OTHER, BAD_CONFIG, DAMAGED, DISK_FAILED = range(5)

log = structlog.get_logger()


def main(arguments: list[str] | None = None) -> int:
    """Run the daemon; gives the exit code."""
    parser = argparse.ArgumentParser("python -m edge", description="The daemon of one energy site.")
    parser.add_argument("--config", type=Path, required=True, help="the site's config; see config.toml.example")
    parser.add_argument("--log-level", choices=["debug", "info", "warning", "error"], default="info")
    options = parser.parse_args(arguments)
    logs.set_up(clock.system().wall_ms, level=options.log_level)
    try:
        config = load(options.config)
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            while runner.run(serve(config)):
                pass  # the epoch is over; what follows begins as after a restart
    except BaseException as error:
        return _say(error)
    return OK


def _say(error: BaseException) -> int:
    """The one thing that ended the daemon, in words and with what to do next; its exit code."""
    cause = _cause(error)
    match cause:
        case Refused():
            print(cause, file=sys.stderr)
            return BAD_CONFIG
        case JournalError() | KeyUnusable() | NoCredentialKey():
            log.error("stopped", error=str(cause), remedy=cause.remedy)
            return (
                DAMAGED if isinstance(cause, JournalDamaged)
                else DISK_FAILED if isinstance(cause, JournalFailed)
                else OTHER
            )  # fmt: skip
        case KeyboardInterrupt():
            return OK
    log.error("stopped by a fault of this software", exc_info=cause, remedy="Report it with the lines above.")
    return OTHER


def _cause(error: BaseException) -> BaseException:
    """The gravest of what ended the tasks: a journal's trouble before all others, then the first."""
    leaves = _leaves(error)
    gravest = (JournalDamaged, JournalFailed, JournalError, Refused)
    return next((leaf for kind in gravest for leaf in leaves if isinstance(leaf, kind)), leaves[0])


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in _leaves(inner)]
    return [error]


if __name__ == "__main__":
    sys.exit(main())
