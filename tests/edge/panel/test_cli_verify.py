"""`fieldtill verify`, `snapshot` and `journal prune` as a technician uses them: files, keys and exit codes."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge.keys import DEVICE as DEVICE_FILE
from edge.keys import log_name
from protocols.proof import keys
from tests.edge.desk_rig import LOG_KEY
from tests.edge.journal.forger import Forger
from tests.edge.journal.test_prune import an_old_till
from tests.edge.journal.verify_rig import DEVICE, TRUST, a_day


@dataclass
class Shown:
    code: int
    out: str
    err: str

    @property
    def told(self) -> dict[str, object]:
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found


class Box:
    """A folder with a config, keys and a journal; nobody serves it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "keys").mkdir()
        (root / "keys" / DEVICE_FILE).write_bytes(keys.to_pem(DEVICE))
        (root / "keys" / log_name(1)).write_bytes(keys.to_pem(LOG_KEY))
        (root / "hq.keys").write_text(f"{TRUST.granters[0]}\n{TRUST.cosigners[0]}\n")
        (root / "config.toml").write_text(
            'site = "hz-1"\ndata_dir = "."\nballast_mb = 0\n[hq]\nurl = "https://hq"\nkeys_file = "hq.keys"\n'
        )

    def __call__(self, *arguments: str) -> Shown:
        command = [sys.executable, "-m", "edge.panel.cli", *arguments]
        environment = {"FIELDTILL_CONFIG": str(self.root / "config.toml"), "PATH": "", "LANG": "C.UTF-8"}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        return Shown(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def box(tmp_path: Path) -> Box:
    made = Box(tmp_path)
    asyncio.run(a_day(tmp_path))
    return made


def test_this_boxs_journal(box: Box) -> None:
    """Without a path: the config's journal, with the keys of the box and of headquarters; 0, and what is proven."""
    shown = box("verify")
    assert shown.code == 0, shown.out + shown.err
    assert "hz-1, epoch 1: 76 records, 41 acknowledged" in shown.out
    assert shown.out.rstrip().endswith("\nsound")
    assert shown.out.count("\n+  ") == 7
    assert shown.err == ""


def test_somebody_elses_journal(box: Box) -> None:
    """A path: only the keys that are given are believed, and what was not checked is said."""
    path = str(box.root / "journal.db")
    shown = box("verify", path, "--json")
    assert (shown.code, shown.told["sound"]) == (0, True)
    assert len(shown.told["not_checked"]) == 3  # type: ignore[arg-type]  # a list
    device = keys.fingerprint(keys.spki(DEVICE.public_key()))
    shown = box("verify", path, "--site-key", device, "--hq-key", f"@{box.root / 'hq.keys'}", "--json")
    assert shown.told["not_checked"] == []
    shown = box("verify", path, "--site-key", "0000-" * 7 + "0000")
    assert shown.code == 1
    assert "(certificate)" in shown.out


def test_a_journal_with_a_finding(box: Box) -> None:
    """1; each finding says where, what, expected, got and what to do next."""
    forger = Forger(box.root / "journal.db")
    forger.edit_body(forger.seq_of("day-closed"), amount_fen=1).write()
    forger.done()
    shown = box("verify")
    assert shown.code == 1
    assert "!  record 40: amount_fen of day 1 (day)" in shown.out
    for word in ("expected", "got", "next"):
        assert f"\n    {word}" in shown.out
    assert shown.out.rstrip().endswith("not sound")


def test_a_journal_that_cannot_be_read(box: Box) -> None:
    """3, as for every damaged journal."""
    path = box.root / "journal.db"
    data = bytearray(path.read_bytes())
    data[2_048:40_960] = bytes(38_912)
    path.write_bytes(data)
    shown = box("verify")
    assert shown.code == 3, shown.out
    assert "journal salvage" in shown.err


def test_a_snapshot_to_take_away(box: Box) -> None:
    """Signed, verified by itself, and worthless once a byte is changed."""
    path = box.root / "hz-1.snapshot"
    assert box("snapshot", str(path)).code == 0
    device = keys.fingerprint(keys.spki(DEVICE.public_key()))
    shown = box("verify", str(path), "--site-key", device)
    assert shown.code == 0, shown.out
    assert "the log key has signed what 76 records come to" in shown.out
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert box("verify", str(path)).code == 1
    assert box("snapshot", str(path)).code == 2  # never over a file that is there


def test_what_is_neither(box: Box) -> None:
    """2, and what it could have been."""
    (box.root / "note.txt").write_text("hello")
    assert box("verify", str(box.root / "note.txt")).code == 2
    assert box("verify", str(box.root / "nothing")).code == 2


def test_pruning_by_hand(tmp_path: Path) -> None:
    """Says what went; after that the journal verifies from there on, and old records are passed over in lists."""
    box = Box(tmp_path)

    async def make() -> None:
        async with an_old_till(tmp_path):
            pass

    asyncio.run(make())
    assert box("journal", "prune").code == 2  # no retention time is set
    shown = box("journal", "prune", "--retain-days", "30", "--json")
    assert shown.code == 0, shown.err
    assert shown.told == {"path": str(tmp_path / "journal.db"), "base": 2_048, "dropped": 2_048 - 96}
    shown = box("verify")
    assert shown.code == 0, shown.out
    assert "a snapshot stands for records 0 to 2047" in shown.out
    listed = box("records", "--journal", str(tmp_path / "journal.db"), "--first", "30", "--limit", "3", "--json")
    assert [one["seq"] for one in json.loads(listed.out)] == [30, 31, 96]
    assert box("journal", "inspect").code == 0
