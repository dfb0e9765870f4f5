"""Terms of cards and accounts as people write them (TOML) become FuelTerms, or a list of every fault.

Pure: what headquarters knows of accounts and cards comes in as functions. A card's number stands in the file alone; the
document names its HMAC. docs/fuel-prices.md shows a whole file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import msgspec

from protocols.door import Fault, Refused, check
from protocols.trade.fuel_terms import FuelTerms, Terms
from protocols.trade.record_parts import Amount, Name

LITRES = r"^[0-9]{1,6}(\.[0-9]{1,3})?\Z"

_Litres = Annotated[
    str, msgspec.Meta(pattern=LITRES, description='litres as text with up to 3 decimals, like "60"; "0" for no limit')
]


class TermsTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One `[[terms]]` table. card: left out for the whole account. grades: left out for all of them. ask: left
    out for nothing.
    """

    account: Name
    card: Name | None = None
    grades: list[Name] = []
    day_litres: _Litres = "0"
    ask: Literal["odometer", "plate"] | None = None


class FuelTermsFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file. version: left out for the next one."""

    terms: list[TermsTable]
    version: Amount | None = None


HasAccount = Callable[[str], bool]
CardOf = Callable[[str, str], bytes | None]
"""(account, card number): the HMAC that the card stands by, or None where it is not the account's."""


def read(
    data: Mapping[str, Any], has_account: HasAccount, card_of: CardOf, *, next_version: int, source: str
) -> FuelTerms:
    """The terms that `data` (as tomllib gives it) writes. next_version: what a file without one gets. Raises Refused
    with all faults, each with its path.
    """
    file, faults = check(data, FuelTermsFile)
    if file is None:
        raise Refused(source, faults)
    made: dict[tuple[str, bytes], Terms] = {}
    for index, table in enumerate(file.terms):
        at, credential = f"terms[{index}]", b""
        if not has_account(table.account):
            remedy = "`fieldtill-hq account list` has them."
            faults.append(Fault(f"{at}.account", "an account of headquarters", repr(table.account), remedy))
        elif table.card is not None:
            hidden = card_of(table.account, table.card)
            if hidden is None:
                remedy = "Add it first: `fieldtill-hq account card ACCOUNT -`."
                faults.append(Fault(f"{at}.card", f"a card of {table.account}", "another one", remedy))
                continue
            credential = hidden
        if len(set(table.grades)) != len(table.grades):
            faults.append(Fault(f"{at}.grades", "each grade once", ", ".join(table.grades)))
        key = (table.account, credential)
        if key in made:
            faults.append(Fault(at, "each account and each card once", f"{table.account} again", "Join the two."))
        made[key] = Terms(table.account, credential, list(table.grades), _ml(table.day_litres), table.ask or "")
    if faults:
        raise Refused(source, faults)
    version = next_version if file.version is None else file.version
    return FuelTerms(version, [made[key] for key in sorted(made)])


def _ml(litres: str) -> int:
    whole, _, decimals = litres.partition(".")
    return int(whole) * 1000 + int(decimals.ljust(3, "0"))
