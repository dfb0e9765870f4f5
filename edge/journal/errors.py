"""What can go wrong with the journal, sorted by what the daemon does next."""

from __future__ import annotations


class JournalError(Exception):
    """The journal did not do as asked. `what` and `remedy` are for a person; the class is for the program."""

    remedy = "Run `fieldtill journal check`."

    def __init__(self, what: str, *, remedy: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        if remedy is not None:
            self.remedy = remedy


class JournalLocked(JournalError):
    """Another process has the journal open. Stop: two writers would fork the log."""

    remedy = "Stop the other daemon first (`systemctl status fieldtill`); the lock goes with its process."


class JournalDamaged(JournalError):
    """What is on disk is not what was written. Do not serve, do not write.

    seq: the first record affected; None when it is not a record, or not known which.
    """

    remedy = (
        "Copy the directory away as it is, then run `fieldtill journal salvage`: it writes what can be read to a new "
        "file and deletes nothing."
    )

    def __init__(self, what: str, *, seq: int | None = None, remedy: str | None = None) -> None:
        super().__init__(what if seq is None else f"record {seq}: {what}", remedy=remedy)
        self.seq = seq


class JournalPruned(JournalError):
    """A record that is asked for has been pruned here, behind a signed snapshot. Nothing is wrong with the log.

    next_seq: the first one after it that is here.
    """

    remedy = "Headquarters keeps every record: `fieldtill-hq verify SITE` reads them."

    def __init__(self, what: str, next_seq: int) -> None:
        super().__init__(what)
        self.next_seq = next_seq


class JournalFailed(JournalError):
    """Writing or syncing failed, so what is on disk is not known. Stop serving and exit; never sync again.

    After a failed fsync the kernel may have dropped the pages, and a second one would report success.
    """

    remedy = "The daemon restarts and checks the journal. If it comes back, replace the card or disk."


class JournalFull(JournalError):
    """There is no space, and the ballast is used up. Nothing of the step was kept, and the journal still works.

    Records sealed but not committed are void: the caller starts again from the durable state.
    """

    remedy = "Free space on the journal's file system; the ballast comes back by itself."


class JournalOverrun(JournalFailed):
    """More steps wait than the writer may fall behind: the disk no longer answers. What waits is still written."""

    remedy = "The daemon restarts. Look for a worn-out card (`fieldtill journal status` shows how long commits take)."
