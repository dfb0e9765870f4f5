"""The registers and coils of a simulated device, laid out from its profile, as strict as the profile says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from drivers.profile import Point, Profile

ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE = 1, 2, 3  # Modbus application protocol 1.1b3, section 7

_READ_FC = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}
_WRITE_FCS = {"coil": (5, 15), "holding": (6, 16)}
_BITS = ("coil", "discrete")

Cell = tuple[int, str, int]  # unit id, space, wire address


class Refusal(Exception):
    """The device answers with exception `code`."""

    def __init__(self, code: int) -> None:
        super().__init__(f"exception {code}")
        self.code = code


class Registers:
    """What the device holds, and the reads and writes that it lets pass.

    A point whose `when` does not hold, as told by `exists`, is not there. Values are words 0..=65535, for coils 0 or 1.
    """

    def __init__(self, profile: Profile, unit: int, exists: Callable[[str], bool]) -> None:
        self.profile = profile
        self.unit = unit
        self.points: dict[str, Point] = {name: point for name, point in profile.points.items() if exists(name)}
        self._words: dict[Cell, int] = {}
        self._readable: dict[tuple[int, int], dict[int, Cell]] = {}
        self._writable: dict[Cell, str] = {}
        for name, point in self.points.items():
            self._lay_out(name, point)
        self.units = frozenset(unit for unit, _, _ in self._words)

    def _lay_out(self, name: str, point: Point) -> None:
        cells = self.cells(name)
        for cell in cells:
            self._words.setdefault(cell, 0)
            if point.access != "w":
                fc = point.read_fc or _READ_FC[point.space]
                self._readable.setdefault((cell[0], fc), {})[cell[2]] = cell
            if point.access != "r":
                self._writable[cell] = name

    def cells(self, name: str) -> list[Cell]:
        """Where a point lives."""
        point = self.points[name]
        first = self.profile.wire_address(point)
        unit = self.unit if point.unit_id is None else point.unit_id
        return [(unit, point.space, first + offset) for offset in range(point.registers)]

    def get(self, name: str) -> list[int]:
        """The words of a point."""
        return [self._words[cell] for cell in self.cells(name)]

    def put(self, name: str, words: Sequence[int], mask: Sequence[int] | None = None) -> None:
        """Set the words of a point; where `mask` is given, only its one bits."""
        cells = self.cells(name)
        assert len(cells) == len(words), name
        for index, (cell, word) in enumerate(zip(cells, words, strict=True)):
            kept = 0 if mask is None else self._words[cell] & ~mask[index]
            self._words[cell] = kept | (word if mask is None else word & mask[index])

    def image(self) -> Mapping[Cell, int]:
        """All that the device holds now."""
        return dict(self._words)

    def read(self, unit: int, fc: int, address: int, count: int) -> list[int]:
        """Answer FC 1-4. Raises Refusal: wrong function 1, a hole or a forbidden span 2, too many 3."""
        table = self._readable.get((unit, fc))
        if table is None:
            raise Refusal(ILLEGAL_FUNCTION)
        limits = self.profile.limits
        if not 1 <= count <= (limits.max_coils if fc in (1, 2) else limits.max_read):
            raise Refusal(ILLEGAL_VALUE)
        if limits.single_value_reads and not self._one_value(unit, fc, address, count):
            raise Refusal(ILLEGAL_ADDRESS)
        if any(address < barrier < address + count for barrier in limits.barriers):
            raise Refusal(ILLEGAL_ADDRESS)
        values, gap = [], 0
        for at in range(address, address + count):
            cell = table.get(at)
            gap = 0 if cell is not None else gap + 1
            if gap > limits.max_gap or (at in (address, address + count - 1) and cell is None):
                raise Refusal(ILLEGAL_ADDRESS)
            values.append(0 if cell is None else self._words[cell])
        return values

    def write(self, unit: int, fc: int, address: int, values: Sequence[int]) -> list[str]:
        """Carry out FC 5, 6, 15 or 16; the names of the points that were written, in order.

        Raises Refusal and changes nothing: not writable 2, part of a value 2, the wrong function for it 1.
        """
        space = "coil" if fc in (5, 15) else "holding"
        cells = [(unit, space, address + offset) for offset in range(len(values))]
        names = list(dict.fromkeys(self._writable[cell] for cell in cells if cell in self._writable))
        if len([cell for cell in cells if cell in self._writable]) != len(cells) or not names:
            raise Refusal(ILLEGAL_ADDRESS)
        for name in names:
            allowed = self.points[name].write_fc
            if fc not in ((allowed,) if allowed is not None else _WRITE_FCS[space]):
                raise Refusal(ILLEGAL_FUNCTION)
            if any(cell not in cells for cell in self.cells(name)):
                raise Refusal(ILLEGAL_ADDRESS)
        for cell, value in zip(cells, values, strict=True):
            self._words[cell] = value
        return names

    def _one_value(self, unit: int, fc: int, address: int, count: int) -> bool:
        return any(
            self.profile.wire_address(point) == address
            and point.registers == count
            and (point.read_fc or _READ_FC[point.space]) == fc
            and (self.unit if point.unit_id is None else point.unit_id) == unit
            for point in self.points.values()
        )
