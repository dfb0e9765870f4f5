"""Which cards are reported lost or stolen? A versioned list of hidden card numbers, and how one becomes the next.

The list is a Document of kind `hot-list` for each site. It is sorted and searched by halving: a filter that can be
wrong would refuse a customer who pays. It only shortens the damage; what caps it is the grant.

A site that has one version gets the next as a patch. The document's signature covers the whole list, so a patch that
does not lead to exactly what headquarters signed is found out before the list is used.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Iterable
from itertools import islice
from operator import lt
from typing import Annotated

import msgspec

from protocols.trade.codec import Wire, decode, encode
from protocols.trade.documents import Document, Patched
from protocols.trade.records import Amount

KIND = "hot-list"
ENTRY_BYTES = 8
ENTRIES_MAX = 1_000_000
BYTES_MAX = ENTRY_BYTES * ENTRIES_MAX + 64
"""Longest encoded list accepted: a million cards are 8 MB."""

Version = Annotated[int, msgspec.Meta(ge=1, le=2**53)]


class HotList(Wire, frozen=True):
    """entries: HMACs of 8 bytes each (grants.hide_credential under key `key_version`), rising, one after the other."""

    version: Version
    issued_s: Amount
    key_version: Amount
    entries: bytes


class HotListPatch(Wire, frozen=True):
    """What leads from one version to a later one of the same key. added, removed: as `HotList.entries`."""

    base: Version
    version: Version
    issued_s: Amount
    key_version: Amount
    added: bytes
    removed: bytes


class BadHotList(ValueError):
    """The list or patch is not what it must be. Keep the list in use and fetch the whole new one."""

    remedy = "Fetch the whole list; if that is refused too, headquarters' software is damaged."


def make(version: int, issued_s: int, key_version: int, credentials: Iterable[bytes]) -> HotList:
    """The list of these credentials, in any order and repeated or not."""
    return HotList(version, issued_s, key_version, b"".join(sorted(set(credentials))))


def read(payload: bytes) -> HotList:
    """The list in a document's payload. Raises NotCanonical or BadHotList."""
    hot_list = decode(payload, HotList, bytes_max=BYTES_MAX)
    _numbers(hot_list.entries)
    return hot_list


def credentials(hot_list: HotList) -> list[bytes]:
    """The entries one by one, rising. Raises BadHotList."""
    _numbers(hot_list.entries)
    entries = hot_list.entries
    return [entries[at : at + ENTRY_BYTES] for at in range(0, len(entries), ENTRY_BYTES)]


def contains(hot_list: HotList, credential: bytes) -> bool:
    """Is this credential on the list? `credential`: hidden under the list's own key."""
    entries = _View(hot_list.entries)
    at = bisect_left(entries, credential)
    return at < len(entries) and entries[at] == credential


def patch(old: HotList, new: HotList) -> HotListPatch | None:
    """What leads from `old` to `new`; None between lists of different keys, which have nothing in common."""
    if old.key_version != new.key_version or old.version >= new.version:
        return None
    before, after = set(_numbers(old.entries)), set(_numbers(new.entries))
    added, removed = _joined(after - before), _joined(before - after)
    return HotListPatch(old.version, new.version, new.issued_s, new.key_version, added, removed)


def apply(old: HotList, change: HotListPatch) -> HotList:
    """The later list. Raises BadHotList when the patch does not fit `old`."""
    if (change.base, change.key_version) != (old.version, old.key_version) or change.version <= change.base:
        expected = f"a patch of version {old.version}, key {old.key_version}"
        got = f"{change.base} to {change.version}, key {change.key_version}"
        raise BadHotList(f"expected {expected}, got {got}")
    entries, added, removed = set(_numbers(old.entries)), set(_numbers(change.added)), set(_numbers(change.removed))
    if not removed <= entries or not added.isdisjoint(entries):
        raise BadHotList("the patch removes an entry that is not there, or adds one that is")
    return HotList(change.version, change.issued_s, change.key_version, _joined((entries - removed) | added))


def patched(old: HotList, new: HotList, site: str, signature: bytes) -> Patched | None:
    """`new`, whose document for `site` has this signature, as a patch of `old`; None where there is no patch."""
    change = patch(old, new)
    if change is None:
        return None
    return Patched(KIND, site, new.version, old.version, write_patch(change), signature)


def whole(base: Document, told: Patched) -> Document:
    """The later document. Whether its signature holds and its hash is the one announced is for the caller to check,
    as of a document that came whole. Raises NotCanonical or BadHotList.
    """
    if (told.kind, told.site, told.base) != (base.kind, base.site, base.version) or base.kind != KIND:
        raise BadHotList(f"expected a patch of {base.kind} {base.version}, got one of {told.kind} {told.base}")
    later = apply(read(base.payload), read_patch(told.patch))
    if later.version != told.version:
        raise BadHotList(f"expected a patch to version {told.version}, got one to {later.version}")
    return Document(KIND, told.site, told.version, encode(later), told.signature)


def read_patch(data: bytes) -> HotListPatch:
    """Raises NotCanonical."""
    return decode(data, HotListPatch, bytes_max=2 * BYTES_MAX)


def write_patch(change: HotListPatch) -> bytes:
    return encode(change)


def _numbers(data: bytes) -> tuple[int, ...]:
    """The entries as numbers, which have the same order and cost a tenth. Raises BadHotList unless they are whole and
    strictly rising.
    """
    if len(data) % ENTRY_BYTES or len(data) > ENTRY_BYTES * ENTRIES_MAX:
        raise BadHotList(f"expected at most {ENTRIES_MAX} entries of {ENTRY_BYTES} bytes, got {len(data)} bytes")
    numbers = struct.unpack(f">{len(data) // ENTRY_BYTES}Q", data)
    if not all(map(lt, numbers, islice(numbers, 1, None))):
        raise BadHotList("expected entries in rising order, each once")
    return numbers


def _joined(numbers: set[int]) -> bytes:
    """Entries from their numbers."""
    return struct.pack(f">{len(numbers)}Q", *sorted(numbers))


class _View:
    """The entries as a sequence that bisect can search, without taking them apart."""

    __slots__ = ("_data",)

    def __init__(self, data: bytes) -> None:
        self._data = data

    def __len__(self) -> int:
        return len(self._data) // ENTRY_BYTES

    def __getitem__(self, at: int) -> bytes:
        return self._data[at * ENTRY_BYTES : (at + 1) * ENTRY_BYTES]
