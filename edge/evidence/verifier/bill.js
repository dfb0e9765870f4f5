// Does the bill add up? Every sum on it worked out again, as protocols/proof/bill_check.py does.

const line = (mark, code, facts = {}) => ({ code, mark, facts });
const either = (holds, code, facts = {}) => line(holds ? "proven" : "failed", code, facts);

const UNITS = 3_000_000n; // parts of a fen in which every price is whole
const UNITS_PER = { energy: 3n, service: 3n, session: 3_000n, idle: 50n }; // of a quantity times price_e3
const sum = (values) => values.reduce((total, value) => total + value, 0n);
const gcd = (one, other) => (other ? gcd(other, one % other) : one);
const halfUp = (units) => (2n * units + UNITS) / (2n * UNITS);

/** Whole parts of `total` in proportion to the weights: the larger remainders are rounded up, ties by order. */
function largestRemainder(total, weights) {
  const all = sum(weights);
  if (!all) return weights.map(() => 0n);
  const parts = weights.map((weight) => (total * weight) / all);
  const rest = weights.map((weight, at) => [(total * weight) % all, at]).sort((a, b) => (a[0] < b[0] ? 1 : a[0] > b[0] ? -1 : a[1] - b[1]));
  for (const [, at] of rest.slice(0, Number(total - sum(parts)))) parts[at] += 1n;
  return parts;
}

async function checkBill(story, documents, spki) {
  const { closed } = story;
  if (!closed) return [either(!story.moves.length, "voided"), clockLine(story)];
  return [
    readingsLine(story), sumLine(closed), capturesLine(story, documents), holdsLine(story),
    ...(await tariffLines(story, documents)), clockLine(story), await meterRecordLine(story, spki),
  ];
}

function readingsLine({ opened: { begin }, closed }) {
  const holds = begin.meter === closed.end.meter && closed.end.energy_wh - begin.energy_wh === closed.energy_wh
    && sum(closed.slices.map((slice) => slice.energy_wh)) === closed.energy_wh;
  return either(holds, "readings", {
    meter: begin.meter, begin_wh: begin.energy_wh, end_wh: closed.end.energy_wh, energy_wh: closed.energy_wh,
  });
}

function sumLine(closed) {
  const { lines, amount_fen } = closed;
  if (lines.some((one) => !Object.hasOwn(UNITS_PER, one.code))) return line("failed", "sum", { amount_fen });
  const units = lines.map((one) => one.quantity * one.price_e3 * UNITS_PER[one.code]);
  const exact = sum(units), quantity = (code) => sum(lines.filter((one) => one.code === code).map((one) => one.quantity));
  const idle = quantity("idle"), parts = largestRemainder(halfUp(exact), units), shared = gcd(exact, UNITS);
  const holds = closed.exact_num === exact / shared && closed.exact_den === UNITS / shared
    && halfUp(exact) === amount_fen && lines.every((one, at) => one.amount_fen === parts[at])
    && quantity("energy") === closed.energy_wh && (idle === 0n || idle === closed.idle_s);
  return either(holds, "sum", { amount_fen, lines: BigInt(lines.length) });
}

function totals(items) {
  const found = new Map();
  for (const one of items) {
    const key = JSON.stringify([one.account, one.asset]);
    found.set(key, { asset: one.asset, amount: (found.get(key)?.amount ?? 0n) + one.amount });
  }
  return found;
}

function capturesLine(story, documents) {
  const { closed, moves } = story;
  const money = (effect) => sum(moves.filter((one) => one.effect === effect && one.asset === "CNY").map((one) => one.amount));
  if (moves.some((one) => one.effect !== "used" && !(one.effect === "overrun" && one.asset === "CNY"))) {
    return line("failed", "captures");
  }
  const drawn_fen = money("used"), overrun_fen = money("overrun"), rest_fen = closed.amount_fen - overrun_fen - drawn_fen;
  if (overrun_fen !== closed.overrun_fen) return line("failed", "captures");
  const others = [...totals(moves.filter((one) => one.effect === "used")).values()].filter((one) => one.asset !== "CNY");
  if (!others.length && !rest_fen && overrun_fen) return line("proven", "overrun", { drawn_fen, overrun_fen });
  if (!others.length) return either(rest_fen === 0n, "captures", { drawn_fen });
  const facts = { drawn_fen, rest_fen, others: others.map((one) => `${one.amount} ${one.asset}`).join(", ") };
  const payload = payloadOf(documents, "tenders");
  if (!payload) return line(rest_fen >= 0n ? "open" : "failed", rest_fen >= 0n ? "captures" : "tendered", facts);
  return line(rest_fen >= 0n ? "open" : "failed", "tendered", facts); // the rates are applied by `fieldtill verify`
}

function holdsLine(story) {
  const held = totals(story.holds), used = totals(story.moves.filter((one) => one.effect === "used"));
  const held_fen = sum([...held.values()].filter((one) => one.asset === "CNY").map((one) => one.amount));
  return either([...used].every(([key, one]) => one.amount <= (held.get(key)?.amount ?? 0n)), "holds", { held_fen });
}

function clockLine({ began, ended }) {
  const sure = began.quality === 2n && ended.quality === 2n;
  return line(sure ? "proven" : "open", "clock", { began_ms: began.wall_ms, ended_ms: ended.wall_ms });
}

const pinOf = (story, kind) => story.opened.pins.find((pin) => pin.kind === kind);
const payloadOf = (documents, kind) => documents.find((one) => one.kind === kind)?.payload;

// --- the tariff ------------------------------------------------------------------------------------------------------

async function tariffLines(story, documents) {
  const pin = pinOf(story, "tariff"), payload = payloadOf(documents, "tariff");
  if (!pin) return [line("failed", "tariff")];
  const { version } = pin;
  if (!payload) return [line("open", "tariff", { version })];
  const tariff = equalBytes(await sha256(payload), pin.hash) ? readTariff(payload) : null;
  if (!tariff) return [line("failed", "tariff", { version })];
  const { closed } = story, proven = line("proven", "tariff", { id: tariff.id, version });
  const { clock_lb_ms: lb, clock_ub_ms: ub } = closed;
  if (ub === null || ub > lb) return [proven, line("open", "priced")];
  const priced = ub === lb ? priceAgain(tariff, closed) : null;
  const holds = priced && sameLines(priced, closed.lines) && sum(priced.map((one) => one.amount_fen)) === closed.amount_fen;
  return [proven, either(Boolean(holds), "priced")];
}

function readTariff(payload) {
  try {
    const tariff = TARIFF(unpack(payload));
    const rising = (values) => values.length > 0 && values.every((value, at) => !at || value > values[at - 1]);
    const orderly = rising(tariff.periods.map((one) => one.from_s)) && rising(tariff.offsets.map((one) => one.since_s));
    return orderly ? tariff : null;
  } catch { return null; }
}

const sameLines = (priced, billed) => priced.length === billed.length && priced.every((one, at) =>
  ["code", "period", "quantity", "price_e3", "amount_fen"].every((name) => one[name] === billed[at][name]));

/** The lines of the bill where the start is known; null for slices that no session can have. */
function priceAgain(tariff, closed) {
  const energy = new Map();
  for (const slice of closed.slices) {
    if (slice.from_ms > slice.to_ms || slice.to_ms > 366n * DAY_S * 1000n) return null;
    const period = cheapest(tariff, closed.clock_lb_ms + slice.from_ms, closed.clock_lb_ms + (slice.to_ms > slice.from_ms ? slice.to_ms : slice.from_ms + 1n));
    energy.set(period, (energy.get(period) ?? 0n) + slice.energy_wh);
  }
  const lines = [];
  const add = (code, period, quantity, price_e3) => lines.push({ code, period, quantity, price_e3 });
  for (const index of [...energy.keys()].sort((a, b) => a - b)) {
    const period = tariff.periods[index];
    add("energy", BigInt(index), energy.get(index), period.energy_e3);
    if (period.service_e3) add("service", BigInt(index), energy.get(index), period.service_e3);
  }
  if (tariff.session_e3) add("session", 0n, 1n, tariff.session_e3);
  if (closed.idle_s && tariff.idle_e3_per_min) add("idle", 0n, closed.idle_s, tariff.idle_e3_per_min);
  const units = lines.map((one) => one.quantity * one.price_e3 * UNITS_PER[one.code]);
  const parts = largestRemainder(halfUp(sum(units)), units);
  return lines.map((one, at) => ({ ...one, amount_fen: parts[at] }));
}

const floorMod = (value, by) => ((value % by) + by) % by;
const floorDiv = (value, by) => (value - floorMod(value, by)) / by;

/** Index of the cheapest period that [from_ms, end_ms) touches; of two as cheap, the one that comes first. */
function cheapest(tariff, fromMs, endMs) {
  const price = (index) => tariff.periods[index].energy_e3 + tariff.periods[index].service_e3;
  let found = null;
  for (let at = fromMs; at !== null && at < endMs; at = nextBoundary(tariff, at)) {
    const index = periodAt(tariff, at);
    if (found === null || price(index) < price(found)) found = index;
  }
  return found;
}

const lastUpTo = (values, value) => values.findLastIndex((one) => one <= value);
const offsetAt = (tariff, ms) => Math.max(lastUpTo(tariff.offsets.map((one) => one.since_s), floorDiv(ms, 1000n)), 0);
const localMs = (tariff, ms) => floorMod(ms + tariff.offsets[offsetAt(tariff, ms)].offset_s * 1000n, DAY_S * 1000n);

function periodAt(tariff, ms) {
  const index = lastUpTo(tariff.periods.map((one) => one.from_s), localMs(tariff, ms) / 1000n);
  return index < 0 ? tariff.periods.length - 1 : index;
}

/** The first instant after `ms` at which period or offset may change; null when nothing ever will. */
function nextBoundary(tariff, ms) {
  const change = tariff.offsets[offsetAt(tariff, ms) + 1];
  const changeMs = change ? change.since_s * 1000n : null;
  if (tariff.periods.length === 1) return changeMs;
  const local = localMs(tariff, ms);
  const next = tariff.periods.find((one) => one.from_s > local / 1000n);
  const boundary = ms - local + 1000n * (next ? next.from_s : tariff.periods[0].from_s + DAY_S);
  return changeMs !== null && changeMs < boundary ? changeMs : boundary;
}

// --- the signed meter record -----------------------------------------------------------------------------------------

/** JSON with its numbers as they are written, not as a computer would render them: 2935.600 is not 2935.6. */
const asWritten = (text) => JSON.parse(text.replace(/("(?:[^"\\]|\\.)*")|-?\d[\d.eE+-]*/g, (number, quoted) => quoted ?? `"${number}"`));

async function meterRecordLine(story, spki) {
  const { closed, opened } = story;
  if (closed.meter_record === null) return line("open", "meter-record");
  const [head, payload, signed, ...more] = closed.meter_record.split("|");
  try {
    if (head !== "OCMF" || more.length) refuse("OCMF");
    if (!(await ecVerified(spki, fromHex(JSON.parse(signed).SD), utf8(payload)))) throw new Unproven("signature");
    const fields = asWritten(payload), first = fields.RD.at(0), last = fields.RD.at(-1), pin = pinOf(story, "tariff");
    const logged = {
      GS: `${story.site}/${story.epoch}`, ID: story.session, U_AMOUNT_FEN: closed.amount_fen,
      V_LOG: `fieldtill/${story.site}/${story.epoch}`, V_SESSION: story.seq, V_METER: closed.end.meter,
      ...(closed.overrun_fen ? { U_OVERRUN_FEN: closed.overrun_fen } : {}),
      ...(pin ? { W_TARIFF_SHA256: hex(pin.hash) } : {}),
    };
    const agrees = first.RV === kwh(opened.begin.energy_wh) && last.RV === kwh(closed.end.energy_wh)
      && Object.entries(logged).every(([name, value]) => fields[name] === String(value));
    if (!agrees) throw new Unproven("what the log says");
    const page = BigInt(fields.PG.slice(1));
    return last.ST === "G" ? line("proven", "meter-record", { page }) : line("open", "meter-doubt", { status: String(last.ST) });
  } catch { return line("failed", "meter-record"); }
}
