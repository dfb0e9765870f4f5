"""How is a number shown to a person? Whole numbers of the report as text, and rows as a table in a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from cloud.columns import pad, width
from cloud.night.reconcile.tanks import per_mille
from protocols.trade.quantities import kwh, litres, yuan
from protocols.trade.value_words import IN_FEN


def money(amount_fen: int | None) -> str:
    """1234567 -> "12,345.67"; None, which is unknown, is a dash."""
    return "–" if amount_fen is None else grouped(yuan(amount_fen))


def energy(energy_wh: int | None) -> str:
    """Wh as kWh: 1234567 -> "1,234.567"."""
    return "–" if energy_wh is None else grouped(kwh(energy_wh))


def volume(volume_ml: int | None) -> str:
    """mL as litres: 1234567 -> "1,234.567"."""
    return "–" if volume_ml is None else grouped(litres(volume_ml))


def thousandths(ppm: int | None) -> str:
    """-5250 ppm -> "-5.25 ‰"."""
    return "–" if ppm is None else f"{per_mille(ppm)} ‰"


def days(tenths: int | None) -> str:
    """41 -> "4.1"."""
    return "–" if tenths is None else f"{tenths // 10}.{tenths % 10}"


def amount(value: int, asset: str) -> str:
    """Of any asset: fen as yuan, others as they are counted."""
    return money(value) if asset in IN_FEN else grouped(str(value))


def grouped(decimal: str) -> str:
    """Commas between thousands: "-1234.5" -> "-1,234.5"."""
    whole, point, rest = decimal.partition(".")
    return f"{int(whole):,}{point}{rest}" if whole not in ("-0", "-") else decimal


def duration(seconds: int | None) -> str:
    return "–" if seconds is None else f"{seconds // 3600} h {seconds % 3600 // 60:02} min"


def instant(unix_ms: int | None, zone: str) -> str:
    return "–" if unix_ms is None else f"{datetime.fromtimestamp(unix_ms // 1000, ZoneInfo(zone)):%Y-%m-%d %H:%M:%S}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], left: Sequence[int] = (0,)) -> str:
    """Columns wide enough for their widest entry; all but those in `left` stand right."""
    widths = [max(width(row[at]) for row in (head, *rows)) for at in range(len(head))]
    lines = []
    for row in (head, *rows):
        cells = [pad(cell, wide, right=at not in left) for at, (cell, wide) in enumerate(zip(row, widths, strict=True))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
