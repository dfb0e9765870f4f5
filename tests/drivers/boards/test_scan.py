"""Lock boards are found by reading them; those that the daemon knows are not asked."""

from __future__ import annotations

from board_rig import Bus, KerongBoard, XorBoard, board_on

from drivers.boards.scan import scan_boards


class Wide(XorBoard):
    """A board of 32 locks."""

    def hear(self, data: bytes) -> list[bytes]:
        return [bytes.fromhex("80 03 80 00 00 01 33 31")] if data == bytes.fromhex("80 03 00 33 b0") else []


async def test_xor_boards() -> None:
    """Their locks are counted by the length of the answer; nothing is opened."""
    fakes = [XorBoard(1, {2, 24}), XorBoard(2), Wide(3)]
    async with Bus(fakes) as bus, bus.line() as line:
        known = board_on(line, "xor", 2)
        await known.refresh()
        asked = len(bus.log)
        found = [one async for one in scan_boards(line, "xor", range(1, 6), {2: known}, timeout_s=0.3)]
        assert [(one.unit, one.how, one.sure) for one in found] == [
            (1, "24 locks, contacts set: 2, 24", True),
            (2, "xor-2", True),
            (3, "32 locks, contacts set: 1, 32", True),
        ]
        assert not any(said.startswith(">> 80 02") for said in bus.log[asked:])
    assert [fake.opened for fake in fakes] == [[], [], []]


async def test_kerong_boards() -> None:
    """From address 0 on."""
    fakes = [KerongBoard(0), KerongBoard(5, unlocked={15})]
    async with Bus(fakes) as bus, bus.line() as line:
        found = [one async for one in scan_boards(line, "kerong", range(8), {}, timeout_s=0.3)]
        assert [(one.unit, one.how) for one in found] == [
            (0, "16 locks, unlocked: none"),
            (5, "16 locks, unlocked: 16"),
        ]
