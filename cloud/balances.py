"""Where is all the money? The books of one asset in one row, for a person and for a comparison with the sites."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa

from cloud import schema
from protocols.trade import books


class Balances(msgspec.Struct, frozen=True):
    """Sums over every account, in the asset's smallest unit.

    paid_in + lent = paid_out + refunds_due + free + at_sites + deposits + spent - quarantined, always; `remainder` is
    what that lacks, and is 0. lent: by the operator, and not back; what became of it stands among the others.
    deposits: held for rented packs. spent: plans that were paid before are in it.
    """

    asset: str
    paid_in: int
    paid_out: int
    refunds_due: int
    lent: int
    free: int
    at_sites: int
    deposits: int
    spent: int
    returned: int
    overrun: int
    quarantined: int

    @property
    def remainder(self) -> int:
        owed = self.refunds_due + self.free + self.at_sites + self.deposits
        return self.paid_in + self.lent - self.paid_out - owed - self.spent + self.quarantined


def of(connection: sa.Connection, asset: str) -> Balances:
    """The books as they stand."""
    table = schema.ledger
    rows = connection.execute(
        sa.select(table.c.code, table.c.debits, table.c.credits).where(table.c.asset == asset)
    ).all()

    def total(prefix: str, sign: int) -> int:
        """Of all ledger accounts with this prefix: credits minus debits, times `sign`."""
        return sign * sum(int(row.credits - row.debits) for row in rows if row.code.startswith(prefix))

    leases = schema.leases
    returned = connection.scalar(
        sa.select(sa.func.coalesce(sa.func.sum(leases.c.returned), 0)).where(leases.c.asset == asset)
    )
    overrun = total("overrun:", -1)
    return Balances(
        asset=asset,
        paid_in=sum(row.debits for row in rows if row.code.startswith("channel:")),
        paid_out=sum(row.credits for row in rows if row.code.startswith("channel:")),
        refunds_due=total("refund:", 1),
        lent=total(books.OPERATOR_RISK, -1),
        free=total("cust:", 1),
        at_sites=total("lease:", 1),
        deposits=total("deposit:", 1),
        spent=total("revenue:", 1) + total("prepaid:", 1) - overrun,
        returned=int(returned or 0),
        overrun=overrun,
        quarantined=total("suspense:", -1),
    )
