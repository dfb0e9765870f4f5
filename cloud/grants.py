"""How much may a site spend for an account, and who decides it? Headquarters raises G, and never takes it back.

`raise_for` and `raise_to_place` are the two decisions, both pure. Around them: the online request, the placing of an
allowance where the customer is expected, and the signing of a lease's newest grant. What a site no longer needs comes
back by its own RETURN records, in ingest; time frees nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from cloud import bulk, hqlog, plan_supply, schema
from cloud.caps import Rooms
from cloud.clock import Clock
from cloud.hqlog import Act, Change
from cloud.keys import HqKeys
from cloud.refusal import Refuse
from protocols.proof import keys
from protocols.trade import books
from protocols.trade.codec import encode
from protocols.trade.grants import DOMAIN, Grant, join
from protocols.trade.records import CNY, RISK, Effect
from protocols.trade.wire import GrantAsk, GrantReply, RefusalCode

GRANT_DAYS = 30
"""Days after which a site takes no new holds on a grant; the money stays. Renewed at half."""
PLACES_VISITED = 2
"""An allowance waits at the home site and at this many sites visited last."""
REFRESHED_MAX = 500
"""Grants signed anew in one exchange with a site; the others are in the next."""
REPLY_BYTES_MAX = 192 * 1024
"""Grants in one reply; a site accepts values of 256 KiB. What is left waits for the next batch."""

UNKNOWN_CREDENTIAL = "unknown-credential"
ACCOUNT_FROZEN = "account-frozen"
NO_FUNDS = "no-funds"


def raise_for(want: int, granted: int, outstanding: int, free: int, site_max: int, room: int | None = None) -> int:
    """By how much G rises for a site that wants `want` in total: never more than is free or may be out at one site.

    room: what the caps on all that lies at the site, and on all that the account has out, leave; None: no cap.
    """
    return max(0, min(want - granted, free if room is None else min(free, room), site_max - outstanding))


def raise_to_place(placed: int, outstanding: int, free: int, room: int | None = None) -> int:
    """By how much G rises so that `placed`, or all that is free, waits at a site. room: as for `raise_for`."""
    return max(0, min(placed - outstanding, free if room is None else min(free, room)))


class Lease(NamedTuple):
    """Where an account's grant at a site stands: all 0 and serial -1 before the first. outstanding is G - U - R."""

    log: int
    site: str
    epoch: int
    account: str
    asset: str
    granted: int = 0
    outstanding: int = 0
    serial: int = -1


def answer(connection: sa.Connection, hq: HqKeys, clock: Clock, head: sa.Row[Any], ask: GrantAsk) -> GrantReply:
    """The grant that the site behind `head` asks for, as far as the account can bear it. A repeat changes nothing."""
    hqlog.lock(connection)
    newest = newest_epoch(connection, head.site)
    if newest is None or newest.id != head.id:
        got = f"{head.epoch}; the site has a newer one"
        raise Refuse(RefusalCode.EPOCH_FROZEN, "epoch", expected="the site's newest", got=got)
    if newest.state != "open":
        raise Refuse(RefusalCode.EPOCH_FROZEN, "epoch", expected="an open one", got=newest.state)
    account = _account_of(connection, ask)
    if account is None:
        return GrantReply(b"", UNKNOWN_CREDENTIAL, newest.size)
    if account.status == "frozen":
        return GrantReply(b"", ACCOUNT_FROZEN, newest.size)
    note_visits(connection, head.site, [account.id], clock.now_ms())
    lease = leases_at(connection, newest, [account.id], ask.asset).get(account.id)
    lease = lease or Lease(newest.id, newest.site, newest.epoch, account.id, ask.asset)
    free = free_of(connection, [account.id], ask.asset).get(account.id, 0)
    if ask.asset != CNY and ask.want - lease.granted > free:
        lacking = ask.want - lease.granted - free
        free += plan_supply.supply(connection, hq, clock, account.id, ask.asset, lacking, lease.outstanding + free)
    room = Rooms(connection, [head.site], {account.id: account}).at(head.site, account.id, ask.asset)
    site_max = _site_max(account, ask.asset)
    step = raise_for(ask.want, lease.granted, lease.outstanding, free, site_max, room)
    if step == 0:
        stored = _stored_grant(connection, lease)
        return GrantReply(stored, "" if stored else NO_FUNDS, newest.size)
    signed = book_raises(connection, hq, clock, [(lease, step)], {account.id: account})
    return GrantReply(signed[0], "", newest.size)


class Provided(NamedTuple):
    """What waits for an account at a site. step: by how much it was raised; signed: its newest grant, empty: none."""

    log: int
    site: str
    epoch: int
    step: int
    signed: bytes


def provide(
    connection: sa.Connection,
    hq: HqKeys,
    clock: Clock,
    account: str,
    site: str,
    asset: str,
    need: int,
    *,
    whole: bool = False,
) -> Provided | None:
    """Raise G at the site's newest epoch by `need`, as far as the account can bear it, for a code that its customer
    carries there. whole: all of it or nothing. None: the account is frozen, or the site has no open epoch.
    """
    hqlog.lock(connection)
    rows = {row.id: row for row in account_rows(connection, [account])}
    epoch = newest_epoch(connection, site)
    if epoch is None or epoch.state != "open" or rows[account].status != "open":
        return None
    lease = leases_at(connection, epoch, [account], asset).get(account)
    lease = lease or Lease(epoch.id, site, epoch.epoch, account, asset)
    free = free_of(connection, [account], asset).get(account, 0)
    want, room = lease.granted + need, Rooms(connection, [site], rows).at(site, account, asset)
    step = raise_for(want, lease.granted, lease.outstanding, free, _site_max(rows[account], asset), room)
    if whole and step < need:
        step = 0
    if step:
        signed = book_raises(connection, hq, clock, [(lease, step)], rows)[0]
        note_visits(connection, site, [account], clock.now_ms())
    else:
        signed = _stored_grant(connection, lease)
    return Provided(epoch.id, site, epoch.epoch, step, signed)


def place(connection: sa.Connection, hq: HqKeys, clock: Clock, accounts: Iterable[str]) -> set[str]:
    """Have each account's allowance wait at its home site and the sites it visited last; the sites with new grants."""
    hqlog.lock(connection)
    rows = {
        row.id: row for row in account_rows(connection, sorted(set(accounts))) if row.status == "open" and row.placed
    }
    free = free_of(connection, sorted(rows), CNY)
    wanting = [account for account in sorted(rows) if free.get(account, 0) > 0]
    raises: list[tuple[Lease, int]] = []
    places = _places(connection, [rows[account] for account in wanting])
    held: dict[str, dict[str, Lease]] = {}
    epochs: dict[str, sa.Row[Any] | None] = {}
    for site in sorted({site for sites in places.values() for site in sites}):
        epoch = epochs[site] = newest_epoch(connection, site)
        if epoch is not None:
            held[site] = leases_at(connection, epoch, [a for a in wanting if site in places[a]], CNY)
    rooms = Rooms(connection, held, {account: rows[account] for account in wanting})
    for account in wanting:
        most = min(rows[account].placed, rows[account].site_max)
        for site in places[account]:
            epoch = epochs[site]
            if epoch is None or epoch.state != "open":
                continue
            lease = held[site].get(account) or Lease(epoch.id, site, epoch.epoch, account, CNY)
            step = raise_to_place(most, lease.outstanding, free[account], rooms.at(site, account, CNY))
            if step:
                free[account] -= step
                rooms.take(site, account, step)
                raises.append((lease, step))
    if raises:
        book_raises(connection, hq, clock, raises, rows)
    return {lease.site for lease, _ in raises}


def renew(connection: sa.Connection, hq: HqKeys, clock: Clock, account: str) -> set[str]:
    """Sign every live lease of the account anew, G unchanged: its cards, limits or status are no longer the same."""
    hqlog.lock(connection)
    rows = {row.id: row for row in account_rows(connection, [account])}
    sites = schema.leases.join(schema.epochs, schema.leases.c.log == schema.epochs.c.id)
    query = sa.select(schema.epochs.c.site).select_from(sites).where(schema.leases.c.account == account).distinct()
    touched: set[str] = set()
    for site in sorted(connection.scalars(query)):
        epoch = newest_epoch(connection, site)
        if epoch is None or epoch.state != "open":
            continue
        for asset in sorted(_assets(connection, epoch.id, account)):
            lease = leases_at(connection, epoch, [account], asset)[account]
            _sign(connection, hq, clock, [lease], rows)
            touched.add(site)
    return touched


def refresh(connection: sa.Connection, hq: HqKeys, clock: Clock, log: int) -> None:
    """Sign the grants anew that still hold value here and have used up half their days."""
    old_ms = clock.now_ms() - GRANT_DAYS * 86_400_000 // 2
    aged = [(row.account, row.asset) for row in connection.execute(_AGED, {"log": log, "old_ms": old_ms})]
    if not aged:
        return
    epoch = connection.execute(sa.select(schema.epochs).where(schema.epochs.c.id == log)).one()
    if epoch.state != "open":
        return
    hqlog.lock(connection)
    rows = {row.id: row for row in account_rows(connection, sorted({account for account, _ in aged}))}
    for asset in sorted({asset for _, asset in aged}):
        held = leases_at(connection, epoch, [account for account, its in aged if its == asset], asset)
        _sign(connection, hq, clock, [held[account] for account in sorted(held)], rows)


def sign_pending_anew(connection: sa.Connection, hq: HqKeys, clock: Clock) -> None:
    """Sign again, with the grant key in use, every grant that no site has said it has taken in."""
    hqlog.lock(connection)
    table, epochs = schema.leases, schema.epochs
    waiting = (table.c.serial > table.c.accepted_serial) & (sa.func.length(table.c.grant) > 0)
    query = sa.select(table.c.log, table.c.account, table.c.asset).where(waiting)
    found: dict[tuple[int, str], list[str]] = {}
    for row in connection.execute(query.order_by(table.c.log, table.c.asset, table.c.account)):
        found.setdefault((row.log, row.asset), []).append(row.account)
    for (log, asset), accounts in found.items():
        epoch = connection.execute(sa.select(epochs).where(epochs.c.id == log)).one()
        if epoch.state == "open":
            rows = {row.id: row for row in account_rows(connection, accounts)}
            held = leases_at(connection, epoch, accounts, asset)
            _sign(connection, hq, clock, [held[account] for account in accounts], rows)


def expected_at(connection: sa.Connection, site: str) -> list[str]:
    """The accounts whose allowance may wait at this site: at home there, or visited."""
    table = schema.accounts
    visited = sa.select(schema.visits.c.account).where(schema.visits.c.site == site)
    query = sa.select(table.c.id).where(sa.or_(table.c.home_site == site, table.c.id.in_(visited)))
    return list(connection.scalars(query.order_by(table.c.id)))


def pending(connection: sa.Connection, log: int) -> list[bytes]:
    """The grants of this epoch that its log does not say it has taken in, oldest serial first."""
    chosen: list[bytes] = []
    length = 0
    for signed in connection.scalars(_PENDING, {"log": log}):
        length += len(signed)
        if length > REPLY_BYTES_MAX:  # never the first one: see accounts.CARDS_MAX
            break
        chosen.append(signed)
    return chosen


def free_of(connection: sa.Connection, accounts: Sequence[str], asset: str) -> dict[str, int]:
    """What each account may still grant, spend or take out: the balance of its `cust` account."""
    rows = connection.execute(_LEDGER, {"codes": [books.cust(account) for account in accounts], "asset": asset})
    return {row.code.removeprefix("cust:"): row.credits - row.debits for row in rows}


def note_visits(connection: sa.Connection, site: str, accounts: Iterable[str], now_ms: int) -> None:
    """These accounts have been at this site just now."""
    rows = [(account, site, now_ms) for account in sorted(accounts)]
    bulk.upsert(connection, schema.visits, ("account", "site", "last_ms"), rows, update=["last_ms"])


# --- raising and signing ---------------------------------------------------------------------------------------------


def book_raises(
    connection: sa.Connection,
    hq: HqKeys,
    clock: Clock,
    raises: Sequence[tuple[Lease, int]],
    accounts: dict[str, sa.Row[Any]],
) -> list[bytes]:
    """Book each raise from the customer to the lease and sign the new totals."""
    columns = (
        *("log", "account", "asset", "granted", "used", "returned", "freed"),
        *("serial", "accepted_serial", "grant", "issued_ms"),
    )
    empty = (0, 0, 0, 0, -1, -1, b"", 0)
    new = [(lease.log, lease.account, lease.asset, *empty) for lease, _ in raises if lease.serial < 0]
    bulk.insert_missing(connection, schema.leases, columns, new)
    acts = [
        Act(lease.account, "granted", [Change(Effect.GRANTED, lease.asset, f"{lease.site}/{lease.epoch}", step)])
        for lease, step in raises
    ]
    hqlog.append(connection, hq, clock, acts)
    raised = [lease._replace(granted=lease.granted + step) for lease, step in raises]
    return _sign(connection, hq, clock, raised, accounts)


def _sign(
    connection: sa.Connection,
    hq: HqKeys,
    clock: Clock,
    leases: Sequence[Lease],
    accounts: dict[str, sa.Row[Any]],
) -> list[bytes]:
    """Sign each lease's newest grant, one serial higher, and store the very bytes. A frozen account's admits nobody."""
    version, cards = _credentials(connection, sorted({lease.account for lease in leases}))
    now_s = clock.now_ms() // 1000
    ends_s = plan_supply.ends_s(connection, {(lease.account, lease.asset) for lease in leases if lease.asset != CNY})
    signed: list[bytes] = []
    rows: list[dict[str, Any]] = []
    for lease in leases:
        account = accounts[lease.account]
        live = account.status == "open"
        grant = Grant(
            account=lease.account,
            asset=lease.asset,
            site=lease.site,
            epoch=lease.epoch,
            serial=lease.serial + 1,
            granted=lease.granted,
            issued_s=now_s,
            expires_s=min(now_s + GRANT_DAYS * 86_400, ends_s.get((lease.account, lease.asset), 2**53)),
            session_limit=_session_limit(account, lease) if live else 0,
            may_stay=_may_stay(account, lease) if live else 0,
            credential_key=version,
            credentials=cards.get(lease.account, []) if live else [],
        )
        payload = encode(grant)
        signed.append(join(grant, keys.sign(hq.grant, DOMAIN, payload)))
        at = {"at": lease.log, "whose": lease.account, "what": lease.asset}
        rows.append({**at, "serial": grant.serial, "grant": signed[-1], "issued_ms": clock.now_ms()})
    if rows:
        connection.execute(_STORE_GRANT, rows)
    return signed


def _site_max(account: sa.Row[Any], asset: str) -> int:
    """Deposits have no limit: they are not spent, and a pack's is more than most sessions cost."""
    return 2**53 if asset in books.DEPOSITS else int(account.site_max)


def _session_limit(account: sa.Row[Any], lease: Lease) -> int:
    return max(account.session_limit, lease.granted) if lease.asset in books.DEPOSITS else int(account.session_limit)


def _may_stay(account: sa.Row[Any], lease: Lease) -> int:
    """All that waits for a deposit at home stays there; what was granted elsewhere for one pack goes back."""
    if lease.account == RISK or (lease.asset in books.DEPOSITS and lease.site == account.home_site):
        return lease.granted
    return 0 if lease.asset in books.DEPOSITS else int(account.placed)


# --- reading ---------------------------------------------------------------------------------------------------------


def _account_of(connection: sa.Connection, ask: GrantAsk) -> sa.Row[Any] | None:
    account = ask.account
    if not account:
        table = schema.credentials
        found = connection.execute(
            sa.select(table.c.account).where(table.c.key_version == ask.credential_key, table.c.hmac == ask.credential)
        ).scalar()
        if found is None:
            return None
        account = found
    rows = account_rows(connection, [account])
    return rows[0] if rows else None


def account_rows(connection: sa.Connection, accounts: Sequence[str]) -> list[sa.Row[Any]]:
    return list(connection.execute(_ACCOUNTS, {"accounts": accounts}))


def newest_epoch(connection: sa.Connection, site: str) -> sa.Row[Any] | None:
    """The only epoch of a site that gets new grants; None before the first."""
    return connection.execute(_NEWEST_EPOCH, {"site": site}).one_or_none()


def leases_at(connection: sa.Connection, epoch: sa.Row[Any], accounts: Sequence[str], asset: str) -> dict[str, Lease]:
    found = dict[str, Lease]()
    for row in connection.execute(_LEASES_AT, {"log": epoch.id, "asset": asset, "accounts": accounts}):
        outstanding = row.granted - row.used - row.returned - row.freed
        place = (epoch.id, epoch.site, epoch.epoch)
        found[row.account] = Lease(*place, row.account, asset, row.granted, outstanding, row.serial)
    return found


def _assets(connection: sa.Connection, log: int, account: str) -> set[str]:
    table = schema.leases
    return set(connection.scalars(sa.select(table.c.asset).where(table.c.log == log, table.c.account == account)))


def _stored_grant(connection: sa.Connection, lease: Lease) -> bytes:
    table = schema.leases
    query = sa.select(table.c.grant).where(
        table.c.log == lease.log, table.c.account == lease.account, table.c.asset == lease.asset
    )
    return connection.execute(query).scalar() or b""


def _places(connection: sa.Connection, accounts: Sequence[sa.Row[Any]]) -> dict[str, list[str]]:
    """The sites where each account's allowance waits: home first, then the last visited."""
    visited = dict[str, list[str]]()
    for row in connection.execute(_VISITS, {"accounts": [account.id for account in accounts]}):
        visited.setdefault(row.account, []).append(row.site)
    places: dict[str, list[str]] = {}
    for account in accounts:
        home = [account.home_site] if account.home_site else []
        away = [site for site in visited.get(account.id, []) if site != account.home_site]
        places[account.id] = home + away[:PLACES_VISITED]
    return places


def _credentials(connection: sa.Connection, accounts: Sequence[str]) -> tuple[int, dict[str, list[bytes]]]:
    """The fleet's current key version, and each account's cards hidden under it."""
    version = int(connection.execute(_KEY_VERSION).scalar_one())
    cards: dict[str, list[bytes]] = {}
    for row in connection.execute(_CARDS, {"version": version, "accounts": accounts}):
        cards.setdefault(row.account, []).append(row.hmac)
    return version, cards


# --- the statements --------------------------------------------------------------------------------------------------

_LEASES, _EPOCHS, _CREDENTIALS = schema.leases, schema.epochs, schema.credentials
_AGED = (
    sa.select(_LEASES.c.account, _LEASES.c.asset)
    .where(
        _LEASES.c.log == sa.bindparam("log"),
        _LEASES.c.issued_ms < sa.bindparam("old_ms"),
        _LEASES.c.granted - _LEASES.c.used - _LEASES.c.returned - _LEASES.c.freed > 0,
    )
    .order_by(_LEASES.c.issued_ms)
    .limit(REFRESHED_MAX)
)
_PENDING = (
    sa.select(_LEASES.c.grant)
    .where(
        _LEASES.c.log == sa.bindparam("log"),
        _LEASES.c.serial > _LEASES.c.accepted_serial,
        sa.func.length(_LEASES.c.grant) > 0,
    )
    .order_by(_LEASES.c.serial, _LEASES.c.account, _LEASES.c.asset)
)
_LEDGER = sa.select(schema.ledger).where(
    bulk.among(schema.ledger.c.code, "codes"), schema.ledger.c.asset == sa.bindparam("asset")
)
_STORE_GRANT = _LEASES.update().where(  # sets the columns that its parameters name
    _LEASES.c.log == sa.bindparam("at"),
    _LEASES.c.account == sa.bindparam("whose"),
    _LEASES.c.asset == sa.bindparam("what"),
)
_ACCOUNTS = sa.select(schema.accounts).where(bulk.among(schema.accounts.c.id, "accounts"))
_NEWEST_EPOCH = (
    sa.select(_EPOCHS).where(_EPOCHS.c.site == sa.bindparam("site")).order_by(_EPOCHS.c.epoch.desc()).limit(1)
)
_LEASES_AT = sa.select(_LEASES).where(
    _LEASES.c.log == sa.bindparam("log"),
    _LEASES.c.asset == sa.bindparam("asset"),
    bulk.among(_LEASES.c.account, "accounts"),
)
_VISITS = (
    sa.select(schema.visits)
    .where(bulk.among(schema.visits.c.account, "accounts"))
    .order_by(schema.visits.c.last_ms.desc(), schema.visits.c.site)
)
_KEY_VERSION = sa.select(sa.func.max(schema.credential_keys.c.version))
_CARDS = (
    sa.select(_CREDENTIALS)
    .where(_CREDENTIALS.c.key_version == sa.bindparam("version"), bulk.among(_CREDENTIALS.c.account, "accounts"))
    .order_by(_CREDENTIALS.c.hmac)
)
