"""A station with one customer whom everything is tried on: opened, begun, and audited in the end."""

from __future__ import annotations

from fill_story import CARD, POINT, Dispenser, FillStory

from edge.till.ask import Refused
from edge.till.fill.point import FuelPoint
from edge.till.state import OpenFilling
from protocols.trade.audit import Audit
from protocols.trade.codec import encode
from protocols.trade.records import Preset

FULL = Preset("full", 0)


def station(pump: Dispenser | None = None, point: FuelPoint = POINT) -> FillStory:
    story = FillStory(pump=pump or Dispenser(), point=point)
    story.grant("ann", 10**7, CARD)
    return story


def opened(answer: OpenFilling | Refused) -> OpenFilling:
    assert isinstance(answer, OpenFilling), answer
    return answer


def begin(story: FillStory, **more: object) -> OpenFilling:
    """Opened and authorised, the nozzle lifted."""
    filling = opened(story.ask(FULL, **more))  # type: ignore[arg-type]  # as named
    story.look(2)
    story.pump.out = 1
    story.look(1)
    return filling


def audited(story: FillStory) -> None:
    audit = Audit("hz-1", 1, lambda _: b"")
    for record in story.log:
        audit.take(encode(record))
    assert list(audit.findings) == []
