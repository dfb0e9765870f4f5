"""How do a report's numbers look? Inline SVG, drawn with whole numbers so that the same report gives the same page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

INK, MUTED, LINE, PAPER = "var(--ink)", "var(--muted)", "var(--line)", "var(--paper)"
MONEY, ENERGY, GOOD, BAD, WAIT = "var(--good)", "var(--blue)", "var(--good)", "var(--bad)", "var(--wait)"
"""Of the page, which has them once for light and once for dark screens."""


@dataclass(frozen=True, slots=True)
class Bar:
    """label: below the bar, empty for none. tip: shown when pointed at."""

    value: int
    label: str
    tip: str


def bars(values: Sequence[Bar], colour: str, show: Callable[[int], str]) -> Markup:
    """Upright bars over a scale. show: a value of the scale as text."""
    width, height, left, top, bottom = 480, 190, 46, 12, 22
    room = height - top - bottom
    step, most = scale(max((it.value for it in values), default=0))
    parts = []
    for at in range(0, most + 1, step):
        y = top + room - room * at // most
        parts.append(_line(left, y, width, y, INK if at == 0 else LINE))
        parts.append(_text(left - 7, y + 4, show(at), MUTED, anchor="end"))
    pitch = (width - left) * 100 // max(len(values), 1)
    for index, it in enumerate(values):
        x, wide = left + (index * pitch + pitch // 7) // 100, pitch * 5 // 700
        tall = room * it.value // most
        if it.value:
            tall = max(tall, 1)
            parts.append(
                f'<path d="{_pillar(x, top + room, wide, tall)}" fill="{colour}"><title>{escape(it.tip)}</title></path>'
            )
        if it.label:
            parts.append(_text(x + wide // 2, height - 6, it.label, MUTED, anchor="middle"))
    return _svg(width, height, parts)


def scale(greatest: int) -> tuple[int, int]:
    """(step, top) of a scale with two to five steps of 1, 2 or 5 times a power of ten that holds `greatest`."""
    step = 1
    factors = (2, 5, 10)
    base = 1
    while step * 5 < greatest:
        for factor in factors:
            step = base * factor
            if step * 5 >= greatest:
                break
        else:
            base *= 10
    return step, max(step * 2, -(-greatest // step) * step)


@dataclass(frozen=True, slots=True)
class Share:
    """A part of a whole, 0 to 10,000 hundredths of a percent; None is unknown."""

    name: str
    part_e4: int | None
    note: str


def shares(rows: Sequence[Share], colour: str) -> Markup:
    """Lying bars, each filled to its share of the whole."""
    width, row_height, left, right = 480, 30, 132, 118
    room = width - left - right
    parts = []
    for index, it in enumerate(rows):
        y = index * row_height + 6
        parts.append(f"<g><title>{escape(it.name)}</title>{_text(0, y + 13, _within(it.name, 20), INK)}</g>")
        parts.append(f'<rect x="{left}" y="{y + 3}" width="{room}" height="12" rx="6" fill="{LINE}"/>')
        if it.part_e4:
            wide = max(room * min(it.part_e4, 10_000) // 10_000, 3)
            parts.append(f'<rect x="{left}" y="{y + 3}" width="{wide}" height="12" rx="6" fill="{colour}"/>')
        parts.append(_text(width, y + 13, it.note, MUTED, anchor="end"))
    return _svg(width, max(len(rows), 1) * row_height + 6, parts)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two accounts of the same thing, and whether they agree. state: `good`, `bad` or `wait`."""

    ours: tuple[str, str]  # zh, en
    theirs: tuple[str, str]
    state: str
    said: str
    checked: str


def comparisons(rows: Sequence[Comparison]) -> Markup:
    """Each leg as a line between what was compared, with its result in the middle."""
    width, row_height = 980, 92
    colours = {"good": GOOD, "bad": BAD, "wait": WAIT}
    parts = []
    for index, it in enumerate(rows):
        top = index * row_height
        middle, y, colour = width // 2, top + 38, colours[it.state]
        dash = ' stroke-dasharray="4 5"' if it.state != "good" else ""
        parts.append(f'<path d="M250 {y}H{width - 250}" stroke="{colour}" stroke-width="2"{dash}/>')
        for x, (zh, en) in ((0, it.ours), (width - 240, it.theirs)):
            parts.append(f'<rect x="{x}" y="{y - 26}" width="240" height="52" rx="10" fill="{PAPER}" stroke="{LINE}"/>')
            parts.append(_text(x + 120, y - 4, zh, INK, anchor="middle", size=15, weight=600))
            parts.append(_text(x + 120, y + 15, en, MUTED, anchor="middle"))
        parts.append(f'<circle cx="{middle}" cy="{y}" r="15" fill="{colour}"/>')
        mark = {
            "good": f"M{middle - 6} {y}l4 5l8 -10",
            "bad": f"M{middle} {y - 7}v8m0 5v1",
            "wait": f"M{middle} {y - 7}v7l4 4",
        }[it.state]
        style = f'fill="none" stroke="{PAPER}" stroke-width="2.5" stroke-linecap="round" stroke-linejoin="round"'
        parts.append(f'<path d="{mark}" {style}/>')
        parts.append(_text(middle, y - 22, it.said, colour, anchor="middle", size=13, weight=600))
        parts.append(_text(middle, y + 33, it.checked, MUTED, anchor="middle"))
    return _svg(width, len(rows) * row_height - 8, parts)


def _pillar(x: int, floor: int, wide: int, tall: int) -> str:
    """A bar with its upper corners rounded as far as it is tall enough."""
    bend = min(3, tall, wide // 2)
    return (
        f"M{x} {floor}v-{tall - bend}q0 -{bend} {bend} -{bend}h{wide - 2 * bend}q{bend} 0 {bend} {bend}v{tall - bend}z"
    )


def _within(said: str, most: int) -> str:
    """At most so many characters; the end is what tells connectors of one site apart."""
    return said if len(said) <= most else f"…{said[1 - most :]}"


def _svg(width: int, height: int, parts: list[str]) -> Markup:
    return Markup(f'<svg viewBox="0 0 {width} {height}" role="img">{"".join(parts)}</svg>')  # noqa: S704 (parts escape)


def _line(x1: int, y1: int, x2: int, y2: int, colour: str) -> str:
    return f'<path d="M{x1} {y1}L{x2} {y2}" stroke="{colour}"/>'


def _text(x: int, y: int, said: str, colour: str, *, anchor: str = "start", size: int = 11, weight: int = 400) -> str:
    return (
        f'<text x="{x}" y="{y}" fill="{colour}" text-anchor="{anchor}" font-size="{size}" font-weight="{weight}">'
        f"{escape(said)}</text>"
    )
