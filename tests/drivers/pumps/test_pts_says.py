"""What a PTS-2's packets mean for a pump, case by case."""

from __future__ import annotations

from decimal import Decimal

import pytest

from drivers.errors import DeviceFault, Misconfigured, Transient, Unsupported
from drivers.pump import PumpState, PumpStatus, Sale
from drivers.pumps.pts_says import Display, refused, sale_of_idle, sale_of_info, status
from drivers.pumps.pts_view import ODD_MS, STANDS_MS, PtsView
from protocols.fieldbus.jsonpts_errors import Code, Malformed, Refusal
from protocols.fieldbus.jsonpts_packets import (
    Packet,
    PumpEndOfTransactionStatus,
    PumpFillingStatus,
    PumpIdleStatus,
    PumpOfflineStatus,
    PumpTotals,
    PumpTransactionInformation,
)


def info(state: str, **more: Decimal) -> PumpTransactionInformation:
    return PumpTransactionInformation(pump=1, transaction=7, state=state, **more)


def filling(volume: str, amount: str, price: str = "7.85", **more: object) -> PumpFillingStatus:
    shown = {"volume": Decimal(volume), "amount": Decimal(amount), "price": Decimal(price)}
    return PumpFillingStatus(pump=1, nozzle=1, transaction=7, **shown, **more)  # type: ignore[arg-type]  # keywords as given


IDLE = PumpIdleStatus(pump=1, nozzle=0, request="")


@pytest.mark.parametrize(
    ("packet", "told", "state", "reason"),
    [
        (IDLE, None, PumpState.IDLE, "PumpIdleStatus"),
        (IDLE, info("Finished"), PumpState.IDLE, "PumpIdleStatus"),
        (IDLE, info("Not found"), PumpState.IDLE, "PumpIdleStatus"),
        (IDLE, info("a new word"), PumpState.IDLE, "PumpIdleStatus"),
        (IDLE, info("Authorized"), PumpState.AUTHORISED, "Authorized"),
        (IDLE, info("WaitingNozzleUpForAuthorization"), PumpState.AUTHORISED, "WaitingNozzleUpForAuthorization"),
        (IDLE, info("Filling"), PumpState.DELIVERING, "Filling"),
        (IDLE, info("EndOfTransaction"), PumpState.ENDED, "EndOfTransaction"),
        (PumpIdleStatus(pump=1, nozzle_up=2), None, PumpState.CALLING, "PumpIdleStatus"),
        (PumpIdleStatus(pump=1, request="PumpAuthorize"), None, PumpState.AUTHORISED, "PumpAuthorize"),
        (PumpIdleStatus(pump=1, transaction=7), None, PumpState.AUTHORISED, "PumpAuthorize"),
        (PumpIdleStatus(pump=1, transaction=7, last_transaction=7), None, PumpState.IDLE, "PumpIdleStatus"),
        (PumpIdleStatus(pump=1, request="PumpLock", nozzle=1), None, PumpState.OUT, "PumpLock"),
        (PumpOfflineStatus(pump=1), info("Authorized"), PumpState.OUT, "PumpOfflineStatus"),
        (filling("0.00", "0.00"), None, PumpState.AUTHORISED, "PumpFillingStatus"),
        (filling("0.01", "0.08"), None, PumpState.DELIVERING, "PumpFillingStatus"),
        (filling("1.00", "7.85", is_suspended=True), None, PumpState.SUSPENDED, "PumpFillingStatus"),
        (
            filling("1.00", "7.85", ordered_type="Volume", ordered_dose=Decimal(1)),
            None,
            PumpState.REACHED,
            "PumpFillingStatus",
        ),
        (
            filling("1.00", "7.85", ordered_type="Amount", ordered_dose=Decimal("7.86")),
            None,
            PumpState.DELIVERING,
            "PumpFillingStatus",
        ),
    ],
)
def test_states(packet: Packet, told: PumpTransactionInformation | None, state: PumpState, reason: str) -> None:
    """The status, and what the controller says of the newest sale, make one state."""
    seen = status(packet, told, False)
    assert (seen.state, seen.reason) == (state, reason)


def test_an_end_is_told_in_full() -> None:
    """Nozzle, mL, fen and price of the sale that is to be billed."""
    end = PumpEndOfTransactionStatus(
        pump=1, nozzle=2, volume=Decimal("26.720"), amount=Decimal("209.75"), transaction=7, price=Decimal("7.85")
    )
    assert status(end, None, False) == PumpStatus(
        PumpState.ENDED, "PumpEndOfTransactionStatus", 2, None, 26_720, 20_975, 785_000
    )


@pytest.mark.parametrize(
    ("packet", "carries", "wanted"),
    [
        (filling("10.00", "78.50"), "litres", (10_000, 7_850)),
        (filling("10.02", "78.50"), "litres", (10_020, 7_850)),
        (filling("78.50", "12.34"), "litres", (None, None)),
        (filling("78.50", "616.22"), "money", (None, 7_850)),
        (filling("10.00", "78.50"), "nothing", (None, None)),
        (filling("10.00", "78.50", price="0"), "litres", (None, None)),
        (filling("10.0001", "78.50"), "litres", (None, None)),
    ],
)
def test_what_is_believed_of_a_display(
    packet: PumpFillingStatus, carries: Display, wanted: tuple[int | None, int | None]
) -> None:
    """Volume times price must be near the amount; else neither is told."""
    seen = status(packet, None, False, carries)
    assert (seen.volume_ml, seen.amount_fen) == wanted


def test_sales() -> None:
    """From the idle pump and from the controller's memory; a sale that is not over is none."""
    assert sale_of_idle(PumpIdleStatus(pump=1, last_transaction=0)) is None
    shown = PumpIdleStatus(
        pump=1, last_nozzle=0, last_volume=Decimal(1), last_amount=Decimal("7.85"), last_transaction=9
    )
    assert sale_of_idle(shown) == Sale(None, 1_000, 785, None, 9)
    sold = {"volume": Decimal(1), "amount": Decimal("7.85"), "price": Decimal("7.85")}
    assert sale_of_info(info("Filling", **sold)) is None
    assert sale_of_info(info("Finished", **sold)) == Sale(None, 1_000, 785, 785_000, 7)
    with pytest.raises(Malformed, match="Amount"):
        sale_of_info(info("Finished", **{**sold, "amount": Decimal("7.855")}))


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (Code.PUMP_BUSY_FILLING, Transient),
        (Code.DUPLICATED_AUTHORIZATION_REQUEST, Transient),
        (Code.POWER_DOWN_DETECTED, Transient),
        (Code.NO_PERMISSIONS, Misconfigured),
        (Code.PUMP_IS_NOT_CONFIGURED, Misconfigured),
        (Code.NOT_FOUND, Unsupported),
        (Code.REPEATED_AUTHORIZE_PUMP_PRICE_DIFFERENT, DeviceFault),
        (Code.TANK_PRODUCT_HEIGHT_IS_CRITICAL_LOW, DeviceFault),
    ],
)
def test_refusals(code: Code, error: type[Exception]) -> None:
    """By what is to be done next, with the controller's own word in the text."""
    raised = refused(Refusal.of(code), "PumpStop", "pts:P1")
    assert type(raised) is error
    assert code.message in str(raised)


def test_totals_that_come_in_place_of_a_status() -> None:
    """They are kept, and are no status; the one before stands."""
    view = PtsView(1)
    assert view.take(view.questions(), [IDLE, info("Not found")], 0) is True
    totals = PumpTotals(pump=1, nozzle=2, volume=Decimal(5))
    assert view.take(view.questions(), [totals, info("Not found")], 1) is False
    assert (view.totals, view.packet) == ({2: totals}, IDLE)


def test_an_answer_about_an_older_sale_is_not_taken() -> None:
    """A poll that was asked before an order tells of the sale before it."""
    view = PtsView(1)
    view.ordered(7)
    questions = view.questions()
    view.ordered(8)
    view.take(questions, [IDLE, info("Finished")], 0)
    assert (view.newest, view.info) == (8, None)


def test_a_sale_that_is_said_to_fill_at_an_idle_pump() -> None:
    """For a moment it is about to flow; after a while it is the controller's memory that hangs."""
    view = PtsView(1)
    view.ordered(7)
    states = []
    for now_ms in (0, ODD_MS - 1, ODD_MS):
        view.take(view.questions(), [IDLE, info("Filling")], now_ms)
        assert view.status is not None
        states.append(view.status.state)
    assert states == [PumpState.DELIVERING, PumpState.DELIVERING, PumpState.IDLE]


def test_a_stopped_sale_stands_after_a_second_without_flow() -> None:
    """Only the one that was told to stop, and only while its display does not move."""
    view = PtsView(1)
    view.ordered(7)
    view.told_to_stop(0)
    moving, standing = filling("1.00", "7.85"), filling("1.05", "8.24")
    states = []
    for packet, now_ms in ((moving, 0), (standing, 10), (standing, STANDS_MS), (standing, 10 + STANDS_MS)):
        view.take(view.questions(), [packet, info("Filling")], now_ms)
        assert view.status is not None
        states.append(view.status.state)
    assert states == [PumpState.DELIVERING, PumpState.DELIVERING, PumpState.DELIVERING, PumpState.REACHED]
