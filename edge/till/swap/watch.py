"""A session from one look at the cabinet to the next: what its door and its slot say, and what follows from it.

Each function below is one step: what may be seen in it, in order of precedence, and what comes of that. None of them
opens a door: `Go` puts the step into the log first, and the next look gives the pulse.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from edge.till.state_shop import slot_key
from edge.till.swap.case import Case
from edge.till.swap.choose import doors_open, empty_slots, fit, full_slots
from edge.till.swap.next import End, Go, Next, Pulse, Wait, Wake
from edge.till.swap.packs import Verdict, as_seen, judge, may_be_one, owed_by
from edge.till.swap.progress import Progress, Step
from edge.till.swap.slots import Witness, lately
from protocols.fieldbus import pack_code
from protocols.trade.pack_list import is_hot
from protocols.trade.records import Draft
from protocols.trade.records_pack import PackSeen

Notes = tuple[Draft, ...]

_UNSURE = "nobody can tell whether it was taken"

BAD_READINGS = 3
"""So many corrupted answers of a pack in a row are no pack that can be gone by (F-27)."""


def advance(case: Case) -> tuple[Progress, Next]:
    """The session's progress after this look, and what it does now."""
    if case.progress.opened_ms is None and case.open():
        case = case.with_progress(opened_ms=case.now_ms)
    following = _STEPS[case.swap.step](case)
    progress = case.progress
    if isinstance(following, Wait) and following.tell:
        if following.tell in progress.told:
            following = Wait()
        else:
            progress = case.with_progress(told=progress.told | {following.tell}).progress
    if isinstance(following, Wake):
        progress = case.with_progress(woken_ms=case.now_ms).progress
    return progress, following


def pulsed(progress: Progress, now_ms: int, failed: str = "") -> Progress:
    """The lock has had its pulse, or the board did not take it."""
    return replace(progress, pulses=progress.pulses + 1, pulsed_ms=now_ms, failed=failed)


# --- a pack comes in -------------------------------------------------------------------------------------------------


def _put_in(case: Case) -> Next:
    progress = case.progress
    if progress.opened_ms is None:
        if progress.resumed and case.shut() and case.since_shut().loosely_full:
            return _put_in_and_shut(case)  # while nobody looked
        return _not_open_yet(case)
    if not case.shut():
        return _door_stands_open(case)
    return _put_in_and_shut(case)


def _not_open_yet(case: Case) -> Next:
    """Its door has not been seen open: it gets its pulses, unless something speaks against it."""
    progress, resumed = case.progress, case.progress.resumed
    if progress.cancelled:
        return End("cancelled")
    if case.view.hazards:
        return End("cancelled", "F-50")
    if progress.cut:
        return End("cancelled", "F-56") if case.shut() or case.waited_ms >= _hold_ms(case) else Wait()
    fresh = progress.pulses == 0 and case.swap.step == "open-empty" and not resumed
    if fresh and case.swap.opened.resumes is None and lately(case.track, case.now_ms, case.policy).loosely_full:
        return _another_empty(case, "F-09", case.lock(case.slot, "F-09"))
    if fresh and (case.track.mute or lately(case.track, case.now_ms, case.policy).dead):
        return _another_empty(case, "F-60", ())  # nobody could tell what is put in
    wrong = _wrong_door(case)
    if wrong is not None:
        return End("cancelled", "F-12", notes=_crossed(case, wrong))
    return _pulse(case) or _another_empty(case, *_not_opened(case, "F-11"))


def _another_empty(case: Case, fault: str, notes: Notes) -> Next:
    """The next slot that is surely empty, or the end."""
    slots = empty_slots(case.shop, case.view, case.policy, but=(*case.swap.failed, case.slot))
    return Go(Step.OPEN_EMPTY, slots[0], None, fault, notes) if slots else End("cancelled", fault, notes=notes)


def _door_stands_open(case: Case) -> Next:
    policy = case.policy
    if case.waited_ms >= policy.put_in_s * 1000 + _hold_ms(case):
        return End("cancelled", "F-20")
    if case.waited_ms >= policy.put_in_s * 1000:
        return Wait("F-20", f"slot {case.slot} has stood open for {policy.put_in_s} s")
    return Wait()


def _put_in_and_shut(case: Case) -> Next:
    said, policy = case.since_shut(), case.policy
    if said.strictly_full and case.track.sight.pack_faults < BAD_READINGS:
        return _judged(case)
    if said.strictly_empty:
        return _shut_and_empty(case)
    if case.shut_for_ms < policy.not_put_in_s * 1000:
        return _wake_or_wait(case, said)
    return _unrecognised(case, _why_unsure(case, said), "not recognised")


def _shut_and_empty(case: Case) -> Next:
    """Nothing was put in. The door opens once more, unless it did so for another reason before."""
    if case.progress.cancelled:
        return End("cancelled", case.swap.fault)
    if case.shut_for_ms < case.policy.not_put_in_s * 1000:
        return Wait()
    if case.progress.cut:
        return End("cancelled", "F-56")
    if not case.swap.reopened.get(Step.REOPEN_EMPTY) and not case.view.hazards:
        return Go(Step.REOPEN_EMPTY, case.slot, None, "F-21", why="nothing was put in")
    return End("cancelled", case.swap.fault or "F-21")


def _judged(case: Case) -> Next:
    """A pack stands in the slot, its door shut, its code and voltage read."""
    pack, swap = case.track.sight.pack, case.swap
    assert pack is not None  # it has just been read
    seen = as_seen(pack)
    bound = swap.opened.bound
    if (twin := _stands_elsewhere(case, seen.code)) is not None:
        return _unrecognised(case, "F-24", f"{seen.code} stands in slot {twin} already", seen)
    owed = owed_by(case.shop, case.papers.packs, swap.account)
    if owed and seen.code not in owed and swap.opened.kind == "swap":
        return _unrecognised(case, "F-44", f"bring {', '.join(sorted(owed))} first: nobody paid for it", seen)
    judged = judge(case.shop, pack, swap.opened.kind, bound, case.papers.terms, case.papers.packs, case.policy)
    notes: Notes = ()
    match judged.verdict:
        case Verdict.REJECT:
            return _unrecognised(case, judged.fault, judged.why, seen)
        case Verdict.QUARANTINE:
            notes = case.lock(case.slot, judged.fault) + case.note("quarantined", case.slot, seen.code, judged.why)
        case Verdict.SEIZE:
            notes = case.lock(case.slot, judged.fault) + case.note("found", case.slot, seen.code, judged.why)
        case Verdict.ACCEPT if judged.fault:
            notes = case.note("stray", case.slot, bound, judged.why)
    if seen.code in owed:
        detail = f"nobody knew where it was since record {owed[seen.code].seq}"
        notes = (*case.note("came-back", case.slot, seen.code, detail), *notes)
    return Go(Step.ACCEPTED, case.slot, seen, judged.fault, notes, judged.why, first=case.stood_there(seen.code))


def _stands_elsewhere(case: Case, code: str) -> int | None:
    """Another slot that surely holds a pack of this code: one of them is a copy, or a line answers for both."""
    others = ((slot, lately(track, case.now_ms, case.policy)) for slot, track in case.view.slots.items())
    return next((slot for slot, said in others if slot != case.slot and said.strictly_full and said.code == code), None)


def _unrecognised(case: Case, fault: str, why: str, seen: PackSeen | None = None) -> Next:
    """What stands there is not taken: the door opens for the rider to take it out, some times at most."""
    code = "" if seen is None else seen.code
    notes = case.stood_there(code) + case.lock(case.slot, fault) + case.note("foreign", case.slot, code, why)
    if case.progress.cut or case.view.hazards:
        return End("cancelled", "F-56" if case.progress.cut else "F-50", notes=notes)
    if case.swap.reopened.get(Step.REOPEN_EMPTY, 0) < case.policy.unrecognised_max:
        return Go(Step.REOPEN_EMPTY, case.slot, seen, fault, why=why)
    return End("cancelled", fault, notes=notes)


def _why_unsure(case: Case, said: Witness) -> str:
    if said.dead:
        return "F-60"
    if case.track.sight.pack_faults >= BAD_READINGS:
        return "F-27"
    return "F-26" if said.code or said.powered else "F-22"


# --- a pack goes out -------------------------------------------------------------------------------------------------


def _accepted(case: Case) -> Next:
    """A pack has come in, and the site answers for it. The last chance to see that it is still there."""
    swap = case.swap
    if swap.opened.kind == "return":
        return End("returned", swap.fault)
    if case.progress.cut:
        return End("kept", "F-56")
    if not _still_in(case):
        return Go(Step.REOPEN_EMPTY, case.slot, None, "F-28", why="the pack was taken out again")
    returned = swap.returned
    if returned is not None and is_hot(case.papers.packs, returned.code):
        return End("kept", "F-23")
    if case.view.hazards:
        return End("kept", "F-50")
    if case.progress.cancelled:
        return _own_back(case, "")
    return _next_full(case, "")


def _next_full(case: Case, fault: str, notes: Notes = ()) -> Next:
    """The best pack that this session has not tried; without one the rider's own goes back, where that is wise."""
    swap = case.swap
    if not swap.opened.offer:  # this one pack was paid for before, and no other
        return End("cancelled", fault, notes=notes)
    tried = {*swap.failed, swap.returned_slot, *((case.slot,) if swap.step == "open-full" else ())}
    full = full_slots(case.shop, case.view, case.papers, case.wanted, case.policy, but=tried)
    if full:
        return Go(Step.OPEN_FULL, full[0][0], full[0][1], fault, notes)
    return _own_back(case, fault or "F-31", notes, "no pack can be given")


def _own_back(case: Case, fault: str, notes: Notes = (), why: str = "") -> Next:
    """The rider's own pack, where one is in; but for a damaged one: that stays in."""
    swap = case.swap
    if swap.returned is None or swap.returned_slot is None:
        return End("cancelled", fault, notes=notes)
    word = case.shop.slots.get(slot_key(case.cabinet, swap.returned_slot))
    if word is not None and word.state == "locked":
        return End("kept", fault or swap.fault, notes=notes)
    return Go(Step.GIVE_BACK, swap.returned_slot, swap.returned, fault, notes, why)


def _open_full(case: Case) -> Next:
    progress, swap = case.progress, case.swap
    if progress.opened_ms is not None:
        return Go(Step.GIVEN, case.slot, swap.offered, "F-56" if progress.resumed else "")
    said = lately(case.track, case.now_ms, case.policy)
    if progress.resumed and case.shut() and (said.gone or _another_one(case, said)):
        return Go(Step.GIVEN, case.slot, swap.offered, "F-56")  # the pulse before the restart did open it
    if _may_spring(case):
        return Wait()
    if progress.cut:
        return _without(case, "F-56") if case.shut() or case.waited_ms >= _hold_ms(case) else Wait()
    if case.view.hazards:
        return _without(case, "F-50")
    if not _still_in(case):
        return Go(Step.REOPEN_EMPTY, swap.returned_slot or case.slot, None, "F-28", why="the pack was taken out again")
    wrong = _wrong_door(case)
    if wrong is not None:
        return _without(case, "F-12", _crossed(case, wrong))
    if progress.pulses == 0 and progress.cancelled:
        return _without(case, "")
    if progress.pulses == 0 and not _as_offered(case):
        if progress.resumed and not (said.strictly_full and swap.offered and said.code == swap.offered.code):
            return (
                Wait()
                if case.waited_ms < _hold_ms(case)
                else _without(case, "F-13", case.lock(case.slot, "F-13") + _vanished(case))
            )
        return _next_full(case, "F-30")
    if progress.pulses and said.gone:
        return _without(case, "F-13", case.lock(case.slot, "F-13") + _vanished(case))
    pulse = _pulse(case)
    if pulse is not None:
        return pulse
    if case.track.sight.locked is False:  # it is open, and its sensor does not say so: no second pack is given
        return _without(case, "F-13", case.lock(case.slot, "F-13") + _vanished(case))
    fault, notes = _not_opened(case, "F-32")
    return _next_full(case, fault, notes)


def _given(case: Case) -> Next:
    """The door has been seen open: the rider answers for the pack, and is charged once it has surely been taken."""
    policy = case.policy
    if not case.shut():
        if case.waited_ms < policy.take_s * 1000:
            return Wait()
        if case.open() and _gone_while_open(case):
            return End("swapped", "F-40", taken=True)
        if case.waited_ms >= policy.take_s * 1000 + _hold_ms(case):
            fault = "F-60" if case.track.open_ms is None else "F-40"
            return _without(case, fault, case.lock(case.slot, fault) + _vanished(case))
        return Wait("F-40", f"slot {case.slot} has stood open for {policy.take_s} s")
    said, offered = case.since_shut(), case.swap.offered
    if offered is not None and _another_one(case, said):
        notes = case.lock(case.slot, "F-42") + case.note("changed", case.slot, said.code, "put back", offered.code)
        return End("swapped", "F-42", taken=True, notes=notes)
    if said.gone:
        return End("swapped", case.swap.fault, taken=True)
    sure = offered is not None and said.strictly_full and said.code == offered.code
    patience_s = policy.not_taken_s if sure else policy.not_put_in_s
    if case.shut_for_ms < patience_s * 1000:
        return _wake_or_wait(case, said)
    if not case.swap.reopened.get(Step.REOPEN_FULL) and not case.progress.cut and not case.view.hazards:
        return Go(Step.REOPEN_FULL, case.slot, offered, "F-41" if sure else "F-13")
    if sure:
        return _without(case, "F-41")
    speaks = offered is not None and said.code == offered.code  # whatever else says that nothing is there
    return _without(case, "F-13", case.lock(case.slot, "F-13") + (() if speaks else _vanished(case)))


def _reopen_full(case: Case) -> Next:
    """Once more, for a pack that was left in, or of which nobody can tell."""
    if case.progress.opened_ms is not None:
        return _given(case)
    if case.shut() and lately(case.track, case.now_ms, case.policy).gone:
        return End("swapped", case.swap.fault, taken=True)
    offered = case.swap.offered
    if case.progress.cut or case.view.hazards:
        return _if_still_in(case, offered, _without(case, "F-56" if case.progress.cut else "F-50"))
    return _pulse(case) or _if_still_in(case, offered, _without(case, *_not_opened(case, "F-32")))


def _give_back(case: Case) -> Next:
    """The rider's own pack, since nothing can be given for it."""
    progress, policy = case.progress, case.policy
    if progress.opened_ms is None:
        if progress.resumed and case.shut() and lately(case.track, case.now_ms, policy).gone:
            return End("cancelled", case.swap.fault)
        returned = case.swap.returned
        if progress.cut or case.view.hazards:
            return _if_still_in(case, returned, End("kept", "F-56" if progress.cut else "F-50"))
        pulse = _pulse(case)
        if pulse is not None:
            return pulse
        fault, notes = _not_opened(case, "F-11")
        return _if_still_in(case, returned, End("kept", fault, notes=notes))
    if not case.shut():
        if case.waited_ms < policy.take_s * 1000 + _hold_ms(case):
            return Wait("F-40", f"slot {case.slot} stands open") if case.waited_ms >= policy.take_s * 1000 else Wait()
        return End("cancelled" if _gone_while_open(case) else "kept", "F-40")
    said = case.since_shut()
    if said.gone:
        return End("cancelled", case.swap.fault)
    if case.shut_for_ms < policy.not_put_in_s * 1000:
        return _wake_or_wait(case, said)
    returned = case.swap.returned
    if returned is None or (said.strictly_full and said.code == returned.code):
        return End("kept", case.swap.fault)
    notes = case.lock(case.slot, "F-13")
    if said.code != returned.code:
        notes += case.note("vanished", case.slot, returned.code, _UNSURE, returned.code)
    return End("kept", "F-13", notes=notes)


# --- shared ----------------------------------------------------------------------------------------------------------


def _may_spring(case: Case) -> bool:
    """Whether the door may yet open by the last pulse: whatever ends the session now would lose sight of a take."""
    pulsed_ms = case.progress.pulsed_ms
    return pulsed_ms is not None and case.now_ms - pulsed_ms < case.policy.pulse_apart_s * 1000


def _pulse(case: Case) -> Next | None:
    """The next pulse, or the wait for what the last one does. None: all have been given, and nothing has opened."""
    if _may_spring(case):
        return Wait()
    return Pulse(case.slot) if case.progress.pulses < case.policy.pulses else None


def _not_opened(case: Case, fault: str) -> tuple[str, Notes]:
    """All pulses were in vain: whose fault it is, and what becomes of the slot."""
    fault = "F-10" if case.progress.failed else fault
    return fault, case.rest(case.slot, fault)


def _if_still_in(case: Case, pack: PackSeen | None, end: End) -> Next:
    """The end of a step whose door nobody has seen open. What has been in doubt since before, or went on while nobody
    looked, is asked once more; where nobody can tell, the pack may be with the rider (F-13).
    """
    said = lately(case.track, case.now_ms, case.policy)
    doubt = case.progress.resumed or case.swap.fault == "F-13"
    if not doubt or pack is None or said.code == pack.code:
        return end
    if case.waited_ms < case.policy.not_put_in_s * 1000:
        return Wait() if case.view.hazards else _wake_or_wait(case, said)
    gone = case.note("vanished", case.slot, pack.code, _UNSURE, pack.code)
    return replace(end, notes=(*end.notes, *case.lock(case.slot, "F-13"), *gone))


def _without(case: Case, fault: str, notes: Notes = ()) -> End:
    """The rider goes without a pack, and pays nothing."""
    return End("cancelled" if case.swap.returned is None else "kept", fault, notes=notes)


def _wrong_door(case: Case) -> int | None:
    """A door that has opened since this step began, while the one that was told has not."""
    if not case.progress.pulses:
        return None
    others = [slot for slot in doors_open(case.shop, case.view) if slot not in (case.slot, *case.progress.others)]
    return next((slot for slot in others if case.open(slot)), None)


def _crossed(case: Case, wrong: int) -> Notes:
    """Both slots out of use. What stood behind the wrong door may be in the rider's hands, until it is seen there."""
    code = case.shop.contents.get(slot_key(case.cabinet, wrong), "")
    gone = case.note("vanished", wrong, code, f"its door opened instead of slot {case.slot}'s", code) if code else ()
    return case.lock(case.slot, "F-12") + case.lock(wrong, "F-12") + gone


def _another_one(case: Case, said: Witness) -> bool:
    """Another pack stands where the offered one did: by a code that a pack can have, and by what it says of itself. A
    BMS that has lost its code, tells noise or a neighbour's is no witness against the rider.
    """
    offered, pack = case.swap.offered, case.track.sight.pack
    if offered is None or pack is None or said.code == offered.code:
        return False
    named = not isinstance(pack_code.parse(said.code), pack_code.Refusal)
    return named and not may_be_one(offered, as_seen(pack))


def _wake_or_wait(case: Case, said: Witness) -> Next:
    """A silent pack that seems to be there may sleep."""
    woken_ms, apart_ms = case.progress.woken_ms, case.policy.wake_apart_s * 1000
    sleeps = said.silent and said.present is not False
    due = woken_ms is None or case.now_ms - woken_ms >= apart_ms
    return Wake(case.slot) if sleeps and due else Wait()


def _still_in(case: Case) -> bool:
    """Whether what was put in has stayed: its slot shut, and no witness against it."""
    slot = case.swap.returned_slot
    if slot is None or slot not in case.view.slots:
        return True
    track = case.view.slots[slot]
    return track.open_ms is None and not lately(track, case.now_ms, case.policy).gone


def _as_offered(case: Case) -> bool:
    """The pack that was chosen still stands there, and may still be given."""
    found = fit(case.shop, case.view, case.track, case.papers, case.wanted, case.policy)
    free = not case.swap.opened.offer  # it was paid for before, and is this rider's whatever it says now
    if free:
        return lately(case.track, case.now_ms, case.policy).loosely_full
    return found is not None and case.swap.offered is not None and found.code == case.swap.offered.code


def _gone_while_open(case: Case) -> bool:
    """All witnesses say so though the door is open; asked since it opened."""
    opened_ms = case.track.open_ms
    said = lately(case.track, case.now_ms, case.policy)
    return opened_ms is not None and case.now_ms - opened_ms >= case.policy.silence_s * 1000 and said.gone


def _vanished(case: Case) -> Notes:
    """Nobody can tell where the pack is: the rider may have it."""
    code = "" if case.swap.offered is None else case.swap.offered.code
    return case.note("vanished", case.slot, code, _UNSURE, code)


def _hold_ms(case: Case) -> int:
    return case.policy.hold_s * 1000


_STEPS: Mapping[str, Callable[[Case], Next]] = {
    Step.OPEN_EMPTY: _put_in,
    Step.REOPEN_EMPTY: _put_in,
    Step.ACCEPTED: _accepted,
    Step.OPEN_FULL: _open_full,
    Step.GIVEN: _given,
    Step.REOPEN_FULL: _reopen_full,
    Step.GIVE_BACK: _give_back,
}
