"""Who is owed what, and where is it out? Sums over the balances of customers and leases; pure."""

from __future__ import annotations

from cloud.night.report_model import Exposure, LeaseSum
from protocols.trade.books import Books

TOP_ACCOUNTS = 20


def lease_sums(books: Books) -> list[LeaseSum]:
    """What is out at each site and epoch, by asset. Leases that stand at 0 are left out."""
    sums: dict[tuple[str, int, str], tuple[int, int]] = {}
    for (code, asset), held in books.items():
        if code.startswith("lease:") and held.owed:
            _, site, epoch = code.rsplit(":", 2)
            accounts, outstanding = sums.get((site, int(epoch), asset), (0, 0))
            sums[site, int(epoch), asset] = accounts + 1, outstanding + held.owed
    return [
        LeaseSum(site=site, epoch=epoch, asset=asset, accounts=accounts, outstanding=outstanding)
        for (site, epoch, asset), (accounts, outstanding) in sorted(sums.items())
    ]


def account_exposures(books: Books) -> list[Exposure]:
    """The accounts that are owed most, greatest first."""
    free: dict[tuple[str, str], int] = {}
    out: dict[tuple[str, str], int] = {}
    for (code, asset), held in books.items():
        if code.startswith("cust:"):
            free[code.removeprefix("cust:"), asset] = held.owed
        elif code.startswith("lease:"):
            account = code.removeprefix("lease:").rsplit(":", 2)[0]
            out[account, asset] = out.get((account, asset), 0) + held.owed
    rows = [
        Exposure(account=key[0], asset=key[1], free=free.get(key, 0), outstanding=out.get(key, 0))
        for key in free.keys() | out.keys()
    ]
    owed = [it for it in rows if it.free or it.outstanding]
    return sorted(owed, key=lambda it: (it.asset, -(it.free + it.outstanding), it.account))[:TOP_ACCOUNTS]
