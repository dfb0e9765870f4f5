"""How the code hangs together: what import-linter's contracts in pyproject.toml do not say."""

from __future__ import annotations

from graphlib import TopologicalSorter

import grimp

PACKAGES = ("protocols", "drivers", "edge", "cloud", "bench")


def test_no_file_imports_itself_by_way_of_others() -> None:
    """No circles, not even of imports for types alone: each file can be read knowing only those that it names."""
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    files = TopologicalSorter({name: graph.find_modules_directly_imported_by(name) for name in graph.modules})
    files.prepare()  # raises CycleError with the circle
    assert len(graph.modules) > len(PACKAGES)
