"""What does somebody far away need to help with this box, and what of it must they not see?

One archive: config, versions, what the daemon and the journal say of themselves, the newest log lines. Without records
no account stands in it; no key, password or card ever does.
"""

from __future__ import annotations

import io
import json
import os
import platform
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
import tarfile
import tomllib
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from edge import clock
from edge.config import load
from edge.logs import HIDDEN, hide
from edge.panel import journal_file
from edge.panel.checkup import check_up
from edge.panel.client import Client, Failed, find_socket
from edge.panel.key_view import key_rows
from protocols.door import Refused

LOG_LINES = 2_000
"""Some 400 kB, and 40 kB packed."""
RECORDS = 200
PATIENCE_S = 10.0
UNIT = "fieldtill"
_PERSON = re.compile(r"^(account|payer|by)s?$")
_IN_WORDS = re.compile(r"(?<=\baccount )\S+|(?<= of )\S+(?= pays nothing)")
"""An account as refusals name it (edge.till.set_aside); the log keeps them."""


def make(config: Path, into: Path, *, log: Path | None = None, with_records: bool = False) -> list[str]:
    """Write the archive, for its maker's eyes alone; the names in it. What cannot be had is said in its place.

    log: a file of the daemon's lines; None: journald's. Raises FileExistsError.
    """
    parts: dict[str, Callable[[], Any]] = {
        "about": _about,
        "config": lambda: hide(tomllib.loads(config.read_text(encoding="utf-8"))),
        "check": lambda: [hide(finding.plain()) for finding in check_up(config)],
        "status": lambda: _ask(config, "status"),
        "devices": lambda: _ask(config, "devices"),
        "keys": lambda: key_rows(load(config)),
        "journal": lambda: journal_file.inspect(load(config).journal_path),
        "files": lambda: list(_files(Path(load(config).data_dir))),
    }
    if with_records:
        parts["records"] = lambda: hide(journal_file.records_of(load(config).journal_path, -RECORDS, RECORDS, ""))
    descriptor = os.open(into, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    now_s = clock.system().wall_ms() // 1000
    with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as archive:
        names = [_add(archive, f"{name}.json", _told(part, with_records), now_s) for name, part in parts.items()]
        return [*names, _add(archive, "log.jsonl", _log(log, with_records), now_s)]


def _told(part: Callable[[], Any], with_accounts: bool) -> bytes:
    try:
        told = part()
    except Failed as error:
        told = {"trouble": error.trouble.what}
    except (Refused, OSError, ValueError, sqlite3.Error) as error:  # ValueError: not UTF-8, not TOML
        told = {"trouble": hide(str(error))}
    told = told if with_accounts else _without_people(told)
    return json.dumps(told, ensure_ascii=False, indent=1, default=str).encode() + b"\n"


def _without_people(value: Any) -> Any:
    """Who pays, and who acted, is nobody's business who looks for a bad cable."""
    if isinstance(value, dict):
        return {
            name: HIDDEN if _PERSON.match(str(name)) and isinstance(part, str) else _without_people(part)
            for name, part in value.items()
        }
    if isinstance(value, list):
        return [_without_people(part) for part in value]
    return _IN_WORDS.sub(HIDDEN, value) if isinstance(value, str) else value


def _about() -> dict[str, Any]:
    distributions = sorted(metadata.distributions(), key=lambda it: it.name.lower())
    return {
        "python": sys.version,
        "sqlite": sqlite3.sqlite_version,
        "machine": platform.platform(),
        "packages": {it.name: it.version for it in distributions},
        "hidden": f"values marked {HIDDEN}: keys, passwords, cards, and without records also accounts and people",
    }


def _ask(config: Path, verb: str) -> Any:
    with Client(find_socket(config), PATIENCE_S) as daemon:
        return hide(daemon.ask(verb))


def _files(directory: Path) -> Iterator[dict[str, Any]]:
    """Names, modes and sizes; never what is in them."""
    for path in sorted(directory.rglob("*")):
        about = path.lstat()
        name, mode = str(path.relative_to(directory)), stat.filemode(about.st_mode)
        yield {"name": name, "mode": mode, "bytes": about.st_size}


def _log(file: Path | None, with_accounts: bool) -> bytes:
    """The newest lines, looked through once more: they may be of an older version, or of a library."""
    lines = _journald() if file is None else file.read_text(encoding="utf-8", errors="replace").splitlines()
    return "".join(f"{_line(line, with_accounts)}\n" for line in lines[-LOG_LINES:]).encode()


def _line(line: str, with_accounts: bool) -> str:
    try:
        told = json.loads(line)
    except ValueError:
        told = line
    if not isinstance(told, dict):
        return str(hide(line) if with_accounts else _without_people(hide(line)))
    told = {name: HIDDEN if hide({name: part})[name] == HIDDEN else hide(part) for name, part in told.items()}
    return json.dumps(told if with_accounts else _without_people(told), ensure_ascii=False)


def _journald() -> list[str]:
    program = shutil.which("journalctl")
    if program is None:
        return ["no journalctl on this machine: name the daemon's log with --log FILE"]
    command = [program, "--unit", UNIT, "--lines", str(LOG_LINES), "--output", "cat", "--no-pager"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=30, check=True)  # noqa: S603  # all our own words
    except (OSError, subprocess.SubprocessError) as error:
        return [f"journalctl: {error}"]
    return done.stdout.decode("utf-8", "replace").splitlines()


def _add(archive: tarfile.TarFile, name: str, data: bytes, now_s: int) -> str:
    entry = tarfile.TarInfo(f"fieldtill-bundle/{name}")
    entry.size, entry.mode, entry.mtime = len(data), 0o600, now_s
    archive.addfile(entry, io.BytesIO(data))
    return name
