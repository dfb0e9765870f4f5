"""A journal with a sale in it, and what is handed out of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from sold_box import Said, sell


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Session 3 is sold, 5 drew nothing, 7 runs; headquarters has acknowledged all but the last."""
    return sell(tmp_path_factory.mktemp("box"))


@pytest.fixture
def receipt(journal: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """The receipt of session 3, as handed out."""
    path = tmp_path / "receipt.json"
    assert Said(capsys, "receipt", "3", "--out", str(path), "--journal", str(journal)).code == 0
    return path


@pytest.fixture
def pack(journal: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """The evidence of session 3."""
    folder = tmp_path / "evidence"
    assert Said(capsys, "evidence", "3", str(folder), "--journal", str(journal)).code == 0
    return folder
