"""`fieldtill-hq` as a person says it, in the test's own process."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cloud.cli import main as cli


class Said:
    """What one command printed and how it ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


Say = Callable[..., Said]


@pytest.fixture
def say(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Say:
    """Run `fieldtill-hq --home HOME` with these words, in this process."""

    def run(*words: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["fieldtill-hq", "--home", str(tmp_path / "hq"), *words])
        code = 0
        try:
            cli.main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    return run
