"""Customers at a pump, in the pump's own time, with somebody who authorises."""

from __future__ import annotations

import pytest

from drivers.twins.pumps.bay import Bay
from drivers.twins.pumps.customer import (
    Customer,
    drives_off,
    fills,
    lifts_two,
    parse_customers,
    pauses,
    random_customers,
    returns_nozzle,
    takes_wrong_first,
    tops_up,
)
from drivers.twins.pumps.dispenser import Dispenser
from drivers.twins.pumps.parts import FULL, EndedBy, Head, Nozzle, Phase, Preset


def served(customer: Customer, preset: Preset = FULL, allowed: tuple[int, ...] | None = None) -> Bay:
    """A customer comes, waits a moment, is authorised, and leaves."""
    bay = Bay(Dispenser([Nozzle(1, "92", 785_000), Nozzle(2, "95", 839_000)], Head(keeps_authorisation=True)))
    bay.add(customer)
    bay.run(1_000)
    assert bay.pump.authorise(preset, allowed) is None
    for _ in range(700):
        bay.run(1_000)
        if not bay.busy:
            return bay
    raise AssertionError("the customer stays for ever")


SCRIPTS = [
    # who, preset, what flowed from nozzles 1 and 2, who ended it
    (lambda: fills(1, 12_345), FULL, (12_345, 0), EndedBy.HUNG_UP),
    (lambda: fills(1, room_ml=33_333), FULL, (33_333, 0), EndedBy.HUNG_UP),
    (lambda: fills(2, 60_000), Preset("volume", 20_000), (0, 20_000), EndedBy.LIMIT),
    (lambda: pauses(1, [3_000, 7, 4_000]), FULL, (7_007, 0), EndedBy.HUNG_UP),
    (lambda: tops_up(1, 30_000, [150, 90, 31]), FULL, (30_271, 0), EndedBy.HUNG_UP),
    (lambda: tops_up(1, 30_000, [150, 90]), Preset("volume", 30_100), (30_100, 0), EndedBy.LIMIT),
    (lambda: drives_off(2, 4_000), FULL, (0, 4_000), EndedBy.HUNG_UP),
    (lambda: lifts_two(1, 2, 5_000), FULL, (5_000, 0), EndedBy.HUNG_UP),
    (lambda: takes_wrong_first(1, 2, 5_000), FULL, (0, 5_000), EndedBy.HUNG_UP),
]


@pytest.mark.parametrize(("who", "preset", "flowed_ml", "ended_by"), SCRIPTS)
def test_scripts(who: object, preset: Preset, flowed_ml: tuple[int, int], ended_by: EndedBy) -> None:
    """Each customer takes exactly what the script says, from the nozzle it says, and hangs up."""
    assert callable(who)
    bay = served(who(), preset)
    pump = bay.pump
    assert tuple(pump.delivered_ul[n] for n in (1, 2)) == tuple(ml * 1_000 for ml in flowed_ml)
    assert pump.memory is not None
    assert (pump.phase, pump.memory.ended_by, pump.out, pump.blocked) == (Phase.ENDED, ended_by, None, ())
    assert [sale.ul for sale in bay.sold] == [sum(flowed_ml) * 1_000]


def test_returns_the_nozzle() -> None:
    """Nothing flows, and this head stays authorised."""
    bay = served(returns_nozzle(1))
    assert (bay.pump.phase, bay.pump.delivered_ul[1], list(bay.sold)) == (Phase.AUTHORISED, 0, [])


def test_only_the_wrong_nozzle_may() -> None:
    """Whoever holds a nozzle that gives nothing loses patience, hangs up and leaves."""
    bay = served(fills(1, 5_000), allowed=(2,))
    assert (bay.pump.phase, bay.pump.out, sum(bay.pump.delivered_ul.values())) == (Phase.AUTHORISED, None, 0)


def test_nobody_authorises() -> None:
    """A customer who is never served leaves after ten minutes, and the next one has the pump."""
    bay = Bay(Dispenser([Nozzle(1, "92", 785_000)]))
    bay.add(fills(1))
    bay.add(fills(1, 1_000))
    bay.run(599_000)
    assert bay.pump.calling
    bay.run(2_000)
    bay.pump.authorise()
    bay.run(10_000)
    assert not bay.busy
    assert bay.sold[0].ul == 1_000_000


def test_random_queues_replay() -> None:
    """The same seed gives the same day, another one another; meters and sales agree to the microlitre."""

    def day(seed: int) -> tuple[list[tuple[int | None, int]], Bay]:
        bay = Bay(
            Dispenser([Nozzle(1, "92", 785_000), Nozzle(2, "95", 839_000)]),
            customers=random_customers(seed, (1, 2), count=60),
        )
        for _ in range(20_000):
            bay.run(1_000)
            if bay.pump.out is not None and bay.pump.phase in (Phase.IDLE, Phase.ENDED):
                bay.pump.authorise()
            if not bay.busy:
                return [(sale.nozzle, sale.ul) for sale in bay.sold], bay
        raise AssertionError("the day has no end")

    first, bay = day(7)
    again, _ = day(7)
    other, _ = day(8)
    assert first == again != other
    assert len(first) >= 60
    assert sum(ul for _, ul in first) == sum(bay.pump.delivered_ul.values())
    assert sum(ul for _, ul in first) == sum(meter.ul for meter in bay.pump.meters.values())
    assert sum(bay.pump.amount_fen(sale) for sale in bay.sold) == sum(m.fen for m in bay.pump.meters.values())
    assert 0 < sum(ul == 0 for _, ul in first) < 30


WORDS = [
    "fills:1", "fills:1:20000", "pauses:2:100,200", "tops-up:1:30000:100,50", "wrong-first:2:1", "wrong-first:2:1:5000",
    "lifts-two:1:2:900", "returns:2", "drives-off:1:4000", "random", "random:500",
]  # fmt: skip
NO_WORDS = [
    "", "fills", "fills:3", "fills:1:2:3", "fills:x", "fills:1:-5", "pauses:1", "tops-up:1:5", "wrong-first:1",
    "wrong-first:1:3", "returns:1:1", "random:x", "sleeps:1",
]  # fmt: skip


@pytest.mark.parametrize("word", WORDS)
def test_words(word: str) -> None:
    """What a command line or a file may say of customers."""
    assert isinstance(next(parse_customers([word], 1, (1, 2))), Customer)


@pytest.mark.parametrize("word", NO_WORDS)
def test_words_that_say_nothing(word: str) -> None:
    """Anything else is refused at once, with the words there are."""
    with pytest.raises(ValueError, match=r"tops-up:NOZZLE.*nozzles are \[1, 2\]"):
        parse_customers([word], 1, (1, 2))
