"""The table of fault cases: complete, and every row names what resolves it and a test that is there."""

from __future__ import annotations

import ast
import importlib
import re
from functools import cache
from pathlib import Path

import pytest

from docs.generate import PAGES
from edge.till.swap.cases import ELSEWHERE, FaultCase, every_case

ROOT = Path(__file__).parents[3]
FACTS = [
    *range(1, 14), *range(20, 33), *range(40, 44), 44, *range(50, 66),
]  # fmt: skip
"""Numbers of the field's own list, and F-44, which is ours."""


@cache
def _functions_in(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text())
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_every_case_of_the_list_has_its_row_or_its_place() -> None:
    """In their order, each once; those that are not the till's say whose they are."""
    codes = [case.code for case in every_case()]
    assert codes == sorted(set(codes))
    assert sorted([*codes, *ELSEWHERE]) == [f"F-{number:02}" for number in FACTS]


@pytest.mark.parametrize("case", every_case(), ids=lambda case: case.code)
def test_each_row_names_what_is_there(case: FaultCase) -> None:
    """A function, class or method, and a test."""
    parts = case.where.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for name in parts[cut:]:
            found = getattr(found, name)
        break
    path, _, name = case.test.partition("::")
    assert name in _functions_in(path), case.test


def test_every_fault_that_the_till_writes_has_its_row() -> None:
    """The case names in the code of the till and the shop are all in the table."""
    known = {case.code for case in every_case()} | set(ELSEWHERE)
    for folder in ("edge/till/swap", "edge/shop"):
        for path in (ROOT / folder).glob("*.py"):
            assert set(re.findall(r"F-\d\d", path.read_text())) <= known, path


def test_the_page_is_up_to_date() -> None:
    """`python -m docs.generate` has been run."""
    assert (ROOT / "docs" / "cabinets.md").read_text() == PAGES["cabinets.md"]()
