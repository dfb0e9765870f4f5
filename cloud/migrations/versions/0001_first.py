"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "credential_keys",
        sa.Column("version", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("key", sa.LargeBinary(length=32), nullable=False),
        sa.Column("made_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_credential_keys")),
    )
    op.create_table(
        "ledger",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("code", sa.String(length=200), nullable=False),
        sa.Column("asset", sa.String(length=64), nullable=False),
        sa.Column("debits", sa.BigInteger(), nullable=False),
        sa.Column("credits", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "credits >= debits OR (substr(code, 1, 5) <> 'cust:' AND substr(code, 1, 6) <> 'lease:' "
            "AND substr(code, 1, 7) <> 'refund:' AND substr(code, 1, 8) <> 'deposit:')",
            name=op.f("ck_ledger_customers_leases_refunds_and_deposits_never_negative"),
        ),
        sa.CheckConstraint("debits >= 0 AND credits >= 0", name=op.f("ck_ledger_totals_only_grow_from_zero")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger")),
        sa.UniqueConstraint("code", "asset", name=op.f("uq_ledger_code_asset")),
    )
    op.create_table(
        "sites",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("device", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("zone", sa.String(length=64), nullable=False),
        sa.Column("day_starts_h", sa.Integer(), nullable=False),
        sa.Column("added_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("status IN ('admitted', 'stopped')", name=op.f("ck_sites_status")),
        sa.Column("exposure_max", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint("day_starts_h BETWEEN 0 AND 23", name=op.f("ck_sites_day_starts_h")),
        sa.CheckConstraint("exposure_max >= 0", name=op.f("ck_sites_exposure_max")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sites")),
    )
    op.create_table(
        "accounts",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("class", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("home_site", sa.String(length=64), nullable=True),
        sa.Column("session_limit", sa.BigInteger(), nullable=False),
        sa.Column("placed", sa.BigInteger(), nullable=False),
        sa.Column("site_max", sa.BigInteger(), nullable=False),
        sa.Column("exposure_max", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("opened_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("status IN ('open', 'frozen')", name=op.f("ck_accounts_status")),
        sa.CheckConstraint(
            "session_limit >= 0 AND placed >= 0 AND site_max >= placed AND exposure_max >= 0",
            name=op.f("ck_accounts_limits"),
        ),
        sa.ForeignKeyConstraint(["home_site"], ["sites.id"], name=op.f("fk_accounts_home_site")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
    )
    op.create_table(
        "commands",
        sa.Column("site", sa.String(length=64), nullable=False),
        sa.Column("boot", sa.LargeBinary(length=8), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("verb", sa.String(length=64), nullable=False),
        sa.Column("command", sa.LargeBinary(), nullable=False),
        sa.Column("expires_s", sa.BigInteger(), nullable=False),
        sa.Column("made_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("number >= 1", name=op.f("ck_commands_number")),
        sa.ForeignKeyConstraint(["site"], ["sites.id"], name=op.f("fk_commands_site")),
        sa.PrimaryKeyConstraint("site", "boot", "number", name=op.f("pk_commands")),
    )
    op.create_table(
        "documents",
        sa.Column("site", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.Column("made_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("version >= 1", name=op.f("ck_documents_version")),
        sa.ForeignKeyConstraint(["site"], ["sites.id"], name=op.f("fk_documents_site")),
        sa.PrimaryKeyConstraint("site", "kind", "version", name=op.f("pk_documents")),
    )
    op.create_table(
        "epochs",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("site", sa.String(length=64), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("log_key", sa.LargeBinary(length=32), nullable=False),
        sa.Column("device_key", sa.LargeBinary(), nullable=False),
        sa.Column("software", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("state_why", sa.Text(), nullable=False),
        sa.Column("state_ms", sa.BigInteger(), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("frontier", sa.LargeBinary(), nullable=False),
        sa.Column("cosigned", sa.LargeBinary(), nullable=False),
        sa.Column("cosigned_ms", sa.BigInteger(), nullable=True),
        sa.Column("opened_ms", sa.BigInteger(), nullable=False),
        sa.Column("seen_ms", sa.BigInteger(), nullable=True),
        sa.Column("boot", sa.LargeBinary(length=8), nullable=True),
        sa.Column("mono_ms", sa.BigInteger(), nullable=True),
        sa.Column("wall_ms", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("state IN ('open', 'frozen', 'lost', 'closed')", name=op.f("ck_epochs_state")),
        sa.CheckConstraint("epoch >= 1", name=op.f("ck_epochs_epoch")),
        sa.CheckConstraint("size >= 0", name=op.f("ck_epochs_size")),
        sa.ForeignKeyConstraint(["site"], ["sites.id"], name=op.f("fk_epochs_site")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_epochs")),
        sa.UniqueConstraint("site", "epoch", name=op.f("uq_epochs_site_epoch")),
        sa.UniqueConstraint("site", "log_key", name=op.f("uq_epochs_site_log_key")),
    )
    op.create_table(
        "counters",
        sa.Column("log", sa.BigInteger(), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("asset", sa.String(length=64), nullable=False),
        sa.Column("effect", sa.String(length=64), nullable=False),
        sa.Column("place", sa.String(length=80), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("total >= 0", name=op.f("ck_counters_total")),
        sa.ForeignKeyConstraint(["log"], ["epochs.id"], name=op.f("fk_counters_log")),
        sa.PrimaryKeyConstraint("log", "account", "asset", "effect", "place", name=op.f("pk_counters")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "credentials",
        sa.Column("key_version", sa.BigInteger(), nullable=False),
        sa.Column("hmac", sa.LargeBinary(length=8), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("added_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"], name=op.f("fk_credentials_account")),
        sa.ForeignKeyConstraint(["key_version"], ["credential_keys.version"], name=op.f("fk_credentials_key_version")),
        sa.PrimaryKeyConstraint("key_version", "hmac", name=op.f("pk_credentials")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_credentials_account"), "credentials", ["account"], unique=False)
    op.create_table(
        "forks",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("log", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("kept", sa.LargeBinary(), nullable=False),
        sa.Column("other", sa.LargeBinary(), nullable=False),
        sa.Column("batch", sa.LargeBinary(), nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["log"], ["epochs.id"], name=op.f("fk_forks_log")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_forks")),
    )
    op.create_table(
        "evidence",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("log", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("receipt", sa.LargeBinary(), nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("state IN ('waiting', 'agrees', 'contradicts')", name=op.f("ck_evidence_state")),
        sa.ForeignKeyConstraint(["log"], ["epochs.id"], name=op.f("fk_evidence_log")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evidence")),
        sa.UniqueConstraint("log", "digest", name=op.f("uq_evidence_log_digest")),
    )
    op.create_index(op.f("ix_evidence_log_state_size"), "evidence", ["log", "state", "size"], unique=False)
    op.create_table(
        "key_directory",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("subject", sa.String(length=80), nullable=False),
        sa.Column("public", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("published_seq", sa.BigInteger(), nullable=False),
        sa.Column("published_ms", sa.BigInteger(), nullable=False),
        sa.Column("retired_seq", sa.BigInteger(), nullable=True),
        sa.Column("retired_ms", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("state IN ('valid', 'retired')", name=op.f("ck_key_directory_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_key_directory")),
        sa.UniqueConstraint("role", "subject", "public", name=op.f("uq_key_directory_role_subject_public")),
    )
    op.create_table(
        "leases",
        sa.Column("log", sa.BigInteger(), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("asset", sa.String(length=64), nullable=False),
        sa.Column("granted", sa.BigInteger(), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.Column("returned", sa.BigInteger(), nullable=False),
        sa.Column("freed", sa.BigInteger(), nullable=False),
        sa.Column("serial", sa.BigInteger(), nullable=False),
        sa.Column("accepted_serial", sa.BigInteger(), nullable=False),
        sa.Column("grant", sa.LargeBinary(), nullable=False),
        sa.Column("issued_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "used >= 0 AND returned >= 0 AND freed >= 0 AND granted >= used + returned + freed",
            name=op.f("ck_leases_granted_covers_used_returned_freed"),
        ),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"], name=op.f("fk_leases_account")),
        sa.ForeignKeyConstraint(["log"], ["epochs.id"], name=op.f("fk_leases_log")),
        sa.PrimaryKeyConstraint("log", "account", "asset", name=op.f("pk_leases")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_leases_account"), "leases", ["account"], unique=False)
    op.create_index(op.f("ix_leases_log_issued_ms"), "leases", ["log", "issued_ms"], unique=False)
    op.create_table(
        "quarantine",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("log", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=True),
        sa.Column("position", sa.Integer(), nullable=True),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("bytes", sa.LargeBinary(), nullable=True),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["log"], ["epochs.id"], name=op.f("fk_quarantine_log")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quarantine")),
        sa.UniqueConstraint("log", "seq", "position", name=op.f("uq_quarantine_log_seq_position")),
    )
    op.create_table(
        "records",
        sa.Column("log", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("wall_ms", sa.BigInteger(), nullable=False),
        sa.Column("business_date", sa.Date(), nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("seq >= 0", name=op.f("ck_records_seq")),
        sa.ForeignKeyConstraint(["log"], ["epochs.id"], name=op.f("fk_records_log")),
        sa.PrimaryKeyConstraint("log", "seq", name=op.f("pk_records")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_records_log_business_date"), "records", ["log", "business_date"], unique=False)
    op.create_table(
        "visits",
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("site", sa.String(length=64), nullable=False),
        sa.Column("last_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"], name=op.f("fk_visits_account")),
        sa.ForeignKeyConstraint(["site"], ["sites.id"], name=op.f("fk_visits_site")),
        sa.PrimaryKeyConstraint("account", "site", name=op.f("pk_visits")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "acts",
        sa.Column("reference", sa.String(length=80), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("log", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["log", "seq"], ["records.log", "records.seq"], name=op.f("fk_acts_log_seq")),
        sa.PrimaryKeyConstraint("reference", name=op.f("pk_acts")),
    )
    op.create_table(
        "transfers",
        sa.Column("log", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("debit", sa.BigInteger(), nullable=False),
        sa.Column("credit", sa.BigInteger(), nullable=False),
        sa.Column("asset", sa.String(length=64), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("business_date", sa.Date(), nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_transfers_amount")),
        sa.CheckConstraint("debit <> credit", name=op.f("ck_transfers_two_sides")),
        sa.ForeignKeyConstraint(["credit"], ["ledger.id"], name=op.f("fk_transfers_credit")),
        sa.ForeignKeyConstraint(["debit"], ["ledger.id"], name=op.f("fk_transfers_debit")),
        sa.ForeignKeyConstraint(["log", "seq"], ["records.log", "records.seq"], name=op.f("fk_transfers_log_seq")),
        sa.PrimaryKeyConstraint("log", "seq", "position", name=op.f("pk_transfers")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "hot_list_versions",
        sa.Column("version", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("key_version", sa.BigInteger(), nullable=False),
        sa.Column("issued_ms", sa.BigInteger(), nullable=False),
        sa.Column("entries", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["key_version"], ["credential_keys.version"], name=op.f("fk_hot_list_versions_key_version")
        ),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_hot_list_versions")),
    )
    op.create_table(
        "codes",
        sa.Column("reference", sa.String(length=80), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("log", sa.BigInteger(), nullable=False),
        sa.Column("asset", sa.String(length=64), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=True),
        sa.Column("start", sa.LargeBinary(), nullable=False),
        sa.Column("expires_s", sa.BigInteger(), nullable=False),
        sa.Column("made_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("number >= 1", name=op.f("ck_codes_number")),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"], name=op.f("fk_codes_account")),
        sa.ForeignKeyConstraint(["log"], ["epochs.id"], name=op.f("fk_codes_log")),
        sa.PrimaryKeyConstraint("reference", name=op.f("pk_codes")),
        sa.UniqueConstraint("account", "number", name=op.f("uq_codes_account_number")),
    )
    op.create_table(
        "guests",
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("reference", sa.String(length=80), nullable=False),
        sa.Column("channel", sa.String(length=64), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("site", sa.String(length=64), nullable=False),
        sa.Column("log", sa.BigInteger(), nullable=True),
        sa.Column("connector", sa.String(length=64), nullable=False),
        sa.Column("starts_until_ms", sa.BigInteger(), nullable=False),
        sa.Column("paid_ms", sa.BigInteger(), nullable=False),
        sa.Column("settled_ms", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("amount > 0", name=op.f("ck_guests_amount")),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"], name=op.f("fk_guests_account")),
        sa.ForeignKeyConstraint(["log"], ["epochs.id"], name=op.f("fk_guests_log")),
        sa.ForeignKeyConstraint(["site"], ["sites.id"], name=op.f("fk_guests_site")),
        sa.PrimaryKeyConstraint("account", name=op.f("pk_guests")),
        sa.UniqueConstraint("reference", name=op.f("uq_guests_reference")),
    )
    op.create_index(op.f("ix_guests_settled_ms"), "guests", ["settled_ms"], unique=False)
    op.create_table(
        "refunds",
        sa.Column("reference", sa.String(length=96), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("channel", sa.String(length=64), nullable=False),
        sa.Column("payment", sa.String(length=80), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("why", sa.String(length=64), nullable=False),
        sa.Column("log", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("due_ms", sa.BigInteger(), nullable=False),
        sa.Column("done_reference", sa.String(length=80), nullable=True),
        sa.Column("done_ms", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("(done_ms IS NULL) = (done_reference IS NULL)", name=op.f("ck_refunds_done_whole_or_not")),
        sa.CheckConstraint("amount > 0", name=op.f("ck_refunds_amount")),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"], name=op.f("fk_refunds_account")),
        sa.ForeignKeyConstraint(["log", "seq"], ["records.log", "records.seq"], name=op.f("fk_refunds_log_seq")),
        sa.PrimaryKeyConstraint("reference", name=op.f("pk_refunds")),
    )
    op.create_index(op.f("ix_refunds_account"), "refunds", ["account"], unique=False)
    op.create_index(op.f("ix_refunds_done_ms"), "refunds", ["done_ms"], unique=False)
    op.create_table(
        "hot_list",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("key_version", sa.BigInteger(), nullable=False),
        sa.Column("hmac", sa.LargeBinary(length=8), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=True),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("listed_in", sa.BigInteger(), nullable=False),
        sa.Column("cleared_in", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("cleared_in > listed_in", name=op.f("ck_hot_list_cleared_later")),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"], name=op.f("fk_hot_list_account")),
        sa.ForeignKeyConstraint(["cleared_in"], ["hot_list_versions.version"], name=op.f("fk_hot_list_cleared_in")),
        sa.ForeignKeyConstraint(["key_version"], ["credential_keys.version"], name=op.f("fk_hot_list_key_version")),
        sa.ForeignKeyConstraint(["listed_in"], ["hot_list_versions.version"], name=op.f("fk_hot_list_listed_in")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hot_list")),
    )
    op.create_index(op.f("ix_hot_list_cleared_in"), "hot_list", ["cleared_in"], unique=False)
    op.create_index(op.f("ix_hot_list_key_version_hmac"), "hot_list", ["key_version", "hmac"], unique=False)
    op.create_index(op.f("ix_hot_list_listed_in"), "hot_list", ["listed_in"], unique=False)
    op.create_table(
        "pack_facts",
        sa.Column("log", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("fact", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["log", "seq"], ["records.log", "records.seq"], name=op.f("fk_pack_facts_log_seq")),
        sa.PrimaryKeyConstraint("log", "seq", "position", name=op.f("pk_pack_facts")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_pack_facts_code"), "pack_facts", ["code"], unique=False)
    op.create_table(
        "packs",
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("at", sa.String(length=16), nullable=False),
        sa.Column("site", sa.String(length=64), nullable=False),
        sa.Column("cabinet", sa.String(length=64), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("since_ms", sa.BigInteger(), nullable=False),
        sa.Column("soc_permille", sa.Integer(), nullable=True),
        sa.Column("soh_permille", sa.Integer(), nullable=True),
        sa.Column("cycles", sa.BigInteger(), nullable=True),
        sa.Column("hot", sa.Boolean(), nullable=False),
        sa.Column("inspect_by_s", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=True),
        sa.Column("questions", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_packs")),
        sa.UniqueConstraint("number", name=op.f("uq_packs_number")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_packs_account"), "packs", ["account"], unique=False)
    op.create_index(op.f("ix_packs_site_cabinet"), "packs", ["site", "cabinet"], unique=False)
    op.create_table(
        "rentals",
        sa.Column("log", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("session", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("offer", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("began_ms", sa.BigInteger(), nullable=False),
        sa.Column("until_s", sa.BigInteger(), nullable=True),
        sa.Column("grace_s", sa.BigInteger(), nullable=False),
        sa.Column("late_e3", sa.BigInteger(), nullable=False),
        sa.Column("ended_ms", sa.BigInteger(), nullable=True),
        sa.Column("late_fen", sa.BigInteger(), nullable=False),
        sa.Column("uncovered_fen", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("state IN ('out', 'returned', 'lost')", name=op.f("ck_rentals_state")),
        sa.ForeignKeyConstraint(
            ["log", "seq", "position"],
            ["pack_facts.log", "pack_facts.seq", "pack_facts.position"],
            name="fk_rentals_fact",
        ),
        sa.PrimaryKeyConstraint("log", "seq", "position", name=op.f("pk_rentals")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_rentals_account"), "rentals", ["account"], unique=False)
    op.create_index(op.f("ix_rentals_code"), "rentals", ["code"], unique=False)
    op.create_index(op.f("ix_rentals_state"), "rentals", ["state"], unique=False)
    op.create_table(
        "rental_deposits",
        sa.Column("log", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("asset", sa.String(length=64), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("kept", sa.BigInteger(), nullable=False),
        sa.Column("back", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "kept >= 0 AND back >= 0 AND amount >= kept + back",
            name=op.f("ck_rental_deposits_never_more_than_deposited"),
        ),
        sa.ForeignKeyConstraint(
            ["log", "seq", "position"],
            ["rentals.log", "rentals.seq", "rentals.position"],
            name="fk_rental_deposits_rental",
        ),
        sa.PrimaryKeyConstraint("log", "seq", "position", "number", name=op.f("pk_rental_deposits")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "plans",
        sa.Column("reference", sa.String(length=80), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("asset", sa.String(length=64), nullable=False),
        sa.Column("swaps", sa.BigInteger(), nullable=False),
        sa.Column("daily", sa.BigInteger(), nullable=False),
        sa.Column("sites", sa.Text(), nullable=False),
        sa.Column("until_s", sa.BigInteger(), nullable=False),
        sa.Column("log", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("sold_ms", sa.BigInteger(), nullable=False),
        sa.Column("ended_ms", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("swaps > 0 OR until_s > 0", name=op.f("ck_plans_counted_or_to_a_date")),
        sa.CheckConstraint("swaps >= 0 AND daily >= 0 AND until_s >= 0", name=op.f("ck_plans_amounts")),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"], name=op.f("fk_plans_account")),
        sa.ForeignKeyConstraint(["log", "seq"], ["records.log", "records.seq"], name=op.f("fk_plans_log_seq")),
        sa.PrimaryKeyConstraint("reference", name=op.f("pk_plans")),
    )
    op.create_index(op.f("ix_plans_account_asset"), "plans", ["account", "asset"], unique=False)
    op.create_index(op.f("ix_plans_ended_ms"), "plans", ["ended_ms"], unique=False)
    op.create_table(
        "pack_lists",
        sa.Column("version", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("issued_ms", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_pack_lists")),
    )
