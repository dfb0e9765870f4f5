"""What does a person at headquarters say of a pack, and what follows? Each word is one record of headquarters' log.

A word that changes nothing makes no record, so that saying it twice does no more than once.
"""

from __future__ import annotations

import re

import sqlalchemy as sa

from cloud import documents, grants, hqlog, packs, schema
from cloud.accounts import require_account
from cloud.acts import Denied
from cloud.clock import Clock
from cloud.hqlog import Act, Change
from cloud.keys import HqKeys
from cloud.posting import Entry, Log
from protocols.trade import books, swap_terms
from protocols.trade.codec import decode
from protocols.trade.custody import At, Custody
from protocols.trade.numbering import Kind, why_not
from protocols.trade.quantities import yuan
from protocols.trade.records import CNY, Effect, Record
from protocols.trade.records_fleet import PackMarked, PackWord
from protocols.trade.swap_terms import SwapTerms, price_rent, rent_named
from protocols.trade.tariff import DAY_S

WHY_MAX = 200
_CODE = re.compile(r"[0-9A-Z]{1,64}")


def hot(connection: sa.Connection, hq: HqKeys, clock: Clock, code: str, why: str) -> int | None:
    """Lock it in wherever it turns up; also one that was never seen. The act's serial; None: it was said before."""
    pack = _known(connection, code)
    return None if pack is not None and pack.hot else _say(connection, hq, clock, code, "hot", why=why)


def clear(connection: sa.Connection, hq: HqKeys, clock: Clock, code: str, why: str) -> int | None:
    """It may be given out again."""
    pack = _require(connection, code)
    if pack.place.at is At.LOST:
        raise Denied(f"{code} is lost", "Say where it is: fieldtill-hq pack found CODE --site SITE.")
    return _say(connection, hq, clock, code, "clear", why=why) if pack.hot else None


def lost(connection: sa.Connection, hq: HqKeys, clock: Clock, code: str, why: str) -> int | None:
    """Nobody has it: what was deposited for it is kept, and it is hot."""
    pack = _require(connection, code)
    return None if pack.place.at is At.LOST else _say(connection, hq, clock, code, "lost", why=why)


def found(connection: sa.Connection, hq: HqKeys, clock: Clock, code: str, site: str, why: str) -> int | None:
    """Staff of this site has it: a rental ends as a return, and it is neither lost nor hot."""
    pack = _require(connection, code)
    at = schema.sites.c.id == site
    if site == books.HQ or connection.execute(sa.select(schema.sites.c.id).where(at)).one_or_none() is None:
        raise Denied(f"no site {site!r}", "`fieldtill-hq site list` lists them.")
    if pack.place.at is At.STAFF and pack.place.site == site and not pack.hot and pack.rental is None:
        return None
    return _say(connection, hq, clock, code, "found", site=site, why=why)


def inspected(connection: sa.Connection, hq: HqKeys, clock: Clock, code: str, until_s: int, why: str) -> int | None:
    """It has been looked at, and may be given out until this Unix time."""
    if until_s <= clock.now_ms() // 1000:
        raise Denied("expected a day that is to come", "Say until when it may be given out.")
    pack = _known(connection, code)
    if pack is not None and pack.inspect_by_s == until_s:
        return None
    return _say(connection, hq, clock, code, "inspected", value=until_s, why=why)


def number(connection: sa.Connection, hq: HqKeys, clock: Clock, code: str, value: int) -> int | None:
    """Give it a number of the fleet's network; 0 takes it away. Raises Denied, with the range for one outside it."""
    hqlog.lock(connection)
    if value and (wrong := why_not(Kind.BATTERY, value)):
        raise Denied(wrong, "Numbers of DTUs and TBOXes have ranges of their own.")
    pack = _known(connection, code)
    if (0 if pack is None else pack.number) == value:
        return None
    other = connection.execute(sa.select(schema.packs.c.code).where(schema.packs.c.number == value)).scalar()
    if value and other is not None:
        raise Denied(f"{value} is the number of {other}", "Take it from there first: fieldtill-hq pack number CODE 0.")
    return _say(connection, hq, clock, code, "numbered", value=value)


def extend(connection: sa.Connection, hq: HqKeys, clock: Clock, code: str, terms: int = 1) -> tuple[int, int]:
    """Sell so many further terms of the pack's rent, for the rider's free money: (fen, Unix time paid to).

    Raises Denied.
    """
    hqlog.lock(connection)
    rental = _require(connection, code).rental
    if rental is None:
        raise Denied(f"{code} is not rented", "`fieldtill-hq rental list` lists what is.")
    require_account(connection, rental.account)
    document = documents.newest(connection, rental.site, swap_terms.KIND, SwapTerms)
    offer = None if document is None else rent_named(document, rental.offer)
    if offer is None or terms < 1:
        raise Denied(f"{rental.offer} is no rent of {rental.site} now", "`fieldtill-hq swap-terms show SITE` has them.")
    price_fen = price_rent(offer).amount_fen * terms
    free = grants.free_of(connection, [rental.account], CNY).get(rental.account, 0)
    if free < price_fen:
        raise Denied(
            f"{yuan(free)} yuan of {rental.account} are free, {yuan(price_fen)} are needed", "Top it up first."
        )
    until_s = max(rental.until_s or 0, clock.now_ms() // 1000) + terms * offer.days * DAY_S
    if price_fen:
        sold = [Change(Effect.SOLD, CNY, f"rent {offer.name}", price_fen)]
        hqlog.append(connection, hq, clock, [Act(rental.account, f"rent of {code}, rental {rental.name}", sold)])
    _say(connection, hq, clock, code, "extended", value=until_s)
    return price_fen, until_s


def _say(
    connection: sa.Connection,
    hq: HqKeys,
    clock: Clock,
    code: str,
    what: PackWord,
    *,
    value: int = 0,
    site: str = "",
    why: str = "",
) -> int:
    """Record the word and fold what follows from it; its serial."""
    head = hqlog.lock(connection)
    if len(why) > WHY_MAX:
        raise Denied(f"expected at most {WHY_MAX} characters, got {len(why)}", "Say it shorter.")
    serial = hqlog.append(connection, hq, clock, [PackMarked(code, what, value, site, why)])
    data = connection.execute(_RECORD, {"log": head.id, "seq": serial}).scalar_one()
    entry = Entry(serial, decode(data, Record), "")
    packs.take_in(connection, hq, clock, Log(head.id, books.HQ, head.epoch), [entry])
    return serial


_RECORD = sa.select(schema.records.c.bytes).where(
    schema.records.c.log == sa.bindparam("log"), schema.records.c.seq == sa.bindparam("seq")
)


def _known(connection: sa.Connection, code: str) -> Custody | None:
    """The pack, held to the end of the transaction with headquarters' log; None: no record has named it."""
    hqlog.lock(connection)
    if _CODE.fullmatch(code) is None:
        raise Denied(f"expected a pack's code of 0-9 and A-Z, got {code!r}", "As it stands on the pack.")
    return packs.custody_of(connection, code)


def _require(connection: sa.Connection, code: str) -> Custody:
    pack = _known(connection, code)
    if pack is None:
        raise Denied(f"no record names the pack {code}", "`fieldtill-hq pack list` lists those that any does.")
    return pack
