"""Do sites and headquarters agree once all faults have ended? In sessions, records, leases, packs, books and proofs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sim_proofs
from sim_auditor import Purse
from sim_books import whose
from sim_box import Box
from sim_people import query
from sim_wrong import Wrong

from edge.folded import fold_log
from edge.till.state import Lease

if TYPE_CHECKING:
    from sim_world import World


class Agreement:
    """What must have become of a world in the end."""

    def __init__(self, world: World) -> None:
        self.world = world

    def differences(self) -> list[str]:
        """What still keeps sites and headquarters apart, in words."""
        found = []
        granted = self._leases()
        self.world.report.differing_fen = 0
        for box in self.world.boxes:
            if box.site is None or box.uplink is None:
                found.append(f"{box.branch} is not up")
                continue
            state, status = box.site.desk.state, box.uplink.status()
            if state.sessions:
                found.append(f"{box.branch}: sessions {sorted(state.sessions)} are open")
            if state.forecourt.fillings:
                found.append(f"{box.branch}: fillings {sorted(state.forecourt.fillings)} are open")
            if state.size != box.journal.size:
                found.append(f"{box.branch}: {state.size - box.journal.size} records are being written")
            if state.shop.swaps:
                found.append(f"{box.branch}: swaps {sorted(state.shop.swaps)} are open")
            if state.ports.sessions or state.ports.stays:
                found.append(f"{box.branch}: ports {sorted(state.ports.sessions)}, lockers {sorted(state.ports.stays)}")
            if self._stopped(box):
                continue
            if not state.closed:
                found += self.world.auditor.fuel.uncounted(box.branch)
                found += self.world.auditor.packs.unaccounted(box.branch)
                found += self.world.auditor.orders.unfinished(box.branch)
            if box.epoch_is_over():
                found.append(f"{box.branch} is over, and the next has not begun")
            if status.backlog or state.size != status.cosigned or self._strayed(box):
                found.append(f"{box.branch}: {status.cosigned} of {state.size} records acknowledged ({status.trouble})")
            found += self._compare(box, dict(state.leases), granted)
        return found

    def _compare(self, box: Box, leases: dict[str, Lease], granted: dict[Purse, tuple[int, int, int]]) -> list[str]:
        """The leases of one log, on both sides."""
        found = []
        theirs = {its: totals for (place, its), totals in granted.items() if place == box.place and any(totals)}
        ours = {whose(one.account, one.asset): (one.granted, one.used, one.returned) for one in leases.values()}
        lost = self.world.auditor.books.states.get(box.place) == "lost"
        for its in sorted({*theirs, *ours}):
            first = 1 if lost else 0  # nobody tells a lost site of its last grants any more
            one, other = ours.get(its, (0, 0, 0))[first:], theirs.get(its, (0, 0, 0))[first:]
            self.world.report.differing_fen += sum(abs(a - b) for a, b in zip(one, other, strict=True))
            if one != other:
                found.append(f"{box.branch}: {its} {one} and {other}")
        return found + [f"{box.branch}: {one.held} held of {one.account}" for one in leases.values() if one.held]

    def _stopped(self, box: Box) -> bool:
        """Whether this box knows that headquarters stands on another history than its own: the end of its trade."""
        assert box.site is not None
        disputed = box.site.desk.disputed
        if disputed and not self.world.auditor.forked(box.place):
            raise Wrong("no-false-alarm", f"{box.branch}: {disputed}")
        return disputed is not None

    def _strayed(self, box: Box) -> bool:
        """Whether headquarters has other records than this box."""
        return self.world.auditor.books.records[box.place] != self.world.auditor.logs[box.branch]

    def _leases(self) -> dict[Purse, tuple[int, int, int]]:
        with query(self.world.hq.path) as hq:
            rows = hq.execute(
                "SELECT site || '/' || epoch, account, asset, granted, used, returned "
                "FROM leases JOIN epochs ON epochs.id = log"
            )
            return {(place, whose(account, asset)): (g, u, r) for place, account, asset, g, u, r in rows}

    def close_the_books(self) -> None:
        """Once more over everything: the fold from the first record, what the auditor counted, and every Wh."""
        auditor = self.world.auditor
        auditor.hq_answered()
        for box in self.world.boxes:
            assert box.site is not None
            if not auditor.forked(box.place):
                self.world.mischief.resend(box)
            state = box.site.desk.state
            if fold_log(box.journal) != state:
                raise Wrong("fold-is-state", f"{box.branch}: the log does not fold to what the desk holds")
            auditor.packs.check_fold(box.branch, state.shop.contents, state.shop.bound)
            auditor.orders.check_energy(box.branch)
            for lease in state.leases.values():
                purse = (box.branch, whose(lease.account, lease.asset))
                counted = (auditor.used[purse], auditor.returned[purse])
                if counted != (lease.used, lease.returned):
                    raise Wrong("fold-is-truth", f"{box.branch}: {lease.account}: {counted}, the till says {lease}")
        alive = {box.branch for box in self.world.boxes}
        endless: list[object] = [visit for (branch, _), visit in auditor.visits.visits.items() if branch in alive]
        endless += [filling for (branch, _), filling in auditor.fuel.fillings.items() if branch in alive]
        endless += [swap for (branch, _), swap in auditor.packs.swaps.items() if branch in alive]
        endless += [order for (branch, _), order in auditor.orders.orders.items() if branch in alive]
        if endless:
            raise Wrong("converges", f"sessions without an end: {endless}")
        for place, stand in auditor.visits.stands.items():
            if place[0] in alive:
                auditor.visits.stray(place, stand.energy)

    def check_proofs(self) -> None:
        """Everything verifies from the first record on."""
        world = self.world
        excused = {"meter"} if world.faults.meter_registers else set()  # rightly found
        sim_proofs.check_headquarters(world.hq, excused)
        for box in world.boxes:
            if not world.auditor.forked(box.place):
                log = world.auditor.logs[box.branch]
                proven = sim_proofs.check_box(box, world.hq, log, world.random, world.directory, excused)
                world.report.receipts += proven
