"""docs/journal.md speaks of what is there."""

from __future__ import annotations

import re
from pathlib import Path

from edge.journal import errors
from edge.journal.migrations import MIGRATIONS

TEXT = (Path(__file__).parents[3] / "docs" / "journal.md").read_text(encoding="utf-8")


def test_every_table_is_explained() -> None:
    """The table of tables names exactly those that the migrations make."""
    statements = [statement for migration in MIGRATIONS.values() for statement in migration]
    tables = {name for statement in statements for name in re.findall(r"CREATE TABLE (\w+)", statement)}
    explained = set(re.findall(r"^\| `(\w+)` \| ", TEXT, re.MULTILINE))
    assert explained >= tables
    assert {name for name in explained if name.islower()} == tables


def test_every_error_is_explained() -> None:
    """The table of errors names every class that the caller can meet, and no other."""
    classes = {name for name in vars(errors) if name.startswith("Journal")} - {"JournalError"}
    assert set(re.findall(r"^\| `(Journal\w+)` \| ", TEXT, re.MULTILINE)) == classes
