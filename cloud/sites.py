"""Which sites are there, whose box is admitted, and how do they stand?"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from cloud import schema
from cloud.accounts import Denied
from cloud.calendar import zone_exists
from cloud.clock import Clock
from cloud.keys import HQ_LOG_SITE
from protocols.proof import keys
from protocols.proof.errors import Malformed
from protocols.trade import books

_FINGERPRINT = re.compile(r"[0-9a-f]{4}(-[0-9a-f]{4}){7}")


@dataclass(frozen=True, slots=True)
class SiteNow:
    """A site as headquarters knows it. Of the newest epoch: epoch, state, size; None before the first."""

    site: str
    title: str
    status: str
    device: str
    zone: str
    day_starts_h: int
    epoch: int | None
    state: str | None
    records: int | None
    silent_s: int | None
    quarantined: int


def add(
    connection: sa.Connection, clock: Clock, site: str, *, title: str, device: str, zone: str, day_starts_h: int
) -> None:
    """A new site. device: the fingerprint that its box shows; "" admits no box yet. Raises Denied."""
    try:
        keys.origin(site, 0)
    except Malformed as error:
        raise Denied(str(error), "Use letters, digits, dots, dashes and underscores.") from error
    if site == HQ_LOG_SITE:
        raise Denied(f"{site!r} is headquarters' own log", "Choose another name.")
    if not zone_exists(zone):
        raise Denied(f"expected the IANA name of a time zone, got {zone!r}", "Like Asia/Shanghai.")
    if not 0 <= day_starts_h <= 23:
        raise Denied(f"expected an hour from 0 to 23, got {day_starts_h}", "Hours only: 0 is midnight.")
    _require_fingerprint(device)
    if _find(connection, site) is not None:
        raise Denied(f"site {site!r} is there already", "To admit another box: fieldtill-hq site admit.")
    row = {"id": site, "title": title or site, "device": device, "status": "admitted", "zone": zone}
    row_values = row | {"day_starts_h": day_starts_h, "added_ms": clock.now_ms()}
    connection.execute(schema.sites.insert().values(row_values))


def admit(connection: sa.Connection, site: str, device: str) -> None:
    """From now on this box, and no other, gets epochs for the site. Epochs that are open stay so. Raises Denied."""
    require(connection, site)
    _require_fingerprint(device)
    connection.execute(schema.sites.update().where(schema.sites.c.id == site).values(device=device))


def stop(connection: sa.Connection, site: str) -> None:
    """Refuse everything that this site sends, until it is resumed. Raises Denied."""
    require(connection, site)
    connection.execute(schema.sites.update().where(schema.sites.c.id == site).values(status="stopped"))


def resume(connection: sa.Connection, site: str) -> None:
    """Undo `stop`. Raises Denied."""
    require(connection, site)
    connection.execute(schema.sites.update().where(schema.sites.c.id == site).values(status="admitted"))


def show_all(connection: sa.Connection, now_ms: int) -> list[SiteNow]:
    """Every site, by name."""
    names = connection.scalars(sa.select(schema.sites.c.id).where(schema.sites.c.id != books.HQ)).all()
    return [show(connection, site, now_ms) for site in sorted(names)]


def show(connection: sa.Connection, site: str, now_ms: int) -> SiteNow:
    """One site. Raises Denied."""
    row, epochs, quarantine = require(connection, site), schema.epochs, schema.quarantine
    newest = connection.execute(
        sa.select(epochs).where(epochs.c.site == site).order_by(epochs.c.epoch.desc()).limit(1)
    ).one_or_none()
    quarantined = connection.execute(
        sa.select(sa.func.count()).join_from(quarantine, epochs).where(epochs.c.site == site)
    ).scalar_one()
    seen_ms = newest.seen_ms if newest else None
    return SiteNow(
        site,
        row.title,
        row.status,
        row.device,
        row.zone,
        row.day_starts_h,
        newest.epoch if newest else None,
        newest.state if newest else None,
        newest.size if newest else None,
        None if seen_ms is None else (now_ms - seen_ms) // 1000,
        quarantined,
    )


def names(connection: sa.Connection) -> list[str]:
    table = schema.sites
    return list(connection.scalars(sa.select(table.c.id).where(table.c.id != books.HQ).order_by(table.c.id)))


def require(connection: sa.Connection, site: str) -> sa.Row[Any]:
    """The site's row. Raises Denied."""
    row = _find(connection, site)
    if row is None:
        raise Denied(f"no site {site!r}", "`fieldtill-hq site list` lists them; `site add` adds one.")
    return row


def _find(connection: sa.Connection, site: str) -> sa.Row[Any] | None:
    if site == books.HQ:
        return None
    return connection.execute(sa.select(schema.sites).where(schema.sites.c.id == site)).one_or_none()


def _require_fingerprint(device: str) -> None:
    if device and not _FINGERPRINT.fullmatch(device):
        raise Denied(
            f"expected a fingerprint of eight groups of four hex digits, got {device!r}", "Copy it from the box."
        )
