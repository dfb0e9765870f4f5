"""What is known of one pump behind a PTS-2, from all that the controller has said? No I/O; time is passed in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from drivers.pump import PumpStatus, Sale
from drivers.pumps import pts_says as says
from protocols.fieldbus.jsonpts import Answer
from protocols.fieldbus.jsonpts_errors import Refusal
from protocols.fieldbus.jsonpts_packets import (
    STATUSES,
    Packet,
    PumpEndOfTransactionStatus,
    PumpFillingStatus,
    PumpGetStatus,
    PumpGetTransactionInformation,
    PumpIdleStatus,
    PumpPrices,
    PumpTotals,
    PumpTransactionInformation,
    TransactionState,
)

ODD_MS: Final = 5_000  # a pump that stays idle for so long fills nothing, whatever else is said
STANDS_MS: Final = 1_000  # a stopped sale whose display does not move for so long waits for its nozzle


class PtsView:
    """The newest status, the number of the newest sale, and what has arrived of totals and prices."""

    def __init__(self, pump: int, carries: says.Display = "litres") -> None:
        self.pump = pump
        self._carries = carries
        self.status: PumpStatus | None = None
        self.packet: Packet | None = None  # `status` as it came
        self.newest: int | None = None  # number of the pump's newest sale; None: the last one, whatever it is
        self.info: PumpTransactionInformation | None = None  # of `newest`
        self.totals: dict[int, PumpTotals] = {}
        self.prices: PumpPrices | None = None
        self._needs_number = False  # this firmware tells of no sale without its number
        self._stopped: int | None = None  # the sale that was told to stop
        self._odd: tuple[int | None, int] | None = None  # the sale that an idle pump is said to be filling, since when
        self._display: object = None  # of the sale under way
        self._moved_ms = 0  # when it changed last

    def questions(self) -> list[Packet]:
        """For one look at the pump: its status, and what became of its newest sale."""
        status = PumpGetStatus(pump=self.pump)
        if self._needs_number and self.newest is None:
            return [status]
        return [status, PumpGetTransactionInformation(pump=self.pump, transaction=self.newest)]

    def take(self, questions: Sequence[Packet], answers: Sequence[Answer], now_ms: int) -> Refusal | bool:
        """Whether a status was among the answers to `questions`; or why not. Raises Malformed."""
        answer = answers[0]
        if isinstance(answer, Refusal):
            return answer
        if len(answers) > 1:
            self._take_info(questions[1], answers[1])
        if isinstance(answer, PumpTotals):
            self.totals[answer.nozzle] = answer
        elif isinstance(answer, PumpPrices):
            self.prices = answer
        if not isinstance(answer, STATUSES):
            return False
        number = says.number_of(answer)
        if number is not None and number != self.newest:
            self.newest, self.info = number, None
        if self.newest is None and isinstance(answer, PumpIdleStatus):
            self.newest = answer.last_transaction or None
        info = None if self._contradicts(answer, now_ms) else self.info
        self.status = says.status(answer, info, self._stands(answer, now_ms), self._carries)
        self.packet = answer
        return True

    def ordered(self, number: int | None) -> None:
        """The newest sale is this one now; None: it is open which one is."""
        self.newest, self.info = number, None

    def told_to_stop(self, now_ms: int) -> None:
        """The sale under way is to end."""
        self._stopped, self._moved_ms = self.newest, now_ms

    def sales(self) -> list[Sale]:
        """What the controller shows of the last sale, surest first. Raises Malformed."""
        if isinstance(self.packet, PumpEndOfTransactionStatus):
            return [says.sale_of_end(self.packet)]
        told = None if self.info is None else says.sale_of_info(self.info)
        idle = says.sale_of_idle(self.packet) if isinstance(self.packet, PumpIdleStatus) else None
        return [sale for sale in (told, idle) if sale is not None]

    def _take_info(self, question: Packet, answer: Answer) -> None:
        assert isinstance(question, PumpGetTransactionInformation)
        if isinstance(answer, Refusal):
            self._needs_number |= question.transaction is None
            self.info = None
        elif isinstance(answer, PumpTransactionInformation):
            if question.transaction is None and self.newest is None:
                self.newest = answer.transaction or None
            if answer.transaction == self.newest:
                self.info = answer

    def _contradicts(self, packet: Packet, now_ms: int) -> bool:
        """Whether the sale's own state lags behind the pump's for good, as after a power failure in mid-sale."""
        filling = self.info is not None and self.info.state == TransactionState.FILLING
        if not filling or not isinstance(packet, PumpIdleStatus):
            self._odd = None
            return False
        if self._odd is None or self._odd[0] != self.newest:
            self._odd = (self.newest, now_ms)
        return now_ms - self._odd[1] >= ODD_MS

    def _stands(self, packet: Packet, now_ms: int) -> bool:
        if not isinstance(packet, PumpFillingStatus):
            self._display = None
            return False
        display = (packet.transaction, packet.volume, packet.amount)
        if display != self._display:
            self._display, self._moved_ms = display, now_ms
        stopped = self._stopped is not None and packet.transaction == self._stopped
        return stopped and now_ms - self._moved_ms >= STANDS_MS
