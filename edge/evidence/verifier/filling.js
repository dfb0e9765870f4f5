// Does the bill of a filling add up? Display, totalizers, price list and measurement, as
// protocols/proof/filling_check.py checks them.

const E6 = 1_000_000n; // mL times thousandths of a fen per litre make so many parts of a fen
const STEP = (most) => INT(1n, most);
const NOZZLE = STEP(15n), SHORT = TEXT(0, 64);
const PUMP_TOTALS = STRUCT({
  pump: NAME, nozzles: LIST(STRUCT({ nozzle: NOZZLE, volume_ml: AMOUNT, amount_fen: MAYBE(AMOUNT) })),
  mono_ms: AMOUNT, wall_ms: INT(),
});
const OFFERED = STRUCT({ nozzle: NOZZLE, grade: NAME, tank: SHORT, price_e3: AMOUNT });
BODIES["filling-opened"] = STRUCT({
  pump: NAME, holds: LIST(HOLD), guaranteed: FLAG, preset: PRESET, order_kind: ONE_OF("amount", "volume", "full"), order_limit: AMOUNT,
  offered: LIST(OFFERED), origin: ORIGIN_OF, asked: SHORT, begin: PUMP_TOTALS, volume_step_ml: STEP(1000n),
  amount_step_fen: STEP(100n), total_step_ml: STEP(100_000n), local_day: AMOUNT, pins: LIST(PIN),
  clock_lb_ms: INT(), clock_ub_ms: MAYBE(INT()),
});
BODIES["filling-closed"] = STRUCT({
  session: AMOUNT, reason: NAME, sold: OFFERED, volume_ml: AMOUNT, shown_fen: AMOUNT, end: PUMP_TOTALS,
  lines: LIST(BILL_LINE), amount_fen: AMOUNT, exact_num: INT(), exact_den: INT(), overrun_fen: AMOUNT,
  meter_record: MAYBE(TEXT()),
});
const PRICE_LIST = STRUCT({
  id: NAME, version: AMOUNT, ...LOCAL, grades: LIST(STRUCT({ code: NAME, name: NAME })),
  steps: LIST(STRUCT({ from_s: INT(), prices: LIST(STRUCT({ grade: NAME, price_e3: AMOUNT })) })),
});

/** A nozzle's totalizer; null where the pump has no such nozzle. */
const totalOf = (totals, nozzle) => totals.nozzles.find((one) => one.nozzle === nozzle)?.volume_ml ?? null;

/** The holds as they are drawn on: a guarantor's, the first, after all others. */
const drawingOrder = ({ opened, holds }) => (opened.guaranteed ? [...holds.slice(1), ...holds.slice(0, 1)] : holds);

async function checkFilling(story, documents, spki) {
  if (!story.closed) return [either(!story.moves.length, "not-billed"), clockLine(story, "fill-clock")];
  const drawing = drawingOrder(story);
  return [
    totalsLine(story), displayLine(story), offeredLine(story), await capturesLine(story, documents, drawing),
    holdsLine(story), ...(await orderLines(story, documents, drawing, [{ code: "fuel", amount_fen: story.closed.amount_fen }])), ...(await priceLines(story, documents)),
    clockLine(story, "fill-clock"), await measurementLine(story, fillingMeasured(story), spki),
  ];
}

function totalsLine({ opened, closed }) {
  const { nozzle } = closed.sold, { volume_ml } = closed;
  const before = totalOf(opened.begin, nozzle), after = totalOf(closed.end, nozzle);
  const facts = { nozzle, before_ml: before ?? "?", after_ml: after ?? "?", volume_ml };
  const onePump = opened.pump === opened.begin.pump && opened.pump === closed.end.pump;
  if (before === null || after === null || !onePump) return line("failed", "totals", facts);
  const moved = after - before;
  const apart = opened.volume_step_ml > opened.total_step_ml ? opened.volume_step_ml : opened.total_step_ml;
  if (moved < 0n) return line("open", "totals-round", facts);
  if (moved > volume_ml + apart) return line("open", "totals", facts);
  return either(moved >= volume_ml - apart, "totals", facts);
}

function displayLine({ opened, closed }) {
  const { sold, volume_ml, shown_fen } = closed, { price_e3 } = sold;
  const step_ml = opened.volume_step_ml, step_fen = opened.amount_step_fen;
  const fits = (volume_ml - step_ml) * price_e3 - step_fen * E6 <= shown_fen * E6
    && shown_fen * E6 <= (volume_ml + step_ml) * price_e3 + step_fen * E6;
  const exact = volume_ml * price_e3, shared = gcd(exact, E6);
  const meant = [{ code: "fuel", period: sold.nozzle, quantity: volume_ml, price_e3, amount_fen: shown_fen }];
  const holds = fits && closed.exact_num === exact / shared && closed.exact_den === E6 / shared
    && sameLines(meant, closed.lines) && closed.amount_fen === shown_fen;
  return either(holds, "display", { volume_ml, price_e3, amount_fen: shown_fen });
}

function offeredLine({ opened, closed: { sold } }) {
  const { nozzle, grade, price_e3 } = sold;
  const holds = opened.offered.some((one) => Object.keys(sold).every((name) => one[name] === sold[name]));
  return either(holds, "offered", { nozzle, grade, price_e3 });
}

// --- the price list --------------------------------------------------------------------------------------------------

async function priceLines(story, documents) {
  const [listed, told] = await readPinned(story, documents, "fuel-prices", readPrices, "price-list");
  if (!listed) return [told];
  const { grade, price_e3 } = story.closed.sold, { clock_lb_ms, clock_ub_ms } = story.opened;
  const said = stepsBetween(listed, clock_lb_ms, clock_ub_ms)
    .some((step) => step.prices.some((one) => one.grade === grade && one.price_e3 === price_e3));
  return [told, either(said, "listed", { grade, price_e3 })];
}

/** The steps that may be in force at an instant that is known so far, in ms; ub null: nothing says how late it is. */
function stepsBetween({ steps }, lb, ub) {
  const from = floorDiv(lb, 1000n), to = ub === null ? null : floorDiv(ub, 1000n);
  const first = steps.findLastIndex((step) => step.from_s <= from);
  const later = steps.filter((step) => step.from_s > from && (to === null || step.from_s <= to));
  return [steps[first < 0 ? 0 : first], ...later];
}

/** The list of that payload; null for one that may not be in force. */
function readPrices(payload) {
  try {
    const listed = PRICE_LIST(unpack(payload)), { grades, steps } = listed;
    const codes = grades.map((one) => one.code);
    const whole = steps.every(({ prices }) => prices.length === codes.length
      && prices.every((one, at) => one.grade === codes[at] && one.price_e3 > 0n));
    const once = codes.length && new Set(codes).size === codes.length;
    return once && rising(steps, "from_s") && rising(listed.offsets, "since_s") && whole ? listed : null;
  } catch { return null; }
}

// --- what its measurement must say -----------------------------------------------------------------------------------

function fillingMeasured({ opened, closed }) {
  const { nozzle, grade, price_e3 } = closed.sold;
  const reading = (totals) => ({
    RV: litres(totalOf(totals, nozzle) ?? 0n), RI: `nozzle-${nozzle}`, RU: "L", ST: "G",
  });
  const said = {
    U_VOLUME_ML: closed.volume_ml, U_PRICE_E3: price_e3, V_PUMP: opened.pump, V_NOZZLE: nozzle, V_GRADE: grade,
    W_PRICES_SHA256: hashOf(opened, "fuel-prices"),
  };
  return { readings: [reading(opened.begin), reading(closed.end)], said };
}

// --- in words --------------------------------------------------------------------------------------------------------

function fillingView({ opened, closed }) {
  if (!closed) return { volume_l: litres(0n) };
  const { nozzle, grade, price_e3 } = closed.sold;
  const total = (totals) => { const found = totalOf(totals, nozzle); return found === null ? "" : litres(found); };
  return {
    nozzle: String(nozzle), grade, total_before_l: total(opened.begin), total_after_l: total(closed.end),
    volume_l: litres(closed.volume_ml), price_yuan: yuanE3(price_e3), reason: closed.reason,
  };
}
