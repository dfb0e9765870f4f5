"""Who answers on a line of DNY boards? By polls alone, with what goes into the config."""

from __future__ import annotations

from dny_rig import UNIX_MS, board_config, board_twin, running, until

from drivers.line import Line, LineConfig
from drivers.ports.registry import build_port_board
from drivers.ports.scan import scan_dny
from drivers.twins.ports.board import PortWorld
from drivers.twins.ports.dny import DnyTwin
from drivers.twins.ports.wire import DnyLine


async def test_boards_are_found_and_known_ones_told_of() -> None:
    """A board of ours at 7, an unknown one at 9; nobody elsewhere; the unknown one is ordered nothing."""
    stranger = DnyTwin(PortWorld(2), 0x0400002A, virtual_id=9)
    async with DnyLine([board_twin(), stranger], baud=115_200) as wire:
        config = LineConfig(id="yard", path=wire.port, baud=115_200, drain_ms=0)
        async with Line(config) as line:
            ours = build_port_board(board_config("line"), line, lambda: UNIX_MS)
            async with running(ours.run()):
                await until(lambda: ours.status()[1].value)
                found = [one async for one in scan_dny(line, range(5, 12), {7: ours})]
    assert [(one.unit, one.sure, one.protocol) for one in found] == [(7, True, "dny"), (9, True, "dny")]
    assert found[0].how.startswith("board-1; firmware 1.26")
    assert found[1].how == "device = 42, kind = 4; says 20 register"
    assert stranger.asked == []
