// Does the bill of a charge add up? Every sum on it worked out again, as protocols/proof/bill_check.py does.

const line = (mark, code, facts = {}) => ({ code, mark, facts });
const either = (holds, code, facts = {}) => line(holds ? "proven" : "failed", code, facts);

const UNITS = 18_000_000n; // parts of a fen in which every price is whole
const UNITS_PER = { // of a quantity times price_e3
  energy: 18n, service: 18n, session: 18_000n, swap: 18_000n, rent: 18_000n, late: 18_000n, idle: 300n,
  time: 5n,
};
const sum = (values) => values.reduce((total, value) => total + value, 0n);
const byValue = (one, other) => (one < other ? -1 : one > other ? 1 : 0);
const gcd = (one, other) => (other ? gcd(other, one % other) : one);
const halfUp = (units) => (2n * units + UNITS) / (2n * UNITS);

/** Whole parts of `total` in proportion to the weights: the larger remainders are rounded up, ties by order. */
function largestRemainder(total, weights) {
  const all = sum(weights);
  if (!all) return weights.map(() => 0n);
  const parts = weights.map((weight) => (total * weight) / all);
  const rest = weights.map((weight, at) => ({ at, left: (total * weight) % all }));
  rest.sort((one, other) => byValue(other.left, one.left)); // stable: ties stay in order
  for (const { at } of rest.slice(0, Number(total - sum(parts)))) parts[at] += 1n;
  return parts;
}

async function checkBill(story, documents, spki) {
  const { closed } = story;
  if (!closed) return [either(!story.moves.length, "voided"), clockLine(story)];
  return [
    readingsLine(story), sumLine(closed), await capturesLine(story, documents, story.holds), holdsLine(story),
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

/** {num, den, fen, parts} of a bill's lines: exact, rounded once, and the fen of each. */
function exactOf(lines) {
  const units = lines.map((one) => one.quantity * one.price_e3 * UNITS_PER[one.code]);
  const exact = sum(units), shared = gcd(exact, UNITS), fen = halfUp(exact);
  return { num: exact / shared, den: UNITS / shared, fen, parts: largestRemainder(fen, units) };
}

function addsUp({ lines, amount_fen, exact_num, exact_den }) {
  if (lines.some((one) => !Object.hasOwn(UNITS_PER, one.code))) return false;
  const exact = exactOf(lines);
  return exact_num === exact.num && exact_den === exact.den && exact.fen === amount_fen
    && lines.every((one, at) => one.amount_fen === exact.parts[at]);
}

const sumOf = ({ amount_fen, lines }) => ({ amount_fen, lines: BigInt(lines.length) });

function sumLine(closed) {
  const quantity = (code) => sum(closed.lines.filter((one) => one.code === code).map((one) => one.quantity));
  const idle = quantity("idle");
  const holds = addsUp(closed) && quantity("energy") === closed.energy_wh && (idle === 0n || idle === closed.idle_s);
  return either(holds, "sum", sumOf(closed));
}

function totals(items) {
  const found = new Map();
  for (const one of items) {
    const key = JSON.stringify([one.account, one.asset]);
    found.set(key, { account: one.account, asset: one.asset, amount: (found.get(key)?.amount ?? 0n) + one.amount });
  }
  return found;
}

/** drawing: the holds as they are drawn on. */
async function capturesLine(story, documents, drawing) {
  const { closed, moves } = story;
  const isMoney = (one, effect) => one.effect === effect && one.asset === "CNY";
  const money = (effect) => sum(moves.filter((one) => isMoney(one, effect)).map((one) => one.amount));
  if (moves.some((one) => one.effect !== "used" && !isMoney(one, "overrun"))) {
    return line("failed", "captures");
  }
  const drawn_fen = money("used"), overrun_fen = money("overrun");
  const rest_fen = closed.amount_fen - overrun_fen - drawn_fen;
  if (overrun_fen !== closed.overrun_fen) return line("failed", "captures");
  const others = [...totals(moves.filter((one) => one.effect === "used")).values()].filter((one) => one.asset !== "CNY")
    .sort((one, other) => compare(one.account, other.account) || compare(one.asset, other.asset));
  if (!others.length && !rest_fen && overrun_fen) return line("proven", "overrun", { drawn_fen, overrun_fen });
  if (!others.length) return either(rest_fen === 0n, "captures", { drawn_fen });
  const facts = { drawn_fen, rest_fen, others: others.map((one) => `${one.amount} ${one.asset}`).join(", ") };
  const payload = payloadOf(documents, "tenders");
  if (!payload) return rest_fen >= 0n ? line("open", "captures", facts) : line("failed", "tendered", facts);
  const tenders = await pinnedTenders(story, payload), used = totals(moves.filter((one) => one.effect === "used"));
  const due = tenders && dueOf(closed.lines, drawing, tenders);
  return either(due !== null && due.overrun_fen === overrun_fen && sameTotals(due.used, used), "tendered", facts);
}

const sameTotals = (one, other) => {
  const above = (found) => [...found].filter(([, total]) => total.amount);
  return above(one).length === above(other).length
    && above(one).every(([key, total]) => other.get(key)?.amount === total.amount);
};

/** null when these are not the pinned ones. */
async function pinnedTenders(story, payload) {
  const pin = pinOf(story, "tenders");
  return pin && equalBytes(await sha256(payload), pin.hash) ? readTenders(payload) : null;
}

/** What each account owes of each asset, and the overrun; null where these holds cannot be of one session. */
function dueOf(lines, drawing, tenders) {
  if (drawing.length > 16 || !drawing.every((hold) => tenderOf(hold.asset, tenders))) return null;
  const drawn = draw(lines, drawing, tenders);
  const captured = drawing.map((hold, at) => ({ ...hold, amount: drawn.units[at] }));
  return { used: totals(captured), overrun_fen: drawn.overrun_fen };
}

/** Of one hold nothing is said. owed: what the holds are drawn for. */
async function orderLines(story, documents, drawing, owed) {
  if (drawing.length < 2) return [];
  let tenders = [];
  if (drawing.some((hold) => hold.asset !== "CNY")) {
    const payload = payloadOf(documents, "tenders");
    if (!payload) return [line("open", "order")];
    tenders = await pinnedTenders(story, payload);
  }
  const used = story.moves.filter((one) => one.effect === "used");
  const over = sum(story.moves.filter((one) => one.effect !== "used").map((one) => one.amount));
  const due = tenders ? dueOf(owed, drawing, tenders) : null;
  return [either(due !== null && due.overrun_fen === over && sameTotals(due.used, totals(used)), "order")];
}

function holdsLine(story) {
  const held = totals(story.holds), used = totals(story.moves.filter((one) => one.effect === "used"));
  const held_fen = sum([...held.values()].filter((one) => one.asset === "CNY").map((one) => one.amount));
  return either([...used].every(([key, one]) => one.amount <= (held.get(key)?.amount ?? 0n)), "holds", { held_fen });
}

/** unsure: what is said in place of `clock` where it was not known to be right. */
function clockLine({ began, ended }, unsure = "clock") {
  const sure = began.quality === 2n && ended.quality === 2n;
  const instants = { began_ms: began.wall_ms, ended_ms: ended.wall_ms };
  return sure ? line("proven", "clock", instants) : line("open", unsure, instants);
}

const pinOf = (story, kind) => story.opened.pins.find((pin) => pin.kind === kind);
const payloadOf = (documents, kind) => documents.find((one) => one.kind === kind)?.payload;

// --- the tariff ------------------------------------------------------------------------------------------------------

/** [the document, the line that says whether it is the pinned one]; null: it is not here, or not that one. */
async function readPinned(story, documents, kind, read, code) {
  const pin = pinOf(story, kind), payload = payloadOf(documents, kind);
  if (!pin) return [null, line("failed", code)];
  const { version } = pin;
  if (!payload) return [null, line("open", code, { version })];
  const found = equalBytes(await sha256(payload), pin.hash) ? read(payload) : null;
  if (!found) return [null, line("failed", code, { version })];
  return [found, line("proven", code, { ...("id" in found ? { id: found.id } : {}), version })];
}

async function tariffLines(story, documents) {
  const [tariff, said] = await readPinned(story, documents, "tariff", readTariff, "tariff");
  if (!tariff) return [said];
  const { closed } = story, priced = priceAgain(tariff, closed);
  const holds = priced !== null && sameLines(priced, closed.lines)
    && sum(priced.map((one) => one.amount_fen)) === closed.amount_fen;
  return [said, either(holds, "priced")];
}

const sameLines = (priced, billed) => priced.length === billed.length && priced.every((one, at) =>
  ["code", "period", "quantity", "price_e3", "amount_fen"].every((name) => one[name] === billed[at][name]));

/** At least one, each later, or more, than the one before. */
const rising = (some, key) => some.length > 0 && some.every((one, at) => !at || one[key] > some[at - 1][key]);

function readTariff(payload) {
  try {
    const tariff = TARIFF(unpack(payload));
    return rising(tariff.periods, "from_s") && rising(tariff.offsets, "since_s") ? tariff : null;
  } catch { return null; }
}

// --- the signed meter record -----------------------------------------------------------------------------------------

/** JSON with its numbers as they are written, not as a computer would render them: 2935.600 is not 2935.6. */
const asWritten = (text) => {
  const textOrNumber = /("(?:[^"\\]|\\.)*")|-?\d[\d.eE+-]*/g;
  return JSON.parse(text.replace(textOrNumber, (number, quoted) => quoted ?? `"${number}"`));
};

/** {fields, page} of a record that this key has signed. Throws. */
async function signedFields(tag, text, spki) {
  const [head, payload, signed, ...more] = text.split("|");
  if (head !== tag || more.length) refuse(tag);
  if (!(await ecVerified(spki, fromHex(JSON.parse(signed).SD), utf8(payload)))) throw new Unproven("signature");
  const fields = asWritten(payload);
  return { fields, page: BigInt(/^[TF](0|[1-9][0-9]{0,18})$/.test(fields.PG) ? fields.PG.slice(1) : refuse("a page")) };
}

async function meterRecordLine(story, spki) {
  const { closed, opened } = story;
  if (closed.meter_record === null) return line("open", "meter-record");
  try {
    const { fields, page } = await signedFields("OCMF", closed.meter_record, spki);
    const first = fields.RD.at(0), last = fields.RD.at(-1), pin = pinOf(story, "tariff");
    const logged = {
      GS: `${story.site}/${story.epoch}`, ID: story.session, U_AMOUNT_FEN: closed.amount_fen,
      V_LOG: `fieldtill/${story.site}/${story.epoch}`, V_SESSION: story.seq, V_METER: closed.end.meter,
      ...(closed.overrun_fen ? { U_OVERRUN_FEN: closed.overrun_fen } : {}),
      ...(pin ? { W_TARIFF_SHA256: hex(pin.hash) } : {}),
    };
    const agrees = first.RV === kwh(opened.begin.energy_wh) && last.RV === kwh(closed.end.energy_wh)
      && Object.entries(logged).every(([name, value]) => fields[name] === String(value));
    if (!agrees) throw new Unproven("what the log says");
    const status = String(last.ST);
    return status === "G" ? line("proven", "meter-record", { page }) : line("open", "meter-doubt", { status });
  } catch { return line("failed", "meter-record"); }
}
