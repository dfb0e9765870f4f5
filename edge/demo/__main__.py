"""`fieldtill demo`: plays the story, shows the books, and ends with 0 only if they are equal to the fen."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from edge.demo.screen import Screen, books_table
from edge.demo.script import Script
from edge.demo.stage import Stage, StageError


def main(arguments: list[str] | None = None) -> int:
    """0: the books are equal. 1: they differ, or something did not do its part."""
    parser = argparse.ArgumentParser(prog="fieldtill demo", description=__doc__)
    parser.add_argument("--dir", type=Path, default=Path(".demo"), help="where its files go (default .demo)")
    return asyncio.run(_play(parser.parse_args(arguments).dir.absolute()))


async def _play(root: Path) -> int:
    stage = Stage(root)
    screen = Screen({})
    failed: tuple[BaseException, ...] = ()
    try:
        with screen:
            books, report = await Script(stage, screen).play()
    except* StageError as errors:
        failed = errors.exceptions
    finally:
        await stage.close()
    if failed:
        for error in failed:
            print(f"demo: {error}", file=sys.stderr)
        return 1
    screen.print()
    screen.print(books_table([line.row() for line in books]))
    screen.print(f"\nNightly report: {report}")
    screen.print("\nLook inside:")
    bin_dir = Path(sys.executable).parent
    for command in (
        f"fieldtill records --journal {root}/site/data/journal.db --kind session-closed",
        f"fieldtill-hq --home {root}/hq account list",
        f"fieldtill-hq report {report.with_suffix('.json')}",
    ):
        screen.print(
            f"  {bin_dir}/{command}",
        )
    return 0 if all(line.equal for line in books) else 1


if __name__ == "__main__":
    sys.exit(main())
