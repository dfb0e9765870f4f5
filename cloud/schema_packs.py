"""What does headquarters keep of packs, rentals and plans? Tables of the one schema (see `cloud.schema`).

records --< pack_facts              what records say of packs
             |----  packs           where each pack is: the fold of its facts (cloud.packs)
             |----  rentals --< rental_deposits, of which HQ's own records say what is kept and given back
accounts --< plans                  sold at headquarters, placed at sites
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
)

from cloud.schema_base import Name, Serial, metadata

pack_facts = Table(
    "pack_facts",
    metadata,
    Column("log", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("position", Integer, nullable=False),
    Column("code", Name, nullable=False),
    Column("fact", LargeBinary, nullable=False),  # encoded trade.pack_facts.Fact
    PrimaryKeyConstraint("log", "seq", "position"),
    ForeignKeyConstraint(["log", "seq"], ["records.log", "records.seq"]),
    Index(None, "code"),
    sqlite_with_rowid=False,
)

packs = Table(
    "packs",
    metadata,
    Column("code", Name, primary_key=True),
    Column("at", String(16), nullable=False),  # custody.At: who has it
    Column("site", Name, nullable=False),  # where it is or was last; "": nowhere known
    Column("cabinet", Name, nullable=False),
    Column("slot", Integer, nullable=False),  # 0: in none
    Column("account", Name, nullable=False),  # the rider who has it, or is asked for it; "": none
    Column("since_ms", BigInteger, nullable=False),  # the site's clock
    Column("soc_permille", Integer),
    Column("soh_permille", Integer),
    Column("cycles", BigInteger),
    Column("hot", Boolean, nullable=False),
    Column("inspect_by_s", BigInteger, nullable=False),  # 0: no date
    Column("number", BigInteger, unique=True),  # of the fleet's network; None: none
    Column("questions", Integer, nullable=False),  # facts that do not fit together
    Index(None, "site", "cabinet"),
    Index(None, "account"),
    sqlite_with_rowid=False,
)

rentals = Table(
    "rentals",
    metadata,
    Column("log", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),  # the record that says that it was taken, and which of its facts
    Column("position", Integer, nullable=False),
    Column("session", BigInteger, nullable=False),
    Column("code", Name, nullable=False),
    Column("account", Name, nullable=False),
    Column("offer", Name, nullable=False),
    Column("state", String(16), nullable=False),
    Column("began_ms", BigInteger, nullable=False),  # the site's clock
    Column("until_s", BigInteger),  # paid to; None: not told
    Column("grace_s", BigInteger, nullable=False),
    Column("late_e3", BigInteger, nullable=False),  # per day begun after that
    Column("ended_ms", BigInteger),
    Column("late_fen", BigInteger, nullable=False),  # owed for being late, and not billed at a site
    Column("uncovered_fen", BigInteger, nullable=False),  # of that, what no deposit covers
    PrimaryKeyConstraint("log", "seq", "position"),
    ForeignKeyConstraint(
        ["log", "seq", "position"], [pack_facts.c.log, pack_facts.c.seq, pack_facts.c.position], name="fk_rentals_fact"
    ),
    Index(None, "code"),
    Index(None, "account"),
    Index(None, "state"),
    CheckConstraint("state IN ('out', 'returned', 'lost')", name="state"),
    sqlite_with_rowid=False,
)

rental_deposits = Table(
    "rental_deposits",
    metadata,
    Column("log", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("position", Integer, nullable=False),
    Column("number", Integer, nullable=False),
    Column("account", Name, nullable=False),
    Column("asset", Name, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("kept", BigInteger, nullable=False),  # done so far, by records of headquarters' log
    Column("back", BigInteger, nullable=False),
    PrimaryKeyConstraint("log", "seq", "position", "number"),
    ForeignKeyConstraint(
        ["log", "seq", "position"],
        [rentals.c.log, rentals.c.seq, rentals.c.position],
        name="fk_rental_deposits_rental",
    ),
    CheckConstraint("kept >= 0 AND back >= 0 AND amount >= kept + back", name="never_more_than_deposited"),
    sqlite_with_rowid=False,
)

plans = Table(
    "plans",
    metadata,
    Column("reference", String(80), primary_key=True),  # whoever sells it numbers it
    Column("account", Name, ForeignKey("accounts.id"), nullable=False),
    Column("asset", Name, nullable=False),
    Column("swaps", BigInteger, nullable=False),  # sold; 0: as many as there are days and intervals for
    Column("daily", BigInteger, nullable=False),  # waiting at its sites together
    Column("sites", Text, nullable=False),  # one after the other, joined by a space
    Column("until_s", BigInteger, nullable=False),  # Unix time from which it opens no session; 0: no end
    Column("log", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),  # the record of headquarters' log that sold it
    Column("sold_ms", BigInteger, nullable=False),
    Column("ended_ms", BigInteger),  # when what it had left was taken off; None: it runs
    ForeignKeyConstraint(["log", "seq"], ["records.log", "records.seq"]),
    Index(None, "account", "asset"),
    Index(None, "ended_ms"),
    CheckConstraint("swaps >= 0 AND daily >= 0 AND until_s >= 0", name="amounts"),
    CheckConstraint("swaps > 0 OR until_s > 0", name="counted_or_to_a_date"),
)

pack_lists = Table(
    "pack_lists",
    metadata,
    Column("version", Serial, primary_key=True),
    Column("issued_ms", BigInteger, nullable=False),
    Column("hash", LargeBinary(32), nullable=False),  # SHA-256 of the encoded list
    Column("payload", LargeBinary, nullable=False),  # the encoded pack_list.PackList, deflated
)
