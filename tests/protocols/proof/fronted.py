"""A swap, a rent, a return and sessions at ports, logged by the box of `people`: their records and their receipts."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from msgspec.structs import replace as with_

from protocols.proof import measurement, ocmf
from protocols.proof.measured import MeasuredClosed, MeasuredOpened, Told
from protocols.proof.measured import measured as what
from protocols.proof.measurement import Plate
from protocols.proof.receipt_file import ReceiptFile
from protocols.trade.codec import Wire, encode
from protocols.trade.port_bill import bill_of as port_bill_of
from protocols.trade.port_prices import PortPrice, PortPrices, PowerStep, late_bill, price_of
from protocols.trade.records import CNY, Effect, Hold, Move, Origin, Pin, Preset, SessionVoided, Slice
from protocols.trade.records_pack import (
    DEPOSIT,
    PackSeen,
    SwapClosed,
    SwapKind,
    SwapOpened,
    SwapOutcome,
    SwapStepped,
)
from protocols.trade.records_port import (
    LockerClosed,
    LockerDoor,
    LockerOpened,
    LockerOverdue,
    LockerStored,
    PortClosed,
    PortOpened,
)
from protocols.trade.swap_bill import bill_of, energy_between, paid_until_s, priced_by_energy
from protocols.trade.swap_terms import Model, RentOffer, SwapOffer, SwapTerms, rent_named
from protocols.trade.tariff import Offset

from .people import DEVICE, EPOCH, SITE
from .sold import BEGAN_MS, CITY, KINDS, SEQ, receipt_file, record, stamp, used

PLAN = "SWAPS30"
TERMS = SwapTerms(
    version=3,
    zone="Asia/Shanghai",
    offsets=[Offset(0, 28_800)],
    swaps=[
        SwapOffer("swaps30", "plan", PLAN, 1, 0, 0, 0, 0, 900),
        SwapOffer("single", "single", CNY, 0, 300_500, 0, 0, 0, 900),
        SwapOffer("by-energy", "energy", CNY, 0, 250_000, 50, 400, 0, 900),
    ],
    rents=[RentOffer("day", ["72V20"], 1, 800_000, 3_600, 1_000_000)],
    models=[Model("72V20", ["BT3072020*"], ["60V25"], 30_000), Model("60V25", ["BT3060025??"], [], 0)],
    consent_permille=500,
)
PRICES = PortPrices(
    "east", 2, "Asia/Urumqi", [Offset(0, 21_600)],
    [
        PortPrice("bikes", "time", [PowerStep(200, 100_000), PowerStep(400, 150_000)], 0, 20_000, 60, 0, 0, 0, 0),
        PortPrice("cars", "energy", [], 120_000, 0, 0, 0, 0, 0, 0),
        PortPrice("piles", "tariff", [], 0, 0, 0, 0, 0, 0, 0),
    ],
)  # fmt: skip
LOW = PackSeen("BT3072020120000200521001", 180, 980, 120, 70_100, 245, 251, ["charge low"])
FULL = PackSeen("BT3072020120000200521077", 965, None, None, 82_900, 1_301, 248, [])
MUTE = PackSeen("", None, None, None, None, None, None, [])
ORIGIN = Origin("card", bytes(range(32)), 0, "")
ENDED = stamp(95_000)
PAGE = 9


def pin(document: Wire) -> Pin:
    return Pin(KINDS[type(document)], document.version, sha256(encode(document)).digest())  # type: ignore[attr-defined]  # each of them has one


# --- packs -----------------------------------------------------------------------------------------------------------

SWAP = SwapOpened(
    cabinet="cab-1", kind="swap", account="acc-77", holds=[Hold("acc-77", CNY, 400)], offer="by-energy", bound=LOW.code,
    slot=1, pack=None, consent_permille=900, resumes=None, origin=ORIGIN, pins=[pin(TERMS)], clock_lb_ms=BEGAN_MS,
    clock_ub_ms=BEGAN_MS,
)  # fmt: skip
STEPS = [
    SwapStepped(SEQ, "open-empty", 2, None, "F-10"),
    SwapStepped(SEQ, "accepted", 2, LOW, ""),
    SwapStepped(SEQ, "open-full", 5, FULL, ""),
    SwapStepped(SEQ, "given", 5, FULL, ""),
]
BY_PLAN = with_(SWAP, holds=[Hold("acc-77", PLAN, 1)], offer="swaps30")
RENT = with_(
    SWAP, kind="rent", holds=[Hold("acc-77", CNY, 800), Hold("acc-77", DEPOSIT, 30_000)], offer="day", slot=5, pack=FULL
)
RETURN = with_(SWAP, kind="return", holds=[], offer="")


def swap_end(
    opened: SwapOpened = SWAP, *, returned: PackSeen | None = LOW, taken: PackSeen | None = FULL
) -> SwapClosed:
    """As the till closes it; without its measurement."""
    offer = opened.offer
    energy_wh = energy_between(returned, taken) if taken and priced_by_energy(TERMS, offer) else None
    bill = bill_of(TERMS, opened.kind, offer, took=taken is not None, energy_wh=energy_wh)
    assert bill is not None, "an offer of these terms"
    rent = rent_named(TERMS, offer) if opened.kind == "rent" and taken else None
    ends: dict[SwapKind, tuple[SwapOutcome, SwapOutcome]] = {
        "swap": ("swapped", "kept"),
        "rent": ("taken", "cancelled"),
        "return": ("returned", "returned"),
    }
    return SwapClosed(
        session=SEQ,
        outcome=ends[opened.kind][taken is None],
        fault="",
        returned=returned,
        returned_slot=None if returned is None else 2,
        taken=taken,
        taken_slot=None if taken is None else 5,
        until_s=None if rent is None else paid_until_s(ENDED, rent),
        energy_wh=energy_wh,
        lines=list(bill.lines),
        amount_fen=bill.amount_fen,
        exact_num=bill.exact.numerator,
        exact_den=bill.exact.denominator,
        overrun_fen=0,
        meter_record=None,
    )


def measured(opened: MeasuredOpened, closed: MeasuredClosed) -> MeasuredClosed:
    """The same with its measurement, signed by the box."""
    told = what(Told(SITE, EPOCH, SEQ, stamp(), opened, closed, ENDED))
    if told is None:
        return closed
    payload = measurement.build(told, PAGE, Plate("CAB-0417", "Greenway", "GW-6"), "0.1.0")
    return with_(closed, meter_record=measurement.signed(payload, ocmf.SoftwareSigner(DEVICE)))


def captured(opened: SwapOpened, closed: SwapClosed) -> list[Move]:
    """A plan's unit and a deposit whole, money as billed."""
    if closed.taken is None:
        return []
    amounts = [(hold, closed.amount_fen if hold.asset == CNY else hold.amount) for hold in opened.holds]
    return [Move(Effect.USED, hold.account, hold.asset, "", amount, amount) for hold, amount in amounts if amount]


def swap_receipt(
    opened: SwapOpened = SWAP,
    steps: Sequence[SwapStepped] = STEPS,
    closed: SwapClosed | None = None,
    moves: Sequence[Move] | None = None,
    documents: Sequence[Wire] = (TERMS,),
    *,
    sign: bool = True,
    with_view: bool = True,
) -> ReceiptFile:
    """What is not given is as the till does it."""
    end = swap_end(opened) if closed is None else closed
    moved = captured(opened, end) if moves is None else moves
    last = record(measured(opened, end) if sign else end, moved, ENDED)
    middle = [record(step, at=ENDED) for step in steps]
    return receipt_file(record(opened, at=stamp()), *middle, last, documents=documents, with_view=with_view)


SWAPPED = swap_receipt()
RENTED = swap_receipt(RENT, STEPS[3:], swap_end(RENT, returned=None))
RETURNED = swap_receipt(RETURN, STEPS[:2], swap_end(RETURN, taken=None))

# --- ports -----------------------------------------------------------------------------------------------------------

PORT = PortOpened(
    board="rack", port=3, holds=[Hold("acc-77", CNY, 600)], price="bikes", preset=Preset("time", 3_600),
    order_kind="time", order_limit=3_600, time_max_s=36_000, power_w_max=1_000, prepaid_fen=600, counts_energy=True,
    origin=ORIGIN, pins=[pin(PRICES), pin(CITY)], clock_lb_ms=BEGAN_MS, clock_ub_ms=BEGAN_MS,
)  # fmt: skip


def port_end(opened: PortOpened = PORT, **said: object) -> PortClosed:
    """An hour, two thirds of it in the lower step; as the till closes it, without its measurement."""
    price = price_of(PRICES, opened.price)
    assert price is not None, "a price of this list"
    body = PortClosed(
        session=SEQ, reason="limit", said="1", settled=True, energy_wh=480, elapsed_s=3_600, peak_w=310, own_fen=None,
        register_wh=[], step_s=[2_400, 1_200] if price.by == "time" else [],
        slices=[Slice(0, 3_600_000, 480)] if price.by == "tariff" else [], lines=[], amount_fen=0, exact_num=0,
        exact_den=1, overrun_fen=0, meter_record=None,
    )  # fmt: skip
    body = with_(body, **said)
    bill = port_bill_of(price, opened, body, CITY)
    assert bill is not None, "the tariff is there"
    exact = bill.exact_fen
    return with_(
        body, lines=list(bill.lines), amount_fen=bill.amount_fen, exact_num=exact.numerator, exact_den=exact.denominator
    )


def port_receipt(
    opened: PortOpened = PORT,
    closed: PortClosed | None = None,
    moves: Sequence[Move] | None = None,
    documents: Sequence[Wire] = (PRICES, CITY),
    *,
    between: Sequence[Wire] = (),
    sign: bool = True,
) -> ReceiptFile:
    """What is not given is as the till does it."""
    end = port_end(opened) if closed is None else closed
    moved = [used(end.amount_fen)] if moves is None else moves
    last = record(measured(opened, end) if sign else end, moved, ENDED)
    middle = [record(body, at=ENDED) for body in between]
    return receipt_file(record(opened, at=stamp()), *middle, last, documents=documents)


PORTED = port_receipt()
PILED = port_receipt(with_(PORT, price="piles"))
"""By the tariff."""

# --- lockers ---------------------------------------------------------------------------------------------------------

LOCKERS = with_(PRICES, prices=[*PRICES.prices, PortPrice("box", "energy", [], 120_000, 0, 0, 0, 500_000, 60, 3)])
STAY = LockerOpened(
    board="rack", port=4, account="acc-77", holds=[Hold("acc-77", CNY, 1_500)], price="box", secret=bytes(48),
    charge=None, charge_by="", origin=ORIGIN, pins=[pin(LOCKERS)], clock_lb_ms=BEGAN_MS,
    clock_ub_ms=BEGAN_MS,
)  # fmt: skip
ACTS: list[LockerStored | LockerDoor | LockerOverdue] = [
    LockerStored(SEQ, False),
    LockerDoor(SEQ, "collect", ORIGIN, ""),
]


def stay_end(stay_s: int = 90, opened: LockerOpened = STAY, **said: object) -> LockerClosed:
    """As the till closes it: 60 s are free here, and each day begun after them costs 5 yuan."""
    price = price_of(LOCKERS, opened.price)
    assert price is not None, "a price of this list"
    bill = late_bill(price, stay_s)
    exact = bill.exact_fen
    body = LockerClosed(
        SEQ, "collected", stay_s, list(bill.lines), bill.amount_fen, exact.numerator, exact.denominator, 0
    )
    return with_(body, **said)


def stay_receipt(
    opened: LockerOpened = STAY,
    acts: Sequence[Wire] = ACTS,
    closed: LockerClosed | SessionVoided | None = None,
    moves: Sequence[Move] | None = None,
    documents: Sequence[Wire] = (LOCKERS,),
) -> ReceiptFile:
    """What is not given is as the till does it."""
    end = stay_end() if closed is None else closed
    fen = 0 if isinstance(end, SessionVoided) else end.amount_fen
    moved = [used(fen)] * bool(fen) if moves is None else moves
    middle = [record(body, at=ENDED) for body in acts]
    return receipt_file(record(opened, at=stamp()), *middle, record(end, moved, ENDED), documents=documents)


STAYED = stay_receipt()
