"""docs/formats.md shows what the code writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from protocols.proof import keys, tree
from protocols.proof.receipt import Receipt

from .people import CERTIFICATE, DEVICE, HQ, HQ_KEY, LEAVES, LOG_KEY, cosigned_head

PAGE = (Path(__file__).parents[3] / "docs" / "formats.md").read_text(encoding="utf-8")
RECEIPT = Receipt(11, tree.inclusion_proof(LEAVES, 11, 23), cosigned_head(23), CERTIFICATE.to_bytes())


@pytest.mark.parametrize(
    "example",
    [
        pytest.param(f"{LOG_KEY}\n{HQ_KEY}\n", id="vkeys"),
        pytest.param(keys.fingerprint(keys.spki(DEVICE.public_key())) + "\n", id="fingerprint"),
        pytest.param(CERTIFICATE.to_bytes().decode(), id="certificate"),
        pytest.param(cosigned_head(7).decode(), id="head"),
        pytest.param(RECEIPT.to_bytes().decode(), id="receipt"),
        pytest.param(keys.sign(HQ, "fieldtill/grant/v1", b"payload").hex() + "\n", id="signature"),
    ],
)
def test_the_page_shows_it_byte_for_byte(example: str) -> None:
    """Each example stands alone in a block of the page, exactly as written by the code."""
    assert f"```\n{example}```\n" in PAGE
