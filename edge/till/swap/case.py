"""All that is known when a session is looked at: what the log says, what is seen, and the rules."""

from __future__ import annotations

from dataclasses import dataclass, replace

from edge.till.state import TillState
from edge.till.state_shop import OpenSwap, Shop, slot_key
from edge.till.swap.choose import Papers, Wanted
from edge.till.swap.policy import SwapPolicy
from edge.till.swap.progress import Progress
from edge.till.swap.slots import Track, View, Witness, is_open, is_shut, witness
from protocols.trade.records import Draft
from protocols.trade.records_pack import PackNoted, SlotSet
from protocols.trade.swap_terms import model_of


@dataclass(frozen=True, slots=True)
class Case:
    """One session at one look."""

    state: TillState
    swap: OpenSwap
    progress: Progress
    view: View
    papers: Papers
    policy: SwapPolicy

    @property
    def shop(self) -> Shop:
        return self.state.shop

    @property
    def now_ms(self) -> int:
        return self.view.now_ms

    @property
    def slot(self) -> int:
        return self.swap.slot

    @property
    def cabinet(self) -> str:
        return self.view.cabinet

    @property
    def track(self) -> Track:
        """The session's slot. A slot that has gone from the config is seen no more."""
        return self.view.slots[self.slot]

    @property
    def shut_for_ms(self) -> int:
        """Since when its door has been seen shut; 0: it is not."""
        return 0 if self.track.shut_ms is None else self.now_ms - self.track.shut_ms

    @property
    def waited_ms(self) -> int:
        """Since its door was seen open in this step, or since the step was taken up."""
        begun_ms = self.progress.since_ms if self.progress.opened_ms is None else self.progress.opened_ms
        return self.now_ms - begun_ms

    @property
    def wanted(self) -> Wanted:
        """What may be given to this rider."""
        opened, returned = self.swap.opened, self.swap.returned
        if opened.kind == "rent":  # price and deposit are of the model that was chosen first
            model = None if opened.pack is None else model_of(self.papers.terms, opened.pack.code)
            return Wanted(opened.consent_permille, models=() if model is None else (model.name,))
        return Wanted(opened.consent_permille, "" if returned is None else returned.code)

    def open(self, slot: int | None = None) -> bool:
        return is_open(self.view.slots[self.slot if slot is None else slot], self.now_ms, self.policy)

    def shut(self, slot: int | None = None) -> bool:
        return is_shut(self.view.slots[self.slot if slot is None else slot], self.now_ms, self.policy)

    def since_shut(self) -> Witness:
        """What its witnesses have said since its door was shut."""
        shut_ms = self.track.shut_ms
        return witness(self.track, self.now_ms if shut_ms is None else shut_ms, self.policy)

    def with_progress(self, **changes: object) -> Case:
        return replace(self, progress=replace(self.progress, **changes))  # type: ignore[arg-type]  # its own fields

    # --- what goes into the log beside the session --------------------------------------------------------------------

    def rest(self, slot: int, fault: str) -> tuple[Draft, ...]:
        """The slot rests after a failure, or is switched off after too many in a row."""
        failures = self.shop.failures.get(slot_key(self.cabinet, slot), 0) + 1
        if failures > self.policy.failures_max:
            return self.lock(slot, fault)
        until_s = self.view.now.wall_ms // 1000 + self.policy.rest_s
        return (Draft(SlotSet(self.cabinet, slot, "resting", fault, "", until_s)),)

    def lock(self, slot: int, fault: str) -> tuple[Draft, ...]:
        """The slot is out of use until a person has looked at it."""
        return (Draft(SlotSet(self.cabinet, slot, "locked", fault, "", 0)),)

    def note(self, what: str, slot: int, code: str, detail: str, before: str = "") -> tuple[Draft, ...]:
        return (Draft(PackNoted(what, self.cabinet, slot, code, before, self.swap.seq, "", detail)),)

    def stood_there(self, code: str) -> tuple[Draft, ...]:
        """The pack that the log has in the session's slot, where this one is found now; empty: nobody can tell which.
        It was put in behind a door that had been left open, and its slot was opened once more: it was never accepted,
        so no rider is asked for it.
        """
        before = self.shop.contents.get(slot_key(self.cabinet, self.slot), "")
        if before in ("", code):
            return ()
        detail = f"its slot was opened once more, for session {self.swap.seq}"
        return (Draft(PackNoted("vanished", self.cabinet, self.slot, before, before, None, "", detail)),)
