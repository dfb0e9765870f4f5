// Does the bill of a session at a port add up? What was counted, the prices and who paid, as
// protocols/proof/port_check.py checks them.

BODIES["port-opened"] = STRUCT({
  board: NAME, port: INT(1n, 255n), holds: LIST(HOLD), price: NAME, preset: PRESET,
  order_kind: ONE_OF("time", "energy", "full"), order_limit: AMOUNT, time_max_s: AMOUNT, power_w_max: AMOUNT,
  prepaid_fen: AMOUNT, counts_energy: FLAG, origin: ORIGIN_OF, pins: LIST(PIN), clock_lb_ms: INT(),
  clock_ub_ms: MAYBE(INT()),
});
BODIES["port-closed"] = STRUCT({
  session: AMOUNT, reason: NAME, said: SHORT, settled: FLAG, energy_wh: MAYBE(AMOUNT), elapsed_s: MAYBE(AMOUNT),
  peak_w: MAYBE(AMOUNT), own_fen: MAYBE(AMOUNT), register_wh: LIST(AMOUNT), step_s: LIST(AMOUNT), slices: LIST(SLICE),
  lines: LIST(BILL_LINE), amount_fen: AMOUNT, exact_num: INT(), exact_den: INT(), overrun_fen: AMOUNT,
  meter_record: MAYBE(TEXT()),
});
const PORT_PRICES = STRUCT({
  id: NAME, version: AMOUNT, ...LOCAL,
  prices: LIST(STRUCT({
    name: NAME, by: ONE_OF("time", "energy", "tariff"),
    steps: LIST(STRUCT({ power_w: INT(1n, 1_000_000n), price_e3: AMOUNT })), energy_e3: AMOUNT, session_e3: AMOUNT,
    least_s: INT(0n, DAY_S), cap_fen: AMOUNT, late_e3: AMOUNT, late_free_s: INT(0n, 366n * DAY_S),
    late_days_max: INT(0n, 366n),
  })),
});

const portName = ({ opened }) => `${opened.board}.${opened.port}`;
const twoDigits = (value) => String(value).padStart(2, "0");
const lasted = (s) => (s === null ? "" : `${s / 3600n}:${twoDigits(s / 60n % 60n)}:${twoDigits(s % 60n)}`);

async function checkPort(story, documents, spki) {
  const { closed, holds } = story;
  if (!closed) return [either(!story.moves.length, "voided"), clockLine(story)];
  return [
    ...countedLines(closed), either(addsUp(closed), "sum", sumOf(closed)),
    await capturesLine(story, documents, holds), holdsLine(story),
    ...(await orderLines(story, documents, holds, closed.lines)), ...(await portPriceLines(story, documents)),
    clockLine(story), await measurementLine(story, portMeasured(story), spki),
  ];
}

/** The board's own last word is what is billed; a pile's register must have gone on by it, to a Wh. */
function countedLines({ settled, energy_wh, elapsed_s, register_wh }) {
  const energy = energy_wh === null ? "" : `${kwh(energy_wh)} kWh`;
  const counted = [energy, lasted(elapsed_s)].filter(Boolean).join(", ") || "?";
  const lines = [line(settled ? "proven" : "open", "settled", { counted })];
  if (register_wh.length) {
    const begin_wh = register_wh.at(0), end_wh = register_wh.at(-1), apart = end_wh - begin_wh - (energy_wh ?? 0n);
    const holds = register_wh.length === 2 && energy_wh !== null && apart >= -1n && apart <= 1n;
    lines.push(either(holds, "register", { begin_wh, end_wh, energy: energy || "?" }));
  }
  return lines;
}

async function portPriceLines(story, documents) {
  const { opened, closed } = story, price = opened.price;
  const [prices, told] = await readPinned(story, documents, "port-prices", readPortPrices, "port-prices");
  if (!prices) return [told];
  const found = prices.prices.find((one) => one.name === price), lines = [told];
  if (!found) return [told, line("failed", "port-priced", { price })];
  let priced;
  if (found.by === "tariff") {
    const [tariff, said] = await readPinned(story, documents, "tariff", readTariff, "tariff");
    lines.push(said);
    if (!tariff) return lines;
    const { clock_lb_ms, clock_ub_ms } = opened;
    priced = priceAgain(tariff, { slices: closed.slices, idle_s: 0n, clock_lb_ms, clock_ub_ms });
  } else priced = portLines(found, closed);
  const holds = countHolds(found, closed) && priced !== null && sameLines(priced, closed.lines)
    && sum(priced.map((one) => one.amount_fen)) === closed.amount_fen;
  return [...lines, either(holds, "port-priced", { price })];
}

/** Is what is billed what the price counts? */
function countHolds({ by, steps, least_s }, { step_s, settled, elapsed_s, slices, energy_wh }) {
  const least = (elapsed_s ?? 0n) > least_s ? elapsed_s : least_s, count = by === "time" ? steps.length : 0;
  const seconds = (step_s.length === 0 || step_s.length === count)
    && !(by === "time" && settled && sum(step_s) !== least);
  return seconds && (by !== "tariff" || sum(slices.map((one) => one.energy_wh)) === (energy_wh ?? 0n));
}

/** The lines of a price by time or energy; null for seconds in steps that it does not have. */
function portLines({ by, steps, energy_e3, session_e3 }, { step_s, energy_wh }) {
  if (step_s.length > (by === "time" ? steps.length : 0)) return null;
  const lines = [], add = (code, period, quantity, price_e3) => lines.push({ code, period, quantity, price_e3 });
  for (const [index, count] of step_s.entries()) if (count) add("time", BigInt(index), count, steps[index].price_e3);
  if (by === "energy") add("energy", 0n, energy_wh ?? 0n, energy_e3);
  if (session_e3) add("session", 0n, 1n, session_e3);
  const { parts } = exactOf(lines);
  return lines.map((one, at) => ({ ...one, amount_fen: parts[at] }));
}

/** The list of that payload; null for one that may not be in force. */
function readPortPrices(payload) {
  try {
    const listed = PORT_PRICES(unpack(payload)), { prices } = listed;
    const orderly = rising(listed.offsets, "since_s") && prices.length && new Set(prices.map((one) => one.name)).size === prices.length
      && prices.every(({ by, steps, energy_e3, session_e3, least_s, late_e3, late_days_max }) => {
        const some = by === "time" ? rising(steps, "power_w") : !steps.length && !least_s;
        return some && steps.length <= 16
          && (by === "energy") === energy_e3 > 0n && !(by === "tariff" && session_e3)
          && late_e3 > 0n === late_days_max > 0n;
      });
    return orderly ? listed : null;
  } catch { return null; }
}

// --- what its measurement must say, and in words ---------------------------------------------------------------------

function portMeasured({ opened, closed }) {
  const { register_wh, energy_wh, elapsed_s } = closed;
  const [values, RI, RU] = register_wh.length === 2 ? [register_wh.map(kwh), "register", "kWh"]
    : energy_wh !== null ? [[kwh(0n), kwh(energy_wh)], "energy", "kWh"] : [["0", String(elapsed_s ?? 0n)], "time", "s"];
  const said = {
    U_ENERGY_WH: energy_wh, U_TIME_S: elapsed_s, U_PEAK_W: closed.peak_w, V_BOARD: opened.board, V_PORT: opened.port,
    V_REASON: closed.reason, W_PRICES_SHA256: hashOf(opened, "port-prices"),
    W_TARIFF_SHA256: closed.slices.length ? hashOf(opened, "tariff") : "",
  };
  return { readings: values.map((RV, at) => ({ RV, RI, RU, ST: at && !closed.settled ? "S" : "G" })), said };
}

const portView = ({ closed }) => closed ? {
  energy_kwh: closed.energy_wh === null ? "" : kwh(closed.energy_wh), lasted: lasted(closed.elapsed_s),
  reason: closed.reason,
} : {};
