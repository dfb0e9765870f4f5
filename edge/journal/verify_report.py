"""What does the verification of a journal start from, and what does it say in the end?"""

from __future__ import annotations

from dataclasses import dataclass, field

from protocols.proof.note import VerifierKey
from protocols.proof.reader_keys import SiteKey
from protocols.trade.audit_trail import Tally
from protocols.trade.finding import Findings


@dataclass(frozen=True, slots=True)
class Trust:
    """Keys known from elsewhere than the file. Where there is none of a kind, the report says what was not checked.

    sites: keys of the box or of its log. cosigners, granters: headquarters', old ones included.
    """

    sites: tuple[SiteKey, ...] = ()
    cosigners: tuple[VerifierKey, ...] = ()
    granters: tuple[VerifierKey, ...] = ()


@dataclass(slots=True)
class Report:
    """What came of it. first: the record from which the log was replayed; 0 unless what is before has been pruned.

    proven: what holds, a sentence each. not_checked: what could not be, for want of a key.
    """

    path: str
    site: str
    epoch: int
    size: int
    first: int = 0
    cosigned: int = 0
    tally: Tally = field(default_factory=Tally)
    proven: list[str] = field(default_factory=list)
    not_checked: list[str] = field(default_factory=list)
    findings: Findings = field(default_factory=Findings)

    @property
    def sound(self) -> bool:
        return not self.findings
