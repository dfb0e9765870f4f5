"""What state is the charger in? Conditions over a device's values, and the ordered rules that give IEC 61851 letters.

The grammar is a small part of Python's, parsed by `ast` and never evaluated by Python:

    state == 5 and cable >= 0x101        comparisons: == != < <= > >=, chains too
    state in [2, 3, 4], x not in [0]     lists of numbers or texts
    bit(error, 3), error & 0x18 != 0     bit tests
    present(model)                       is the value known?
    version(firmware) >= version("5.22") texts compared as dotted numbers

A condition over an unknown value is neither true nor false: it is unknown, unless the other side of `and` or `or`
decides alone. An unknown rule ends the walk with F, because a later and weaker rule may be wrong.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from drivers.api import Iec61851
from drivers.profile import Profile, StateRule

Value = Fraction | int | str | None
Values = Mapping[str, Value]
Kind = str  # "number", "text", "version" or "truth"
_Node = tuple[Callable[[Values], object], Kind]


@dataclass(frozen=True, slots=True)
class Condition:
    """A parsed condition. `names`: the points it looks at, in the order of their appearance."""

    text: str
    names: tuple[str, ...]
    holds: Callable[[Values], bool | None]  # None: not known


@dataclass(frozen=True, slots=True)
class Rules:
    """The state rules of one profile, ready to run."""

    rules: tuple[tuple[Condition, Iec61851, str], ...]
    words: Mapping[str, Mapping[str, str]]  # point -> raw value -> the vendor's word

    def decide(self, values: Values) -> tuple[Iec61851, str]:
        """The letter and the reason. Nothing that is unknown ever becomes C."""
        for condition, iec, reason in self.rules:
            holds = condition.holds(values)
            if holds is None:
                unknown = [name for name in condition.names if values.get(name) is None]
                return Iec61851.F, f"unknown: {', '.join(unknown)}"
            if holds:
                return iec, reason or self._seen(condition, values)
        names = dict.fromkeys(name for condition, _, _ in self.rules for name in condition.names)
        seen = ", ".join(f"{name}={render(values.get(name))}" for name in names)
        return Iec61851.F, f"no rule for {seen}"

    def _seen(self, condition: Condition, values: Values) -> str:
        said = []
        for name in condition.names:
            text = render(values.get(name))
            said.append(self.words.get(name, {}).get(text, f"{name}={text}"))
        return ", ".join(said)


def rules_of(profile: Profile) -> Rules:
    """The rules of a checked profile."""
    kinds = kinds_of(profile)
    return Rules(tuple(_rule(rule, kinds) for rule in profile.state), {n: p.words for n, p in profile.points.items()})


def kinds_of(profile: Profile) -> dict[str, Kind]:
    """Whether each point is a number or a text."""
    texts = ("ascii", "utf16", "hex")
    return {name: "text" if point.type in texts else "number" for name, point in profile.points.items()}


def render(value: Value) -> str:
    """A value for a person: "-" when it is not known."""
    if value is None:
        return "-"
    if isinstance(value, str) or value == int(value):
        return str(value)
    text = f"{float(value):.6f}".rstrip("0")
    return text.removesuffix(".")


def parse(text: str, kinds: Mapping[str, Kind]) -> Condition:
    """Parse `text` over the points in `kinds`. ValueError says what is not allowed."""
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        raise ValueError(f"not a condition: {error.msg}") from None
    reader = _Reader(kinds)
    evaluate, kind = reader.read(tree)
    if kind != "truth":
        raise ValueError(f"a {kind} is no condition; compare it with something")
    return Condition(text, tuple(dict.fromkeys(reader.names)), evaluate)  # type: ignore[arg-type]  # kind says truth


def _rule(rule: StateRule, kinds: Mapping[str, Kind]) -> tuple[Condition, Iec61851, str]:
    return parse(rule.when, kinds), Iec61851(rule.iec), rule.reason


class _Reader:
    """Turns syntax into closures; whatever is not named here is refused."""

    def __init__(self, kinds: Mapping[str, Kind]) -> None:
        self.kinds = kinds
        self.names: list[str] = []

    def read(self, node: ast.expr) -> _Node:
        match node:
            case ast.BoolOp(op, operands):
                return self._bool(isinstance(op, ast.And), operands)
            case ast.UnaryOp(ast.Not(), operand):
                inner = self._truth(operand)
                return (lambda values: None if (known := inner(values)) is None else not known), "truth"
            case ast.UnaryOp(ast.USub(), ast.Constant(int(number))):
                return (lambda values: -number), "number"
            case ast.Compare(left, operators, rights):
                return self._compare(left, operators, rights)
            case ast.BinOp(left, ast.BitAnd(), right):
                return self._bits(self._number(left), self._number(right)), "number"
            case ast.Call(ast.Name(function), arguments, []):
                return self._call(function, arguments)
            case ast.Name(name):
                if name not in self.kinds:
                    raise ValueError(f"{name!r} is not a point")
                self.names.append(name)
                return (lambda values: values.get(name)), self.kinds[name]
            case ast.Constant(bool()):
                raise ValueError("write 1 or 0, not True or False")
            case ast.Constant(int() | str() as constant):
                return (lambda values: constant), "text" if isinstance(constant, str) else "number"
            case _:
                raise ValueError(f"{ast.unparse(node)!r} is not allowed; see docs/profiles.md for the grammar")

    def _bool(self, is_and: bool, operands: list[ast.expr]) -> _Node:
        parts = [self._truth(operand) for operand in operands]

        def evaluate(values: Values) -> bool | None:
            unknown = False
            for part in parts:
                known = part(values)
                if known is None:
                    unknown = True
                elif known is not is_and:  # one false ends `and`, one true ends `or`
                    return known
            return None if unknown else is_and

        return evaluate, "truth"

    def _compare(self, left: ast.expr, operators: list[ast.cmpop], rights: list[ast.expr]) -> _Node:
        tests: list[Callable[[Values], bool | None]] = []
        for operator, right in zip(operators, rights, strict=True):
            tests.append(self._one_compare(left, operator, right))
            left = right
        if len(tests) == 1:
            return tests[0], "truth"

        def evaluate(values: Values) -> bool | None:
            found = [test(values) for test in tests]
            return False if False in found else None if None in found else True

        return evaluate, "truth"

    def _one_compare(self, left: ast.expr, operator: ast.cmpop, right: ast.expr) -> Callable[[Values], bool | None]:
        first, kind = self.read(left)
        if isinstance(operator, ast.In | ast.NotIn):
            if not isinstance(right, ast.List | ast.Tuple):
                raise ValueError("`in` needs a list such as [1, 2]")
            items = [self.read(item) for item in right.elts]
            if any(not isinstance(item, ast.Constant | ast.UnaryOp) for item in right.elts):
                raise ValueError("a list holds numbers or texts only")
            allowed = frozenset(evaluate({}) for evaluate, _ in items)
            kinds = {item_kind for _, item_kind in items}
            wanted = isinstance(operator, ast.In)
            if kinds - {kind}:
                raise ValueError(f"a {kind} is never in a list of {' and '.join(sorted(kinds))}")
            return lambda values: None if (value := first(values)) is None else (value in allowed) is wanted
        second, other = self.read(right)
        if kind != other or kind == "truth":
            raise ValueError(f"a {kind} cannot be compared with a {other}")
        compare = _COMPARE.get(type(operator))
        if compare is None:
            raise ValueError("use == != < <= > >= or in")

        def evaluate(values: Values) -> bool | None:
            a, b = first(values), second(values)
            return None if a is None or b is None else compare(a, b)

        return evaluate

    def _call(self, function: str, arguments: list[ast.expr]) -> _Node:
        match function, arguments:
            case "bit", [operand, ast.Constant(int(place))] if 0 <= place < 64:
                bits = self._bits(self._number(operand), lambda values: 1 << place)
                return (lambda values: None if (found := bits(values)) is None else found != 0), "truth"
            case "present", [ast.Name() as operand]:
                inner, _ = self.read(operand)
                return (lambda values: inner(values) is not None), "truth"
            case "version", [operand]:
                inner, kind = self.read(operand)
                if kind != "text":
                    raise ValueError("version() reads a text such as 5.22")
                return (lambda values: _version(inner(values))), "version"
            case _:
                raise ValueError("functions are bit(point, 0..63), present(point) and version(text)")

    def _truth(self, node: ast.expr) -> Callable[[Values], bool | None]:
        evaluate, kind = self.read(node)
        if kind != "truth":
            raise ValueError(f"{ast.unparse(node)!r} is a {kind}, not a condition; compare it with something")
        return evaluate  # type: ignore[return-value]  # kind says truth

    def _number(self, node: ast.expr) -> Callable[[Values], object]:
        evaluate, kind = self.read(node)
        if kind != "number":
            raise ValueError(f"{ast.unparse(node)!r} is a {kind}, not a number")
        return evaluate

    @staticmethod
    def _bits(left: Callable[[Values], object], right: Callable[[Values], object]) -> Callable[[Values], int | None]:
        def evaluate(values: Values) -> int | None:
            a, b = left(values), right(values)
            return a & b if isinstance(a, int) and isinstance(b, int) else None

        return evaluate


_COMPARE: dict[type[ast.cmpop], Callable[..., bool]] = {
    ast.Eq: lambda a, b: a == b,
    ast.NotEq: lambda a, b: a != b,
    ast.Lt: lambda a, b: a < b,
    ast.LtE: lambda a, b: a <= b,
    ast.Gt: lambda a, b: a > b,
    ast.GtE: lambda a, b: a >= b,
}


def _version(text: object) -> tuple[int, ...] | None:
    """ "V1.10.2-beta" -> (1, 10, 2); None where there is no number at all."""
    found = re.search(r"\d+(?:\.\d+)*", text) if isinstance(text, str) else None
    return tuple(int(part) for part in found[0].split(".")) if found else None
