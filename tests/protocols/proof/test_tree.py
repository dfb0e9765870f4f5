"""The tree against RFC 6962, Certificate Transparency's vectors, and another implementation."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

import pymerkle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.proof import tree
from protocols.proof.errors import Malformed, NotConsistent, NotIncluded
from protocols.proof.tree import EMPTY_ROOT, Frontier

from .people import flip

# The leaves of Certificate Transparency's own tests, and the roots of the trees of the first n of them.
CT_LEAVES = [
    bytes.fromhex(leaf)
    for leaf in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
CT_ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]

SIZE = 200
LEAVES = [tree.leaf_hash(b"record %d" % seq) for seq in range(SIZE)]


def node_store(leaf_hashes: list[bytes]) -> tree.NodeHash:
    """Every node as `append_many` reports it, as a store would keep them."""
    nodes = {(0, index): hashed for index, hashed in enumerate(leaf_hashes)}

    def keep(level: int, index: int, hashed: bytes) -> None:
        assert (level, index) not in nodes, "a node is complete once"
        nodes[level, index] = hashed

    Frontier().append_many(leaf_hashes, keep)
    return lambda level, index: nodes[level, index]


NODES = node_store(LEAVES)
ROOTS = [Frontier().append_many(LEAVES[:size]).root() for size in range(SIZE + 1)]


@pytest.mark.parametrize("size", range(9))
def test_certificate_transparency_roots(size: int) -> None:
    """The roots of CT's trees of 0 to 8 leaves come out."""
    hashes = [tree.leaf_hash(leaf) for leaf in CT_LEAVES[:size]]
    assert Frontier().append_many(hashes).root().hex() == CT_ROOTS[size]


def test_certificate_transparency_paths() -> None:
    """Proofs spelled out in CT's tests: for leaf 0 of 8, and from 6 to 8 leaves."""
    hashes = [tree.leaf_hash(leaf) for leaf in CT_LEAVES]
    assert [hashed.hex() for hashed in tree.inclusion_proof(hashes, 0, 8)] == [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ]
    assert [hashed.hex() for hashed in tree.consistency_proof(hashes, 6, 8)] == [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]


def test_the_empty_tree_has_the_hash_of_nothing_as_root() -> None:
    """RFC 6962, 2.1: MTH({}) = SHA-256()."""
    assert Frontier().root() == sha256(b"").digest() == EMPTY_ROOT


def test_roots_equal_pymerkle_s() -> None:
    """An implementation by somebody else has the same roots at every size."""
    other = pymerkle.InmemoryTree(algorithm="sha256")
    frontier = Frontier()
    for seq in range(SIZE):
        other.append_entry(b"record %d" % seq)
        frontier = frontier.append(LEAVES[seq])
        assert frontier.root() == other.get_root() == ROOTS[seq + 1]


def test_every_inclusion_proof_verifies() -> None:
    """Each leaf of each tree up to 200 leaves is provable, from nodes as a store keeps them."""
    for size in range(1, SIZE + 1):
        for index in range(size):
            proof = tree.inclusion_proof(NODES, index, size)
            tree.verify_inclusion(LEAVES[index], index, size, proof, ROOTS[size])


def test_every_consistency_proof_verifies() -> None:
    """Each tree up to 200 leaves is provably a beginning of each later one."""
    for size in range(SIZE + 1):
        for old_size in range(size + 1):
            proof = tree.consistency_proof(NODES, old_size, size)
            tree.verify_consistency(old_size, size, proof, ROOTS[old_size], ROOTS[size])


@st.composite
def places(draw: st.DrawFn) -> tuple[int, int]:
    size = draw(st.integers(2, SIZE))
    return draw(st.integers(0, size - 1)), size


@given(places())
def test_leaf_hashes_and_kept_nodes_give_the_same_proofs(place: tuple[int, int]) -> None:
    """A store may keep nodes or only leaves."""
    index, size = place
    assert tree.inclusion_proof(LEAVES, index, size) == tree.inclusion_proof(NODES, index, size)
    assert tree.consistency_proof(LEAVES, index, size) == tree.consistency_proof(NODES, index, size)


@settings(max_examples=300)
@given(places(), st.integers(0, 10**6), st.data())
def test_a_flipped_bit_proves_no_inclusion(place: tuple[int, int], bit: int, data: st.DataObject) -> None:
    """One bit off in leaf, path or root, another index, or another number of hashes: refused."""
    index, size = place
    leaf, proof, root = LEAVES[index], list(tree.inclusion_proof(NODES, index, size)), ROOTS[size]
    at = data.draw(st.integers(0, len(proof) - 1))
    cases: list[tuple[bytes, int, list[bytes], bytes]] = [
        (flip(leaf, bit), index, proof, root),
        (leaf, index, [*proof[:at], flip(proof[at], bit), *proof[at + 1 :]], root),
        (leaf, index, proof, flip(root, bit)),
        (leaf, (index + 1 + bit % (size - 1)) % size, proof, root),
        (leaf, index, proof[:-1], root),
        (leaf, index, [*proof, proof[-1]], root),
    ]
    for leaf_claimed, index_claimed, proof_claimed, root_claimed in cases:
        with pytest.raises(NotIncluded):
            tree.verify_inclusion(leaf_claimed, index_claimed, size, proof_claimed, root_claimed)


@settings(max_examples=300)
@given(places(), st.integers(0, 10**6), st.data())
def test_a_flipped_bit_proves_no_consistency(place: tuple[int, int], bit: int, data: st.DataObject) -> None:
    """One bit off in path or roots, or another number of hashes: refused."""
    old_size, size = max(1, place[0]), place[1]
    proof, old_root, root = list(tree.consistency_proof(NODES, old_size, size)), ROOTS[old_size], ROOTS[size]
    at = data.draw(st.integers(0, len(proof) - 1))
    for proof_claimed, old_claimed, new_claimed in [
        ([*proof[:at], flip(proof[at], bit), *proof[at + 1 :]], old_root, root),
        (proof, flip(old_root, bit), root),
        (proof, old_root, flip(root, bit)),
        (proof[:-1], old_root, root),
        ([*proof, proof[-1]], old_root, root),
        ([], old_root, root),
    ]:
        with pytest.raises(NotConsistent):
            tree.verify_consistency(old_size, size, proof_claimed, old_claimed, new_claimed)


@pytest.mark.parametrize(
    ("old_size", "size", "proof", "old_root", "root"),
    [
        pytest.param(5, 4, [], ROOTS[5], ROOTS[4], id="the log shrank"),
        pytest.param(4, 4, [], ROOTS[4], ROOTS[5], id="same size, other root: a fork"),
        pytest.param(4, 4, [ROOTS[4]], ROOTS[4], ROOTS[4], id="same size needs no hashes"),
        pytest.param(0, 4, [ROOTS[4]], EMPTY_ROOT, ROOTS[4], id="from empty needs no hashes"),
        pytest.param(0, 4, [], ROOTS[1], ROOTS[4], id="an empty tree with a root of something"),
        pytest.param(0, 0, [], ROOTS[1], ROOTS[1], id="two empty trees with a root of something"),
        pytest.param(-1, 4, [], EMPTY_ROOT, ROOTS[4], id="a negative size"),
    ],
)
def test_no_consistency(old_size: int, size: int, proof: list[bytes], old_root: bytes, root: bytes) -> None:
    """The edges of the consistency rule."""
    with pytest.raises(NotConsistent) as refusal:
        tree.verify_consistency(old_size, size, proof, old_root, root)
    assert refusal.value.remedy.startswith("Freeze the epoch")


@pytest.mark.parametrize(("index", "size"), [(-1, 4), (4, 4), (0, 0), (0, 2**63)])
def test_no_leaf_at_such_a_place(index: int, size: int) -> None:
    """An index outside the tree, or a size no log can have, is refused before any hashing."""
    with pytest.raises(NotIncluded):
        tree.verify_inclusion(LEAVES[0], index, size, [], LEAVES[0])


def test_a_node_does_not_pose_as_a_leaf() -> None:
    """The second-preimage trick: a tree of two leaves is not one leaf made of their hashes."""
    with pytest.raises(NotIncluded):
        tree.verify_inclusion(tree.leaf_hash(LEAVES[0] + LEAVES[1]), 0, 1, [], ROOTS[2])


@given(st.integers(0, SIZE))
def test_a_frontier_comes_back_from_its_bytes(size: int) -> None:
    """Stored and read again, it goes on as if it had never stopped."""
    frontier = Frontier.from_bytes(Frontier().append_many(LEAVES[:size]).to_bytes())
    assert frontier.append_many(LEAVES[size:]).root() == ROOTS[SIZE]


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(lambda data: b"", id="nothing"),
        pytest.param(lambda data: data[:7], id="half a size"),
        pytest.param(lambda data: data[:-1], id="a byte short"),
        pytest.param(lambda data: data + b"\0", id="a byte long"),
        pytest.param(lambda data: b"\0" * 7 + b"\x08" + data[8:], id="another size"),
        pytest.param(lambda data: b"\xff" * 8 + b"\0" * 64 * 32, id="a size no log can have"),
    ],
)
def test_a_damaged_frontier_is_refused(broken: Callable[[bytes], bytes]) -> None:
    """Bytes that no frontier writes are not read as one."""
    with pytest.raises(Malformed):
        Frontier.from_bytes(broken(Frontier().append_many(LEAVES[:7]).to_bytes()))


def test_hashes_have_their_length() -> None:
    """A hash of another length is refused wherever one is handed in."""
    for attempt in (
        lambda: Frontier().append(b"short"),
        lambda: Frontier(1, (b"short",)),
        lambda: tree.verify_inclusion(b"short", 0, 1, [], LEAVES[0]),
        lambda: tree.verify_inclusion(LEAVES[0], 0, 2, [b"short"], ROOTS[2]),
        lambda: tree.verify_consistency(1, 2, [b"short"], ROOTS[1], ROOTS[2]),
    ):
        with pytest.raises(Malformed, match="32 bytes"):
            attempt()


def test_asking_for_a_proof_of_what_is_not_there() -> None:
    """A caller's own mistake is an IndexError, not a refusal."""
    for attempt in (
        lambda: tree.inclusion_proof(LEAVES, 4, 4),
        lambda: tree.consistency_proof(LEAVES, 5, 4),
        lambda: tree.inclusion_proof(LEAVES[:3], 0, 4),
    ):
        with pytest.raises(IndexError):
            attempt()
