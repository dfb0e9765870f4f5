"""`fieldtill demo [SITE]`: plays the story, shows the books, and ends with 0 only if they are equal to the fen."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from edge.demo import forecourt_places, places, shopfront_places
from edge.demo.forecourt import ForecourtScript
from edge.demo.play import Play
from edge.demo.scenery import Scenery
from edge.demo.screen import Screen, books_table, nozzles_table, sheet_table
from edge.demo.script import Script
from edge.demo.shopfront import ShopfrontScript
from edge.demo.stage import Stage, StageError

SITES: dict[str, tuple[Scenery, type[Play], tuple[str, ...]]] = {
    "charging": (places.SCENERY, Script, ("{records} --kind session-closed", "{hq} account list")),
    "forecourt": (forecourt_places.SCENERY, ForecourtScript, ("{records} --kind filling-closed", "{hq} account list")),
    "shopfront": (shopfront_places.SCENERY, ShopfrontScript, ("{records} --kind swap-closed", "{hq} pack list")),
}
"""By name: what stands there, what happens, and what one can look at afterwards."""


def main(arguments: list[str] | None = None) -> int:
    """0: the books are equal. 1: they differ, or something did not do its part."""
    parser = argparse.ArgumentParser(prog="fieldtill demo", description=__doc__)
    parser.add_argument("site", nargs="?", choices=SITES, default="charging", help="which site (default charging)")
    parser.add_argument("--dir", type=Path, default=Path(".demo"), help="where its files go (default .demo)")
    told = parser.parse_args(arguments)
    return asyncio.run(_play(told.site, told.dir.absolute()))


async def _play(site: str, root: Path) -> int:
    scenery, story, looks = SITES[site]
    stage = Stage(root, scenery)
    screen = Screen({})
    failed: tuple[BaseException, ...] = ()
    try:
        with screen:
            verdict = await story(stage, screen).play()
    except* StageError as errors:
        failed = errors.exceptions
    finally:
        await stage.close()
    if failed:
        for error in failed:
            print(f"demo: {error}", file=sys.stderr)
        return 1
    screen.print()
    screen.print(books_table([line.row() for line in verdict.money]))
    if verdict.nozzles:
        screen.print()
        screen.print(nozzles_table([(*line.row(), line.equal) for line in verdict.nozzles]))
    for sheet in verdict.sheets:
        screen.print()
        screen.print(sheet_table(sheet))
    screen.print(f"\nNightly report: {verdict.page}")
    screen.print("\nLook inside:")
    bin_dir = Path(sys.executable).parent
    records = f"fieldtill records --journal {root}/site/data/journal.db"
    for look in (*looks, f"fieldtill-hq report {verdict.page.with_suffix('.json')}"):
        screen.print(f"  {bin_dir}/{look.format(records=records, hq=f'fieldtill-hq --home {root}/hq')}")
    return 0 if verdict.equal else 1


if __name__ == "__main__":
    sys.exit(main())
