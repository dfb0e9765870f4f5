"""How does headquarters give a customer a code to carry to a site? A raised grant, and a start if one is asked for.

The code is the same signed grant that the site would get over its link, so it does not matter which comes first, or
how often. Whoever asks for a code numbers it: a repeat is answered with the same start and the lease's newest grant.
Numbers of starts only rise per account, so each runs once.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from cloud import acts, grants, hqlog, schema, sites
from cloud.accounts import require_account, require_named
from cloud.acts import Denied
from cloud.clock import Clock
from cloud.grants import Provided
from cloud.hqlog import Act
from cloud.keys import HqKeys
from protocols.proof import keys
from protocols.trade import carried
from protocols.trade import grants as trade_grants
from protocols.trade.carried import START_DOMAIN, CarriedStart
from protocols.trade.records import CNY, Preset

START_LIFE_S = 2 * 3600
"""A start is good for two hours: the way to the site, and a queue there. The grant in the code is good for longer."""


@dataclass(frozen=True, slots=True)
class Code:
    """text: for a QR code. raised: by how much the grant rose for it, in the asset's smallest unit; 0 for a repeat.
    number: of the start; None without one.
    """

    text: str
    account: str
    site: str
    epoch: int
    raised: int
    number: int | None
    expires_s: int
    repeated: bool


@dataclass(frozen=True, slots=True)
class Order:
    """What is to start: where, and until when it runs."""

    connector: str
    preset: Preset
    life_s: int = START_LIFE_S


def issue(
    connection: sa.Connection,
    hq: HqKeys,
    clock: Clock,
    account: str,
    site: str,
    amount: int,
    *,
    reference: str,
    order: Order | None = None,
    asset: str = CNY,
) -> Code:
    """A code for `account` at `site` worth `amount` more than is there (fen, or the asset's units), by the rules of an
    online request: never more than is free, nor than may be out at one site. amount 0: what waits there already. Raises
    Denied.
    """
    hqlog.lock(connection)
    require_named(require_account(connection, account))
    if sites.require(connection, site).status != "admitted":
        raise Denied(f"{site} is stopped", "Resume it first, or choose another site.")
    if amount < 0:
        raise Denied(f"expected an amount of at least 0 fen, got {amount}", "Check the amount.")
    preset = () if order is None else (order.connector, order.preset.kind, order.preset.amount)
    ordered = ("code", account, site, asset, amount, *preset)
    if acts.done_before(connection, reference, ordered) is not None:
        return again(connection, reference)
    made = grants.provide(connection, hq, clock, account, site, asset, amount)
    if made is None:
        raise Denied(f"{site} has no open epoch, or the account is frozen", "See `site show` and `account show`.")
    if not made.signed or (amount and not made.step):
        raise Denied("nothing could be granted", "Less is free, or as much is out at the site as may be.")
    code = write(connection, hq, clock, made, account, reference=reference, order=order)
    seq = hqlog.append(connection, hq, clock, [Act(account, f"code given, reference {reference}")])
    acts.note(connection, reference, ordered, seq)
    return code


def write(
    connection: sa.Connection,
    hq: HqKeys,
    clock: Clock,
    made: Provided,
    account: str,
    *,
    reference: str,
    order: Order | None,
) -> Code:
    """Sign the start, if there is one, with the account's next number, and keep what a repeat needs."""
    grant, _, _ = trade_grants.split(made.signed)
    table, now_s = schema.codes, clock.now_ms() // 1000
    number, expires_s, joined = None, 0, b""
    if order is not None:
        last = connection.execute(sa.select(sa.func.max(table.c.number)).where(table.c.account == account)).scalar()
        number, expires_s = (last or 0) + 1, now_s + order.life_s
        start = CarriedStart(order.connector, number, order.preset, expires_s)
        joined = carried.join_start(start, keys.sign(hq.grant, START_DOMAIN, carried.start_payload(grant, start)))
    row = {"reference": reference, "account": account, "log": made.log, "asset": grant.asset, "number": number}
    row |= {"start": joined, "expires_s": expires_s, "made_ms": clock.now_ms()}
    connection.execute(table.insert().values(row))
    return _code(connection, reference, raised=made.step, repeated=False)


def again(connection: sa.Connection, reference: str) -> Code:
    """The code of this reference, with the newest grant of its lease. Raises Denied."""
    return _code(connection, reference, raised=0, repeated=True)


def _code(connection: sa.Connection, reference: str, *, raised: int, repeated: bool) -> Code:
    codes, leases, epochs = schema.codes, schema.leases, schema.epochs
    query = (
        sa.select(codes, leases.c.grant, epochs.c.site, epochs.c.epoch)
        .join(epochs, epochs.c.id == codes.c.log)
        .join(
            leases,
            (leases.c.log == codes.c.log) & (leases.c.account == codes.c.account) & (leases.c.asset == codes.c.asset),
        )
        .where(codes.c.reference == reference)
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        raise Denied(f"no code of reference {reference}", "Ask for one.")
    try:
        text = carried.write(row.grant, row.start)
    except carried.TooLong as error:
        raise Denied(str(error), error.remedy) from error
    return Code(text, row.account, row.site, row.epoch, raised, row.number, row.expires_s, repeated)
