"""What a receipt proves, and to whom: line by line, for honest receipts, forged ones, and those of a lying site."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from msgspec.structs import replace as with_

from protocols.proof import keys
from protocols.proof.lines import Mark
from protocols.proof.reader_keys import SiteKey
from protocols.proof.receipt_file import PinnedDocument, ReceiptFile
from protocols.proof.statement import Statement, state
from protocols.trade.codec import encode
from protocols.trade.records import CNY, ClockQuality, Effect, Hold, Move, SessionExtended

from .people import HQ_KEY, LOG_KEY, STRANGER
from .sold import (
    BEGAN_MS,
    BOX,
    CITY,
    CLOSED,
    CLOSING,
    EXTENDED,
    GOOD,
    OPENED,
    OPENING,
    PAID,
    PROVISIONAL,
    SEQ,
    VOIDED,
    closed,
    closing,
    receipt_file,
    record,
    spoilt,
    stamp,
    used,
)


def shown(told: Statement) -> str:
    """Codes with their marks: `+` proven, `-` failed, `o` open."""
    signs = {Mark.PROVEN: "+", Mark.FAILED: "-", Mark.OPEN: "o"}
    return " ".join(f"{signs[line.mark]}{line.code}" for line in told.lines)


WHOLE = (
    "+box +site-key +head +cosigned +included +included +session +readings +sum +captures +holds +tariff +priced +clock "
    "ometer-record +view ometer osoftware-keys"
)


def test_a_final_receipt_proves_everything_but_the_meter_and_the_keys() -> None:
    """With the fingerprint on the box and headquarters' key, a stranger needs nobody's word."""
    told = state(GOOD, [BOX], [HQ_KEY])
    assert shown(told) == WHOLE
    assert told.proven
    assert told.story is not None
    assert told.story.session == "shanghai-7/3/4"
