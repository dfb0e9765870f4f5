"""A fuelling position in time: its pump, the protocol that it speaks, who stands there, and what befalls it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from drivers.twins.faults import Piece
from drivers.twins.pumps.customer import Customer
from drivers.twins.pumps.dispenser import Dispenser
from drivers.twins.pumps.display import UL_PER_ML
from drivers.twins.pumps.faults import PumpFault, PumpFaultKind, PumpFaults
from drivers.twins.pumps.parts import Change, Sale

STEP_MS = 20  # of the pump's time: how finely hands and faults act
_SOLD_MAX = 100_000  # sales remembered for auditors


class PumpTwin(Protocol):
    """A pump's end of a protocol, on bytes."""

    def hear(self, data: bytes) -> Sequence[Piece]:
        """Any chunk of what the host says, to all addresses. Nothing: nothing to say, or not yet."""
        ...

    def silence(self) -> None:
        """The line was idle for longer than a frame allows: what was heard in part is lost."""
        ...


class Bay:
    """One fuelling position. speed: how much faster its time runs than the wall clock's.

    customers: come one after the other; may be endless. The pump is brought up to now by `catch_up`, or by `run` where
    a test keeps the time itself.
    """

    def __init__(
        self,
        pump: Dispenser,
        *,
        id: str = "pump",  # noqa: A002  (the word of the config)
        faults: PumpFaults | None = None,
        customers: Iterable[Customer] = (),
        speed: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.id = id
        self.pump = pump
        self.faults = PumpFaults(pump) if faults is None else faults
        self.twin: PumpTwin | None = None
        self.speed = speed
        self.sold: deque[Sale] = deque(maxlen=_SOLD_MAX)  # every sale that ended, whatever the head remembers
        self._queue = deque[Customer]()
        self._customers = iter(customers)
        self._clock = clock
        self._start_s: float | None = None
        self._start_ms = 0
        self._later: list[tuple[int, Callable[[], None]]] = []
        self._running: Sale | None = None
        pump.listeners.append(self._on_change)

    @property
    def busy(self) -> bool:
        """Whether a customer is there, or one is still to come from `add`."""
        return bool(self._queue)

    def state(self) -> dict[str, Any]:
        """Where it stands, for a person or a test. delivered_ml: all that truly left it in sales."""
        self.catch_up()
        pump = self.pump
        return {
            "pump": self.id,
            "phase": pump.phase.value if pump.powered else "dark",
            "out": pump.out,
            "blocked": list(pump.blocked),
            "volume_ml": pump.shown_ml,
            "amount_fen": pump.shown_fen,
            "flow_ml_s": pump.flow_ml_s,
            "totals_ml": {str(number): pump.total(number).volume_ml for number in pump.nozzles},
            "delivered_ml": sum(pump.delivered_ul.values()) // UL_PER_ML,
            "sold": len(self.sold),
            "busy": self.busy,
            "alarm": pump.alarm,
            "faults": [fault.kind.value for fault in self.faults.active()],
        }

    def add(self, customer: Customer) -> None:
        """Comes after those who stand there, and before those of `customers`."""
        self._queue.append(customer)

    def hear(self, data: bytes) -> Sequence[Piece]:
        """What the pump says to that, now; a dark one hears nothing."""
        self.catch_up()
        if self.twin is None or not self.pump.powered:
            return ()
        return self.twin.hear(data)

    def silence(self) -> None:
        """The line was idle: half a frame is none."""
        if self.twin is not None:
            self.twin.silence()

    def catch_up(self) -> None:
        """Bring the pump up to the wall clock."""
        now_s = self._clock()
        if self._start_s is None:
            self._start_s, self._start_ms = now_s, self.pump.now_ms
        due_ms = self._start_ms + int((now_s - self._start_s) * 1_000 * self.speed)
        if due_ms > self.pump.now_ms:
            self.run(due_ms - self.pump.now_ms)

    def run(self, ms: int) -> None:
        """Let so much of the pump's time pass."""
        end_ms = self.pump.now_ms + ms
        while True:
            self._befall()
            self._serve()
            if (left_ms := end_ms - self.pump.now_ms) <= 0:
                return
            self.pump.advance(left_ms if self._still else min(left_ms, STEP_MS))

    @property
    def _still(self) -> bool:
        """Nothing can happen by itself but what a meter and an unused authorisation do."""
        return not (self._queue or self._later or self.pump.flow_ml_s or self.faults.active())

    def _serve(self) -> None:
        while True:
            if not self._queue:
                coming = next(self._customers, None)
                if coming is None:
                    return
                self._queue.append(coming)
            if not self._queue[0].step(self.pump):
                return
            self._queue.popleft()

    def _befall(self) -> None:
        now_ms = self.pump.now_ms
        for due in [one for one in self._later if one[0] <= now_ms]:
            self._later.remove(due)
            due[1]()
        for fault in self.faults.take_world():
            self._do(fault)

    def _do(self, fault: PumpFault) -> None:
        pump, amount = self.pump, fault.amount_or(0)
        lowest = min(pump.nozzles)
        match fault.kind:
            case PumpFaultKind.POWER_CUT | PumpFaultKind.COLD_START:
                pump.cut_power(forgets=fault.kind is PumpFaultKind.COLD_START)
                self._after(amount, pump.return_power)
            case PumpFaultKind.RESTART:
                pump.cut_power()
                pump.return_power()
            case PumpFaultKind.EMERGENCY:
                pump.raise_alarm()
                self._after(amount, pump.clear_alarm)
            case PumpFaultKind.LEAP:
                pump.move_total(lowest, amount)
            case PumpFaultKind.CREEP:
                pump.leak(lowest, amount)
            case PumpFaultKind.SECOND_NOZZLE:
                other = next((n for n in pump.nozzles if n != pump.out), None)
                if other is not None and pump.out is not None:
                    pump.lift(other)
                    self._after(amount, lambda: pump.hang_up(other))
            case _:
                raise AssertionError(f"{fault.kind} is not of the world")

    def _after(self, ms: int, what: Callable[[], None]) -> None:
        self._later.append((self.pump.now_ms + ms, what))

    def _on_change(self, change: Change) -> None:
        if change is Change.AUTHORISED:
            self._running = self.pump.sale
        elif change is Change.ENDED and self._running is not None and self.pump.sale is None:
            self.sold.append(self._running)
            self._running = None
