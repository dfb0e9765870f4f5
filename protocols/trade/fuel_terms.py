"""Which fuel may a card or account buy, how much a day, and what must its driver tell? Signed by headquarters.

A day's limit is kept by each site for itself: with the link down, no site knows what another sold.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from protocols.door import Fault
from protocols.trade.codec import Wire
from protocols.trade.record_parts import Amount, Name

KIND = "fuel-terms"
"""The document's kind."""

Credential = Annotated[bytes, msgspec.Meta(max_length=8)]


class Terms(Wire, frozen=True):
    """For one account, or for one card of it.

    credential: the card's HMAC; empty: the whole account. grades: those that may be bought; empty: all. day_ml: at most
    so much in a local day at one site; 0: no limit. ask: what the driver must tell before it starts.
    """

    account: Name
    credential: Credential
    grades: list[Name]
    day_ml: Amount
    ask: Literal["", "odometer", "plate"]


class FuelTerms(Wire, frozen=True):
    """The document: by (account, credential), rising."""

    version: Amount
    terms: list[Terms]


NO_TERMS = FuelTerms(0, [])
"""What holds before the first document: everybody may buy everything."""


def terms_of(document: FuelTerms, account: str, credential: bytes) -> list[Terms]:
    """All that hold for this card of this account: its own and the account's. Each must be kept."""
    return [
        one for one in document.terms if one.account == account and (not one.credential or one.credential == credential)
    ]


def use_key(account: str, credential: bytes) -> str:
    """How a site's state names what an account, or one card of it, has had in a day."""
    return f"{account} {credential.hex()}"


def disorder(document: FuelTerms) -> list[Fault]:
    """What the types do not hold against it; empty for a document that may be put in force."""
    keys = [(one.account, one.credential) for one in document.terms]
    if keys == sorted(set(keys)):
        return []
    return [Fault("terms", "each account and card once, in order", f"{len(keys)} entries, {len(set(keys))} different")]
