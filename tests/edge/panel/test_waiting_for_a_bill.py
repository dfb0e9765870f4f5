"""`fieldtill stop --wait`: sessions of every kind end, and the record that ended one is what is shown."""

from __future__ import annotations

from typing import Any

import pytest

from edge.panel.cli_live import wait_for_end
from edge.panel.client import Client


class Daemon(Client):
    """Says that a session is open for so many looks, and then what ended it."""

    def __init__(self, verb: str, kind: str) -> None:
        self._verb, self._kind, self._looks = verb, kind, 2

    def ask(self, verb: str, **args: Any) -> Any:
        if verb == "records":
            return [{"kind": self._kind, "body": {"session": 14}}] if args["kind"] == self._kind else []
        if verb != self._verb:
            return []
        self._looks -= 1
        return [{"seq": 14}] if self._looks > 0 else []


@pytest.mark.parametrize(
    ("verb", "kind"),
    [
        ("sessions", "session-closed"),
        ("sessions", "session-voided"),
        ("fillings", "filling-closed"),
        ("port-sessions", "port-closed"),
        ("swaps", "swap-closed"),
    ],
)
def test_each_kind_ends(verb: str, kind: str) -> None:
    """A port's and a cabinet's as well as a connector's."""
    assert wait_for_end(Daemon(verb, kind), 14)["kind"] == kind
