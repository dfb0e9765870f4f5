"""What may be done to an account at headquarters: open, give a card, top up, pay out, freeze, show.

Each act is one record of headquarters' own log, and its money moves by the same fold as a site's. Who an account
belongs to is not known here: it is an opaque id, and a card number is stored only as an HMAC.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from cloud import acts, bulk, grants, hqlog, schema, shares
from cloud.acts import Denied as Denied
from cloud.clock import Clock
from cloud.hqlog import Act, Change
from cloud.keys import HqKeys
from protocols.trade import books
from protocols.trade.codec import decode
from protocols.trade.grants import CredentialKey, hide_credential
from protocols.trade.records import CNY, Effect, Record
from protocols.trade.records_pack import DEPOSIT

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
ID_LENGTH = 10
GUEST = "guest"
"""The class of an account that one payment by phone opens for one session; see cloud.guests."""
AMOUNT_MAX = 10**11
"""Greatest amount of one act, in fen: a billion yuan. More is a slip of the finger."""
ASSET_MAX = 64
CARDS_MAX = 10_000
"""Cards of one account. A grant names them all, and has to fit a reply: 100 kB of grants.REPLY_BYTES_MAX."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one account, in the asset's smallest unit; what a class of accounts gets when it is opened."""

    session_limit: int = 20_000
    placed: int = 5_000
    site_max: int = 20_000


@dataclass(frozen=True, slots=True)
class Done:
    """serial: the act's one number, its seq in headquarters' log; None for a repeat without one. sites: with news."""

    serial: int | None
    repeated: bool
    sites: frozenset[str]


def open_account(
    connection: sa.Connection,
    hq: HqKeys,
    clock: Clock,
    *,
    home_site: str | None,
    class_: str = "person",
    limits: Limits = Limits(),
) -> str:
    """The id of a new account: ten letters and digits without I, L, O and U, drawn by chance."""
    if home_site is not None:
        _require_site(connection, home_site)
    account = "".join(secrets.choice(CROCKFORD) for _ in range(ID_LENGTH))
    connection.execute(
        schema.accounts.insert().values(
            {
                "id": account,
                "class": class_,
                "status": "open",
                "home_site": home_site,
                "session_limit": limits.session_limit,
                "placed": limits.placed,
                "site_max": limits.site_max,
                "opened_ms": clock.now_ms(),
            }
        )
    )
    hqlog.append(connection, hq, clock, [Act(account, f"opened, class {class_}")])
    return account


def add_card(connection: sa.Connection, hq: HqKeys, clock: Clock, account: str, number: str) -> Done:
    """Let this card draw on the account, everywhere the account has value. The number is not stored."""
    require_named(require_account(connection, account))
    key = current_key(connection)
    hidden = hide_credential(key, number)
    table = schema.credentials
    at = (table.c.key_version == key.version) & (table.c.hmac == hidden)
    owner = connection.execute(sa.select(table.c.account).where(at)).scalar()
    if owner is not None and owner != account:
        raise Denied("the card belongs to another account", "Take it from there first, or use another card.")
    if owner == account:
        return Done(None, True, frozenset())
    if _cards(connection, account, key.version) >= CARDS_MAX:
        raise Denied(f"the account has {CARDS_MAX} cards", "Open another account for the others.")
    serial = hqlog.append(connection, hq, clock, [Act(account, f"card added, {key.version}:{hidden.hex()}")])
    row = {"key_version": key.version, "hmac": hidden, "account": account, "added_ms": clock.now_ms()}
    connection.execute(table.insert().values(row))
    return Done(serial, False, frozenset(grants.renew(connection, hq, clock, account)))


def top_up(
    connection: sa.Connection,
    hq: HqKeys,
    clock: Clock,
    account: str,
    amount: int,
    *,
    channel: str,
    reference: str,
    asset: str = CNY,
) -> Done:
    """Money paid in through a channel, or points, a plan's swaps, a coupon given. reference: the payer's own number of
    it; a repeat does nothing.
    """
    return _pay(connection, hq, clock, Effect.PAID_IN, account, amount, channel, reference, asset=asset)


def pay_in_guest(
    connection: sa.Connection, hq: HqKeys, clock: Clock, account: str, amount: int, *, channel: str, reference: str
) -> Done:
    """The one payment of a guest's account."""
    return _pay(connection, hq, clock, Effect.PAID_IN, account, amount, channel, reference, one_payment=True)


def pay_out(
    connection: sa.Connection,
    hq: HqKeys,
    clock: Clock,
    account: str,
    amount: int,
    *,
    channel: str,
    reference: str,
    asset: str = CNY,
) -> Done:
    """Free money, or a deposit that is back, given back through a channel; what is out at sites has to come back first.
    Raises Denied.
    """
    if asset not in (CNY, DEPOSIT):
        raise Denied(f"{asset} is not paid out", "Money and deposits are.")
    return _pay(connection, hq, clock, Effect.PAID_OUT, account, amount, channel, reference, asset=asset)


def _pay(
    connection: sa.Connection,
    hq: HqKeys,
    clock: Clock,
    effect: Effect,
    account: str,
    amount: int,
    channel: str,
    reference: str,
    *,
    asset: str = CNY,
    one_payment: bool = False,
) -> Done:
    require_payment(amount, channel)
    hqlog.lock(connection)
    if not 0 < len(asset) <= ASSET_MAX or not asset.isprintable():
        raise Denied(f"expected the name of an asset, got {asset!r}", "Like CNY, points or swaps.")
    ordered = (effect, account, asset, amount, channel)
    before = acts.done_before(connection, reference, ordered)
    if before is not None:
        return Done(before, True, frozenset())
    row = require_account(connection, account)
    if not one_payment:
        require_named(row)
    if effect == Effect.PAID_OUT and grants.free_of(connection, [account], asset).get(account, 0) < amount:
        raise Denied("less than that is free", "Wait until the sites have returned what they hold for the account.")
    if effect == Effect.PAID_IN and row.status != "open":
        raise Denied("the account is frozen", "Thaw it first: fieldtill-hq account thaw.")
    change = Change(effect, asset, channel, amount)
    serial = hqlog.append(connection, hq, clock, [Act(account, f"{effect}, reference {reference}", [change])])
    acts.note(connection, reference, ordered, serial)
    sites = grants.place(connection, hq, clock, [account]) if effect == Effect.PAID_IN else set()
    if effect == Effect.PAID_IN and asset in books.DEPOSITS and row.home_site:
        sites |= shares.all_at(connection, hq, clock, account, asset, row.home_site)
    return Done(serial, False, frozenset(sites))


def set_status(connection: sa.Connection, hq: HqKeys, clock: Clock, account: str, status: str) -> Done:
    """`frozen`: no top-up, no new grant, and every site is told to admit nobody. `open`: as before."""
    hqlog.lock(connection)
    if require_account(connection, account).status == status:
        return Done(None, True, frozenset())
    table = schema.accounts
    connection.execute(table.update().where(table.c.id == account).values(status=status))
    serial = hqlog.append(connection, hq, clock, [Act(account, status)])
    return Done(serial, False, frozenset(grants.renew(connection, hq, clock, account)))


# --- keys and looking ------------------------------------------------------------------------------------------------


def current_key(connection: sa.Connection) -> CredentialKey:
    """The fleet's credential key in use."""
    table = schema.credential_keys
    row = connection.execute(sa.select(table).order_by(table.c.version.desc()).limit(1)).one()
    return CredentialKey(row.version, row.key)


def ensure_key(connection: sa.Connection, clock: Clock) -> None:
    """Make the fleet's first credential key, where there is none."""
    row = (1, secrets.token_bytes(32), clock.now_ms())
    bulk.insert_missing(connection, schema.credential_keys, ("version", "key", "made_ms"), [row])


def require_account(connection: sa.Connection, account: str) -> sa.Row[Any]:
    row = connection.execute(sa.select(schema.accounts).where(schema.accounts.c.id == account)).one_or_none()
    if row is None:
        raise Denied(f"no account {account!r}", "Check the id; `fieldtill-hq account list` lists them.")
    return row


def require_payment(amount: int, channel: str) -> None:
    """Return when so much can have moved through a channel of this name. Raises Denied."""
    if not 0 < amount <= AMOUNT_MAX:
        raise Denied(f"expected an amount of 1 to {AMOUNT_MAX} fen, got {amount}", "Check the amount.")
    if not channel or ":" in channel:
        raise Denied(f"expected the name of a channel without a colon, got {channel!r}", "For example wechat or cash.")


def require_named(account: sa.Row[Any]) -> None:
    """Return unless it is a guest's, which is for the one session that was paid. Raises Denied."""
    if account._mapping["class"] == GUEST:
        raise Denied(
            f"{account.id} is a guest's account, for one session", "Open an account, or let the guest pay again."
        )


def _require_site(connection: sa.Connection, site: str) -> None:
    found = connection.execute(sa.select(schema.sites.c.id).where(schema.sites.c.id == site)).one_or_none()
    if found is None or site == books.HQ:
        raise Denied(f"no site {site!r}", "Add it first: fieldtill-hq site add SITE.")


@dataclass(frozen=True, slots=True)
class Movement:
    """One move of an account. serial: its one number, log/seq/index."""

    serial: str
    effect: str
    asset: str
    place: str
    amount: int
    wall_ms: int


@dataclass(frozen=True, slots=True)
class LeaseNow:
    """What is out at one site and epoch; all but serial in the asset's smallest unit."""

    site: str
    epoch: int
    asset: str
    granted: int
    used: int
    returned: int
    freed: int
    serial: int

    @property
    def left(self) -> int:
        """What the site may still have, as far as headquarters can know."""
        return self.granted - self.used - self.returned - self.freed


@dataclass(frozen=True, slots=True)
class Statement:
    """An account as it stands. free: by asset."""

    account: str
    account_class: str
    status: str
    home_site: str | None
    limits: Limits
    cards: int
    free: dict[str, int]
    leases: list[LeaseNow]
    movements: list[Movement]


def show(connection: sa.Connection, account: str, last: int = 10) -> Statement:
    """Balances, leases and the last movements. Raises Denied."""
    row = require_account(connection, account)
    ledger, leases, epochs = schema.ledger, schema.leases, schema.epochs
    free = connection.execute(sa.select(ledger).where(ledger.c.code == books.cust(account)).order_by(ledger.c.asset))
    held = connection.execute(
        sa.select(leases, epochs.c.site, epochs.c.epoch)
        .join_from(leases, epochs, leases.c.log == epochs.c.id)
        .where(leases.c.account == account)
        .order_by(epochs.c.site, epochs.c.epoch, leases.c.asset)
    )
    cards = _cards(connection, account, current_key(connection).version)
    return Statement(
        account,
        row._mapping["class"],
        row.status,
        row.home_site,
        Limits(row.session_limit, row.placed, row.site_max),
        cards,
        {balance.asset: balance.credits - balance.debits for balance in free},
        [LeaseNow(h.site, h.epoch, h.asset, h.granted, h.used, h.returned, h.freed, h.serial) for h in held],
        _movements(connection, account, last),
    )


def card_of(connection: sa.Connection, account: str, number: str) -> bytes | None:
    """What this card of the account is known by at sites; None where the account has no such card."""
    key, table = current_key(connection), schema.credentials
    hidden = hide_credential(key, number)
    at = (table.c.key_version == key.version) & (table.c.hmac == hidden) & (table.c.account == account)
    return hidden if connection.execute(sa.select(table.c.hmac).where(at)).one_or_none() is not None else None


def exists(connection: sa.Connection, account: str) -> bool:
    """Whether there is an account of that id, open or not."""
    table = schema.accounts
    return connection.execute(sa.select(table.c.id).where(table.c.id == account)).one_or_none() is not None


def _cards(connection: sa.Connection, account: str, key_version: int) -> int:
    table = schema.credentials
    mine = (table.c.account == account) & (table.c.key_version == key_version)
    return int(connection.execute(sa.select(sa.func.count()).select_from(table).where(mine)).scalar_one())


def _movements(connection: sa.Connection, account: str, last: int) -> list[Movement]:
    """The newest transfers that touch the account's customer and lease accounts."""
    ledger, transfers, records, epochs = schema.ledger, schema.transfers, schema.records, schema.epochs
    lease_codes = sa.and_(ledger.c.code >= f"lease:{account}:", ledger.c.code < f"lease:{account};")
    own = sa.select(ledger.c.id).where(sa.or_(ledger.c.code == books.cust(account), lease_codes))
    query = (
        sa.select(transfers, records.c.bytes, records.c.wall_ms, epochs.c.site, epochs.c.epoch)
        .join_from(transfers, records, (transfers.c.log == records.c.log) & (transfers.c.seq == records.c.seq))
        .join(epochs, epochs.c.id == transfers.c.log)
        .where(sa.or_(transfers.c.debit.in_(own), transfers.c.credit.in_(own)))
        .order_by(
            records.c.received_ms.desc(), transfers.c.log.desc(), transfers.c.seq.desc(), transfers.c.position.desc()
        )
        .limit(last)
    )
    found: list[Movement] = []
    for row in connection.execute(query):
        move = decode(row.bytes, Record).moves[row.position]
        serial = f"{row.site or 'hq'}/{row.epoch}/{row.seq}/{row.position}"
        place = move.place or row.site
        found.append(Movement(serial, move.effect, move.asset, place, move.amount, row.wall_ms))
    return found
