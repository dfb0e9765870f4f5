"""What is wrong with a log, and what does a person do about it? One finding: where, what, expected, got, next."""

from __future__ import annotations

import msgspec

FINDINGS_MAX = 1_000
"""Kept in full; more of them are counted. A person reads the first, and memory stays bounded."""

_EVIDENCE = "Keep this copy as it is; `fieldtill-hq verify SITE` shows what headquarters has of the same log."
_SOFTWARE = "Look at the record (`fieldtill journal inspect --seq N`): faulty software wrote it, or somebody edited it."
_METER = "Look at the meter: a register that falls without a notice means an exchange nobody noted, or an edited log."
_PUMP = "Look at the pump and its totalizers: fuel left it that no record names, or somebody edited the log."
_KEYS = "Compare the fingerprints with the box (`fieldtill keys`) and with headquarters' key directory."
_DERIVED = "The records are the truth: stop the daemon and run `fieldtill journal salvage`, which derives it anew."
_BOOKS = "Run `fieldtill-hq nightly`, which shows it in fen; correct it by a linked adjustment, never by an edit."
_DOCUMENT = (
    "Fetch the document from headquarters again; without it the bill cannot be checked, which is no proof of fault."
)

REMEDIES = {
    "not-canonical": _EVIDENCE,
    "record-missing": _EVIDENCE,
    "record-edited": _EVIDENCE,
    "root": _EVIDENCE,
    "head": _EVIDENCE,
    "cosigned": _EVIDENCE,
    "signature": _KEYS,
    "certificate": _KEYS,
    "not-opened": _EVIDENCE,
    "after-close": _SOFTWARE,
    "clock": _SOFTWARE,
    "counter": _SOFTWARE,
    "move-out-of-place": _SOFTWARE,
    "rights": _SOFTWARE,
    "grant": _KEYS,
    "session": _SOFTWARE,
    "number": _SOFTWARE,
    "bill": _SOFTWARE,
    "capture": _SOFTWARE,
    "energy": _SOFTWARE,
    "meter": _METER,
    "totals": _PUMP,
    "meter-record": _SOFTWARE,
    "day": _SOFTWARE,
    "document": _DOCUMENT,
    "fold": _SOFTWARE,
    "snapshot": _DERIVED,
    "progress": _DERIVED,
    "node": _DERIVED,
    "unreadable": "Copy the directory away as it is, then run `fieldtill journal salvage`.",
    "posting": _BOOKS,
    "books": _BOOKS,
}
"""What to do next, by a finding's code."""


class Finding(msgspec.Struct, frozen=True):
    """Something that cannot be so. seq: the record it is about; None: the log as a whole, or what stands beside it."""

    code: str
    seq: int | None
    what: str
    expected: str
    got: str

    @property
    def remedy(self) -> str:
        return REMEDIES[self.code]


class Findings(list[Finding]):
    """Those found so far, in the order found; `more` counts those beyond FINDINGS_MAX."""

    def __init__(self) -> None:
        super().__init__()
        self.more = 0

    def add(self, code: str, seq: int | None, what: str, expected: str, got: str) -> None:
        assert code in REMEDIES, code
        if len(self) < FINDINGS_MAX:
            self.append(Finding(code, seq, what, expected, got))
        else:
            self.more += 1
