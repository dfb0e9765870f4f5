"""Would the daemon start with this? Goes the daemon's own way in, without serving, and gathers every fault."""

from __future__ import annotations

import sqlite3
from collections.abc import Sized
from dataclasses import dataclass, field
from pathlib import Path

from edge.config import Config, doubts, load
from edge.counter import CounterBlank, CounterConfig, CounterError, SlotCounter, shares_medium
from edge.daemon import prepare
from edge.journal.connection import connect_reader
from edge.journal.errors import JournalDamaged, JournalError
from edge.journal.reading import read_head, read_identity
from edge.journal.recovery import check
from edge.keys import KeyRing, KeyUnusable, fingerprint
from edge.panel.paper import counted
from edge.sync.enrol import NoCredentialKey, load_credential_key
from protocols.door import Refused
from protocols.proof.ed25519 import public_of


@dataclass(slots=True)
class Finding:
    """One thing that was looked at. doubts: no faults, but mostly mistakes. damaged: its fault is the journal's."""

    what: str
    detail: str = ""
    faults: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    damaged: bool = False

    def plain(self) -> dict[str, object]:
        """For JSON."""
        return {"what": self.what, "detail": self.detail, "faults": self.faults, "doubts": self.doubts}


def check_up(path: Path) -> list[Finding]:
    """Everything that can be told without touching a device. A config that cannot be loaded ends it."""
    config_file = Finding("config", str(path))
    try:
        config = load(path)
    except Refused as refused:
        config_file.faults += [str(fault) for fault in refused.faults]
        return [config_file]
    findings = [config_file, _site(config), _keys(config), _journal(config)]
    return findings if config.counter is None else [*findings, _counter(config, config.counter)]


def _site(config: Config) -> Finding:
    finding = Finding("site", "")
    try:
        premises = prepare(config)
    except Refused as refused:
        finding.faults += [str(fault) for fault in refused.faults]
    else:
        there: dict[str, Sized] = {
            "line": premises.lines,
            "device": premises.devices,
            "connector": premises.outlets,
            "pump": premises.pumps,
            "cabinet": premises.cabinets,
            "port board": premises.port_boards,
        }
        counts = [counted(len(them), name) for name, them in there.items() if them]
        finding.detail = f"{config.site}: {', '.join(counts) or 'no device yet'}"
        finding.doubts += doubts(config)
        finding.detail += "" if config.hq is not None else "; no [hq]: it never gets an epoch of its own"
    return finding


def _keys(config: Config) -> Finding:
    finding, ring = Finding("keys"), KeyRing(config.keys_dir)
    try:
        if not config.keys_dir.exists():
            finding.detail = "none yet; `fieldtill setup` or the first start makes them"
            return finding
        finding.detail = f"this box is {fingerprint(ring.device())}"
        if config.journal_path.exists():
            load_credential_key(config.keys_dir)
    except (KeyUnusable, NoCredentialKey) as error:
        finding.faults.append(f"{error}. {error.remedy}")
    except PermissionError as error:
        finding.faults.append(f"{error}. Use `sudo -u fieldtill`: the keys are for the daemon's user alone.")
    return finding


def _counter(config: Config, named: CounterConfig) -> Finding:
    finding = Finding("counter", named.path)
    try:
        finding.detail += f", stands at {SlotCounter(named).read()}"
    except CounterBlank:
        finding.detail += ", blank; the daemon begins it"
    except CounterError as error:
        finding.faults.append(f"{error}. {error.remedy}")
    if shares_medium(named, Path(config.data_dir)):
        finding.detail += "; on the journal's own disk, and copied with it: it tells nothing"
    return finding


def _journal(config: Config) -> Finding:
    finding, path = Finding("journal"), config.journal_path
    try:
        if not path.exists():
            finding.detail = "none yet; it begins when headquarters gives an epoch"
            return finding
        connection = connect_reader(path)
        try:
            identity, size = read_identity(connection), read_head(connection).size
        finally:
            connection.close()
        if identity is None:
            finding.detail = "begun, no log in it yet"
            return finding
        check(path, public_of(KeyRing(config.keys_dir).log(identity.epoch)))
        finding.detail = f"{identity.site}, epoch {identity.epoch}, {counted(size, 'record')}, whole"
        if identity.site != config.site:
            finding.faults.append(f"it is of site {identity.site}, the config of {config.site}")
    except (JournalError, KeyUnusable) as error:
        finding.faults.append(f"{error}. {error.remedy}")
        finding.damaged = isinstance(error, JournalDamaged)
    except PermissionError as error:
        finding.faults.append(f"{error}. Use `sudo -u fieldtill`: the journal is for the daemon's user alone.")
    except (sqlite3.Error, OSError) as error:
        finding.faults.append(f"{path}: {error}. Run `fieldtill journal check`.")
        finding.damaged = True
    return finding
