"""What has one cabinet said last, on the box's own clock? All that the till sees of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection
from dataclasses import replace

from drivers.cabinet import Cabinet, PackWord, SlotSight
from edge.clock import Clock
from edge.till.swap.policy import SwapPolicy
from edge.till.swap.slots import Track, View, follow, listen


class Eye:
    """Looks at one cabinet. Doors are followed from look to look, so it must be asked often."""

    def __init__(self, cabinet: Cabinet, clock: Clock, policy: SwapPolicy, empty: Collection[int] = ()) -> None:
        """empty: slots that the log has as empty: there, silence is no news."""
        self.cabinet = cabinet
        self._clock = clock
        self._policy = policy
        self._tracks = {slot: Track(traits, vouched=slot in empty) for slot, traits in cabinet.slots.items()}

    def look(self) -> View:
        """As last polled. No I/O."""
        seen, stamp = self.cabinet.sight(), self._clock.stamp()
        now_ms, ahead_ms = stamp.mono_ms, self._ahead_ms()
        for slot, track in self._tracks.items():
            sight = _on_our_clock(seen.slots.get(slot, SlotSight()), ahead_ms)
            self._tracks[slot] = follow(track, sight, now_ms, self._policy)
        self._tracks = listen(self._tracks)
        silent = (*seen.silent, *(f"packs on {line}" for line in sorted(_dead_lines(self._tracks.values()))))
        return View(self.cabinet.id, stamp, dict(self._tracks), seen.hazards, seen.mains, silent)

    def vouch(self, slot: int) -> None:
        """A person has it open, and sees what is in it: if it is silent when it is shut again, it is empty."""
        self._tracks[slot] = replace(self._tracks[slot], vouched=True)

    async def ask(self, *slots: int) -> None:
        """All witnesses of these slots, now; the next look has their answers."""
        await asyncio.gather(*(self._ask(slot) for slot in slots))

    @property
    def unasked(self) -> list[int]:
        """Slots that have not been asked once since the daemon started."""
        return [slot for slot, track in self._tracks.items() if track.asked_ms is None]

    async def _ask(self, slot: int) -> None:
        began_ms = self._clock.mono_ms()
        sight = _on_our_clock(await self.cabinet.read_slot(slot), self._ahead_ms())
        track = self._tracks[slot]
        self._tracks[slot] = follow(track, sight, self._clock.mono_ms(), self._policy, began_ms)

    def _ahead_ms(self) -> int:
        """Drivers count from CLOCK_MONOTONIC; the box's clock goes on while the box sleeps."""
        return self._clock.mono_ms() - time.monotonic_ns() // 1_000_000


def _on_our_clock(sight: SlotSight, ahead_ms: int) -> SlotSight:
    return replace(
        sight,
        at_ms=None if sight.at_ms is None else sight.at_ms + ahead_ms,
        pack_at_ms=None if sight.pack_at_ms is None else sight.pack_at_ms + ahead_ms,
        pack_asked_ms=None if sight.pack_asked_ms is None else sight.pack_asked_ms + ahead_ms,
    )


def _dead_lines(tracks: Collection[Track]) -> set[str]:
    """Pack lines that surely answer for nobody: none of their slots could be asked, or all that should speak are
    silent.
    """
    lines = {track.traits.pack_line for track in tracks} - {""}
    its = {line: [track for track in tracks if track.traits.pack_line == line] for line in lines}
    return {
        line
        for line, slots in its.items()
        if all(one.mute for one in slots) or all(one.sight.pack_word is PackWord.DEAD for one in slots)
    }
