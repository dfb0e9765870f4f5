"""The counter's medium: every write that is cut short leaves the number before or after it, never another one."""

from __future__ import annotations

from pathlib import Path

import pytest
from daemon_rig import CONFIG, make_box

from edge.counter import CounterBlank, CounterConfig, CounterError, SlotCounter, counter_of
from edge.panel.checkup import check_up


def file_counter(path: Path) -> SlotCounter:
    return SlotCounter(CounterConfig(str(path / "counter")))


def chip(path: Path, size: int = 128) -> SlotCounter:
    """As the kernel shows an erased EEPROM."""
    (path / "eeprom").write_bytes(b"\xff" * size)
    return SlotCounter(CounterConfig(str(path / "eeprom"), "eeprom"))


@pytest.mark.parametrize("make", [file_counter, chip])
def test_it_counts_over_restarts(tmp_path: Path, make: object) -> None:
    """A blank one says so; then each tick is one more, for whoever opens it next."""
    counter = file_counter(tmp_path) if make is file_counter else chip(tmp_path)
    with pytest.raises(CounterBlank):
        counter.read()
    counter.begin(0)
    assert [counter.tick() for _ in range(5)] == [1, 2, 3, 4, 5]
    again = SlotCounter(CounterConfig(str(counter._path), "eeprom" if make is chip else "file"))
    assert again.read() == 5
    again.begin(40)
    assert (again.read(), again.tick()) == (40, 41)


@pytest.mark.parametrize("make", [file_counter, chip])
def test_a_tick_that_is_cut_short_is_told_or_undone(tmp_path: Path, make: object) -> None:
    """Cut at every byte, with rubbish behind it or the old bytes: the value before or after, never less, never wild."""
    counter = file_counter(tmp_path) if make is file_counter else chip(tmp_path)
    counter.begin(6)
    before = counter._path.read_bytes()
    counter.tick()
    after = counter._path.read_bytes()
    changed = [place for place, (old, new) in enumerate(zip(before, after, strict=True)) if old != new]
    for place in range(changed[0], changed[-1] + 2):
        for torn in (after[:place] + before[place:], after[:place] + b"\xa5" * 24 + before[place + 24 :]):
            if make is file_counter or len(torn) == len(before):
                counter._path.write_bytes(torn)
                assert counter.read() in (6, 7), place


def test_a_medium_with_something_else_on_it_is_never_taken_for_blank(tmp_path: Path) -> None:
    """Nothing is begun there; and both slots damaged are not a new beginning."""
    counter = file_counter(tmp_path)
    counter._path.write_bytes(b"somebody's letter" * 500)
    with pytest.raises(CounterError) as refused:
        counter.read()
    assert not isinstance(refused.value, CounterBlank)
    assert counter._path.read_bytes().startswith(b"somebody's letter")


def test_a_medium_that_is_not_there_is_told(tmp_path: Path) -> None:
    """A stick that is not mounted, a chip that does not answer, a folder that nobody may write."""
    for config in (
        CounterConfig(str(tmp_path / "no-such-stick" / "counter")),
        CounterConfig(str(tmp_path / "no-chip"), "eeprom"),
        CounterConfig(str(tmp_path)),
    ):
        counter = SlotCounter(config)
        with pytest.raises(CounterError) as refused:
            counter.read()
        assert not isinstance(refused.value, CounterBlank)
        with pytest.raises(CounterError):
            counter.begin(1)


def test_without_a_table_there_is_no_counter() -> None:
    """`[counter]` is optional."""
    assert counter_of(None) is None


def test_a_check_of_the_box_tells_of_its_counter(tmp_path: Path) -> None:
    """Blank, counting, damaged; and that it lies on the very disk that it should watch."""
    box = make_box(tmp_path, CONFIG.replace("[till]", '[counter]\npath = "stick"\n[till]'))
    counter = SlotCounter(CounterConfig(str(tmp_path / "stick")))

    def told() -> tuple[str, int]:
        (finding,) = [one for one in check_up(box.config) if one.what == "counter"]
        return finding.detail.removeprefix(f"{tmp_path}/"), len(finding.faults)

    own_disk = "on the journal's own disk, and copied with it: it tells nothing"
    assert told() == (f"stick, blank; the daemon begins it; {own_disk}", 0)
    counter.begin(7)
    assert told() == (f"stick, stands at 7; {own_disk}", 0)
    (tmp_path / "stick").write_text("a letter")
    assert told()[1] == 1
