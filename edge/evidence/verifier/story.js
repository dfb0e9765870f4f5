// Which session do these records tell of? Their exact shapes, from the opening to the end.

/** The records are not those of one session. */
class NoStory extends Error { constructor(code, seq) { super(code); this.code = code; this.seq = seq; } }

const INT = (least = -(2n ** 63n), most = 2n ** 64n - 1n) => (value) =>
  typeof value === "bigint" && value >= least && value <= most ? value : refuse("an integer");
const TEXT = (least = 0, most = Infinity) => (value) =>
  typeof value === "string" && [...value].length >= least && [...value].length <= most ? value : refuse("text");
const BYTES = (length = null) => (value) =>
  value instanceof Uint8Array && (length === null || value.length === length) ? value : refuse("bytes");
const ONE_OF = (...values) => (value) => (values.includes(value) ? value : refuse(values.join()));
const LIST = (item) => (value) => (Array.isArray(value) ? value.map(item) : refuse("a list"));
const FLAG = (value) => (typeof value === "boolean" ? value : refuse("true or false"));
const MAYBE = (part) => (value) => (value === null ? null : part(value));
const STRUCT = (fields) => (value) => {
  const names = Object.keys(fields);
  if (!Array.isArray(value) || value.length !== names.length) refuse(`${names.length} fields`);
  return Object.fromEntries(names.map((name, at) => [name, fields[name](value[at])]));
};

const NAME = TEXT(1, 64), AMOUNT = INT(0n, 2n ** 53n), HASH = BYTES(32);
const DAY_S = 86_400n;
const STAMP = STRUCT({
  boot: BYTES(8), mono_ms: AMOUNT, wall_ms: INT(), quality: INT(0n, 3n), lb_ms: INT(), ub_ms: MAYBE(INT()),
});
const MOVE = STRUCT({ effect: NAME, account: NAME, asset: NAME, place: TEXT(0, 80), amount: AMOUNT, counter: AMOUNT });
const RECORD = STRUCT({ kind: NAME, version: INT(1n, 255n), stamp: STAMP, moves: LIST(MOVE), body: BYTES() });
const HOLD = STRUCT({ account: NAME, asset: NAME, amount: AMOUNT });
const PIN = STRUCT({ kind: NAME, version: AMOUNT, hash: HASH });
const REGISTER = STRUCT({ meter: NAME, energy_wh: AMOUNT, mono_ms: AMOUNT, wall_ms: INT() });
const SLICE = STRUCT({ from_ms: AMOUNT, to_ms: AMOUNT, energy_wh: AMOUNT });
const BILL_LINE = STRUCT({ code: NAME, period: AMOUNT, quantity: AMOUNT, price_e3: AMOUNT, amount_fen: AMOUNT });
const PRESET = STRUCT({ kind: NAME, amount: AMOUNT });
const ORIGIN_OF = STRUCT({ via: NAME, credential: BYTES(), number: AMOUNT, by: TEXT(0, 64) });
const BODIES = { // those of other places are added in their own files
  "session-opened": STRUCT({
    connector: NAME, holds: LIST(HOLD), preset: PRESET, origin: ORIGIN_OF, begin: REGISTER, pins: LIST(PIN),
    clock_lb_ms: INT(), clock_ub_ms: MAYBE(INT()),
  }),
  "session-extended": STRUCT({ session: AMOUNT, holds: LIST(HOLD) }),
  "session-held": STRUCT({ session: AMOUNT, finding: NAME, detail: TEXT() }),
  "session-voided": STRUCT({ session: AMOUNT, reason: NAME }),
  "session-closed": STRUCT({
    session: AMOUNT, reason: NAME, end: REGISTER, energy_wh: AMOUNT, slices: LIST(SLICE), idle_s: AMOUNT,
    clock_lb_ms: INT(), clock_ub_ms: MAYBE(INT()), lines: LIST(BILL_LINE), amount_fen: AMOUNT, exact_num: INT(),
    exact_den: INT(), overrun_fen: AMOUNT, meter_record: MAYBE(TEXT()),
  }),
};
const OFFSET = STRUCT({ since_s: INT(), offset_s: INT(-DAY_S, DAY_S) });
const LOCAL = { zone: NAME, offsets: LIST(OFFSET) };
const TARIFF = STRUCT({
  id: NAME, version: AMOUNT, ...LOCAL,
  periods: LIST(STRUCT({ from_s: INT(0n, DAY_S - 1n), name: NAME, energy_e3: AMOUNT, service_e3: AMOUNT })),
  session_e3: AMOUNT, idle_e3_per_min: AMOUNT, idle_grace_s: AMOUNT,
});
const ENDS = { // what opens a session, and what may end it
  "session-opened": ["session-closed", "session-voided"], "filling-opened": ["filling-closed", "session-voided"],
  "swap-opened": ["swap-closed"], "port-opened": ["port-closed", "session-voided"],
  "locker-opened": ["locker-closed", "session-voided"],
};
const BETWEEN = {
  "swap-opened": ["swap-stepped"], "locker-opened": ["locker-stored", "locker-door", "locker-overdue"],
};
const QUALITIES = ["unknown", "informative", "synchronised", "relative"];

/** The session that these records, [{seq, data}] in the receipt's order, tell of. Throws NoStory. */
function readStory(site, epoch, records) {
  const seq = records[0].seq;
  const story = { site, epoch, seq, session: `${site}/${epoch}/${seq}`, holds: [], steps: [], acts: [], closed: null };
  let before = -1n;
  for (const [place, one] of records.entries()) {
    const last = place === records.length - 1;
    let record, body;
    try {
      record = RECORD(unpack(one.data));
      const shape = record.version === 1n ? BODIES[record.kind] : undefined;
      body = shape ? shape(unpack(record.body)) : null;
    } catch { throw new NoStory("not-canonical", one.seq); }
    if (one.seq <= before) throw new NoStory("order", one.seq);
    before = one.seq;
    const allowed = place === 0 ? Object.keys(ENDS)
      : last ? ENDS[story.kind] : BETWEEN[story.kind] ?? ["session-extended", "session-held"];
    if (!body || !allowed.includes(record.kind)) throw new NoStory("kind", one.seq);
    if (place && (body.session ?? body.stay) !== seq) throw new NoStory("another-session", one.seq);
    if (place === 0) Object.assign(story, { kind: record.kind, opened: body, began: record.stamp });
    if (body.holds) story.holds.push(...body.holds);
    if (record.kind === "swap-stepped") story.steps.push(body);
    if (["locker-stored", "locker-door"].includes(record.kind)) story.acts.push({ kind: record.kind, ...body });
    if (place && record.kind === ENDS[story.kind][0]) story.closed = body;
    if (last) Object.assign(story, { moves: record.moves, ended: record.stamp });
  }
  return story;
}

const isFilling = (story) => story.kind === "filling-opened";

// --- in words --------------------------------------------------------------------------------------------------------

const point = (value, places) => {
  const digits = String(value < 0n ? -value : value).padStart(places + 1, "0");
  return `${value < 0n ? "-" : ""}${digits.slice(0, -places)}.${digits.slice(-places)}`;
};
const yuan = (fen) => point(fen, 2);
const kwh = (wh) => point(wh, 3);
const litres = (ml) => point(ml, 3);
const yuanE3 = (e3) => {
  const [whole, decimals] = point(e3, 5).split(".");
  return `${whole}.${decimals.replace(/0+$/, "").padEnd(2, "0")}`;
};
const instant = (ms) =>
  ms >= 0n && ms < 253_402_300_800_000n ? `${new Date(Number(ms)).toISOString().slice(0, 19)}Z` : "";

/** The plain texts that a receipt.json shows beside its records. */
function viewOf(story) {
  const { closed, began, ended, session } = story;
  const told = {
    session, ...kindOf(story).place(story), began: instant(began.wall_ms), ended: instant(ended.wall_ms),
    clock: QUALITIES[Number(ended.quality)], ...kindOf(story).view(story),
  };
  if (!closed) return { ...told, amount_yuan: yuan(0n), lines: [] };
  return {
    ...told, amount_yuan: yuan(closed.amount_fen), overrun_yuan: yuan(closed.overrun_fen),
    lines: closed.lines.map(lineView),
  };
}

function chargeView({ opened: { begin }, closed }) {
  if (!closed) return { begin_kwh: kwh(begin.energy_wh), energy_kwh: kwh(0n) };
  return {
    begin_kwh: kwh(begin.energy_wh), end_kwh: kwh(closed.end.energy_wh), energy_kwh: kwh(closed.energy_wh),
    reason: closed.reason,
  };
}

const lineView = (line) => ({
  code: line.code, period: String(line.period), quantity: quantityOf(line), price_yuan: yuanE3(line.price_e3),
  amount_yuan: yuan(line.amount_fen),
});

/** In kWh or litres, where it is either. */
const quantityOf = ({ code, quantity }) => code === "energy" || code === "service" ? kwh(quantity)
  : code === "fuel" ? litres(quantity) : String(quantity);

/** Are two values of JSON the same, whatever the order of their keys? */
function same(one, other) {
  if (typeof one !== "object" || typeof other !== "object" || !one || !other) return one === other;
  const keys = Object.keys(one);
  return Array.isArray(one) === Array.isArray(other) && keys.length === Object.keys(other).length
    && keys.every((key) => Object.hasOwn(other, key) && same(one[key], other[key]));
}
