"""What a head shows of what was counted, and at which count a preset ends. Functions of values alone.

Volume is shown in whole steps, rounded down; amount = round(shown volume * price), half up, in whole steps too.
"""

from __future__ import annotations

from drivers.pump import NozzleTotal
from drivers.twins.pumps.parts import Head, Preset, Sale

UL_PER_ML = 1_000
_E3_ML_PER_FEN = 1_000_000  # price_e3 * volume_ml is this many times the amount in fen


def volume_ml(head: Head, sale: Sale) -> int:
    """As displayed."""
    step_ml = head.decimals.volume_ml(1)
    return sale.ul // UL_PER_ML // step_ml * step_ml


def amount_fen(head: Head, sale: Sale) -> int:
    """As displayed; 0 while no price is known."""
    shown_ml = volume_ml(head, sale)
    if sale.price_e3 is None:
        return 0
    if sale.lands_fen is not None and shown_ml * UL_PER_ML == sale.stop_ul:
        return sale.lands_fen
    step_fen = head.decimals.amount_fen(1)
    return _round(shown_ml * sale.price_e3, _E3_ML_PER_FEN * step_fen) * step_fen


def total(head: Head, ul: int, fen: int) -> NozzleTotal:
    """Totalizers as displayed: whole steps, wrapped."""
    step_ml, step_fen = head.decimals.total_ml(1), head.decimals.total_fen(1)
    return NozzleTotal(ul // UL_PER_ML // step_ml * step_ml % head.total_ml_wraps, fen // step_fen * step_fen)


def takes(head: Head, preset: Preset) -> bool:
    """Whether the preset is at least one step and not more than the display can show."""
    match preset.kind:
        case "full":
            return True
        case "amount":
            return head.decimals.amount_fen(1) <= preset.limit <= head.amount_max_fen
        case "volume":
            return head.decimals.volume_ml(1) <= preset.limit <= head.volume_max_ml


def end_of(head: Head, preset: Preset, price_e3: int) -> tuple[int, int | None]:
    """The count in microlitres at which the valve closes, and the amount that is shown there whatever it is worth.

    That is the first step of volume at which the display shows the limit, or all that it can show. None: what it is
    worth.
    """
    step_ml, step_fen = head.decimals.volume_ml(1), head.decimals.amount_fen(1)
    stop_ml, lands_fen = min(head.volume_max_ml, _ml_for(head, head.amount_max_fen, price_e3)), None
    if preset.kind == "volume":
        stop_ml = min(stop_ml, preset.limit)
    elif preset.kind == "amount" and (ml := _ml_for(head, preset.limit, price_e3)) <= stop_ml:
        stop_ml = ml
        lands_fen = preset.limit // step_fen * step_fen if head.lands_on_amount else None
    return stop_ml // step_ml * step_ml * UL_PER_ML, lands_fen


def _ml_for(head: Head, fen: int, price_e3: int) -> int:
    """The least shown volume whose rounded amount is at least `fen`, cut to whole steps."""
    step_ml, step_fen = head.decimals.volume_ml(1), head.decimals.amount_fen(1)
    units = fen // step_fen
    least_ml = -(-(2 * units - 1) * _E3_ML_PER_FEN * step_fen // (2 * price_e3))
    return -(-max(0, least_ml) // step_ml) * step_ml


def _round(numerator: int, denominator: int) -> int:
    """Half up, of what is not below 0."""
    return (2 * numerator + denominator) // (2 * denominator)
