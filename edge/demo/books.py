"""The end of the demo: the same money counted at the site and at headquarters, to the fen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from protocols.trade.quantities import litres, yuan


@dataclass(frozen=True, slots=True)
class Line:
    """One sum, in fen, as each side has it. None: that side does not keep it."""

    name: str
    site_fen: int | None
    hq_fen: int | None

    @property
    def equal(self) -> bool:
        return self.site_fen is None or self.hq_fen is None or self.site_fen == self.hq_fen

    def row(self) -> tuple[str, str, str, bool]:
        return self.name, _shown(self.site_fen), _shown(self.hq_fen), self.equal


@dataclass(frozen=True, slots=True)
class NozzleLine:
    """One nozzle's day in mL. ran_ml: what its totalizer went on by, read at the pump itself; told_ml: the same as
    headquarters has it. missing_ml: what no record explains.
    """

    name: str
    ran_ml: int
    told_ml: int
    sold_ml: int
    unattributed_ml: int
    rounding_ml: int
    missing_ml: int

    @property
    def equal(self) -> bool:
        return self.ran_ml == self.told_ml and self.missing_ml == 0

    def row(self) -> tuple[str, ...]:
        parts = (self.ran_ml, self.told_ml, self.sold_ml, self.unattributed_ml, self.rounding_ml, self.missing_ml)
        return self.name, *(litres(ml) for ml in parts)


@dataclass(frozen=True, slots=True)
class Sheet:
    """Things counted twice. rows: what, and what it comes to on each side; two of them differ unless one is empty."""

    title: str
    heads: tuple[str, str]
    rows: tuple[tuple[str, str, str], ...]

    @property
    def equal(self) -> bool:
        return all(agree(one, other) for _, one, other in self.rows)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a demo comes to. page: the night's report."""

    money: list[Line]
    page: Path
    nozzles: tuple[NozzleLine, ...] = ()
    sheets: tuple[Sheet, ...] = ()

    @property
    def equal(self) -> bool:
        lines: tuple[Line | NozzleLine | Sheet, ...] = (*self.money, *self.nozzles, *self.sheets)
        return all(line.equal for line in lines)


def agree(one: str, other: str) -> bool:
    """Two sides of a row; empty: that side does not keep it."""
    return not one or not other or one == other


def compare(site: dict[str, Any], hq: dict[str, Any], paid_in_fen: int, *, plans_fen: int = 0) -> list[Line]:
    """site: the value in the daemon's status. hq: headquarters' balances. paid_in_fen: what the customers really
    handed over. plans_fen: spent at headquarters, on plans that were paid before.

    The last line closes the circle: all that was paid in is spent, or left somewhere.
    """
    left_at_site = site["rights_fen"] + site["held_fen"]
    return [
        Line("paid in", paid_in_fen, hq["paid_in"]),
        Line("spent", site["used_fen"] + plans_fen, hq["spent"]),
        Line("returned by the site", site["returned_fen"], hq["returned"]),
        Line("left at the site", site["rights_fen"], hq["at_sites"] - site["held_fen"]),
        Line("held for running sessions", site["held_fen"], 0),
        Line("left at headquarters", None, hq["free"]),
        Line("spent and left, together", paid_in_fen, hq["free"] + left_at_site + site["used_fen"] + plans_fen),
    ]


def _shown(fen: int | None) -> str:
    return "" if fen is None else yuan(fen)
