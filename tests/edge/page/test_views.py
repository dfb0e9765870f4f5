"""The page's views of cabinets, ports and lockers: plain values in, HTML out, held to golden pages.

After a change that is meant: `FIELDTILL_GOLDEN=write pytest tests/edge/page/test_views.py`, then read the difference.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

from edge.evidence.words import LANGUAGES
from edge.page import cabinets, forms, lockers, ports
from edge.page.cabinet_values import CabinetSight, Ended, Serving
from edge.page.locker_values import NOTHING as FINE
from edge.page.locker_values import Kept
from edge.page.port_values import Course, PortHere
from edge.page.words import ADVICE, CASES, WORDS
from edge.panel.messages_port import PortSessionView, PortView, StayView
from edge.till.ask import Refusal
from edge.till.swap.cases import GROUPS
from edge.till.swap.progress import Step
from protocols.trade.records import ClockQuality, Stamp
from tests.edge.ports.port_rig import BY_ENERGY, BY_TARIFF, BY_TIME, LOCKERS
from tests.edge.shop.shop_rig import TERMS
from tests.edge.till.story import FLAT, MIDNIGHT_MS

PAYER = "acc-4711"
LINK = "/receipt/hz-1/1/9?k=K"
GOLDEN = Path(__file__).parent / "golden"
NOW = Stamp(b"boot-001", 1_000, MIDNIGHT_MS, ClockQuality.SYNCHRONISED, MIDNIGHT_MS, MIDNIGHT_MS)
CABINET = CabinetSight("cab-1", "1", "", 3, 1, 2, (("72V20", 2), ("60V25", 1)), TERMS, None, None)
SERVING = Serving("swap", "open-empty", 3, "", 3, None, True, True, True, False)
VIEW = PortView("rack.1", "rack", 1, "bikes", "idle", "", False, None, 1_000, None, None, None)
PORT = PortHere(VIEW, NOW, False, True, 1_000, "", BY_TIME, FLAT, 500)
SESSION = PortSessionView(
    "hz-1/1/7", 7, "rack.1", PAYER, "running", None, "", "¥4.00", "80 min", 72, 1_750, 150, 49, 400, 1_800, None
)
STAY = StayView("hz-1/1/8", 8, "lock.2", PAYER, "stored", True, 100_000, 200, 600)
LOCKER = replace(PORT, view=msgspec.structs.replace(VIEW, place="lock.2", board="lock", port=2), locker=True)


CHARGES, WAITS = Course("port-charging"), Course("port-waiting", 6)


def at_port(course: Course = CHARGES, **changed: object) -> PortHere:
    """course: of its session, if it has one."""
    return replace(PORT, view=msgspec.structs.replace(VIEW, **changed), course=course if "session" in changed else None)


def at_locker(kept: Kept = FINE, course: Course = CHARGES, **changed: object) -> PortHere:
    view = msgspec.structs.replace(LOCKER.view, **changed)
    here = replace(LOCKER, view=view, price=LOCKERS, free=("lock.3",), kept=kept)
    return replace(here, course=course if "session" in changed else None)


IDLE: dict[str, object] = {"energy_wh": None, "elapsed_s": None, "power_w": None, "fen": 0}


def ask(**changed: object) -> PortSessionView:
    return msgspec.structs.replace(SESSION, **changed)


def serving(**changed: object) -> Serving:
    return replace(SERVING, **changed)  # type: ignore[arg-type]  # its own fields


def guide(language: str, *steps: Serving) -> str:
    """Steps one after the other, as the cabinet's page shows them."""
    return "\n".join(cabinets.here(replace(CABINET, serving=one), language) for one in steps)


IN, OUT = serving(is_open=False, was_open=False), serving(step="open-full", slot=7, slot_out=7, is_open=False)
VIEWS: dict[str, Callable[[str], str]] = {
    "cabinet-free": lambda z: cabinets.here(CABINET, z) + cabinets.costs(CABINET, z) + cabinets.card(CABINET, z),
    "cabinet-not-now": lambda z: "\n".join(
        cabinets.here(one, z) + cabinets.card(one, z)
        for one in (
            replace(CABINET, closed="door-open"),
            replace(CABINET, closed="cabinet-alarm"),
            replace(CABINET, empty=0),
            replace(CABINET, full=0, models=()),
            replace(CABINET, closed="cabinet-closed", hours=("06:00-12:00", "14:00-23:30")),
        )
    ),
    "cabinet-last": lambda z: "\n".join(
        cabinets.here(replace(CABINET, last=one), z)
        for one in (Ended("swapped", "", 4), Ended("kept", "F-41", 3), Ended("cancelled", "F-21", 5))
    ),
    "swap-in": lambda z: guide(z, IN, SERVING, serving(is_open=False), serving(step="reopen-empty", fault="F-22"),
                               serving(step="reopen-empty", fault="F-23")),
    "swap-out": lambda z: guide(
        z,
        serving(step="accepted", is_open=False),
        replace(OUT, was_open=False),
        replace(OUT, is_open=True),
        replace(OUT, step="given", is_open=True),
        replace(OUT, step="given"),
        replace(OUT, step="reopen-full", fault="F-41", is_open=True),
    ),
    "swap-back": lambda z: guide(z, serving(step="give-back", fault="F-31"), serving(step="give-back", is_open=False)),
    "rent-and-return": lambda z: guide(
        z,
        replace(OUT, kind="rent", slot_in=None),
        serving(kind="return"),
        serving(kind="return", step="accepted", is_open=False),
    ),
    "swap-mine": lambda z: cabinets.running(SERVING, "1", "hz-1/1/7", "¥3.00", forms.end(
        "/receipt/hz-1/1/7/end?k=K", "VISIT", z, button="cancel", hint="cancel-hint"), z)
        + cabinets.running(serving(cancelled=True, may_cancel=False), "1", "hz-1/1/7", "", "NOTHING", z),
    "swap-over": lambda z: "\n".join(
        cabinets.afterwards(one, z) for one in (Ended("kept", "F-56", 5), Ended("kept", "F-13", 0),
                                                Ended("cancelled", "F-11", 0), Ended("swapped", "F-42", 0))
    ),
    "port": lambda z: ports.here(at_port(), z) + ports.costs(PORT, z),
    "port-prices": lambda z: "\n".join(
        ports.costs(replace(PORT, price=one), z) for one in (BY_ENERGY, BY_TARIFF, None)
    ),
    "port-stands": lambda z: "\n".join(
        ports.here(one, z)
        for one in (
            at_port(state=None), at_port(state="fault"), at_port(state="plugged"), at_port(state="full"),
            at_port(state="charging"), at_port(plugged=True), replace(at_port(), feels_plug=False),
            replace(at_port(), closed="no-prices"), at_port(session=SESSION),
            replace(at_port(), closed="ports-closed", hours=("06:00-23:30",)),
        )
    ),
    "port-mine": lambda z: "\n".join(
        ports.running(one, course, "END", z)
        for one, course in (
            (SESSION, CHARGES), (ask(phase="ordered", **IDLE), Course("port-starting")),
            (ask(energy_wh=None), CHARGES), (ask(phase="stopping"), Course("port-stopping")),
            (ask(phase="ended", finding="no-settlement"), Course("port-held")),
        )
    ),
    "port-begins-not": lambda z: "\n".join(
        ports.running(ask(**IDLE), course, "END", z)
        for course in (
            Course("port-taken"), WAITS, replace(WAITS, bare=True), Course("port-letting-go", 1),
            Course("port-unheard"),
        )
    ) + ports.here(at_port(WAITS, state="plugged", session=ask(**IDLE)), z)
        + ports.grid([at_port(WAITS, state="plugged", session=ask(**IDLE))], z)
        + ports.never_began(z),
    "port-power": lambda z: ports.running(ask(power_w=None), Course("port-cut"), "NOTHING", z)
        + ports.after_power_cut("cut-went-on", LINK, z) + ports.after_power_cut("cut-goes-on", "", z),
    "ports": lambda z: ports.grid([at_port(), at_port(port=2, state="plugged"), at_port(port=3, session=SESSION)], z),
    "locker": lambda z: lockers.here(at_locker(), z) + lockers.costs(at_locker(), z)
        + forms.code(z, "store", pin=True) + lockers.grid([at_locker(), at_locker(port=3, stay=STAY)], z),
    "locker-stands": lambda z: "\n".join(
        lockers.here(one, z)
        for one in (
            at_locker(stay=STAY), at_locker(stay=msgspec.structs.replace(STAY, state="filling")),
            at_locker(stay=STAY, session=SESSION), at_locker(door_open=True), at_locker(state=None),
            replace(at_locker(), closed="locker-full"),
        )
    ) + lockers.others(at_locker(), z) + lockers.others(replace(at_locker(), free=()), z),
    "locker-fares": lambda z: "\n".join(
        lockers.here(at_locker(one, stay=STAY), z)
        for one in (
            Kept("door-staff"), Kept("door-open"), Kept("door-first-shut"), Kept("door-shut-and-ask"),
            Kept("door-ask-again"), Kept("door-stuck"), Kept("", "cut-goes-on"), Kept("", "cut-given-up"),
            Kept("", "not-charged"), Kept("door-first-shut", "cut-given-up"),
        )
    ) + lockers.here(at_locker(Kept("", "cut-went-on"), stay=STAY, session=SESSION), z)
        + lockers.here(at_locker(Kept("", "cut-stays"), Course("port-cut"), stay=STAY, session=SESSION), z),
    "locker-mine": lambda z: lockers.running(
        STAY, FINE, z, course=CHARGES, figure="0.072 kWh · ¥0.49", link=LINK)
        + lockers.running(STAY, Kept("", "cut-stays"), z, course=Course("port-cut"), figure="— · ¥0.49", link=LINK)
        + lockers.running(msgspec.structs.replace(STAY, stay_s=600), FINE, z)
        + forms.open_locker("lock.2", "VISIT", z),
}  # fmt: skip


class Balance(HTMLParser):
    """Whether each tag that opens is shut, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag != "input" and tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, tag
        assert self.open.pop() == tag


@pytest.mark.parametrize("name", VIEWS)
def test_golden_pages(name: str) -> None:
    """What each view makes of these values, in both languages; tags are shut, and nobody's account stands there."""
    made = "\n".join(f"== {language}\n{VIEWS[name](language)}" for language in LANGUAGES)
    made = made.replace("><", ">\n<") + "\n"
    balance = Balance()
    balance.feed(made)
    assert balance.open == []
    assert PAYER not in made
    assert "style=" not in made  # the policy would not let it be
    path = GOLDEN / f"{name}.html"
    if os.environ.get("FIELDTILL_GOLDEN") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(made)
    assert made == path.read_text()


def test_every_step_of_a_swap_is_told() -> None:
    """Of each there are golden pages above; none leaves a rider without a sentence."""
    for step in Step:
        for is_open in (True, False):
            for language in LANGUAGES:
                assert re.search(r'big now">[^<]{4,}<', guide(language, serving(step=step.value, is_open=is_open)))


def test_every_case_that_a_rider_meets_has_its_words() -> None:
    """Cases before a start are refusals, with words of their own; the rest a rider may see as the reason of a step."""
    met = {case.code for group in GROUPS[1:4] for case in group.cases} - {"F-29", "F-43"}
    assert met <= set(CASES)
    known = {case.code for group in GROUPS for case in group.cases}
    assert set(CASES) <= known
    assert set(ADVICE) <= {refusal.value for refusal in Refusal}


def test_both_languages_have_the_same_blanks() -> None:
    """A number that stands in one stands in the other."""
    for code, texts in WORDS.items():
        blanks = [sorted(set(re.findall(r"{(\w+)}", text))) for text in texts]
        assert blanks[0] == blanks[1], code
