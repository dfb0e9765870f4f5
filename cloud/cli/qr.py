"""`fieldtill-hq account qr`: a code for a customer's phone, as text, in the terminal or as a picture."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Annotated, get_args

import typer

from cloud import carried
from cloud.carried import Order
from cloud.cli.shop import shop_of
from cloud.cli.table import fen_in, units_in
from protocols.trade.records import CNY, Preset
from protocols.trade.records_pack import SwapKind
from protocols.trade.value_words import amount_text

PIXELS = 8
"""Of one module in the picture: 3 cm on a phone's screen for a code of 220 characters."""
KINDS = get_args(SwapKind)

Png = Annotated[Path | None, typer.Option(help="Write a picture there.")]
Terminal = Annotated[bool, typer.Option("--terminal", help="Draw the code here.")]


def qr(
    ctx: typer.Context,
    account: Annotated[str, typer.Argument(help="Its id.")],
    amount: Annotated[str, typer.Argument(help="Yuan to grant to the site; 0: what waits there already.")],
    site: Annotated[str, typer.Option(help="The only one where it is good.")],
    reference: Annotated[str, typer.Option(help="Its own number; asking again gives the same code.")],
    start: Annotated[str, typer.Option(help="Connector to start; else the code only brings value.")] = "",
    asset: Annotated[str, typer.Option(help="Another asset than money; the amount is in its units.")] = CNY,
    money: Annotated[str, typer.Option(help="Yuan at which the session stops; else it fills up.")] = "",
    kind: Annotated[str, typer.Option(help="At a cabinet: swap, rent or return.")] = "",
    png: Png = None,
    terminal: Terminal = False,
) -> None:
    """Give a customer a code to carry to a site without a link."""
    shop = shop_of(ctx)
    if money and not start:
        raise typer.BadParameter("expected --start with --money", param_hint="--money")
    if kind and (kind not in KINDS or money or not start):
        expected = f"expected one of {', '.join(KINDS)}, with --start and without --money"
        raise typer.BadParameter(expected, param_hint="--kind")
    preset = Preset("money", fen_in(money)) if money else Preset(kind or "full", 0)
    order = Order(start, preset) if start else None
    with shop.writing() as (connection, home):
        code = carried.issue(
            connection,
            home.keys,
            home.clock,
            account,
            site,
            fen_in(amount) if asset == CNY else units_in(amount),
            reference=reference,
            order=order,
            asset=asset,
        )
    shop.tell([site] if code.raised else [])
    raised = "given before" if code.repeated else f"{amount_text(code.raised, asset)} granted to {site}"
    shop.say(code, f"{draw(code.text, png, terminal)}\n{raised}")


def draw(text: str, png: Path | None, terminal: bool) -> str:
    """The code as text, and above it as a drawing; the picture is written."""
    import segno  # not paid for by every other command

    made = segno.make_qr(text, error="m")
    if png is not None:
        made.save(str(png), kind="png", scale=PIXELS)
    if not terminal:
        return text
    drawing = io.StringIO()
    made.terminal(drawing, compact=True)
    return f"{drawing.getvalue()}{text}"
