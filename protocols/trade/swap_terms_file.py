"""Terms of swaps and rent as people write them (TOML, yuan, percent, hours) become SwapTerms, or a list of every fault.

Pure: the file's data and the zone's offsets come in as values. docs/shop.md shows a whole file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal

import msgspec

from protocols.door import Fault, Refused, check
from protocols.trade import swap_terms
from protocols.trade.local_time import OffsetsOf, Zone, offsets_in
from protocols.trade.quantities import e3_of_yuan
from protocols.trade.record_parts import CNY, Amount, Name
from protocols.trade.swap_terms import Model, RentOffer, Rule, SwapOffer, SwapTerms
from protocols.trade.tariff_file import YUAN

FEN = r"^[0-9]{1,6}(\.[0-9]{1,2})?\Z"

_Yuan = Annotated[str, msgspec.Meta(pattern=YUAN, description='yuan as text with up to 5 decimals, like "3.50"')]
_Fen = Annotated[str, msgspec.Meta(pattern=FEN, description='yuan as text with up to 2 decimals, like "300"')]
_Percent = Annotated[int, msgspec.Meta(ge=0, le=100, description="a whole percentage, 0 to 100")]
_Code = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[0-9A-Z?]+\*?\Z", max_length=64, description='a code, like "BT3072020*": ? for any one, * at the end'
    ),
]
_Minutes = Annotated[int, msgspec.Meta(ge=0, le=1440)]
_Hours = Annotated[int, msgspec.Meta(ge=0, le=8760)]


class SwapTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One `[[swaps]]` table. single: yuan. energy: yuan_per_kwh, at_least_yuan, at_most_yuan. plan: swaps, the units
    that one swap takes of the plan's asset, which bears the offer's name unless `asset` says another.
    """

    name: Name
    kind: Literal["single", "energy", "plan"]
    yuan: _Yuan | None = None
    yuan_per_kwh: _Yuan | None = None
    at_least_yuan: _Fen | None = None
    at_most_yuan: _Fen | None = None
    asset: Name | None = None
    swaps: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 1
    interval_min: _Minutes = 20
    full_percent: _Percent = 90


class RentTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One `[[rents]]` table. models: left out for all."""

    name: Name
    days: Annotated[int, msgspec.Meta(ge=1, le=3660)]
    yuan: _Yuan
    late_yuan_per_day: _Yuan
    grace_hours: _Hours = 0
    models: list[Name] = []


class ModelTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One `[[models]]` table. fits: models whose packs its riders may be given as well."""

    name: Name
    codes: list[_Code]
    deposit_yuan: _Fen = "0"
    fits: list[Name] = []


class SwapTermsFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file. version: left out for the next one."""

    zone: Zone
    models: list[ModelTable]
    swaps: list[SwapTable] = []
    rents: list[RentTable] = []
    consent_percent: _Percent = 50
    version: Amount | None = None


def read(data: Mapping[str, Any], offsets_of: OffsetsOf, *, next_version: int, source: str) -> SwapTerms:
    """The terms that `data` (as tomllib gives it) writes. next_version: what a file without one gets. Raises Refused
    with all faults, each with its path.
    """
    file, faults = check(data, SwapTermsFile)
    if file is None:
        raise Refused(source, faults)
    offsets, faults = offsets_in(file.zone, offsets_of)
    for index, table in enumerate(file.swaps):
        faults += _fields_of_kind(f"swaps[{index}]", table)
    terms = SwapTerms(
        version=next_version if file.version is None else file.version,
        zone=file.zone,
        offsets=offsets,
        swaps=[_offer(table) for table in file.swaps],
        rents=[_rent(table) for table in file.rents],
        models=[_model(table) for table in file.models],
        consent_permille=file.consent_percent * 10,
    )
    if not faults:
        faults = [_as_written(fault) for fault in swap_terms.disorder(terms)]
    if faults:
        raise Refused(source, faults)
    return terms


_WANTED = {"single": ("yuan",), "energy": ("yuan_per_kwh", "at_most_yuan"), "plan": ()}
_ALLOWED = {"single": ("yuan",), "energy": ("yuan_per_kwh", "at_least_yuan", "at_most_yuan"), "plan": ("asset",)}
_OF_A_KIND = ("yuan", "yuan_per_kwh", "at_least_yuan", "at_most_yuan", "asset")


def _fields_of_kind(at: str, table: SwapTable) -> list[Fault]:
    """Each kind has its own keys: a price that would never be asked is a mistake."""
    missing = [name for name in _WANTED[table.kind] if getattr(table, name) is None]
    odd = [name for name in _OF_A_KIND if name not in _ALLOWED[table.kind] and getattr(table, name) is not None]
    faults = [Fault(f"{at}.{name}", f"a value: kind is {table.kind}", "nothing", "Add it.") for name in missing]
    return faults + [Fault(f"{at}.{name}", f"nothing: kind is {table.kind}", "a value", "Remove it.") for name in odd]


def _offer(table: SwapTable) -> SwapOffer:
    is_plan = table.kind == "plan"
    return SwapOffer(
        name=table.name,
        kind=table.kind,
        asset=(table.asset or table.name) if is_plan else CNY,
        units=table.swaps if is_plan else 0,
        price_e3=e3_of_yuan(table.yuan or table.yuan_per_kwh or "0"),
        floor_fen=_fen(table.at_least_yuan),
        cap_fen=_fen(table.at_most_yuan),
        interval_s=table.interval_min * 60,
        full_permille=table.full_percent * 10,
    )


def _rent(table: RentTable) -> RentOffer:
    price_e3, late_e3 = e3_of_yuan(table.yuan), e3_of_yuan(table.late_yuan_per_day)
    return RentOffer(table.name, list(table.models), table.days, price_e3, table.grace_hours * 3600, late_e3)


def _model(table: ModelTable) -> Model:
    rules: list[Rule] = list(table.codes)
    return Model(table.name, rules, list(table.fits), _fen(table.deposit_yuan))


def _fen(yuan: str | None) -> int:
    return e3_of_yuan(yuan or "0") // 1000


_WORDS = {"rules": "codes", "full_permille": "full_percent", "cap_fen": "at_most_yuan", "units": "swaps"}


def _as_written(fault: Fault) -> Fault:
    """In the file's words."""
    head, dot, last = fault.path.rpartition(".")
    if last == "price_e3":
        return replace(fault, path=f"{head}.yuan")
    return replace(fault, path=f"{head}{dot}{_WORDS.get(last, last)}")
