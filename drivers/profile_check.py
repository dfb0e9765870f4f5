"""Does a profile hold together? Faults between its parts, which the types of the schema cannot see."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction

from drivers import profile_decode, profile_state
from drivers.profile import Point, Profile, Write, quantity
from protocols.door import Fault

_READS = {"coil": (1, 2), "discrete": (2, 1), "holding": (3, 4), "input": (4, 3)}  # some answer only the other one
_WRITES = {"coil": (5, 15), "holding": (6, 16)}
_BY_LENGTH = ("bcd", "ascii", "utf16", "hex")
_GAUGED = {"volume": "L", "level": "mm", "water": "mm", "temperature": "degC"}


def faults(profile: Profile, names: frozenset[str]) -> list[Fault]:
    """Every fault between parts. `names`: all points of the file, the ill-formed ones too."""
    found = [fault for name in profile.points for fault in _point(profile, f"points.{name}", profile.points[name])]
    for section in (_names, _links, _gives, _state, _command, _keepalive, _conditions, _vectors):
        found += section(profile, names)
    return found


def _point(profile: Profile, path: str, point: Point) -> Iterator[Fault]:
    bits = point.space in ("coil", "discrete")
    if bits != (point.type == "bool"):
        yield Fault(f"{path}.type", "bool in coils and discrete inputs, and only there", repr(point.type))
    if (point.length is not None) != (point.type in _BY_LENGTH):
        yield Fault(f"{path}.length", f"registers of {', '.join(_BY_LENGTH)}, and only of these", repr(point.length))
        return
    if not bits and point.registers > profile.limits.max_read:
        yield Fault(f"{path}.length", f"at most limits.max_read = {profile.limits.max_read}", repr(point.registers))
    address = profile.wire_address(point)
    if not 0 <= address <= address + point.registers <= 65536:
        yield Fault(f"{path}.addr", "a wire address 0 ..= 65535 after address_base and address_offset", repr(address))
    for barrier in profile.limits.barriers:
        if address < barrier < address + point.registers:
            yield Fault(
                f"{path}.addr", f"a value on one side of the barrier {barrier}", f"{address} + {point.registers}"
            )
    if point.access != "r" and point.space not in _WRITES:
        yield Fault(f"{path}.access", "r: this space cannot be written", repr(point.access))
    if point.access != "r" and point.mask is not None:
        yield Fault(f"{path}.mask", "none where the point is written: the other bits would be lost", hex(point.mask))
    if point.write_fc is not None and point.write_fc not in _WRITES.get(point.space, ()):
        yield Fault(
            f"{path}.write_fc", f"one of {_WRITES.get(point.space, ())} for {point.space}", repr(point.write_fc)
        )
    if point.write_fc in (5, 6) and point.registers > 1:
        yield Fault(f"{path}.write_fc", "16: the value takes several registers", repr(point.write_fc))
    for key in ("null", "transient"):
        if any(not 0 <= raw < 1 << 16 * point.registers for raw in getattr(point, key)):
            yield Fault(f"{path}.{key}", f"bit patterns of {point.registers} registers", repr(getattr(point, key)))
    yield from _quantities(path, point)


def _quantities(path: str, point: Point) -> Iterator[Fault]:
    try:
        base = quantity(point.unit).unit
    except ValueError as error:
        yield Fault(f"{path}.unit", 'scale and unit such as "0.1 A"', str(error))
        return
    for key in ("resolution", "wraps_at"):
        text = getattr(point, key)
        try:
            if text is not None and (quantity(text).unit != base or quantity(text).amount <= 0):
                yield Fault(f"{path}.{key}", f"more than nothing, in a unit of {base or 'no unit'}", repr(text))
        except ValueError as error:
            yield Fault(f"{path}.{key}", 'a quantity such as "10 Wh"', str(error))
    yield from _number(f"{path}.offset", point.offset)


def _names(profile: Profile, names: frozenset[str]) -> Iterator[Fault]:
    """Every name that is used must be a point."""
    gives = profile.gives
    used = [
        (f"gives.{key}[{index}]", name)
        for key in ("register", "power", "current", "limit")
        for index, name in enumerate(getattr(gives, key))
    ]
    used += [(f"gives.{key}", getattr(gives, key)) for key in ("limit_max", "model", "firmware", "serial", *_GAUGED)]
    used += [(f"{path}.point", write.point) for path, write in _writes(profile)]
    used += [(f"points.{name}.verify", point.verify) for name, point in profile.points.items()]
    used += [
        (f"vectors[{index}].{key}.{name}", name)
        for index, vector in enumerate(profile.vectors)
        for key in ("values", "writes")
        for name in getattr(vector, key)
    ]
    if profile.keepalive is not None:
        used += [(f"keepalive.{key}", getattr(profile.keepalive, key)) for key in ("point", "deadline_from")]
    for path, name in used:
        if name is None or name in names or (path.endswith(".verify") and name in ("equal", "none")):
            continue
        yield Fault(path, f"a point: one of {', '.join(sorted(names))}", repr(name))


def _links(profile: Profile, names: frozenset[str]) -> Iterator[Fault]:
    link = profile.link
    if not any((link.rtu, link.ascii, link.tcp, link.rtu_over_tcp)):
        yield Fault(
            "link", "at least one of rtu, ascii, tcp, rtu_over_tcp", "none", "Add `[link.rtu]` or `[link.tcp]`."
        )


def _gives(profile: Profile, names: frozenset[str]) -> Iterator[Fault]:
    if profile.device.kind == "meter" and not profile.gives.register:
        yield Fault("gives.register", "the point of the import register: a meter has one", "nothing", "Add it.")
    gives = profile.gives
    if profile.device.kind == "gauge" and gives.volume is None and gives.level is None:
        yield Fault("gives", "a point of volume or of level: a gauge has one", "neither", "Add it.")
    for key, unit in _GAUGED.items():
        point = profile.points.get(getattr(gives, key) or "")
        if point is not None and _base_unit(point) not in (None, unit):
            yield Fault(f"gives.{key}", f"a point in a unit of {unit}", f"{point.unit or 'no unit'}")
    wanted = {"register": "Wh", "power": "W", "current": "A"}
    for key, unit in wanted.items():
        for index, name in enumerate(getattr(profile.gives, key)):
            point = profile.points.get(name)
            base = _base_unit(point) if point is not None else unit
            if base is not None and base != unit:
                yield Fault(f"gives.{key}[{index}]", f"a point in a unit of {unit}", f"{name} in {base or 'no unit'}")
            if key == "register" and point is not None and point.counter != "total":
                yield Fault(f"gives.register[{index}]", 'a point with counter = "total"', f"{name}: {point.counter}")


def _state(profile: Profile, names: frozenset[str]) -> Iterator[Fault]:
    if profile.device.kind == "charger" and not profile.state:
        yield Fault("state", "rules that give A to F: a charger has them", "nothing", "Add `[[state]]` tables.")


def _command(profile: Profile, names: frozenset[str]) -> Iterator[Fault]:
    command = profile.command
    if command is None:
        if profile.device.kind == "charger":
            yield Fault("command", "start, stop, min and max: a charger has them", "nothing", "Add `[command]`.")
        return
    numbers = [fault for key in ("min", "max", "step") for fault in _number(f"command.{key}", getattr(command, key))]
    yield from numbers
    if not numbers and not 0 < Fraction(command.min) <= Fraction(command.max):
        yield Fault("command.min", f"more than 0 and at most max = {command.max}", repr(command.min))
    if not numbers and Fraction(command.step) <= 0:
        yield Fault("command.step", "more than 0", repr(command.step))
    for key in ("start", "stop"):
        if not getattr(command, key):
            yield Fault(f"command.{key}", "at least one write", "none")
    for index, write in enumerate(command.stop):
        if write.value == "$limit":
            yield Fault(f"command.stop[{index}].value", "a fixed value: stop knows no limit", "'$limit'")


def _keepalive(profile: Profile, names: frozenset[str]) -> Iterator[Fault]:
    keepalive = profile.keepalive
    if keepalive is None:
        return
    if keepalive.kind in ("write", "timeout") and (keepalive.point is None or keepalive.value is None):
        yield Fault("keepalive", f"point and value for kind = {keepalive.kind!r}", "not both")
    if keepalive.deadline_s is not None and keepalive.period_s >= keepalive.deadline_s:
        yield Fault("keepalive.period_s", f"less than deadline_s = {keepalive.deadline_s}", repr(keepalive.period_s))


def _conditions(profile: Profile, names: frozenset[str]) -> Iterator[Fault]:
    """Conditions parse, look at points that are there in time, and literal values fit where they are written."""
    kinds = profile_state.kinds_of(profile) | dict.fromkeys(names - profile.points.keys(), "number")
    once = {name: kinds[name] for name, point in profile.points.items() if point.poll == "once"}
    for name, point in profile.points.items():
        yield from _condition(f"points.{name}.when", point.when, once, 'a `poll = "once"` point')
    for path, write in _writes(profile):
        yield from _condition(f"{path}.when", write.when, once, 'a `poll = "once"` point')
        yield from _write(profile, path, write)
    for index, rule in enumerate(profile.state):
        yield from _condition(f"state[{index}].when", rule.when or "(nothing)", kinds, "a point")


def _condition(path: str, text: str, kinds: dict[str, str], allowed: str) -> Iterator[Fault]:
    if text:
        try:
            profile_state.parse(text, kinds)
        except ValueError as error:
            yield Fault(path, f"a condition over {allowed}", f"{text!r}: {error}")


def _write(profile: Profile, path: str, write: Write) -> Iterator[Fault]:
    point = profile.points.get(write.point)
    if point is None:
        return
    if point.access == "r":
        yield Fault(f"{path}.point", "a point with access w or rw", f"{write.point}: r")
    if point.wear == "stored" and not path.startswith("setup"):
        yield Fault(f"{path}.point", "a volatile register: memory cells wear out", f"{write.point}: stored")
    if write.value == "$limit":
        if not path.startswith("command"):
            yield Fault(f"{path}.value", "a fixed value outside [command]", "'$limit'")
        return
    try:
        profile_decode.codec(profile, point).encode(_literal(write.value))
    except ValueError as error:
        yield Fault(f"{path}.value", f"a value that {write.point} can hold", f"{write.value!r}: {error}")


def _vectors(profile: Profile, names: frozenset[str]) -> Iterator[Fault]:
    for index, vector in enumerate(profile.vectors):
        path = f"vectors[{index}]"
        for key, words in vector.image.items():
            space, _, address = key.partition(" ")
            if space not in _READS or not _parses(lambda text: int(text, 0), address):
                yield Fault(f"{path}.image", 'keys such as "input 0x0005"', repr(key))
            if not _parses(bytes.fromhex, words):
                yield Fault(f"{path}.image.{key}", "hex words", repr(words))
        for key in ("request", "reply"):
            if not _parses(bytes.fromhex, getattr(vector, key)):
                yield Fault(f"{path}.{key}", "a frame in hex", repr(getattr(vector, key)))
        if bool(vector.image) == bool(vector.reply):
            yield Fault(path, "either an image or request and reply", "both" if vector.image else "neither")


def _writes(profile: Profile) -> Iterator[tuple[str, Write]]:
    """Every write of the profile with its path."""
    for index, write in enumerate(profile.setup):
        yield f"setup[{index}]", write
    if profile.command is not None:
        for key in ("start", "set_limit", "stop"):
            for index, write in enumerate(getattr(profile.command, key)):
                yield f"command.{key}[{index}]", write
    keepalive = profile.keepalive
    if keepalive is not None and keepalive.point is not None and keepalive.value is not None:
        yield "keepalive", Write(keepalive.point, keepalive.value)


def _number(path: str, number: int | str) -> Iterator[Fault]:
    if not _parses(Fraction, str(number)):
        yield Fault(path, "a number such as 0.1 or 1/360", repr(number))


def _literal(value: int | str) -> Fraction | str:
    return Fraction(value) if isinstance(value, int) or _parses(Fraction, value) else value


def _base_unit(point: Point) -> str | None:
    try:
        return point.quantum.unit
    except ValueError:
        return None


def _parses(read: Callable[[str], object], text: str) -> bool:
    try:
        read(text)
    except (ValueError, ZeroDivisionError):
        return False
    return True
