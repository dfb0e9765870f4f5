"""The headquarters of a simulation: the real service on a real SQLite file, on virtual time and with drawn chance.

It may die between the commit of a batch and the answer; nothing but the database is left of it then, as in production.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cloud import (
    accounts,
    bulk,
    carried,
    commands,
    documents,
    epochs,
    forks,
    guests,
    hot_list,
    hqlog,
    keys,
    pack_list,
    pack_words,
    plans,
    refunds,
    risk,
    schema,
    store,
)
from cloud.accounts import Limits
from cloud.acts import Denied
from cloud.ingest import Ingested
from cloud.service import Answer, Headquarters, Request
from edge.sync import trust
from protocols.trade import wire
from protocols.trade.codec import Wire, decode, encode
from protocols.trade.documents import BYTES_MAX, TARIFF
from protocols.trade.grants import CredentialKey
from protocols.trade.pack_list import PackList
from protocols.trade.records import CNY, ClockQuality, Preset, Stamp
from protocols.trade.tariff import Offset, Tariff
from protocols.trade.wire import EnrolAsk, EnrolReply

ZONE = "Asia/Shanghai"
OFFSETS = [Offset(0, 28_800)]
DIRECTORY = "FIELDTILL_SIM_DIRECTORY"
"""The variable that tells workers where their files go: those of a pool end without cleaning up."""


class HqDied(Exception):
    """The process of headquarters is gone before it could answer."""


class TrueClock:
    """What time it really is: the simulation's."""

    def __init__(self, now_ms: Callable[[], int], start_utc_ms: int) -> None:
        self._now_ms = now_ms
        self._start_utc_ms = start_utc_ms

    def now_ms(self) -> int:
        return self._start_utc_ms + self._now_ms()

    def stamp(self) -> Stamp:
        now_ms = self.now_ms()
        return Stamp(bytes(8), self._now_ms(), now_ms, ClockQuality.SYNCHRONISED, now_ms, now_ms)


class MortalService(Headquarters):
    """The production service; `die` is asked at the moment when a batch is committed and not yet answered."""

    die: Callable[[], bool] = staticmethod(lambda: False)

    def _provide(self, head: sa.Row[Any], taken: Ingested) -> set[str]:
        if self.die():
            raise HqDied
        news = super()._provide(head, taken)
        if self.die():
            raise HqDied
        return news


class SimHeadquarters:
    """Headquarters, and the people there."""

    def __init__(
        self,
        random: Random,
        clock: TrueClock,
        service: type[MortalService] = MortalService,
        odds_of_death: float = 0.0,
    ) -> None:
        self._random = random
        self.clock = clock
        self.engine, self.path, empty = opened()
        shutil.copy(empty, self.path)
        self.keys = keys.HqKeys(*(Ed25519PrivateKey.from_private_bytes(random.randbytes(32)) for _ in range(3)))
        self.service = service(self.engine, self.keys, clock)
        self.odds_of_death = odds_of_death
        self.deaths = 0
        self.service.die = self._dies
        self.on_answer: Callable[[], None] = lambda: None
        with self._writing() as connection:
            hqlog.create(connection, self.keys, clock, ZONE)
            accounts.ensure_key(connection, clock)
        with store.reading(self.engine) as connection:
            self.credential_key: CredentialKey = accounts.current_key(connection)

    @property
    def pinned(self) -> trust.HqKeys:
        return trust.HqKeys(self.keys.grant_vkey, self.keys.cosign_vkey)

    def deliver(self, request: Request) -> Answer | None:
        """Answer as production does. None: it died in the middle."""
        try:
            return self.service.answer(request)
        except HqDied:
            self.deaths += 1
            return None
        finally:
            self.on_answer()

    def books(self) -> str:
        """A hash of every row that a batch can change, but for when the site was last heard."""
        told = hashlib.sha256()
        with store.reading(self.engine) as connection:
            for name, every_row in _tables():
                for row in connection.execute(every_row):
                    told.update(repr((name, *row)).encode())
        return told.hexdigest()

    def close(self) -> None:
        self.engine.dispose()

    # --- what people do there ---

    def admit(self, site: str, fingerprint: str) -> None:
        columns = ("id", "title", "device", "status", "zone", "day_starts_h", "added_ms")
        row = (site, site, fingerprint, "admitted", ZONE, 0, self.clock.now_ms())
        with self._writing() as connection:
            bulk.upsert(connection, schema.sites, columns, [row], update=["device"])

    def enrol(self, ask: EnrolAsk) -> int:
        """The epoch that this log key gets."""
        answer = self.deliver(Request(wire.PATH_ENROL, encode(ask)))
        assert answer is not None
        assert answer.status == 200, answer
        return decode(answer.body, EnrolReply).epoch

    def code(self, account: str, site: str, amount: int, reference: str, connector: str, preset: Preset) -> str:
        """A code for a phone; with a start if a connector is named. Raises Denied."""
        order = carried.Order(connector, preset) if connector else None
        with self._writing() as connection:
            made = carried.issue(
                connection, self.keys, self.clock, account, site, amount, reference=reference, order=order
            )
        return made.text

    def guest(self, site: str, connector: str, amount: int, reference: str) -> tuple[str, str | None]:
        """A guest's account, and the code for the phone; None: the site cannot serve, and a refund is due."""
        with self._writing() as connection:
            paid = guests.pay(
                connection, self.keys, self.clock,
                channel="wechat", reference=reference, amount=amount, site=site, connector=connector,
            )  # fmt: skip
        return paid.account, None if paid.code is None else paid.code.text

    def pay_refunds(self) -> None:
        """The channel pays back what is due, and says so twice."""
        with store.reading(self.engine) as connection:
            due = [one.reference for one in refunds.show_all(connection)]
        for reference in due:
            for _ in range(2):
                with self._writing() as connection:
                    refunds.done(connection, self.keys, self.clock, reference, f"{reference}-paid")

    def tend(self) -> None:
        """What time brings about; silent sites and late codes are given up after an hour here."""
        guests.tend(self.engine, self.keys, self.clock, 1)
        self.on_answer()

    def fund_pool(self, site: str, amount: int, reference: str) -> None:
        """The operator puts money of its own at a site that sells."""
        with self._writing() as connection, suppress(Denied):
            risk.fund(connection, self.keys, self.clock, site, amount, session_limit=400, reference=reference)

    def hot_list(self, card: str, *, lost: bool) -> tuple[int, frozenset[bytes]]:
        """A card is reported, or found again. The list's newest version and its entries."""
        with self._writing() as connection:
            change = hot_list.add if lost else hot_list.remove
            version = change(connection, self.keys, self.clock, cards=[card], why="told by phone").version
        with store.reading(self.engine) as connection:
            return version, frozenset(bytes.fromhex(one.hmac) for one in hot_list.show(connection, 1_000))

    def mark_lost(self, place: str) -> None:
        with self._writing() as connection:
            epochs.mark_lost(connection, self.keys, self.clock, *_split(place), "nobody waits for it")

    def lend(self, place: str) -> None:
        with self._writing() as connection:
            epochs.lend(connection, self.keys, self.clock, *_split(place))

    def book_branch(self, place: str) -> None:
        with self._writing() as connection:
            forks.book_branch(connection, self.keys, self.clock, *_split(place))

    def open_account(self, cards: list[str], home_site: str | None, limits: Limits) -> str:
        with self._writing() as connection:
            account = accounts.open_account(connection, self.keys, self.clock, home_site=home_site, limits=limits)
            for card in cards:
                accounts.add_card(connection, self.keys, self.clock, account, card)
        return account

    def top_up(self, account: str, amount: int, reference: str, asset: str = CNY) -> bool:
        """False: this payment is known already."""
        with self._writing() as connection:
            done = accounts.top_up(
                connection, self.keys, self.clock, account, amount, channel="wechat", reference=reference, asset=asset
            )
        return not done.repeated

    def sell_plan(self, account: str, asset: str, swaps: int, daily: int, sites: list[str], reference: str) -> None:
        """For nothing: a plan is a gift here."""
        plan = plans.Plan(reference, account, asset, swaps, daily, tuple(sites), 0)
        with self._writing() as connection:
            plans.sell(connection, self.keys, self.clock, plan, price_fen=0, channel=None)

    def list_packs(self) -> None:
        """What is known of single packs goes to all sites that swap."""
        with self._writing() as connection:
            pack_list.publish(connection, self.clock)

    def report_pack(self, code: str, *, hot: bool) -> None:
        """A pack is said to be stolen, or in order again; the list that says so is made at once."""
        say = pack_words.hot if hot else pack_words.clear
        with self._writing() as connection:
            say(connection, self.keys, self.clock, code, "told by phone")
            pack_list.publish(connection, self.clock)

    def hot_packs(self, hashed: bytes) -> frozenset[str]:
        """The codes that are hot by the list of this hash."""
        with store.reading(self.engine) as connection:
            content = pack_list.content(connection, hashed)
        assert content is not None
        return frozenset(pack.code for pack in decode(content, PackList, bytes_max=BYTES_MAX).packs if pack.hot)

    def publish(self, tariff: Tariff, site: str) -> None:
        with self._writing() as connection:
            documents.publish(connection, self.keys, self.clock, TARIFF, tariff.version, tariff, [site])

    def publish_fuel(self, kind: str, version: int, content: Wire, site: str) -> None:
        """A price list, or the terms of fleets."""
        with self._writing() as connection:
            documents.publish(connection, self.keys, self.clock, kind, version, content, [site])

    def order(self, site: str, verb: str, connector: str, account: str, preset: Preset, session: int) -> bytes:
        """A signed command that waits for the site's next batch."""
        with self._writing() as connection:
            _, signed = commands.order(
                connection, self.keys, self.clock, site, verb, connector,
                account=account, preset=preset, session=session,
            )  # fmt: skip
        return signed

    def _dies(self) -> bool:
        return self.odds_of_death > 0 and self._random.random() < self.odds_of_death

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        """A transaction in which chance is the simulation's, so that account names and keys are the same each time."""
        with mock.patch.object(accounts, "secrets", _Chance(self._random)), store.writing(self.engine) as connection:
            yield connection
        self.on_answer()


def _split(place: str) -> tuple[str, int]:
    site, epoch = place.split("/")
    return site, int(epoch)


@functools.cache
def _tables() -> list[tuple[str, sa.Select[Any]]]:
    """The name of each table, and the rows of it without what any message of a site changes."""
    heard = {"seen_ms", "boot", "mono_ms", "wall_ms"}
    return [
        (table.name, sa.select(*(it for it in table.c if it.name not in heard)).order_by(*table.primary_key.columns))
        for table in schema.metadata.sorted_tables
    ]


class _Chance:
    """In the place of `secrets`."""

    def __init__(self, random: Random) -> None:
        self.choice = random.choice
        self.token_bytes = random.randbytes


@functools.cache
def opened() -> tuple[sa.Engine, Path, Path]:
    """An engine, the file it opens, and a file with the schema and nothing in it: made once for each process.

    An engine keeps what it has compiled, so that each world but the first is spared that; it must be disposed of, and
    the empty file copied over the other, before the next world begins.
    """
    holder = tempfile.TemporaryDirectory(prefix="fieldtill-sim-hq-", dir=memory())
    _HOLDERS.append(holder)
    path, empty = Path(holder.name) / "hq.db", Path(holder.name) / "empty.db"
    engine = store.open_store(f"sqlite:///{path}")
    store.migrate(engine)
    engine.dispose()  # the last connection moves the write-ahead log into the file
    path.rename(empty)
    return engine, path, empty


def memory() -> str | None:
    """A file system in memory, where fsync is quick: real disks are tested elsewhere."""
    if DIRECTORY in os.environ:
        return os.environ[DIRECTORY]
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


_HOLDERS: list[tempfile.TemporaryDirectory[str]] = []
