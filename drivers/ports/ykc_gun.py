"""What is known of one gun of a pile: what it said last, and what it was told? No I/O."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from drivers.api import Quality, Reading
from drivers.port_board import PortEnd, PortOrder, PortState, PortStatus
from drivers.ports.ykc_config import PileConfig
from drivers.ports.ykc_says import power_w, status_of
from protocols.fieldbus.ykc_money import Bill
from protocols.fieldbus.ykc_session import NO_ORDER, GunStatus, State

REFUSED_MAX: Final = 50
"""Orders that must not run. Older ones can no longer start: the document gives them a minute."""


class Gun:
    """One port. Times are monotonic milliseconds."""

    def __init__(self, port: int, config: PileConfig) -> None:
        self.port = port
        self.state: State | None = None
        self.at_ms: int | None = None  # of the state
        self.alive_ms: int | None = None  # of anything that the gun said
        self.order: PortOrder | None = None  # told by this process, and not known to be over
        self.wire: str | None = None  # its number as the pile has it
        self.told_ms = 0
        self.stopped_ms: int | None = None  # when it was last told to stop
        self.sound = True
        self._shown_ms: int | None = None  # since when the state shows the order
        self._peak_w: int | None = None
        self._peak_of: str | None = None
        self._full = False
        self._refused: list[str] = []
        self._config = config

    # What the pile says.

    def heard(self, state: State, now_ms: int) -> None:
        """Its state."""
        self.state, self.at_ms, self.alive_ms = state, now_ms, now_ms
        if not state.plugged or state.status == GunStatus.CHARGING:
            self._full = False
        if state.status == GunStatus.CHARGING:
            if state.order != self._peak_of:
                self._peak_of, self._peak_w = state.order, None
            self._peak_w = max(self._peak_w or 0, power_w(state, self._config.phases))
            if state.order == self.wire and self._shown_ms is None:
                self._shown_ms = now_ms

    def beat(self, *, sound: bool, now_ms: int) -> None:
        """Its heartbeat."""
        self.sound, self.alive_ms = sound, now_ms

    def billed(self, bill: Bill, end: PortEnd) -> None:
        """Its bill came: the order is over."""
        self.refuse(bill.order)
        if bill.order == self.wire:
            self._forget()
        self._full = end is PortEnd.FULL and self.state is not None and self.state.plugged

    def peak_w(self, order: str) -> int | None:
        """The greatest power seen of an order; None: nothing was seen of it."""
        return self._peak_w if order == self._peak_of else None

    # What it is told.

    def told(self, order: PortOrder, wire: str, now_ms: int) -> None:
        """It is given an order, or was found to have it."""
        self.order, self.wire, self.told_ms, self.stopped_ms = order, wire, now_ms, None
        self._shown_ms = None
        self._full = False
        if wire in self._refused:
            self._refused.remove(wire)

    def refuse(self, wire: str) -> None:
        """That order must not run any more, should it begin."""
        if wire != NO_ORDER and wire not in self._refused:
            self._refused.append(wire)
            del self._refused[:-REFUSED_MAX]
        if wire == self.wire:
            self._forget()

    def is_refused(self, wire: str) -> bool:
        """Whether that order must not run."""
        return wire in self._refused

    def paid(self, prepaid_fen: int) -> None:
        """The running order may use so much."""
        if self.order is not None:
            self.order = replace(self.order, prepaid_fen=prepaid_fen)

    @property
    def charging(self) -> bool:
        return self.state is not None and self.state.status == GunStatus.CHARGING

    def runs(self, wire: str) -> bool:
        """Whether the state shows that this order is charging."""
        return self.state is not None and self.charging and self.state.order == wire

    def unshown(self, now_ms: int) -> bool:
        """Whether an order was taken, and nothing was seen of it for too long."""
        return self.wire is not None and self._shown_ms is None and now_ms - self.told_ms > self._config.shown_s * 1000

    def overdue(self, now_ms: int) -> str | None:
        """Why what runs has to be stopped; None: it need not be."""
        state = self.state
        if state is None or not self.charging:
            return None
        if state.order in self._refused:
            return "it was refused, or is over"
        order = self.order
        if order is None or state.order != self.wire or self._shown_ms is None:
            return None
        elapsed_s = max((now_ms - self._shown_ms) // 1000, state.charged_min * 60)
        time_max_s = min(self._config.time_max_s, order.time_max_s or self._config.time_max_s)
        if elapsed_s >= (min(order.limit, time_max_s) if order.kind == "time" else time_max_s):
            return "its time is used up"
        if order.kind == "energy" and state.energy_dwh >= order.limit * 10:
            return "its energy is used up"
        if state.amount_e2 > order.prepaid_fen * 100:
            return "its money is used up"
        if order.power_w_max is not None and power_w(state, self._config.phases) > order.power_w_max:
            return "it draws more than it may"
        return None

    # What a till reads.

    def reading(self, now_ms: int) -> Reading[PortStatus]:
        """As last told. A gun that is silent is out, with the last that it said of its order."""
        if self.state is None or self.at_ms is None:
            return Reading(None, Quality.NONE, None)
        status = status_of(self.state, phases=self._config.phases, peak_w=self.peak_w(self.state.order))
        if self.alive_ms is None or now_ms - self.alive_ms > self._config.silent_s * 1000:
            return Reading(replace(status, state=PortState.OUT, reason="silent"), Quality.STALE, self.at_ms)
        if not self.sound and status.state in (PortState.IDLE, PortState.PLUGGED):
            status = replace(status, state=PortState.FAULT, reason="faulty by its heartbeat")
        elif status.state is PortState.PLUGGED and self._full:
            status = replace(status, state=PortState.FULL)
        elif status.state is PortState.PLUGGED and self.order is not None and self._shown_ms is None:
            status = replace(status, order=self.order.number, reason="starting")
        old = now_ms - self.at_ms > self._config.stale_s * 1000
        return Reading(status, Quality.STALE if old else Quality.GOOD, self.at_ms)

    def _forget(self) -> None:
        self.order = self.wire = self._shown_ms = None
