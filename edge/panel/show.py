"""How does the command line show what the daemon told? Each view as text for a person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edge.panel import show_fuel, show_port, show_swap
from edge.panel.messages import (
    AssetView,
    ConnectorView,
    DayView,
    DeviceView,
    HqView,
    LineView,
    PaperView,
    PointView,
    ReaderView,
    SessionView,
    StatusView,
    TakenView,
    Trouble,
    TroubleView,
)
from edge.panel.paper import UNKNOWN, Paper, ago, counted, energy, instant, lasting, money, power
from protocols.trade.quantities import litres
from protocols.trade.records import CNY
from protocols.trade.value_words import IN_FEN, amount_text

_IEC = {
    "A": "no car",
    "B": "plugged",
    "C": "charging",
    "D": "charging",
    "E": "fault",
    "F": "fault",
}


def status(paper: Paper, view: StatusView) -> None:
    """The site at a glance."""
    head = paper.bold(view.site) + (f", epoch {view.epoch}" if view.epoch is not None else "")
    if view.ill is not None:
        state = paper.bad(f"not well: {view.ill}")
    elif view.waiting_for is not None:
        state = paper.warn(f"not selling: waits for {view.waiting_for}")
    else:
        state = paper.good("serving")
    paper.write(f"{head}, {state}, up {lasting(view.running_s)}")
    paper.write()
    pairs = [("clock", _clock(paper, view))]
    if view.no_starts is not None:
        pairs.append(("starts", paper.bad(f"none, {view.no_starts}")))
    if view.hq is not None:
        pairs.append(("headquarters", _hq(paper, view.hq)))
    if view.mqtt is not None:
        word = paper.good("connected") if view.mqtt.connected else paper.warn("not connected")
        pairs.append(("broker", f"{word} for {lasting(view.mqtt.since_s)}{_why(paper, view.mqtt.trouble)}"))
    if view.journal is not None:
        pairs.append(("log", _log(paper, view)))
    if view.day is not None:
        pairs.append((f"day {view.day.number}", _day(view.day)))
    if view.value is not None:
        value = view.value
        text = (
            f"{money(value.granted_fen)} granted to {counted(value.accounts, 'account')}: "
            f"{money(value.used_fen)} used, {money(value.held_fen)} held, {money(value.rights_fen)} free"
        )
        text += f", {money(value.returned_fen)} returned" if value.returned_fen else ""
        text += paper.warn(f", {money(value.overrun_fen)} delivered beyond holds") if value.overrun_fen else ""
        pairs.append(("value", text))
        pairs += [(one.asset, _asset(one)) for one in view.assets]
    pairs += [(one.kind.replace("-", " "), _paper(paper, one)) for one in view.papers]
    paper.pairs(pairs)
    if view.connectors:
        paper.write()
        heads = ("CONNECTOR", "CAR", "CHARGER", "METER", ">REGISTER", ">AGE", "SESSION")
        paper.table(heads, [_connector(paper, connector) for connector in view.connectors])
    _errors(paper, [(connector.id, error) for connector in view.connectors for error in connector.errors])
    if view.pumps:
        paper.write()
        show_fuel.pumps(paper, view.pumps)
    if view.cabinets:
        paper.write()
        show_swap.at_a_glance(paper, view.cabinets)
    if view.ports:
        paper.write()
        show_port.at_a_glance(paper, view.ports)
    if view.readers:
        paper.write()
        columns = ("READER", "KIND", "WHERE", "STATE", "LAST SIGN", ">SAID")
        paper.table(columns, [_reader(paper, reader) for reader in view.readers])
        _errors(paper, [(reader.id, reader.error) for reader in view.readers if reader.error])


def devices(paper: Paper, lines: Sequence[LineView], views: Sequence[DeviceView]) -> None:
    """Every line and every device."""
    heads = ("LINE", "WHERE", "STATE", ">BUSY", ">QUEUE", ">EXCHANGES", ">OVERRUNS")
    paper.table(heads, [_line(paper, line) for line in lines])
    paper.write()
    columns = ("DEVICE", "LINE", "PROFILE", "STATE", "LAST GOOD", ">P50", ">P99", ">ANSWERED", ">QUIET", ">FAILED")
    paper.table(columns, [_device(paper, view) for view in views])
    errors = [(line.id, line.error) for line in lines if line.error]
    errors += [(view.id, view.error) for view in views if view.error]
    _errors(paper, errors)


def points(paper: Paper, view: DeviceView, listed: Sequence[PointView]) -> None:
    """One device, each value with the milliseconds of the request that brought it."""
    counts = ", ".join(f"{count} {kind}" for kind, count in sorted(view.counts.items()))
    state = paper.link(view.state)
    paper.write(f"{paper.bold(view.id)}, {view.profile} on {view.line}, {state}, last good {ago(view.last_good_s)}")
    paper.write(paper.dim(counts or "not asked yet"))
    paper.write()
    paper.table(("POINT", ">VALUE", "QUALITY", ">AGE", ">TOOK", "WHERE"), [_point(paper, point) for point in listed])
    errors = [(point.name, point.error) for point in listed if point.error]
    _errors(paper, [(view.id, view.error), *errors] if view.error else errors)


def sessions(paper: Paper, views: Sequence[SessionView]) -> None:
    """The open sessions."""
    heads = ("SESSION", "CONNECTOR", "ACCOUNT", "PHASE", "PRESET", ">ENERGY", ">POWER", ">PRICE", ">HOLD", ">SINCE",
             ">LEFT")  # fmt: skip
    paper.table(heads, [_session(paper, view) for view in views])
    _errors(paper, [(view.id, view.finding) for view in views if view.finding])


def session(paper: Paper, view: SessionView) -> None:
    """One session that has just begun."""
    paper.write(f"session {paper.bold(view.id)} is open: {money(view.hold_fen)} of {view.account} held, {view.preset}")
    paper.write(f"`fieldtill sessions` follows it, `fieldtill stop {view.connector}` ends it.")


def taken(paper: Paper, view: TakenView) -> None:
    """What a customer's code came to."""
    amount = amount_text(view.rights, view.asset)
    news = paper.good("new") if view.news else "nothing new: the site knew it"
    paper.write(f"grant of {paper.bold(view.account)}: {news}; {amount} may be spent here")
    if view.expired:
        paper.write(paper.warn("It has expired: nothing is sold on it, and what it brought goes back to the account."))
    started = view.session or view.filling
    if started is not None and view.again:
        paper.write(f"This code has started session {paper.bold(started.id)}, which goes on.")
    elif view.filling is not None:
        show_fuel.opened(paper, view.filling)
    elif view.session is not None:
        session(paper, view.session)
    if view.refused is not None:
        paper.write(paper.bad(f"The start at {view.connector} is refused."))
        trouble(paper, view.refused)


def records(paper: Paper, listed: Sequence[dict[str, Any]]) -> None:
    """Records, one a line."""
    if not listed:
        paper.write("no such record")
        return
    rows = [
        (
            str(one["seq"]),
            instant(one["wall_ms"]) + {"synchronised": " "}.get(one["quality"], paper.warn("?")),
            one["kind"],
            one["gist"],
        )
        for one in listed
    ]
    paper.table((">SEQ", "TIME", "KIND", "WHAT"), rows)


def found(paper: Paper, line: str, asked: Sequence[str], units: Sequence[dict[str, Any]]) -> None:
    """Who answered a scan. asked: protocols with their first and last address."""
    if not units:
        paper.write(f"nobody answers on {line}: {', '.join(asked)}")
        paper.write("Check supply, A/B wiring, and baud rate and parity of the line.")
        return
    rows = [
        (
            one["protocol"],
            f"0x{one['unit']:02X}" if one["protocol"] == "dart" else str(one["unit"]),
            one["how"] if one["sure"] else paper.warn(one["how"]),
            UNKNOWN if one["took_ms"] is None else f"{one['took_ms']:.1f} ms",
        )
        for one in units
    ]
    paper.table(("PROTOCOL", ">ADDRESS", "HOW", ">TOOK"), rows)


def hq(paper: Paper, view: HqView) -> None:
    """How things stand with headquarters."""
    paper.write(f"headquarters {_hq(paper, view)}")


def day(paper: Paper, view: DayView) -> None:
    """The site day."""
    paper.pairs(
        [
            ("day", f"{view.number}, from record {view.first_seq} on"),
            ("sessions", str(view.sessions)),
            ("energy", energy(view.energy_wh + view.ports_wh)),
            *([("fuel", f"{litres(view.fuel_ml)} L")] if view.fuel_ml else []),
            *([("packs", f"{view.packs_out} handed out")] if view.packs_out else []),
            ("billed", money(view.amount_fen)),
            ("overrun", money(view.overrun_fen)),
        ]
    )


def trouble(paper: Paper, view: Trouble) -> None:
    """Why a command was not done: what, where, since when, and what next."""
    paper.write(f"{paper.bad('fieldtill:')} {view.what}")
    pairs = [("where", view.where)] if view.where else []
    if view.last_good_s is not None:
        pairs.append(("last good", ago(view.last_good_s)))
    if view.want is not None and (view.want > 1 or view.want_asset != CNY):  # one fen: whatever there is
        pairs.append(("needed", f"{amount_text(view.want, view.want_asset)} granted in total"))
    if view.remedy:
        pairs.append(("next", view.remedy))
    paper.pairs([(f"  {name}", text) for name, text in pairs])


def _clock(paper: Paper, view: StatusView) -> str:
    quality = paper.good(view.clock_quality) if view.clock_quality == "synchronised" else paper.warn(view.clock_quality)
    if view.uncertain_ms is None:
        within = "not bounded from above"
    elif view.uncertain_ms < 1_000:
        within = f"proven within {view.uncertain_ms} ms"
    else:
        within = f"proven within {lasting(view.uncertain_ms / 1000)}"
    return f"{instant(view.wall_ms)}, {quality}, {within}"


def _hq(paper: Paper, view: HqView) -> str:
    word = paper.good("reached") if view.online else paper.warn("not reached")
    contact = f"answered {ago(view.contact_s)}" if view.contact_s is not None else "has not answered in this run"
    stopped = paper.bad(f", uploading stopped: {view.stopped}") if view.stopped else ""
    waiting = f"{counted(view.backlog, 'record')} to send" if view.backlog else "nothing to send"
    return f"{word} for {lasting(view.since_s)}, {contact}, {waiting}{stopped}{_why(paper, view.trouble)}"


def _why(paper: Paper, trouble: TroubleView | None) -> str:
    if trouble is None:
        return ""
    return f"\n{paper.warn(trouble.what)} ({ago(trouble.since_s)})\n{paper.dim('next')} {trouble.remedy}"


def _log(paper: Paper, view: StatusView) -> str:
    journal = view.journal
    assert journal is not None
    text = f"{counted(journal.records, 'record')}, {journal.cosigned} acknowledged"
    text += f", longest commit {journal.commit_ms_max:.1f} ms" if journal.commits else ""
    text += paper.bad(", disk full: no new sessions") if journal.full else ""
    return text + (paper.warn(f", no second copy: {journal.second_copy_error}") if journal.second_copy_error else "")


def _day(view: DayView) -> str:
    fuel = f", {litres(view.fuel_ml)} L" if view.fuel_ml else ""
    packs = f", {counted(view.packs_out, 'pack')} handed out" if view.packs_out else ""
    sessions, energy_wh = counted(view.sessions, "session"), view.energy_wh + view.ports_wh
    return f"{sessions}, {energy(energy_wh)}{fuel}{packs}, {money(view.amount_fen)}"


def _paper(paper: Paper, view: PaperView) -> str:
    if view.version is None:
        return paper.warn(f"none yet: {view.sells} cannot be sold") if view.sells else "none"
    return f"{view.id}, version {view.version}" if view.id else f"version {view.version}"


def _asset(view: AssetView) -> str:
    shown = money if view.asset in IN_FEN else str
    text = (
        f"{shown(view.granted)} granted to {counted(view.accounts, 'account')}: "
        f"{shown(view.used)} used, {shown(view.held)} held, {shown(view.rights)} free"
    )
    return text + (f", {shown(view.returned)} returned" if view.returned else "")


def _connector(paper: Paper, view: ConnectorView) -> Sequence[str]:
    iec = view.iec or UNKNOWN
    car = f"{iec} {_IEC.get(iec, '')}".strip()
    running = view.session
    if running is None:
        text = paper.dim("free")
    else:
        text = (
            f"{running.phase}, {energy(running.energy_wh)}, {money(running.running_fen)} of {money(running.hold_fen)}"
        )
    return (
        paper.bold(view.id),
        paper.bad(car) if iec in "EF" else paper.good(car) if iec in "CD" else car,
        f"{view.charger} {paper.link(view.charger_link)}",
        f"{view.meter} {paper.link(view.meter_link)}",
        energy(view.register_wh),
        lasting(None if view.register_age_ms is None else view.register_age_ms / 1000),
        text,
    )


def _line(paper: Paper, view: LineView) -> Sequence[str]:
    return (
        paper.bold(view.id),
        view.where,
        paper.good("open") if view.up else paper.bad("down"),
        f"{view.bus_use * 100:.0f} %",
        str(view.queue_depth),
        str(view.exchanges),
        paper.warn(str(view.overruns)) if view.overruns else "0",
    )


def _device(paper: Paper, view: DeviceView) -> Sequence[str]:
    answered = view.counts.get("answered", 0)
    failed = view.counts.get("timeouts", 0)
    latency = [view.latency_ms.get(name) for name in ("p50", "p99")]
    return (
        paper.bold(view.id),
        view.line or UNKNOWN,
        view.profile,
        paper.link(view.state),
        ago(view.last_good_s),
        *(UNKNOWN if ms is None else f"{ms:.1f} ms" for ms in latency),
        str(answered),
        paper.dim(str(view.counts.get("quiet", 0))),
        paper.warn(str(failed)) if failed else "0",
    )


def _reader(paper: Paper, view: ReaderView) -> Sequence[str]:
    state = "port open" if view.state == "online" and not view.watched else view.state  # more is not known of those
    colour = {"online": paper.good, "offline": paper.bad}.get(view.state, paper.dim)
    return paper.bold(view.id), view.kind, view.where, colour(state), ago(view.last_good_s), str(view.said)


def _point(paper: Paper, view: PointView) -> Sequence[str]:
    value = view.value if view.quality == "good" else paper.warn(view.value)
    quality = paper.dim(view.quality) if view.quality == "good" else paper.warn(view.quality)
    took = UNKNOWN if view.took_ms is None else f"{view.took_ms:.1f} ms"
    age = lasting(None if view.age_ms is None else view.age_ms / 1000)
    return paper.bold(view.name), value, quality, age, took, paper.dim(view.where)


def _session(paper: Paper, view: SessionView) -> Sequence[str]:
    phase = f"{view.phase} ({view.reason})" if view.reason else view.phase
    return (
        paper.bold(view.id),
        view.connector,
        view.account,
        paper.good(phase) if view.phase == "charging" else phase,
        view.preset,
        energy(view.energy_wh),
        power(view.power_w),
        money(view.running_fen),
        money(view.hold_fen),
        lasting(view.since_s),
        lasting(view.finish_s),
    )


def _errors(paper: Paper, errors: Sequence[tuple[str, str | None]]) -> None:
    if errors:
        paper.write()
    for where, what in errors:
        paper.hang(f"{paper.bad('!')} {paper.bold(where)}", what or "")
