"""What becomes of the logs of a place? Disks set back, copied, lost and found; epochs closed; then a new one."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from sim_auditor import View
from sim_box import Box

from edge.epochs import Closing

if TYPE_CHECKING:
    from sim_world import World


@dataclass(frozen=True)
class Copy:
    """The image of a disk, and what the auditor knew when it was made."""

    files: dict[str, bytes]
    view: View
    ticks: int


class Lives:
    """Ends logs, in all the ways they end, and begins the next ones."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.random: Random = world.random
        self._copies: dict[str, Copy] = {}
        self._names = 0

    def unleash(self) -> None:
        """From now on disks are not what they were."""
        world, faults = self.world, self.world.faults
        for box in world.boxes:
            world.often(faults.set_back_every_s // 2, lambda box=box: self.copy_disk(box))
            world.often(faults.set_back_every_s, lambda box=box: self.set_back(box))
            world.often(faults.copied_every_s, lambda box=box: self.run_copy(box))
            world.often(faults.lose_every_s, lambda box=box: self.lose(box))
            world.often(faults.close_every_s, lambda box=box: self.close(box))
        world.often(100, self.see_to_forks)

    async def take_care(self) -> None:
        """A box whose epoch is over asks for the next; this goes on when all else has healed."""
        while True:
            await asyncio.sleep(3)
            for box in list(self.world.boxes):
                if box.alive and box.site is not None and box.epoch_is_over():
                    self.world.auditor.seen["epoch closed"] += 1
                    self.world.auditor.abandon(box.branch)
                    self.renew(box, "epoch over")

    # --- ends --------------------------------------------------------------------------------------------------------

    def close(self, box: Box) -> None:
        """A person re-provisions the box."""
        if box.alive and box.site is not None and not box.site.desk.state.closed:
            self.world.act(self.world.ask(box, box.site.desk.ask_to_close(Closing("ann", "re-provisioned"))))

    def copy_disk(self, box: Box) -> None:
        """Somebody keeps an image of the disk."""
        if box.alive and box.site is not None:
            view = self.world.auditor.view(box.branch)
            self._copies[box.branch] = Copy(box.files(), view, box.site.desk.state.ticks)

    def set_back(self, box: Box) -> None:
        """Somebody restores that image; what has been sold since is known to nobody here any more."""
        image = self._copies.pop(box.branch, None)
        if image is None or not box.alive:
            return
        self.world.report.set_back += 1
        box.kill("disk set back")
        box.replace_files(image.files)
        before, box.branch = box.branch, self._branch(box)
        self.world.auditor.fork(image.view, box.branch, box.places)
        self.world.auditor.abandon(before)
        if box.counter is not None and box.counter.read() > image.ticks:
            self.world.auditor.rights.barred.add(box.branch)
            self.world.auditor.seen["disk set back behind its counter"] += 1

    def run_copy(self, box: Box) -> None:
        """Somebody starts a copy of the disk in another box, with the same keys, while the first goes on."""
        if not box.alive or box.site is None or len(self._boxes(box.place)) > 1:
            return
        self.world.report.copied += 1
        view, files = self.world.auditor.view(box.branch), box.files()
        twin = self.world.second_box(box)
        twin.become(box, self._branch(box))
        twin.replace_files(files)
        self.world.auditor.fork(view, twin.branch, twin.places)
        self.world.boxes.append(twin)
        self.world.people.come_to(twin)
        self.world.loop.create_task(self.world.mischief.revive(twin, 0))

    def lose(self, box: Box) -> None:
        """The disk is gone, with what headquarters had not heard; the place goes on with another. It may turn up again,
        long after people have stopped waiting for it.
        """
        auditor, random = self.world.auditor, self.random
        if not box.alive or box.site is None or auditor.forked(box.place):
            return
        self.world.report.disks_lost += 1
        place, branch, files = box.place, box.branch, box.files()
        attic = self.world.second_box(box)
        attic.become(box, branch)
        attic.replace_files(files)
        box.places.excuse()
        self._give_up(place, lend=random.random() < 0.7)
        self.renew(box, "disk lost")
        if random.random() < 0.5:
            auditor.stand_at(branch, attic.places)
            attic.places.excuse()
            self.world.later(random.uniform(20, 200), lambda: self._find(attic))
        else:
            auditor.abandon(branch)

    def _find(self, attic: Box) -> None:
        self.world.auditor.seen["lost disk found"] += 1
        self.world.boxes.append(attic)
        self.world.loop.create_task(self.world.mischief.revive(attic, 0))

    def see_to_forks(self) -> None:
        """People at headquarters see a log that nobody goes on from: its goods are booked, and its box begins anew."""
        for box in list(self.world.boxes):
            if not box.alive or box.site is None or box.site.desk.disputed is None or box not in self.world.boxes:
                continue
            if self.random.random() < 0.5:
                continue
            place = box.place
            self._give_up(place, lend=self.random.random() < 0.5)
            for other in self._boxes(place):
                self.world.auditor.abandon(other.branch)
                if other is not box:
                    other.places.excuse()
                    other.retired = True
                    other.kill("confiscated")
                    self.world.boxes.remove(other)
            box.places.excuse()
            self.renew(box, "given up")

    def _give_up(self, place: str, *, lend: bool) -> None:
        """At headquarters: nobody waits for this log any more."""
        hq, books = self.world.hq, self.world.auditor.books
        if books.states.get(place) == "closed":
            return  # it has told all it had to tell
        if books.states.get(place) == "frozen":
            hq.book_branch(place)
        else:
            books.lost.add(place)
            hq.mark_lost(place)
        if lend:
            hq.lend(place)

    # --- beginnings --------------------------------------------------------------------------------------------------

    def renew(self, box: Box, why: str) -> None:
        """An empty disk, a new log key, the next epoch; the daemon is started again as after any death."""
        box.kill(why)
        self.enrol(box)

    def enrol(self, box: Box) -> None:
        """Headquarters gives the next epoch."""
        epoch = self.world.hq.enrol(box.enrol_ask())
        box.enrolled(epoch, self.world.hq.credential_key, self.world.hq.pinned)
        self.world.auditor.begin(box.place, box.places)

    def _branch(self, box: Box) -> str:
        self._names += 1
        return f"{box.place}~{self._names}"

    def _boxes(self, place: str) -> list[Box]:
        return [box for box in self.world.boxes if box.place == place]
