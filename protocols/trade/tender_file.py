"""What assets other than money may pay, as people write it (TOML), becomes Tenders, or a list of every fault.

Pure: the file's data comes in as values. docs/tariffs.md shows a whole file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from itertools import combinations
from typing import Annotated, Any

import msgspec

from protocols.door import Fault, Refused, check
from protocols.trade.records import Name
from protocols.trade.tariff_file import YUAN
from protocols.trade.tender import Tender, Tenders, disorder

_Yuan = Annotated[
    str, msgspec.Meta(pattern=YUAN, description='yuan above 0 as text with up to 5 decimals, like "0.01"')
]


class TenderTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One `[[tenders]]` table. lines: left out for all of them."""

    asset: Name
    yuan_each: _Yuan
    lines: list[str] = []
    divisible: bool = True


class TenderFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    version: Annotated[int, msgspec.Meta(ge=1, le=2**53)]
    tenders: list[TenderTable]


def read(data: Mapping[str, Any], *, source: str) -> Tenders:
    """The tenders that `data` (as tomllib gives it) writes, by asset. Raises Refused with all faults."""
    file, faults = check(data, TenderFile)
    if file is None:
        raise Refused(source, faults)
    made: list[Tender] = []
    for index, table in enumerate(file.tenders):
        fen = Fraction(table.yuan_each) * 100
        if not fen:
            faults.append(Fault(f"tenders[{index}].yuan_each", "yuan above 0", table.yuan_each))
        made.append(Tender(table.asset, list(table.lines), fen.numerator, fen.denominator, table.divisible))
        for fault in disorder(Tenders(file.version, made[-1:])):
            faults.append(replace(fault, path=fault.path.replace("[0]", f"[{index}]")))
    twice = [one.asset for one, other in combinations(made, 2) if one.asset == other.asset]
    faults += [Fault("tenders", "each asset once", asset) for asset in twice]
    if faults:
        raise Refused(source, faults)
    return Tenders(file.version, sorted(made, key=lambda one: one.asset))
