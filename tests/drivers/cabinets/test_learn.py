"""How locks and doors are wired is learnt from steady contradiction-free evidence, and never from one answer."""

from __future__ import annotations

import asyncio

import pytest
from board_rig import Unit
from cabinet_rig import BOARDS, Rig, rig

from drivers.cabinets.evidence import LOOKS, Look, Opened, judge
from drivers.cabinets.learn import look, looks, looks_after

SHUT_NC = [Look(True, False)] * LOOKS
OPEN_NC = [Look(False, True)] * LOOKS


def flipped(seen: list[Look]) -> list[Look]:
    return [Look(not one.contact, not one.door) for one in seen]


@pytest.mark.parametrize(
    ("shut", "after", "again", "said", "feedback", "door"),
    [
        (SHUT_NC, OPEN_NC, SHUT_NC, "yes", "nc", ""),
        (flipped(SHUT_NC), flipped(OPEN_NC), flipped(SHUT_NC), "yes", "no", "not "),
        (SHUT_NC, OPEN_NC, None, "unasked", "nc", ""),
        (SHUT_NC, [*SHUT_NC, *OPEN_NC], SHUT_NC, "yes", "nc", ""),
        ([Look(True, None)] * LOOKS, [Look(False, None)] * LOOKS, [Look(True, None)] * LOOKS, "yes", "nc", None),
        ([Look(None, True)] * LOOKS, [Look(None, False)] * LOOKS, [Look(None, True)] * LOOKS, "yes", None, "not "),
        ([Look(True, False)] * LOOKS, [Look(True, True)] * LOOKS, SHUT_NC, "yes", None, ""),
    ],
)
def test_what_is_decided(
    shut: list[Look], after: list[Look], again: list[Look] | None, said: Opened, feedback: str | None, door: str | None
) -> None:
    """Each wire on its own evidence; one that is not there stays undecided without a word."""
    wiring = judge(shut, after, again, said)
    assert (wiring.feedback, wiring.door) == (feedback, door)


@pytest.mark.parametrize(
    ("shut", "after", "again", "said", "why"),
    [
        (SHUT_NC, OPEN_NC, SHUT_NC, "no", "the door did not open"),
        (SHUT_NC, OPEN_NC, SHUT_NC, "another", "`lock` names a wrong channel"),
        (SHUT_NC, SHUT_NC, SHUT_NC, "yes", "the lock's contact did not move"),
        (SHUT_NC[:1], OPEN_NC, SHUT_NC, "yes", "was not steady before"),
        (SHUT_NC, OPEN_NC[:1], SHUT_NC, "yes", "was not steady after"),
        ([*SHUT_NC, *OPEN_NC], OPEN_NC, SHUT_NC, "yes", "was not steady before"),
        (SHUT_NC, [*OPEN_NC, SHUT_NC[0]], SHUT_NC, "yes", "was not steady after"),
        (SHUT_NC, OPEN_NC, OPEN_NC, "yes", "did not go back"),
        (SHUT_NC, [Look(False, True), *SHUT_NC], SHUT_NC, "yes", "moved for a moment only"),
        (SHUT_NC, [Look(False, False)] * LOOKS, None, "unasked", "moved and the door's input did not"),
        (SHUT_NC, [Look(None, None)] * LOOKS, None, "unasked", "was not steady after"),
    ],
)
def test_what_is_left_undecided(
    shut: list[Look], after: list[Look], again: list[Look] | None, said: Opened, why: str
) -> None:
    """With the reason, so that a person can look for it."""
    wiring = judge(shut, after, again, said)
    assert wiring.feedback is None
    assert any(why in words for words in wiring.why), wiring.why


@pytest.mark.parametrize("feedback", ["nc", "no"])
async def test_at_a_cabinet(feedback: str) -> None:
    """Opened, watched, shut again: whatever config says meanwhile, the wires decide."""
    async with rig(BOARDS.replace('feedback = "nc"\n', "")) as it:
        if feedback == "no":
            it.locks.set_ = set()
        shut = await looks(it.cabinet, 2)
        await it.cabinet.open(2)
        it.io.inputs[1] = True
        after = await looks_after(it.cabinet, 2, shut[-1])
        it.locks.set_ ^= {2}
        it.io.inputs[1] = False
        wiring = judge(shut, after, await looks(it.cabinet, 2), "yes")
        assert (wiring.feedback, wiring.door) == (feedback, "")


async def test_a_lock_that_does_not_open() -> None:
    """All the time that a door may take has passed; nothing is made of it."""
    async with rig() as it:
        it.locks.moves = False
        shut = await looks(it.cabinet, 1)
        await it.cabinet.open(1)
        after = await looks_after(it.cabinet, 1, shut[-1], 0.5)
        assert judge(shut, after, None, "unasked").feedback is None


async def test_a_dead_board_is_no_evidence() -> None:
    """What does not answer now says nothing, whatever it said before."""
    async with rig() as it:
        it.buses["io"].dead = True
        assert await look(it.cabinet, 1) == Look(True, None)


async def test_an_input_that_bounces() -> None:
    """F-61: a door whose sensor trembles is not steady."""

    async def tremble(it: Rig, unit: Unit) -> None:
        while True:
            unit.inputs[0] = not unit.inputs.get(0, False)
            await asyncio.sleep(0.09)

    async with rig() as it:
        task = asyncio.create_task(tremble(it, it.io))
        shut = await looks(it.cabinet, 1, 2 * LOOKS)
        task.cancel()
        assert judge(shut, OPEN_NC, None, "yes").door is None
