"""Is this record in that log, and did the log only grow? RFC 6962 Merkle trees over SHA-256.

              root                    size 7 = 0b111: the frontier keeps the roots of the three
         /           \\                perfect subtrees over leaves 0-3, 4-5 and 6, widest first.
       a               .              Appending leaf 7 joins them as binary addition carries.
     /   \\           /   \\
    .     .         b     c           A node (level, index) is the root of the perfect subtree
   / \\   / \\       / \\    |           over leaves index << level up to (index + 1) << level.
  0   1 2   3     4   5   6
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from protocols.proof.errors import Malformed, NotConsistent, NotIncluded

HASH_BYTES = 32
SIZE_MAX = 2**63 - 1  # as in the tools of the C2SP formats, which keep sizes in a signed 64-bit integer
EMPTY_ROOT = sha256().digest()

NodeHash = Callable[[int, int], bytes]  # (level, index) -> hash of that node, which is complete

_SIZE_BYTES = 8


def leaf_hash(data: bytes) -> bytes:
    """The hash of one record's bytes as a leaf. The prefix keeps a leaf from posing as a node (RFC 6962, 2.1)."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Frontier:
    """All that is needed to append to a tree and to know its root: at most 63 hashes, however long the log.

    peaks: roots of the perfect subtrees that make up the tree, widest first; one for each 1 bit of `size`.
    """

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.size <= SIZE_MAX:
            raise Malformed("tree size", expected=f"0..={SIZE_MAX}", got=str(self.size))
        if len(self.peaks) != self.size.bit_count():
            raise Malformed(
                f"frontier of size {self.size}", expected=f"{self.size.bit_count()} peaks", got=str(len(self.peaks))
            )
        for peak in self.peaks:
            _require_hash("peak", peak)

    def append(self, leaf_hash: bytes) -> Frontier:
        return self.append_many((leaf_hash,))

    def append_many(
        self, leaf_hashes: Iterable[bytes], keep: Callable[[int, int, bytes], None] | None = None
    ) -> Frontier:
        """The frontier after these leaves, in order.

        keep: told (level, index, hash) of each node above the leaves as it becomes complete, once in the life of the
            log, for a store that wants to prove in O(log n) instead of hashing all leaves again.
        """
        peaks = list(self.peaks)
        size = self.size
        for hashed in leaf_hashes:
            if len(hashed) != HASH_BYTES:
                raise Malformed("leaf hash", expected=f"{HASH_BYTES} bytes", got=f"{len(hashed)} bytes")
            level = 0
            while size >> level & 1:
                hashed = sha256(b"\x01" + peaks.pop() + hashed).digest()  # node_hash, inlined in the hot loop
                level += 1
                if keep is not None:
                    keep(level, size >> level, hashed)
            peaks.append(hashed)
            size += 1
        return Frontier(size, tuple(peaks))

    def root(self) -> bytes:
        return _join(self.peaks) if self.peaks else EMPTY_ROOT

    def to_bytes(self) -> bytes:
        """Size as 8 bytes, big-endian, then the peaks."""
        return self.size.to_bytes(_SIZE_BYTES, "big") + b"".join(self.peaks)

    @classmethod
    def from_bytes(cls, data: bytes) -> Frontier:
        """Raises Malformed unless `data` is exactly what `to_bytes` writes."""
        size = int.from_bytes(data[:_SIZE_BYTES], "big")
        length = _SIZE_BYTES + HASH_BYTES * size.bit_count()
        if len(data) != length:
            raise Malformed("frontier", expected=f"{length} bytes", got=f"{len(data)} bytes")
        return cls(size, tuple(data[at : at + HASH_BYTES] for at in range(_SIZE_BYTES, length, HASH_BYTES)))


def inclusion_proof(nodes: Sequence[bytes] | NodeHash, index: int, size: int) -> tuple[bytes, ...]:
    """The hashes that lead from leaf `index` to the root of the first `size` leaves, nearest the leaf first.

    nodes: the leaf hashes, all of which are then hashed; or a function that gives the hash of any complete node.
    """
    _require_index(index, size)
    node = _node_reader(nodes, size)
    proof: list[bytes] = []
    start, end = 0, size
    while end - start > 1:  # RFC 6962, 2.1.1, walked down from the root
        middle = start + _split(end - start)
        if index < middle:
            proof.append(_range_root(node, middle, end))
            end = middle
        else:
            proof.append(_range_root(node, start, middle))
            start = middle
    return tuple(reversed(proof))


def consistency_proof(nodes: Sequence[bytes] | NodeHash, old_size: int, size: int) -> tuple[bytes, ...]:
    """The hashes that show that the first `size` leaves begin with the first `old_size`. Empty for 0 and for `size`.

    nodes: as for `inclusion_proof`.
    """
    _require_sizes(old_size, size)
    if old_size in (0, size):
        return ()
    node = _node_reader(nodes, size)
    proof: list[bytes] = []
    start, end = 0, size
    while end != old_size:  # RFC 6962, 2.1.2, walked down from the root
        middle = start + _split(end - start)
        if old_size <= middle:
            proof.append(_range_root(node, middle, end))
            end = middle
        else:
            proof.append(_range_root(node, start, middle))
            start = middle
    if start > 0:  # else the old tree is itself a node, and whoever checks has its root
        proof.append(_range_root(node, start, end))
    return tuple(reversed(proof))


def verify_inclusion(leaf_hash: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Return when `proof` leads from the leaf at `index` to the `root` of the tree of `size`; raise NotIncluded."""
    if not 0 <= index < size <= SIZE_MAX:
        raise NotIncluded(f"leaf index in a tree of {size}", expected=f"0..{size}", got=str(index))
    _require_hash("leaf hash", leaf_hash)
    inner, border = _path_lengths(index, size)
    what = f"inclusion proof of leaf {index} in a tree of {size}"
    if len(proof) != inner + border:
        raise NotIncluded(what, expected=f"{inner + border} hashes", got=str(len(proof)))
    for hashed in proof:
        _require_hash(what, hashed)
    found = _chain_right(_chain(leaf_hash, proof[:inner], index), proof[inner:])
    if found != root:
        raise NotIncluded(what, expected=f"root {root.hex()}", got=found.hex())


def verify_consistency(old_size: int, size: int, proof: Sequence[bytes], old_root: bytes, root: bytes) -> None:
    """Return when the tree (size, root) begins with the tree (old_size, old_root); raise NotConsistent."""
    what = f"consistency proof from size {old_size} to {size}"
    if not 0 <= old_size <= size <= SIZE_MAX:
        raise NotConsistent(what, expected="a size that never falls", got=f"{old_size} to {size}")
    for hashed in proof:
        _require_hash(what, hashed)
    if old_size in (0, size):
        if proof:
            raise NotConsistent(what, expected="no hashes", got=str(len(proof)))
        known = EMPTY_ROOT if old_size == 0 else root
        if old_root != known:
            raise NotConsistent(what, expected=f"old root {known.hex()}", got=old_root.hex())
        if size == 0 and root != EMPTY_ROOT:
            raise NotConsistent(what, expected=f"root {EMPTY_ROOT.hex()}", got=root.hex())
        return

    # The proof is the path of the last leaf of the old tree in the new one, from the widest node that ends with it
    # and lies in both trees. That node comes first, unless it is the whole old tree.
    inner, border = _path_lengths(old_size - 1, size)
    shift = (old_size & -old_size).bit_length() - 1
    inner -= shift
    if old_size == 1 << shift:
        seed, path = old_root, proof
        length = inner + border
    else:
        seed, path = (proof[0] if proof else b""), proof[1:]
        length = 1 + inner + border
    if len(proof) != length:
        raise NotConsistent(what, expected=f"{length} hashes", got=str(len(proof)))
    place = (old_size - 1) >> shift
    found_old = _chain_right(_chain_left_only(seed, path[:inner], place), path[inner:])
    found = _chain_right(_chain(seed, path[:inner], place), path[inner:])
    if found_old != old_root:
        raise NotConsistent(what, expected=f"old root {old_root.hex()}", got=found_old.hex())
    if found != root:
        raise NotConsistent(what, expected=f"root {root.hex()}", got=found.hex())


def _path_lengths(index: int, size: int) -> tuple[int, int]:
    """How many hashes lead from leaf `index` up: inside the perfect subtree where its path leaves that of the last
    leaf, and then along the right border, where every sibling stands on the left."""
    inner = (index ^ (size - 1)).bit_length()
    return inner, (index >> inner).bit_count()


def _chain(seed: bytes, path: Sequence[bytes], place: int) -> bytes:
    for level, sibling in enumerate(path):
        seed = node_hash(sibling, seed) if place >> level & 1 else node_hash(seed, sibling)
    return seed


def _chain_left_only(seed: bytes, path: Sequence[bytes], place: int) -> bytes:
    """As `_chain`, without the siblings on the right: those came after the old tree."""
    for level, sibling in enumerate(path):
        if place >> level & 1:
            seed = node_hash(sibling, seed)
    return seed


def _chain_right(seed: bytes, path: Sequence[bytes]) -> bytes:
    for sibling in path:
        seed = node_hash(sibling, seed)
    return seed


def _split(width: int) -> int:
    """The largest power of two smaller than `width` (at least 2): how many leaves go left."""
    return 1 << (width - 1).bit_length() - 1


def _join(peaks: Sequence[bytes]) -> bytes:
    root = peaks[-1]
    for peak in reversed(peaks[:-1]):
        root = node_hash(peak, root)
    return root


def _range_root(node: NodeHash, start: int, end: int) -> bytes:
    """Root over leaves start..end, where `start` is a multiple of the widest power of two that fits."""
    peaks: list[bytes] = []
    while start < end:
        level = (end - start).bit_length() - 1
        peaks.append(node(level, start >> level))
        start += 1 << level
    return _join(peaks)


def _node_reader(nodes: Sequence[bytes] | NodeHash, size: int) -> NodeHash:
    if callable(nodes):
        return nodes
    leaves = nodes
    if len(leaves) < size:
        raise IndexError(f"a tree of {size} needs {size} leaf hashes, got {len(leaves)}")

    def node(level: int, index: int) -> bytes:
        row = leaves[index << level : index + 1 << level]
        while len(row) > 1:
            row = [node_hash(row[at], row[at + 1]) for at in range(0, len(row), 2)]
        return row[0]

    return node


def _require_hash(what: str, hashed: bytes) -> None:
    if len(hashed) != HASH_BYTES:
        raise Malformed(what, expected=f"hashes of {HASH_BYTES} bytes", got=f"{len(hashed)} bytes")


def _require_index(index: int, size: int) -> None:
    if not 0 <= index < size:
        raise IndexError(f"leaf {index} is not in a tree of {size}")


def _require_sizes(old_size: int, size: int) -> None:
    if not 0 <= old_size <= size:
        raise IndexError(f"a tree of {size} has no earlier state of size {old_size}")
