"""Faults of a pump: when they hit, and what they do to an answer and to the world."""

from __future__ import annotations

import pytest

from drivers.twins.faults import Piece
from drivers.twins.pumps.bay import Bay
from drivers.twins.pumps.customer import fills
from drivers.twins.pumps.dispenser import Dispenser
from drivers.twins.pumps.faults import PumpFault, PumpFaultKind, PumpFaults, parse_pump_faults
from drivers.twins.pumps.parts import EndedBy, Nozzle, Phase, Preset

Kind = PumpFaultKind
ANSWER = bytes.fromhex("5031010101FA")


def bay_with(*faults: PumpFault) -> Bay:
    pump = Dispenser([Nozzle(1, "92", 785_000), Nozzle(2, "95", 839_000)])
    return Bay(pump, faults=PumpFaults(pump, 5, faults))


SPOILED = [
    (PumpFault(kind=Kind.SILENT), []),
    (PumpFault(kind=Kind.SHORT, amount=2), [Piece(ANSWER[:-2])]),
    (PumpFault(kind=Kind.DUPLICATE), [Piece(ANSWER), Piece(ANSWER)]),
    (PumpFault(kind=Kind.ECHO), [Piece(b"asked"), Piece(ANSWER)]),
    (PumpFault(kind=Kind.LATE, amount=7), [Piece(b"", after_us=7_000), Piece(ANSWER)]),
    (PumpFault(kind=Kind.SLOW, amount=3), [Piece(bytes([byte]), times=3) for byte in ANSWER]),
]


@pytest.mark.parametrize(("fault", "pieces"), SPOILED)
def test_on_the_wire(fault: PumpFault, pieces: list[Piece]) -> None:
    """Each spoils one answer as it says, and the next one is whole."""
    faults = bay_with(PumpFault(kind=fault.kind, amount=fault.amount, count=1)).faults
    assert faults.spoil(ANSWER, b"asked") == pieces
    assert faults.spoil(ANSWER, b"asked") == [Piece(ANSWER)]


def test_garble_turns_bits() -> None:
    """Exactly as many as ordered, by the seed alone."""
    bay = bay_with(PumpFault(kind=Kind.GARBLE))
    for _ in range(50):
        (piece,) = bay.faults.spoil(ANSWER)
        assert sum((a ^ b).bit_count() for a, b in zip(piece.data, ANSWER, strict=True)) == 1
    assert bay_with(PumpFault(kind=Kind.GARBLE)).faults.spoil(ANSWER) == bay_with(
        PumpFault(kind=Kind.GARBLE)
    ).faults.spoil(ANSWER)


def test_noise_around() -> None:
    """Noise comes before and after the answer, which stays whole."""
    bay = bay_with(PumpFault(kind=Kind.NOISE_BEFORE, amount=4), PumpFault(kind=Kind.NOISE_AFTER, amount=5))
    assert [len(piece.data) for piece in bay.faults.spoil(ANSWER)] == [4, len(ANSWER), 5]


def test_counts_chances_and_phases() -> None:
    """A fault counts down only when it hits; a chance hits about as often as it says; a phase must be there."""
    faults = bay_with(PumpFault(kind=Kind.REFUSE, count=2, at=Phase.AUTHORISED), PumpFault(kind=Kind.STALE)).faults
    assert faults.take(Kind.REFUSE) is None
    bay = bay_with(PumpFault(kind=Kind.REFUSE, count=2, at=Phase.AUTHORISED, after_ms=500))
    bay.pump.authorise()
    assert bay.faults.take(Kind.REFUSE) is None
    bay.run(500)
    assert [bay.faults.take(Kind.REFUSE) is not None for _ in range(3)] == [True, True, False]
    bay.faults.set(PumpFault(kind=Kind.STALE, chance_permille=250))
    assert 200 < sum(bay.faults.take(Kind.STALE) is not None for _ in range(1_000)) < 300
    assert [fault.kind for fault in bay.faults.active()] == [Kind.STALE]
    assert bay.faults.clear(Kind.STALE) == [Kind.STALE]
    assert bay.faults.clear() == []


@pytest.mark.parametrize("at", [Phase.AUTHORISED, Phase.DELIVERING, Phase.REACHED, Phase.ENDED])
def test_power_cut_at_a_phase(at: Phase) -> None:
    """The cut comes once, in its phase; the pump is dark so long, and the meters have what flowed."""
    bay = bay_with(PumpFault(kind=Kind.POWER_CUT, at=at, amount=5_000, after_ms=0 if at is Phase.AUTHORISED else 100))
    bay.add(fills(1, 20_000))
    bay.run(1_000)
    bay.pump.authorise(Preset("volume", 10_000))
    dark_ms = 0
    for _ in range(60_000 // 20):
        bay.run(20)
        dark_ms += 0 if bay.pump.powered else 20
    assert dark_ms in (4_980, 5_000)  # the first or the last look is at the edge
    assert len(bay.sold) == 1
    ended = {Phase.AUTHORISED: EndedBy.POWER, Phase.DELIVERING: EndedBy.POWER}.get(at, EndedBy.LIMIT)
    assert bay.sold[0].ended_by is ended
    assert bay.pump.meters[1].ul == bay.pump.delivered_ul[1] == bay.sold[0].ul


def test_cold_start() -> None:
    """Neither prices nor sale are there afterwards; the totals are."""
    bay = bay_with(PumpFault(kind=Kind.COLD_START, at=Phase.ENDED))
    bay.add(fills(1, 5_000))
    bay.run(100)
    bay.pump.authorise()
    bay.run(20_000)
    assert (bay.pump.phase, bay.pump.memory, bay.pump.total(1).volume_ml) == (Phase.UNPRICED, None, 5_000)


def test_the_rest_of_the_world() -> None:
    """A leap and a creep move a total without a sale; an emergency ends and is over; a second nozzle comes and goes."""
    bay = bay_with(PumpFault(kind=Kind.LEAP, amount=3_000), PumpFault(kind=Kind.CREEP, amount=10))
    bay.run(100_000)
    assert (bay.pump.meters[1].ul, bay.pump.sales) == (3_001_000, 0)
    bay.faults.set(PumpFault(kind=Kind.EMERGENCY, at=Phase.DELIVERING, amount=3_000))
    bay.faults.set(PumpFault(kind=Kind.SECOND_NOZZLE, at=Phase.AUTHORISED, amount=1_000))
    bay.add(fills(1, 40_000))
    bay.run(100)
    bay.pump.authorise()
    bay.run(40)
    assert (bay.pump.blocked, bay.pump.out) == ((2,), 1)
    bay.run(1_000)
    assert (bay.pump.blocked, bay.sold[0].ended_by, bay.pump.alarm) == ((), EndedBy.EMERGENCY, "emergency-stop")
    bay.run(3_000)
    assert bay.pump.alarm is None
    bay.faults.set(PumpFault(kind=Kind.RESTART))
    bay.run(20)
    assert bay.pump.powered


def test_words() -> None:
    """A command line says kind, phase, count and amount; anything else names what there is."""
    assert parse_pump_faults(["silent", "late:3:800", "slow:*:4", "power-cut@delivering:1:2000"]) == [
        PumpFault(kind=Kind.SILENT),
        PumpFault(kind=Kind.LATE, count=3, amount=800),
        PumpFault(kind=Kind.SLOW, amount=4),
        PumpFault(kind=Kind.POWER_CUT, at=Phase.DELIVERING, count=1, amount=2_000),
    ]
    for word in ("", "sings", "late:x", "late:0", "late@noon", "late:1:-1"):
        with pytest.raises(ValueError, match=r"expected KIND.*silent.*PHASE one of unpriced"):
            parse_pump_faults([word])
