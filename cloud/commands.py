"""How does headquarters start or stop a session, so that it happens at most once?

A command names the boot of the box that it is for and a number that rises within it. It expires soon: a start that
comes late would surprise whoever stands there by then.
"""

from __future__ import annotations

import sqlalchemy as sa

from cloud import schema
from cloud.accounts import Denied
from cloud.clock import Clock
from cloud.keys import HqKeys
from protocols.proof import keys
from protocols.trade.codec import encode
from protocols.trade.records import Preset
from protocols.trade.wire import COMMAND_DOMAIN, Command, SignedCommand

LIFE_S = 120
START, STOP = "start", "stop"


def order(
    connection: sa.Connection,
    hq: HqKeys,
    clock: Clock,
    site: str,
    verb: str,
    connector: str,
    *,
    account: str = "",
    preset: Preset = Preset("full", 0),  # noqa: B008 (frozen)
    session: int = 0,
    offer: str = "",
    consent: bool = False,
) -> tuple[int, bytes]:
    """The number of a new command and its signed bytes. Raises Denied while the site has never told its boot.

    offer, consent: at a cabinet.
    """
    epochs = schema.epochs
    row = connection.execute(
        sa.select(epochs.c.boot)
        .where(epochs.c.site == site, epochs.c.boot.is_not(None))
        .order_by(epochs.c.epoch.desc())
        .limit(1)
        .with_for_update(key_share=True)
    ).one_or_none()
    if row is None:
        raise Denied(f"site {site!r} has not been heard of", "Wait for its first batch, or check the site's name.")
    table, now_ms = schema.commands, clock.now_ms()
    last = connection.execute(
        sa.select(sa.func.max(table.c.number)).where(table.c.site == site, table.c.boot == row.boot)
    ).scalar()
    number, expires_s = (last or 0) + 1, now_ms // 1000 + LIFE_S
    command = Command(site, row.boot, number, verb, connector, account, preset, session, offer, consent, expires_s)
    payload = encode(command)
    signed = encode(SignedCommand(payload, keys.sign(hq.grant, COMMAND_DOMAIN, payload)))
    row_values = {"site": site, "boot": row.boot, "number": number, "verb": verb, "command": signed}
    connection.execute(table.insert().values(row_values | {"expires_s": expires_s, "made_ms": now_ms}))
    return number, signed


def waiting(connection: sa.Connection, site: str, boot: bytes, now_ms: int) -> list[bytes]:
    """Signed commands for this boot that have not expired, oldest first. The box knows which it has had."""
    values = {"site": site, "boot": boot, "now_s": now_ms // 1000}
    return [bytes(command) for command in connection.scalars(_WAITING, values)]


_COMMANDS = schema.commands
_WAITING = (
    sa.select(_COMMANDS.c.command)
    .where(
        _COMMANDS.c.site == sa.bindparam("site"),
        _COMMANDS.c.boot == sa.bindparam("boot"),
        _COMMANDS.c.expires_s > sa.bindparam("now_s"),
    )
    .order_by(_COMMANDS.c.number)
)
