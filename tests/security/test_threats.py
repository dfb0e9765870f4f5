"""docs/security.md: what it claims is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text()


def sections() -> dict[str, str]:
    """Each part of the page by its heading."""
    parts = re.split(r"^## (.+)\n", PAGE, flags=re.M)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def functions_of(path: Path) -> set[str]:
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.parse(path.read_text()).body if isinstance(node, functions)}


def test_every_test_that_it_names_exists() -> None:
    """By file and function, or a file as a whole."""
    named = set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PAGE))
    assert len(named) > 40
    missing = [
        f"{file}::{name}"
        for file, name in sorted(named)
        if not (ROOT / file).exists() or (name and name not in functions_of(ROOT / file))
    ]
    assert missing == []


def test_every_file_that_it_names_exists() -> None:
    """What stops something can be looked at."""
    named = set(re.findall(r"`((?:edge|cloud|protocols|drivers|systemd)/[\w/.]+)`", PAGE))
    assert len(named) > 20
    assert [file for file in sorted(named) if not (ROOT / file).exists()] == []


def test_every_threat_says_what_stops_it_what_remains_and_its_tests() -> None:
    """A threat without one of them is half thought through."""
    threats = [text for name, text in sections().items() if name not in {"What is worth protecting", "Found a hole?"}]
    assert len(threats) == 12
    for text in threats:
        assert "**Remains**" in text, text[:80]
        assert "* **Tests**" in text, text[:80]
        assert "Stopped by" in text or "Without rights" in text, text[:80]


def test_it_stays_readable() -> None:
    """A list of threats that nobody reads protects nobody."""
    assert len(PAGE.splitlines()) <= 200
