"""`fieldtill-hq pack` and `fieldtill-hq rental`: where packs are, who answers for them, and words about them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Annotated

import sqlalchemy as sa
import typer

from cloud import pack_list, pack_words, packs, schema
from cloud.acts import Denied
from cloud.cli.shop import shop_of
from cloud.cli.table import Row, as_table
from cloud.clock import Clock
from cloud.keys import HqKeys
from protocols.trade.custody import Custody, place_of
from protocols.trade.quantities import yuan
from protocols.trade.rentals import Rental

pack_app = typer.Typer(no_args_is_help=True, help="Where every pack is, and who answers for it.")
rental_app = typer.Typer(no_args_is_help=True, help="Packs that are rented.")

Code = Annotated[str, typer.Argument(help="Its code, as it stands on it.")]
Why = Annotated[str, typer.Option(help="For the log, without names.")]
COLUMNS = ["code", "number", "at", "site", "cabinet", "slot", "account", "charge", "health", "cycles", "said"]


@pack_app.command("list", epilog="Example: fieldtill-hq pack list --site pudong-1 --at slot")
def list_(
    ctx: typer.Context,
    site: Annotated[str | None, typer.Option(help="Where it is, or was last.")] = None,
    at: Annotated[str | None, typer.Option(help="slot, rider, staff, lost or unknown.")] = None,
    account: Annotated[str | None, typer.Option(help="The rider who has it.")] = None,
    hot: Annotated[bool, typer.Option("--hot", help="Those to be locked in wherever they turn up.")] = False,
) -> None:
    """All packs that a record has ever named. said: hot, until when it may be given out, questions open about it."""
    shop, table = shop_of(ctx), schema.packs
    query = sa.select(table).order_by(table.c.site, table.c.cabinet, table.c.slot, table.c.code)
    for column, wanted in ((table.c.site, site), (table.c.at, at), (table.c.account, account)):
        if wanted is not None:
            query = query.where(column == wanted)
    if hot:
        query = query.where(table.c.hot)
    with shop.reading() as connection:
        rows = [dict(row._mapping) for row in connection.execute(query)]
    shop.list(rows if shop.json else [_shown(row) for row in rows], COLUMNS)


@pack_app.command(epilog="Example: fieldtill-hq pack show BT3072020120000200521001 --last 20")
def show(ctx: typer.Context, code: Code, last: Annotated[int, typer.Option(min=1, max=1000)] = 10) -> None:
    """Where a pack is, who answers for it, its rentals, what is open about it, and its history, newest last."""
    shop = shop_of(ctx)
    with shop.reading() as connection:
        pack, history = packs.told(connection, code)
    if pack is None:
        raise Denied(f"no record names the pack {code}", "`fieldtill-hq pack list` lists those that any does.")
    rows: list[Row] = [
        {
            "when": _when(fact.at_ms),
            "record": fact.record,
            "what": fact.what.value,
            "place": str(place_of(fact)) if fact.cabinet or fact.account else "",
            "rider": fact.account,
            "detail": fact.detail,
        }
        for fact in history[-last:]
    ]
    if shop.json:
        shop.say({"pack": _as_json(pack), "history": rows}, "")
    else:
        print("\n".join([*_lines(pack), "", as_table(rows, ["when", "record", "what", "place", "rider", "detail"])]))


@pack_app.command("hot", epilog="Example: fieldtill-hq pack hot BT3072020120000200521001 --why 'reported stolen'")
def hot_(ctx: typer.Context, code: Code, why: Why = "") -> None:
    """Lock it in wherever it turns up, and give it out never. Reaches sites with their next exchange."""
    _say(ctx, code, partial(pack_words.hot, code=code, why=why), "hot")


@pack_app.command(epilog="Example: fieldtill-hq pack clear BT3072020120000200521001")
def clear(ctx: typer.Context, code: Code, why: Why = "") -> None:
    """It may be given out again."""
    _say(ctx, code, partial(pack_words.clear, code=code, why=why), "cleared")


@pack_app.command(epilog="Example: fieldtill-hq pack lost BT3072020120000200521001 --why 'rider says so'")
def lost(ctx: typer.Context, code: Code, why: Why = "") -> None:
    """Nobody has it: a rental of it ends, and what was deposited for it is kept. It is hot from here on."""
    _say(ctx, code, partial(pack_words.lost, code=code, why=why), "lost")


@pack_app.command(epilog="Example: fieldtill-hq pack found BT3072020120000200521001 pudong-1")
def found(
    ctx: typer.Context, code: Code, site: Annotated[str, typer.Argument(help="Whose staff has it.")], why: Why = ""
) -> None:
    """Staff has it: a rental ends as a return, and what was kept beyond lateness goes back."""
    _say(ctx, code, partial(pack_words.found, code=code, site=site, why=why), "found")


@pack_app.command(epilog="Example: fieldtill-hq pack inspected BT3072020120000200521001 --until 2027-11-22")
def inspected(
    ctx: typer.Context,
    code: Code,
    until: Annotated[str, typer.Option(help="YYYY-MM-DD: given out to the end of this day (UTC).")],
    why: Why = "",
) -> None:
    """It has been looked at, and may be given out until a day. After that it is accepted, and given out no more."""
    try:
        day = date.fromisoformat(until) + timedelta(days=1)
    except ValueError:
        raise typer.BadParameter(f"expected YYYY-MM-DD, got {until!r}") from None
    until_s = (day - date(1970, 1, 1)).days * 86_400
    _say(ctx, code, partial(pack_words.inspected, code=code, until_s=until_s, why=why), f"inspected, until {until}")


@pack_app.command(epilog="Example: fieldtill-hq pack number BT3072020120000200521001 200001")
def number(
    ctx: typer.Context, code: Code, value: Annotated[int, typer.Argument(help="0 takes it away.", min=0)]
) -> None:
    """Its number in the fleet's network: 200,001 to 5,000,000."""
    said = f"number {value}" if value else "no number"
    _say(ctx, code, partial(pack_words.number, code=code, value=value), said)


@rental_app.command("list", epilog="Example: fieldtill-hq rental list --all")
def rentals(
    ctx: typer.Context,
    account: Annotated[str | None, typer.Option(help="Of this rider alone.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Those that have ended too.")] = False,
) -> None:
    """Packs that are rented, the first due first. late: owed at the end, and not covered by a site's bill."""
    shop = shop_of(ctx)
    now_ms = shop.open().clock.now_ms()
    table, deposits, epochs = schema.rentals, schema.rental_deposits, schema.epochs
    sums = (
        sa.select(*(deposits.c[name] for name in ("log", "seq", "position")))
        .add_columns(*(sa.func.sum(deposits.c[name]).label(name) for name in ("amount", "kept", "back")))
        .where(deposits.c.asset == "DEPOSIT")
        .group_by(deposits.c.log, deposits.c.seq, deposits.c.position)
        .subquery()
    )
    same = sa.and_(*(sums.c[name] == table.c[name] for name in ("log", "seq", "position")))
    query = sa.select(table, epochs.c.site, epochs.c.epoch, sums.c.amount, sums.c.kept, sums.c.back)
    query = query.join(epochs, epochs.c.id == table.c.log).outerjoin(sums, same)
    if not all_:
        query = query.where(table.c.state == "out")
    if account is not None:
        query = query.where(table.c.account == account)
    with shop.reading() as connection:
        found = connection.execute(query.order_by(table.c.until_s, table.c.began_ms, table.c.log, table.c.seq)).all()
    rows: list[Row] = [
        {
            "rental": f"{row.site}/{row.epoch}/{row.session}",
            "account": row.account,
            "code": row.code,
            "offer": row.offer,
            "state": "late" if _overdue(row, now_ms) else row.state,
            "began": _when(row.began_ms),
            "until": None if row.until_s is None else _when(row.until_s * 1000),
            "deposit": None if row.amount is None else yuan(int(row.amount)),
            "kept": None if row.kept is None else yuan(int(row.kept)),
            "back": None if row.back is None else yuan(int(row.back)),
            "late": yuan(row.late_fen),
        }
        for row in found
    ]
    columns = ["rental", "account", "code", "offer", "state", "began", "until", "deposit", "kept", "back", "late"]
    shop.list(rows, columns)


@rental_app.command(epilog="Example: fieldtill-hq rental extend BT3072020120000200521001 --terms 2")
def extend(
    ctx: typer.Context, code: Code, terms: Annotated[int, typer.Option(help="So many of its terms.", min=1)] = 1
) -> None:
    """Sell further terms of a running rental, for the rider's free money."""
    shop = shop_of(ctx)
    with shop.writing() as (connection, home):
        price_fen, until_s = pack_words.extend(connection, home.keys, home.clock, code, terms)
        pack_list.publish(connection, home.clock)
    with shop.reading() as connection:
        told = pack_list.told(connection)
    shop.tell(told)
    said = {"code": code, "price_fen": price_fen, "until_s": until_s}
    shop.say(said, f"{code}: paid to {_when(until_s * 1000)}, {yuan(price_fen)} yuan")


Word = Callable[[sa.Connection, HqKeys, Clock], int | None]


def _say(ctx: typer.Context, code: str, word: Word, said: str) -> None:
    """Say it, and tell the sites that swap packs."""
    shop = shop_of(ctx)
    with shop.writing() as (connection, home):
        serial = word(connection, home.keys, home.clock)
        changed = pack_list.publish(connection, home.clock)
        told = pack_list.told(connection)
    if changed is not None:
        shop.tell(told)
    text = f"{code}: {said}, serial {serial}" if serial is not None else f"{code}: so it was already"
    shop.say({"code": code, "serial": serial, "list": changed}, text)


def _overdue(row: sa.Row[tuple[object, ...]], now_ms: int) -> bool:
    return bool(row.state == "out" and row.until_s is not None and (row.until_s + row.grace_s) * 1000 < now_ms)


def _shown(row: Row) -> Row:
    said = ["hot"] if row["hot"] else []
    inspect_by_s, questions = row["inspect_by_s"], row["questions"]
    if isinstance(inspect_by_s, int) and inspect_by_s:
        said.append(f"until {datetime.fromtimestamp(inspect_by_s, UTC):%Y-%m-%d}")
    if questions:
        said.append(f"{questions} questions")
    charge, health = _percent(row["soc_permille"]), _percent(row["soh_permille"])
    slot = row["slot"] or None
    return {**row, "slot": slot, "charge": charge, "health": health, "said": ", ".join(said)}


def _percent(permille: object) -> str | None:
    return f"{permille / 10:.0f} %" if isinstance(permille, int) else None


def _lines(pack: Custody) -> list[str]:
    lines = [
        f"pack     {pack.code}" + (f"  number {pack.number}" if pack.number else "") + ("  HOT" if pack.hot else ""),
        f"is       {pack.place}" + (f" since {_when(pack.since.at_ms)}" if pack.since is not None else ""),
        f"answers  {pack.answers or '-'}",
    ]
    if pack.seen is not None:
        charge, health = _percent(pack.seen.soc_permille) or "-", _percent(pack.seen.soh_permille) or "-"
        cycles = "-" if pack.cycles is None else pack.cycles
        lines.append(f"seen     {_when(pack.seen_ms)}: charge {charge}, health {health}, {cycles} cycles")
    if pack.inspect_by_s:
        lines.append(f"inspect  by {_when(pack.inspect_by_s * 1000)}")
    lines += [f"rental   {_rental(one)}" for one in pack.rentals]
    lines += [
        f"question {it.doubt.value}: {it.believed}, then record {it.fact.record} says {place_of(it.fact)}"
        for it in pack.questions
    ]
    return lines


def _rental(one: Rental) -> str:
    until = "" if one.until_s is None else f", paid to {_when(one.until_s * 1000)}"
    return f"{one.name} {one.account} {one.offer} {one.state}{until}"


def _as_json(pack: Custody) -> dict[str, object]:
    return {
        "code": pack.code,
        "number": pack.number,
        "at": pack.place.at.value,
        "site": pack.place.site,
        "cabinet": pack.place.cabinet,
        "slot": pack.place.slot,
        "account": pack.place.account,
        "answers": pack.answers,
        "hot": pack.hot,
        "inspect_by_s": pack.inspect_by_s,
        "cycles": pack.cycles,
        "seen": None if pack.seen is None else {name: getattr(pack.seen, name) for name in pack.seen.__struct_fields__},
        "rentals": [_rental(one) for one in pack.rentals],
        "questions": [it.doubt.value for it in pack.questions],
    }


def _when(unix_ms: int) -> str:
    return f"{datetime.fromtimestamp(max(0, min(unix_ms, 2**47)) // 1000, UTC):%Y-%m-%d %H:%M} UTC"
