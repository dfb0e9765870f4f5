"""What has a world come to? The numbers of one seed, as they are printed, kept and compared."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Report:
    """What a world came to. wrong: None when all was well. differing_fen: between site and headquarters at the end."""

    seed: int
    faults: list[str] = field(default_factory=list)
    busy_s: int = 0
    wrong: str | None = None
    rule: str | None = None
    sessions: int = 0
    billed_fen: int = 0
    swaps: int = 0
    packs_moved: int = 0
    port_sessions: int = 0
    port_wh: int = 0
    records: int = 0
    virtual_s: int = 0
    kills: int = 0
    power_cuts: int = 0
    hq_deaths: int = 0
    lost: int = 0
    doubled: int = 0
    replayed: int = 0
    refused: int = 0
    checks: int = 0
    set_back: int = 0
    disks_lost: int = 0
    copied: int = 0
    lost_fen: int = 0
    receipts: int = 0
    differing_fen: int = 0
    converged_s: int = 0
    seen: dict[str, int] = field(default_factory=dict)
    trace: str = ""
