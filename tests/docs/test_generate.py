"""What the pages claim of devices and profiles is so."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from docs import generate
from drivers.profile import Point
from drivers.profile_load import parse
from drivers.registry import DeviceConfig, profile_ids, profile_of
from protocols.door import Refused
from tests.drivers.test_profile_vectors import test_vector as run_vector

DOCS = Path(generate.__file__).parent
EXAMPLE = re.findall(r"^```toml\n(.*?)^```", (DOCS / "profiles.md").read_text(encoding="utf-8"), re.M | re.S)


def test_generated_pages_are_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever adds a profile runs `python -m docs.generate`."""
    assert generate.main(["--check"]) == 0, capsys.readouterr().err


def test_a_page_that_is_out_of_date_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """--check writes nothing; without it the pages are written."""
    monkeypatch.setattr(generate, "FOLDER", tmp_path)
    assert generate.main(["--check"]) == 1
    assert list(tmp_path.iterdir()) == []
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0
    assert generate.main(["--chekc"]) == 2


def test_it_runs_as_the_docs_say() -> None:
    """`python -m docs.generate --check` from the checkout."""
    done = subprocess.run([sys.executable, "-m", "docs.generate", "--check"], cwd=DOCS.parent, check=False)
    assert done.returncode == 0


def test_the_example_profile_loads_and_its_vectors_hold() -> None:
    """The TOML in docs/profiles.md is a sound profile."""
    (text,) = EXAMPLE
    profile = parse(text, source="docs/profiles.md")
    assert len(profile.vectors) == 2
    for vector in profile.vectors:
        run_vector(profile, vector)


def test_every_key_of_a_point_is_explained() -> None:
    """The table of keys misses none of the schema's, and names no other."""
    page = (DOCS / "profiles.md").read_text(encoding="utf-8")
    table = page[page.index("| key | means |") : page.index("## Conditions")]
    told = {key for row in table.splitlines()[2:] for key in re.findall(r"`(\w+)`", row.split("|")[1] if row else "")}
    known = {field.name for field in msgspec.structs.fields(Point)}
    assert known - told == {"length", "unit", "confidence", "source"}
    assert told <= known


@pytest.mark.parametrize("profile_id", profile_ids())
def test_every_product_is_on_a_page(profile_id: str) -> None:
    """Each shipped profile has its section."""
    profile = profile_of(DeviceConfig(id="d", line="l", profile=profile_id))
    page = (DOCS / f"{profile.device.kind}s.md").read_text(encoding="utf-8")
    assert f"\n## {profile_id}\n" in page


def test_a_site_has_profiles_of_its_own(tmp_path: Path) -> None:
    """A folder of the site goes before the shipped ones; a file whose id is another is refused."""
    (text,) = EXAMPLE
    (tmp_path / "example-charger.toml").write_text(text, encoding="utf-8")
    (tmp_path / "misnamed.toml").write_text(text, encoding="utf-8")
    assert "example-charger" in profile_ids(tmp_path)
    assert profile_of(DeviceConfig(id="d", line="l", profile="example-charger"), tmp_path).id == "example-charger"
    with pytest.raises(Refused, match=r"device.id: expected misnamed"):
        profile_of(DeviceConfig(id="d", line="l", profile="misnamed"), tmp_path)
    with pytest.raises(Refused, match="profile: expected one of abb-b23"):
        profile_of(DeviceConfig(id="d", line="l", profile="example-charger"))
