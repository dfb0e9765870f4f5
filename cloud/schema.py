"""What does headquarters' database hold? One schema for SQLite and PostgreSQL; its constraints repeat the invariants.

    sites --< epochs --< records --< transfers >-- ledger        fold(records) = ledger
                 |----< counters        where each counter of a log's moves stands
                 |----< leases          what an account was granted here, used and returned
                 |----< forks           two signed heads that cannot both be true
                 |----< evidence        records that came on other ways than the log
    accounts --< credentials, visits, plans
    records --< pack_facts              what records say of packs; packs and rentals are their fold (schema_packs)
    key_directory                       every key that ever signed, and where headquarters' log says so

Headquarters' own log is the epoch of site "" (see protocols.trade.books.HQ). Amounts are in the asset's smallest unit,
CNY in fen. Times end in `_ms` and are Unix milliseconds of headquarters' clock unless the comment says the site's.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from cloud.schema_base import Code, Name, Serial
from cloud.schema_base import metadata as metadata
from cloud.schema_packs import pack_facts as pack_facts
from cloud.schema_packs import pack_lists as pack_lists
from cloud.schema_packs import packs as packs
from cloud.schema_packs import plans as plans
from cloud.schema_packs import rental_deposits as rental_deposits
from cloud.schema_packs import rentals as rentals

sites = Table(
    "sites",
    metadata,
    Column("id", Name, primary_key=True),  # "" is headquarters itself
    Column("title", Text, nullable=False),
    Column("device", String(64), nullable=False),  # admitted fingerprint (proof.keys.fingerprint); "" admits no box
    Column("status", String(16), nullable=False),
    Column("zone", Name, nullable=False),  # IANA name: calendar dates are the site's own
    Column("day_starts_h", Integer, nullable=False),  # local hour at which a business day begins
    Column("added_ms", BigInteger, nullable=False),
    Column("exposure_max", BigInteger, nullable=False, server_default="0"),  # fen of all customers out there; 0: no cap
    CheckConstraint("status IN ('admitted', 'stopped')", name="status"),
    CheckConstraint("day_starts_h BETWEEN 0 AND 23", name="day_starts_h"),
    CheckConstraint("exposure_max >= 0", name="exposure_max"),
)

epochs = Table(
    "epochs",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("site", Name, ForeignKey(sites.c.id), nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("log_key", LargeBinary(32), nullable=False),
    Column("device_key", LargeBinary, nullable=False),  # SubjectPublicKeyInfo; empty for headquarters
    Column("software", Name, nullable=False),
    Column("state", String(16), nullable=False),
    Column("state_why", Text, nullable=False),
    Column("state_ms", BigInteger),  # when it was last changed; None: open from the start
    Column("size", BigInteger, nullable=False),  # records stored; the next first_seq
    Column("frontier", LargeBinary, nullable=False),  # proof.tree.Frontier of them
    Column("cosigned", LargeBinary, nullable=False),  # the note as released; empty before the first
    Column("cosigned_ms", BigInteger),
    Column("opened_ms", BigInteger, nullable=False),
    Column("seen_ms", BigInteger),  # last valid request
    Column("boot", LargeBinary(8)),  # the box's boot id, monotonic and wall clock as last told
    Column("mono_ms", BigInteger),
    Column("wall_ms", BigInteger),
    UniqueConstraint("site", "epoch"),
    UniqueConstraint("site", "log_key"),
    CheckConstraint("epoch >= 1", name="epoch"),
    CheckConstraint("size >= 0", name="size"),
    CheckConstraint("state IN ('open', 'frozen', 'lost', 'closed')", name="state"),
)

records = Table(
    "records",
    metadata,
    Column("log", BigInteger, ForeignKey(epochs.c.id), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("kind", Name, nullable=False),
    Column("wall_ms", BigInteger, nullable=False),  # the site's estimate, from the stamp
    Column("business_date", Date, nullable=False),
    Column("received_ms", BigInteger, nullable=False),
    Column("bytes", LargeBinary, nullable=False),  # exactly as first written: the leaf
    PrimaryKeyConstraint("log", "seq"),
    Index(None, "log", "business_date"),
    CheckConstraint("seq >= 0", name="seq"),
    sqlite_with_rowid=False,
)

counters = Table(
    "counters",
    metadata,
    Column("log", BigInteger, ForeignKey(epochs.c.id), nullable=False),
    Column("account", Name, nullable=False),
    Column("asset", Name, nullable=False),
    Column("effect", Name, nullable=False),
    Column("place", String(80), nullable=False),
    Column("total", BigInteger, nullable=False),
    PrimaryKeyConstraint("log", "account", "asset", "effect", "place"),
    CheckConstraint("total >= 0", name="total"),
    sqlite_with_rowid=False,
)

ledger = Table(
    "ledger",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("code", Code, nullable=False),  # as protocols.trade.books writes it
    Column("asset", Name, nullable=False),
    Column("debits", BigInteger, nullable=False),
    Column("credits", BigInteger, nullable=False),
    UniqueConstraint("code", "asset"),
    CheckConstraint("debits >= 0 AND credits >= 0", name="totals_only_grow_from_zero"),
    CheckConstraint(
        "credits >= debits OR (substr(code, 1, 5) <> 'cust:' AND substr(code, 1, 6) <> 'lease:' "
        "AND substr(code, 1, 7) <> 'refund:' AND substr(code, 1, 8) <> 'deposit:')",
        name="customers_leases_refunds_and_deposits_never_negative",
    ),
)

transfers = Table(
    "transfers",
    metadata,
    Column("log", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("position", Integer, nullable=False),  # index of the move in its record
    Column("debit", BigInteger, ForeignKey(ledger.c.id), nullable=False),
    Column("credit", BigInteger, ForeignKey(ledger.c.id), nullable=False),
    Column("asset", Name, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("business_date", Date, nullable=False),
    PrimaryKeyConstraint("log", "seq", "position"),  # each move posts once
    ForeignKeyConstraint(["log", "seq"], [records.c.log, records.c.seq]),
    CheckConstraint("amount > 0", name="amount"),
    CheckConstraint("debit <> credit", name="two_sides"),
    sqlite_with_rowid=False,
)

accounts = Table(
    "accounts",
    metadata,
    Column("id", Name, primary_key=True),  # opaque: who it belongs to is not known here
    Column("class", Name, nullable=False),
    Column("status", String(16), nullable=False),
    Column("home_site", Name, ForeignKey(sites.c.id)),
    Column("session_limit", BigInteger, nullable=False),  # greatest hold of one session
    Column("placed", BigInteger, nullable=False),  # kept ready at the home site and the last two
    Column("site_max", BigInteger, nullable=False),  # most that may be out at one site
    Column("exposure_max", BigInteger, nullable=False, server_default="0"),  # fen out at all sites; 0: no cap
    Column("opened_ms", BigInteger, nullable=False),
    CheckConstraint("status IN ('open', 'frozen')", name="status"),
    CheckConstraint("session_limit >= 0 AND placed >= 0 AND site_max >= placed AND exposure_max >= 0", name="limits"),
)

visits = Table(
    "visits",
    metadata,
    Column("account", Name, ForeignKey(accounts.c.id), nullable=False),
    Column("site", Name, ForeignKey(sites.c.id), nullable=False),
    Column("last_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("account", "site"),
    sqlite_with_rowid=False,
)

credential_keys = Table(
    "credential_keys",
    metadata,
    Column("version", Serial, primary_key=True),
    Column("key", LargeBinary(32), nullable=False),  # secret; given to enrolled boxes
    Column("made_ms", BigInteger, nullable=False),
)

credentials = Table(
    "credentials",
    metadata,
    Column("key_version", BigInteger, ForeignKey(credential_keys.c.version), nullable=False),
    Column("hmac", LargeBinary(8), nullable=False),
    Column("account", Name, ForeignKey(accounts.c.id), nullable=False),
    Column("added_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("key_version", "hmac"),
    Index(None, "account"),
    sqlite_with_rowid=False,
)

leases = Table(
    "leases",
    metadata,
    Column("log", BigInteger, ForeignKey(epochs.c.id), nullable=False),  # the site and epoch it is for
    Column("account", Name, ForeignKey(accounts.c.id), nullable=False),
    Column("asset", Name, nullable=False),
    Column("granted", BigInteger, nullable=False),
    Column("used", BigInteger, nullable=False),
    Column("returned", BigInteger, nullable=False),
    Column("freed", BigInteger, nullable=False),  # after the epoch's CLOSE: to the customer, or repaid to the operator
    Column("serial", BigInteger, nullable=False),
    Column("accepted_serial", BigInteger, nullable=False),  # newest that the site's log says it has taken in; -1 none
    Column("grant", LargeBinary, nullable=False),  # the bytes as signed; empty before the first
    Column("issued_ms", BigInteger, nullable=False),  # when it was signed; 0 before the first
    PrimaryKeyConstraint("log", "account", "asset"),
    Index(None, "account"),
    Index(None, "log", "issued_ms"),
    CheckConstraint(
        "used >= 0 AND returned >= 0 AND freed >= 0 AND granted >= used + returned + freed",
        name="granted_covers_used_returned_freed",
    ),
    sqlite_with_rowid=False,
)

acts = Table(
    "acts",
    metadata,
    Column("reference", String(80), primary_key=True),  # whoever orders an act numbers it; a repeat is answered alike
    Column(
        "digest", LargeBinary(32), nullable=False
    ),  # of what was ordered: the same number for another act is refused
    Column("log", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),  # the record of headquarters' log that did it
    ForeignKeyConstraint(["log", "seq"], [records.c.log, records.c.seq]),
)

documents = Table(
    "documents",
    metadata,
    Column("site", Name, ForeignKey(sites.c.id), nullable=False),
    Column("kind", Name, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("hash", LargeBinary(32), nullable=False),  # SHA-256 of the payload
    Column("document", LargeBinary, nullable=False),  # encoded documents.Document
    Column("made_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("site", "kind", "version"),
    CheckConstraint("version >= 1", name="version"),
)

commands = Table(
    "commands",
    metadata,
    Column("site", Name, ForeignKey(sites.c.id), nullable=False),
    Column("boot", LargeBinary(8), nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("verb", Name, nullable=False),
    Column("command", LargeBinary, nullable=False),  # encoded wire.SignedCommand
    Column("expires_s", BigInteger, nullable=False),
    Column("made_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("site", "boot", "number"),
    CheckConstraint("number >= 1", name="number"),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("log", BigInteger, ForeignKey(epochs.c.id), nullable=False),
    Column("seq", BigInteger),  # the move that could not be posted as meant; None for a whole batch
    Column("position", Integer),
    Column("code", Name, nullable=False),
    Column("why", Text, nullable=False),
    Column("bytes", LargeBinary),  # of a batch that could not be read; None for a move, whose record is stored
    Column("received_ms", BigInteger, nullable=False),
    UniqueConstraint("log", "seq", "position"),
)

forks = Table(
    "forks",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("log", BigInteger, ForeignKey(epochs.c.id), nullable=False),
    Column("seq", BigInteger, nullable=False),  # the first record that differs, or the size at which the roots differ
    Column("kept", LargeBinary, nullable=False),  # the head we had cosigned
    Column("other", LargeBinary, nullable=False),  # the head the site signed afterwards
    Column("batch", LargeBinary, nullable=False),  # the later branch as it came
    Column("received_ms", BigInteger, nullable=False),
)

evidence = Table(
    "evidence",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("log", BigInteger, ForeignKey(epochs.c.id), nullable=False),
    Column("digest", LargeBinary(32), nullable=False),  # of the head and the records that it proves
    Column("seq", BigInteger, nullable=False),  # of the first of them
    Column("size", BigInteger, nullable=False),  # of the head
    Column("state", String(16), nullable=False),
    Column("receipt", LargeBinary, nullable=False),  # a proof.receipt_file; empty once it agrees: the log has it all
    Column("received_ms", BigInteger, nullable=False),
    UniqueConstraint("log", "digest"),
    Index(None, "log", "state", "size"),
    CheckConstraint("state IN ('waiting', 'agrees', 'contradicts')", name="state"),
)

key_directory = Table(
    "key_directory",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("role", String(16), nullable=False),  # as in records.KeyPublished
    Column("subject", String(80), nullable=False),
    Column("public", LargeBinary, nullable=False),
    Column("state", String(16), nullable=False),
    Column("published_seq", BigInteger, nullable=False),  # records of headquarters' own log
    Column("published_ms", BigInteger, nullable=False),
    Column("retired_seq", BigInteger),
    Column("retired_ms", BigInteger),
    UniqueConstraint("role", "subject", "public"),
    CheckConstraint("state IN ('valid', 'retired')", name="state"),
)

# --- value carried by phone, guests and their refunds, reported cards ------------------------------------------------

codes = Table(
    "codes",
    metadata,
    Column("reference", String(80), primary_key=True),  # whoever asks for a code numbers it; a repeat gets the same
    Column("account", Name, ForeignKey(accounts.c.id), nullable=False),
    Column("log", BigInteger, ForeignKey(epochs.c.id), nullable=False),  # the site and epoch it is for
    Column("asset", Name, nullable=False),
    Column("number", BigInteger),  # of the start in it, rising per account; None: it starts nothing
    Column("start", LargeBinary, nullable=False),  # start and signature; empty for none
    Column("expires_s", BigInteger, nullable=False),  # of the start; 0 for none
    Column("made_ms", BigInteger, nullable=False),
    UniqueConstraint("account", "number"),
    CheckConstraint("number >= 1", name="number"),
)

guests = Table(
    "guests",
    metadata,
    Column("account", Name, ForeignKey(accounts.c.id), primary_key=True),
    Column("reference", String(80), nullable=False, unique=True),  # of the payment, as the channel numbers it
    Column("channel", Name, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("site", Name, ForeignKey(sites.c.id), nullable=False),
    Column("log", BigInteger, ForeignKey(epochs.c.id)),  # where it was granted; None: nowhere, so it was given back
    Column("connector", Name, nullable=False),
    Column("starts_until_ms", BigInteger, nullable=False),
    Column("paid_ms", BigInteger, nullable=False),
    Column("settled_ms", BigInteger),  # when nothing was out any more; None: the site has it
    Index(None, "settled_ms"),
    CheckConstraint("amount > 0", name="amount"),
)

refunds = Table(
    "refunds",
    metadata,
    Column("reference", String(96), primary_key=True),  # our own number of the refund, for the channel
    Column("account", Name, ForeignKey(accounts.c.id), nullable=False),
    Column("channel", Name, nullable=False),
    Column("payment", String(80), nullable=False),  # what was paid: the channel's number
    Column("amount", BigInteger, nullable=False),
    Column("why", Name, nullable=False),
    Column("log", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),  # the record of headquarters' log that made it due
    Column("due_ms", BigInteger, nullable=False),
    Column("done_reference", String(80)),  # the channel's own number of the refund; None: not done yet
    Column("done_ms", BigInteger),
    ForeignKeyConstraint(["log", "seq"], [records.c.log, records.c.seq]),
    Index(None, "account"),
    Index(None, "done_ms"),
    CheckConstraint("amount > 0", name="amount"),
    CheckConstraint("(done_ms IS NULL) = (done_reference IS NULL)", name="done_whole_or_not"),
)

hot_list_versions = Table(
    "hot_list_versions",
    metadata,
    Column("version", Serial, primary_key=True),
    Column("key_version", BigInteger, ForeignKey(credential_keys.c.version), nullable=False),
    Column("issued_ms", BigInteger, nullable=False),
    Column("entries", BigInteger, nullable=False),
    Column("hash", LargeBinary(32), nullable=False),  # SHA-256 of the encoded list
    Column("payload", LargeBinary),  # the encoded list, kept of the newest alone: `hot_list` tells the others
)

hot_list = Table(
    "hot_list",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("key_version", BigInteger, ForeignKey(credential_keys.c.version), nullable=False),
    Column("hmac", LargeBinary(8), nullable=False),
    Column("account", Name, ForeignKey(accounts.c.id)),  # whose card it was when listed; None: not known here
    Column("why", Text, nullable=False),
    Column("listed_in", BigInteger, ForeignKey(hot_list_versions.c.version), nullable=False),
    Column("cleared_in", BigInteger, ForeignKey(hot_list_versions.c.version)),  # None: still listed
    Index(None, "key_version", "hmac"),
    Index(None, "listed_in"),
    Index(None, "cleared_in"),
    CheckConstraint("cleared_in > listed_in", name="cleared_later"),
)
