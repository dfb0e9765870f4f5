"""The packs of a cabinet on one line: one at a time, by relays that are read back; asleep, foreign, garbled."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Literal

import pytest
from board_rig import until
from cabinet_rig import CABINET, SLOTS, pack, rig
from pack_mouths import jbd_pack

from drivers.api import Link, LinkState
from drivers.cabinet import PackWord
from drivers.cabinets.mux import Mux
from drivers.cabinets.packs import SlotPack
from drivers.cabinets.refs import Ref
from drivers.errors import DeviceError, DeviceFault, Garbled, LineDown, Silent, Transient, Unsupported
from drivers.packs.link import Unheard, Vacant
from protocols.fieldbus.pack import PackReading

TRIES = 4
"""So often is a Greenway pack asked."""


def code(number: int) -> str:
    return f"BT106002512NNTB2111181{number:02d}"


async def test_four_packs_on_one_line_are_told_apart() -> None:
    """All have the same address: only the relays say who answers."""
    async with rig() as it, it.running():
        for slot in SLOTS:
            it.put(slot, pack(code(slot)))

        def codes() -> list[str | None]:
            packs = [it.seen(slot).pack for slot in SLOTS]
            return [None if reading is None else reading.serial for reading in packs]

        await until(lambda: codes() == [code(slot) for slot in SLOTS])
        await asyncio.gather(*(it.cabinet.read_slot(slot) for slot in SLOTS))
        assert codes() == [code(slot) for slot in SLOTS]
    assert it.packs.clashes == 0


async def test_two_makes_behind_the_relays_of_one_line() -> None:
    """Each slot speaks its own protocol; only the pack that is connected hears it."""
    slots = CABINET[CABINET.index("[[slot]]") : CABINET.index("[inputs]")].replace("count = 4", "count = 2")
    others = slots.replace("number = 1", "number = 3").replace("greenway", "jbd").replace("/1", "/3")
    others = others.replace("not io/5", "not io/7").replace('mux = "io/5', 'mux = "io/7')
    text = CABINET.replace("count = 4", "count = 2").replace("[inputs]", f"{others}[inputs]")
    async with rig(cabinet=text) as it:
        for slot in SLOTS:
            it.put(slot, pack(code(slot)))
        for slot in (3, 4):
            it.packs.mouths[slot] = jbd_pack(partial(it.packs.in_slot.__getitem__, slot))
        sights = await asyncio.gather(*(it.cabinet.read_slot(slot) for slot in SLOTS))
        assert [sight.pack and sight.pack.serial for sight in sights] == [code(slot) for slot in SLOTS]
    assert it.packs.clashes == 0


async def test_a_relay_that_stays_on_lets_nobody_be_asked() -> None:
    """Two packs connected at once would answer for each other: then none is read at all."""
    async with rig() as it:
        it.put(1, pack(code(1)))
        it.put(2, pack(code(2)))
        assert (await it.cabinet.read_slot(1)).pack is not None
        it.io.stuck.add(4)
        asked = len(it.packs.asked)
        sight = await it.cabinet.read_slot(2)
        assert (sight.pack, sight.pack_word) == (None, PackWord.DEAD)
        assert it.packs.asked[asked:] == []
        it.io.stuck.clear()
        reading = (await it.cabinet.read_slot(2)).pack
        assert reading is not None
        assert reading.serial == code(2)
    assert it.packs.clashes == 0


async def test_a_relay_board_that_has_lost_its_power_is_set_again() -> None:
    """Its relays fell off; the slot that was connected is connected anew."""
    async with rig() as it:
        it.put(1, pack(code(1)))
        await it.cabinet.read_slot(1)
        it.io.coils.clear()
        await it.boards["io"].refresh()
        assert (await it.cabinet.read_slot(1)).pack is not None


async def test_a_relay_that_has_let_go_unseen_makes_no_slot_empty() -> None:
    """The board lost its power between two polls: the silence is the relay's, and the next reading connects anew."""
    async with rig() as it:
        it.put(1, pack(code(1)))
        await it.cabinet.read_slot(1)
        reader = it.cabinet.wired[1].pack
        assert reader is not None
        it.io.coils.clear()
        await reader.read()
        assert (reader.reading, reader.word) == (None, PackWord.DEAD)
        await reader.read()
        assert reader.word is PackWord.SAID


@pytest.mark.parametrize(("refused", "word"), [(2, PackWord.SILENT), (1, PackWord.DEAD)], ids=["inputs", "outputs"])
async def test_a_relay_board_that_refuses_something(refused: int, word: PackWord) -> None:
    """Its inputs are nothing to the relays; outputs that it does not tell are relays that nobody sees."""
    async with rig() as it:
        await it.cabinet.read_slot(1)
        it.io.refuse = frozenset({refused})
        reader = it.cabinet.wired[1].pack
        assert reader is not None
        await reader.read()
        assert reader.word is word


async def test_an_empty_slot_is_silent_and_a_garbled_one_is_not() -> None:
    """Each word is another: what was asked and did not answer, what answered nonsense."""
    async with rig() as it:
        assert it.seen(1).pack_word is PackWord.UNASKED
        sight = await it.cabinet.read_slot(1)
        assert (sight.pack_word, sight.pack_asked_ms is not None) == (PackWord.SILENT, True)
        it.put(1)
        assert (await it.cabinet.read_slot(1)).pack_word is PackWord.SAID
        it.packs.garble = True
        assert (await it.cabinet.read_slot(1)).pack_word is PackWord.NOISE


class Refusing:
    """A pack link that fails in one way."""

    profile_id = "refusing"
    wakes_by: Literal["frame", "charger", "none"] = "none"

    def __init__(self, error: DeviceError) -> None:
        self.error = error

    async def read(self) -> PackReading:
        raise self.error

    async def wake(self) -> None: ...

    def judge(self, *, expected: bool) -> None: ...

    def forget(self) -> None: ...

    def findings(self) -> tuple[str, ...]:
        return ()

    def link(self) -> Link:
        return Link(LinkState.OFFLINE, 0, None, None)


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (Silent("no answer", where="x"), PackWord.SILENT),
        (Vacant("nothing is in it", where="x"), PackWord.VACANT),
        (Unheard("the slot's board is silent", where="x"), PackWord.DEAD),
        (LineDown("no such port", where="x"), PackWord.DEAD),
        (Transient("its queue is full", where="x"), PackWord.DEAD),
        (Garbled("noise", where="x"), PackWord.NOISE),
        (DeviceFault("65535 cycles", where="x"), PackWord.NOISE),
        (Unsupported("no such register", where="x"), PackWord.NOISE),
    ],
)
async def test_what_a_failed_question_says_of_the_pack(error: DeviceError, word: PackWord) -> None:
    """Only silence on a line that is there says that nobody is."""
    reader = SlotPack(Refusing(error))
    await reader.read()
    assert (reader.word, reader.reading, reader.at_ms) == (word, None, None)


async def test_the_silence_of_an_empty_slot_is_no_failure() -> None:
    """Its switch says that nothing is in it, so the wire is quiet and well."""
    async with rig() as it:
        await it.boards["io"].refresh()
        await it.cabinet.read_slot(1)
        assert it.cabinet.link().counts == {"quiet": TRIES}


async def test_the_silence_of_a_pack_behind_a_shut_door_is_a_failure() -> None:
    """At the first reading: the switch says that something is there, and nobody answers."""
    async with rig() as it:
        it.put(1, None)
        await it.cabinet.read_slot(1)
        assert it.cabinet.link().counts == {"timeouts": TRIES}


async def test_the_silence_behind_an_open_door_is_no_failure() -> None:
    """Somebody is putting a pack in: its plug is not where it will be."""
    async with rig() as it:
        it.put(1, None)
        it.door(1, True)
        await it.cabinet.read_slot(1)
        assert it.cabinet.link().counts == {"quiet": TRIES}


async def test_a_pack_that_slept_at_first_has_not_failed() -> None:
    """It misses the first question and answers the second, as it is meant to."""
    async with rig() as it:
        it.put(1)
        it.packs.asleep.add(1)
        waking = asyncio.create_task(it.cabinet.read_slot(1))
        await until(lambda: it.packs.asked == [1])
        it.packs.asleep.clear()
        assert (await waking).pack is not None
        counts = it.cabinet.link().counts
        assert (counts["quiet"] > 0, "timeouts" in counts) == (True, False)


async def test_without_a_switch_a_pack_that_has_answered_must_answer() -> None:
    """Nobody says what is in the slot: silence fails after an answer, and is quiet once its door has moved."""
    async with rig(cabinet=CABINET.replace('present = "not io/5"\n', "")) as it, it.running():
        await it.cabinet.read_slot(1)
        assert "timeouts" not in it.cabinet.link().counts
        it.put(1)
        await it.cabinet.read_slot(1)
        it.packs.in_slot.clear()
        await it.cabinet.read_slot(1)
        failed = it.cabinet.link().counts["timeouts"]
        assert failed >= TRIES
        it.door(1, True)
        await it.sees(1, door_open=True)
        it.door(1, False)
        await it.sees(1, door_open=False)
        failed = it.cabinet.link().counts["timeouts"]
        await it.cabinet.read_slot(1)
        assert it.cabinet.link().counts["timeouts"] == failed


async def test_relays_left_on_by_somebody_before_us() -> None:
    """How they stand at the start is not known: all others are switched off first."""
    async with rig() as it:
        it.io.coils |= {4: True, 5: True, 6: True}
        it.put(1, pack(code(1)))
        reading = (await it.cabinet.read_slot(1)).pack
        assert reading is not None
        assert reading.serial == code(1)
    assert it.packs.clashes == 0


async def test_a_pack_that_goes_keeps_its_instant() -> None:
    """The reading is gone, its age can still be asked."""
    async with rig() as it:
        it.put(1)
        before = await it.cabinet.read_slot(1)
        it.take(1)
        after = await it.cabinet.read_slot(1)
        assert (before.pack is None, after.pack, after.pack_at_ms) == (False, None, before.pack_at_ms)


async def test_another_pack_at_the_next_look() -> None:
    """F-42: what is read belongs to the pack that is there now."""
    async with rig() as it, it.running():
        it.put(1, pack(code(1)))
        await until(lambda: it.seen(1).pack is not None)
        it.door(1, True)
        await it.sees(1, door_open=True)
        it.put(1, pack(code(9)))
        it.door(1, False)

        def seen() -> str | None:
            reading = it.seen(1).pack
            return None if reading is None else reading.serial

        await until(lambda: seen() == code(9))


async def test_garbled_answers_are_counted() -> None:
    """F-27: three in a row are the till's to judge; one good answer ends the row."""
    async with rig() as it:
        it.put(1)
        it.packs.garble = True
        for count in (1, 2, 3):
            sight = await it.cabinet.read_slot(1)
            assert (sight.pack, sight.pack_faults) == (None, count)
        it.packs.garble = False
        sight = await it.cabinet.read_slot(1)
        assert (sight.pack is not None, sight.pack_faults) == (True, 0)


async def test_a_sleeping_pack_is_woken_by_its_charger() -> None:
    """F-22: Greenway packs wake by voltage alone; the charger is off again afterwards."""
    async with rig() as it:
        it.put(2)
        it.packs.asleep.add(2)
        assert (await it.cabinet.read_slot(2)).pack is None
        await it.cabinet.wake(2)
        assert it.seen(2).pack is not None
        assert it.io.coils[1] is False
        assert [value for address, value in it.io.writes if address == 1] == [0xFF00, 0]


async def test_a_slot_that_charges_stays_so_when_its_pack_is_woken() -> None:
    """The voltage is there already."""
    async with rig() as it:
        it.put(2)
        it.packs.asleep.add(2)
        await it.cabinet.charge(2, True)
        await it.cabinet.wake(2)
        assert it.seen(2).pack is not None
        assert it.io.coils[1] is True


async def test_waking_ends_with_the_charger_off_even_when_nobody_waits_for_it() -> None:
    """Whoever wanted it is gone in the middle of the pulse."""
    slow = CABINET.replace("wake_pulse_s = 0.1", "wake_pulse_s = 5.0")
    async with rig(cabinet=slow) as it:
        task = asyncio.create_task(it.cabinet.wake(2))
        await until(lambda: it.io.coils.get(1))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert it.io.coils[1] is False


async def test_off_is_off_in_the_middle_of_a_pulse() -> None:
    """F-50: what is hot is switched off at once, and stays so."""
    slow = CABINET.replace("wake_pulse_s = 0.1", "wake_pulse_s = 5.0")
    async with rig(cabinet=slow) as it:
        waking = asyncio.create_task(it.cabinet.wake(2))
        await until(lambda: it.io.coils.get(1))
        charging = asyncio.create_task(it.cabinet.charge(2, True))
        await asyncio.sleep(0)
        await it.cabinet.charge(2, False)
        assert it.io.coils[1] is False
        await asyncio.wait_for(waking, 1)
        with pytest.raises(Transient, match="told otherwise"):
            await charging
        assert it.io.coils[1] is False
        await it.cabinet.charge(2, True)
        assert it.io.coils[1] is True


async def test_nothing_to_wake() -> None:
    """A slot without a pack link."""
    bare = "\n".join(line for line in CABINET.splitlines() if not line.startswith("pack ="))
    async with rig(cabinet=bare) as it:
        with pytest.raises(Unsupported):
            await it.cabinet.wake(1)
        assert (await it.cabinet.read_slot(1)).pack is None


async def test_a_changed_presence_is_asked_at_once() -> None:
    """A pack is read when it comes, not when its turn would be."""
    async with rig(cabinet=CABINET.replace("pack_poll_s = 0.1", "pack_poll_s = 60")) as it, it.running():
        await until(lambda: set(it.packs.asked) == set(SLOTS))
        it.put(3)
        await until(lambda: it.seen(3).pack is not None)


async def test_a_mux_lets_one_at_a_time_in() -> None:
    """Even when all want it at once."""
    async with rig() as it:
        mux = Mux()
        inside: list[int] = []
        for slot in SLOTS:
            mux.add(Ref("io", slot + 4), it.boards["io"])

        async def use(slot: int) -> None:
            async with mux.connected(Ref("io", slot + 4), 0):
                inside.append(slot)
                assert [n for n in SLOTS if it.io.coils.get(n + 3)] == [slot]
                await asyncio.sleep(0.01)

        await asyncio.gather(*(use(slot) for slot in SLOTS))
        assert sorted(inside) == list(SLOTS)
        it.io.stuck.add(7)
        with pytest.raises(DeviceError):
            async with mux.connected(Ref("io", 5), 0):
                inside.append(5)
        assert 5 not in inside
