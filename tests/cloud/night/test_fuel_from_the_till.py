"""What the till really writes, at a pump with random customers and deaths, adds up at headquarters to the mL."""

from __future__ import annotations

from datetime import date
from random import Random

import pytest
from fill_story import Dispenser, FillStory

from cloud.night.day import Site, site_day
from cloud.night.fuel import site_fuel
from cloud.night.reconcile.findings import Weight
from cloud.night.reconcile.log import LogKey, Stored, read
from edge.till.fill.day import day_drafts
from protocols.trade.codec import encode
from protocols.trade.records import DayClosed, Preset

DAY = date(2026, 1, 1)
SITE = Site("hz-1", "hz-1", "UTC", 0)


def a_day_of(seed: int) -> FillStory:
    """Some sixty events: customers, restarts, power cuts, fuel that nobody ordered; the day is closed by its rules."""
    chance = Random(seed)
    story = FillStory(pump=Dispenser(total_fen={1: 50, 2: 60}))
    story.grant("ann", 10**8)
    pump = story.pump
    for _ in range(60):
        event = chance.choice(["ask", "lift", "flow", "flow", "hang-up", "kill", "power-cut", "creep"])
        if event == "ask":
            story.ask(Preset("money", chance.randrange(500, 20_000)))
        elif event == "lift" and pump.out is None:
            pump.out = chance.choice([1, 2])
        elif event == "flow":
            pump.flow(chance.randrange(0, 9_000, 10))
        elif event == "hang-up":
            pump.hang_up()
        elif event in ("kill", "power-cut"):
            story.restart(power_cut=event == "power-cut")
        elif event == "creep" and pump.ordered is None:
            pump.total_ml[chance.choice([1, 2])] += chance.randrange(10, 3_000, 10)
        story.look(chance.randrange(1, 6))
    while story.state.forecourt.fillings:
        pump.hang_up()
        story.look(50)
    story.ask(Preset("money", 100))  # reads, and names what has moved since
    story.look(1)
    story.write(*day_drafts(story.state))
    return story


@pytest.mark.parametrize("seed", range(25))
def test_a_days_records_of_the_till(seed: int) -> None:
    """No litre and no fen is unexplained; what was sold and what nobody bought is what the totalizers say."""
    story = a_day_of(seed)
    stored = [
        Stored(seq, encode(record), record.stamp.wall_ms, DAY.isoformat()) for seq, record in enumerate(story.log)
    ]
    facts = read(LogKey("hz-1", 1), stored)
    fuel, sums, findings = site_fuel(SITE, DAY, [facts], None, {bytes(32): story.prices}, {})
    assert [it for it in findings if it.weight is Weight.UNEXPLAINED] == [], seed
    assert {it.nozzle: it.last_ml for it in sums} == story.pump.total_ml, seed
    assert all((it.missing_ml, it.fallen_ml, it.rounding_ml) == (0, 0, 0) for it in sums), seed
    assert fuel is not None
    logged_ml = {place.grade: story.logged_ml()[nozzle] for nozzle, place in story.point.nozzles.items()}
    assert {it.grade: it.volume_ml + it.unattributed_ml for it in fuel.grades} == {
        grade: ml for grade, ml in logged_ml.items() if ml
    }
    made = site_day(SITE, DAY, [facts], None, None, fuel)
    day = story.state.day
    told = DayClosed(day.number, day.first_seq, day.sessions, day.energy_wh, day.amount_fen, day.overrun_fen)
    assert (made.day.fillings, made.day.gross_fen) == (told.sessions, told.amount_fen)
