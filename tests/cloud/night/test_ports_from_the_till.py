"""What the till really writes, at a port with random customers and deaths, adds up at headquarters to the fen."""

from __future__ import annotations

from datetime import date

import pytest
from msgspec.structs import replace
from port_story import PortStory
from test_port_any_order import a_story_of

from cloud.night.day import Site, site_day
from cloud.night.ports import CALLS, site_ports
from cloud.night.reconcile.findings import Weight
from cloud.night.reconcile.log import LogFacts, LogKey, Stored, read
from protocols.trade.codec import encode
from protocols.trade.records import DayClosed, Draft, Notice, Preset, Record, seal
from protocols.trade.records_port import PortClosed
from tests.edge.till.story import FLAT

DAY = date(2026, 1, 1)
SITE = Site("hz-1", "hz-1", "UTC", 0)


def facts_of(story: PortStory, log: list[Record] | None = None) -> LogFacts:
    stored = [
        Stored(seq, encode(record), record.stamp.wall_ms, DAY.isoformat())
        for seq, record in enumerate(story.log if log is None else log)
    ]
    return read(LogKey("hz-1", 1), stored)


def codes(story: PortStory, facts: LogFacts) -> list[str]:
    lists, tariffs = {bytes(32): story.prices}, {bytes(32): FLAT}
    _, findings = site_ports(DAY, [facts], None, lists, tariffs, {})
    return [one.code for one in findings if one.weight is Weight.UNEXPLAINED]


@pytest.mark.parametrize("seed", range(20))
def test_a_days_records_of_the_till(seed: int) -> None:
    """No fen is unexplained; the day's own sums are headquarters' too."""
    story = a_story_of(seed)
    story.close_day()
    facts = facts_of(story)
    made, findings = site_ports(DAY, [facts], None, {bytes(32): story.prices}, {bytes(32): FLAT}, {})
    assert [one for one in findings if one.weight is Weight.UNEXPLAINED] == [], seed
    bills = story.bodies(PortClosed)
    if made is not None:
        assert (made.sessions, made.amount_fen) == (len(bills), sum(bill.amount_fen for bill in bills))
        day = site_day(SITE, DAY, [facts], None, None, ports=made)
        told = story.state.day
        body = DayClosed(told.number, told.first_seq, told.sessions, told.energy_wh, told.amount_fen, told.overrun_fen)
        assert (day.day.ports, day.day.gross_fen) == (body.sessions, body.amount_fen)


def quiet() -> PortStory:
    story = PortStory()
    story.grant("ann", 10_000)
    story.ask(Preset("time", 3_600))
    story.pass_time(3_620)
    story.close_day()
    return story


def test_the_energy_of_ports_is_the_sites_too() -> None:
    """It stands in the site's total and in the hours in which it flowed, as a connector's does."""
    story = quiet()
    billed_wh = sum(body.energy_wh or 0 for body in story.bodies(PortClosed))
    told = site_day(SITE, DAY, [facts_of(story)], None, None)
    assert billed_wh > 0
    assert (told.day.energy_wh, told.day.all_wh) == (0, billed_wh)
    assert sum(hour.energy_wh for hour in told.hours) == billed_wh
    assert [(use.version, use.sessions) for use in told.port_prices] == [(1, 1)]


def edited(story: PortStory, **changed: object) -> list[Record]:
    """The log with another bill, as faulty software would have written it."""
    log = list(story.log)
    for seq, record in enumerate(log):
        if record.kind == "port-closed":
            body = replace(story.bodies(PortClosed)[0], **changed)
            log[seq] = seal(Draft(body, tuple(record.moves)), record.stamp)
    return log


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"amount_fen": 101}, "price-differs"),
        ({"step_s": [3_500, 0, 0]}, "slices-differ"),
        ({"energy_wh": 100, "register_wh": [1_000, 1_150]}, "energy-differs"),
    ],
)
def test_bills_that_are_wrong(changed: dict[str, object], code: str) -> None:
    """Each by its name; an untouched one by none."""
    story = quiet()
    assert codes(story, facts_of(story)) == []
    assert code in codes(story, facts_of(story, edited(story, **changed)))


def test_prices_that_are_not_to_be_had() -> None:
    """Nothing is said to be right that cannot be worked out."""
    story = quiet()
    _, findings = site_ports(DAY, [facts_of(story)], None, {}, {}, {})
    assert {one.code for one in findings} == {"tariff-missing"}


def test_a_pile_whose_meter_goes_on_between_sessions() -> None:
    """Energy that no session and no settlement tells of is unexplained."""
    story = quiet()
    story.ask(Preset("time", 600))
    story.pass_time(640)
    first, second = [seq for seq, record in enumerate(story.log) if record.kind == "port-closed"]
    bodies = story.bodies(PortClosed)
    log = list(story.log)
    for seq, body, register in ((first, bodies[0], [1_000, 1_140]), (second, bodies[1], [1_200, 1_220])):
        changed = replace(body, register_wh=register, energy_wh=register[1] - register[0])
        log[seq] = seal(Draft(changed, tuple(log[seq].moves)), log[seq].stamp)
    assert "port-register-gap" in codes(story, facts_of(story, log))


def test_a_bill_without_the_meters_word_explains_what_the_meter_counted() -> None:
    """A settlement never came, and its session was billed by what was seen last: that much is no gap."""
    story = quiet()
    for _ in range(2):
        story.ask(Preset("time", 600))
        story.pass_time(640)
    log, seqs = list(story.log), [seq for seq, record in enumerate(story.log) if record.kind == "port-closed"]
    for seq, body, register in zip(seqs, story.bodies(PortClosed), ([1_000, 1_140], [], [1_200, 1_220]), strict=True):
        energy_wh = register[1] - register[0] if register else 60
        changed = replace(body, register_wh=register, energy_wh=energy_wh)
        log[seq] = seal(Draft(changed, tuple(log[seq].moves)), log[seq].stamp)
    assert "port-register-gap" not in codes(story, facts_of(story, log))


@pytest.mark.parametrize("what", CALLS)
def test_what_a_port_calls_a_person_for_is_in_the_report(what: str) -> None:
    """On its own day, by its place, and as no hole in the books."""
    story = quiet()
    log = [*story.log, seal(Draft(Notice(what, "rack.1", "session 4: see there")), story.log[-1].stamp)]
    lists, tariffs = {bytes(32): story.prices}, {bytes(32): FLAT}
    _, found = site_ports(DAY, [facts_of(story, log)], None, lists, tariffs, {})
    assert [(one.code, one.subject, one.weight) for one in found] == [(what, "rack.1", Weight.NOTED)]
