// What does a delivery cost by its tariff? The lowest price over all that the time may have been, as
// protocols/trade/price.py reckons it. Instants are Unix ms.

const DAY_MS = DAY_S * 1000n;
const SPAN_MS_MAX = 366n * DAY_MS;
const floorMod = (value, by) => ((value % by) + by) % by;
const floorDiv = (value, by) => (value - floorMod(value, by)) / by;
const priceOf = (period) => period.energy_e3 + period.service_e3;
const endOf = (slice) => (slice.to_ms > slice.from_ms ? slice.to_ms : slice.from_ms + 1n);
const least = (...values) => values.reduce((one, other) => (other < one ? other : one));

/** The lines of the bill; null for slices and bounds that no session can have. */
function priceAgain(tariff, closed) {
  const { slices, clock_lb_ms: lb, clock_ub_ms: ub } = closed;
  if (ub !== null && ub < lb) return null;
  if (slices.some((slice) => slice.from_ms > slice.to_ms || slice.to_ms > SPAN_MS_MAX)) return null;
  const energy = energyByPeriod(tariff, slices, cheapestStart(tariff, slices, lb, ub));
  const lines = [];
  const add = (code, period, quantity, price_e3) => lines.push({ code, period, quantity, price_e3 });
  for (const index of [...energy.keys()].sort((one, other) => one - other)) {
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

/** Of the start instants in [lb, ub] with the lowest price, the earliest that shows it. */
function cheapestStart(tariff, slices, lb, ub) {
  if (lb === ub) return lb;
  const span = slices.reduce((longest, slice) => (endOf(slice) > longest ? endOf(slice) : longest), 0n);
  let best = null;
  for (const [from, to] of startRanges(tariff, lb, ub, span)) {
    const found = sweep(stretchesOf(tariff, from, to + span), slices, from, to);
    if (best === null || found.cost < best.cost) best = found;
  }
  return best.start;
}

/** The lowest cost over the starts [from, to]. It changes only where an edge of a slice meets a boundary. */
function sweep(stretches, slices, from, to) {
  const changes = new Map();
  let cost = 0n;
  for (const slice of slices) {
    const priceFrom = (start) => lowest(stretches, start + slice.from_ms, start + endOf(slice));
    const meets = stretches.flatMap(({ at }) => [at - slice.from_ms, at - endOf(slice) + 1n]);
    let before = priceFrom(from);
    cost += slice.energy_wh * before;
    for (const start of meets.filter((one) => one > from && one <= to).sort(byValue)) {
      const price = priceFrom(start);
      changes.set(start, (changes.get(start) ?? 0n) + slice.energy_wh * (price - before));
      before = price;
    }
  }
  let best = { cost, start: from };
  for (const start of [...changes.keys()].sort(byValue)) {
    cost += changes.get(start);
    if (cost < best.cost) best = { cost, start };
  }
  return best;
}

/** Ranges of start instants that show every price of [lb, ub]: while the offset stays, every day is like the first. */
function* startRanges(tariff, lb, ub, span) {
  const begins = [lb, ...tariff.offsets.slice(1).map((one) => one.since_s * 1000n)];
  for (const [at, begin] of begins.entries()) {
    const after = begins[at + 1] ?? null;
    const from = begin > lb ? begin : lb, day = from + DAY_MS - 1n;
    let last = after === null ? day : after - 1n;
    if (ub !== null) last = least(last, ub);
    if (from <= last) yield [from, least(day, last)];
    if (after === null) continue;
    const runsOver = after - span > day + 1n ? after - span : day + 1n;
    if (runsOver <= last) yield [runsOver, last];
  }
}

/** Where each stretch of one period begins, from `from` to `to`, and its price. */
function stretchesOf(tariff, from, to) {
  const found = [];
  for (let at = from; at !== null && at <= to; at = nextBoundary(tariff, at)) {
    found.push({ at, price: priceOf(tariff.periods[periodAt(tariff, at)]) });
  }
  return found;
}

function lowest(stretches, from, end) {
  const first = stretches.findLastIndex((one) => one.at <= from);
  let price = stretches[first].price;
  for (let at = first + 1; at < stretches.length && stretches[at].at < end; at += 1) {
    price = least(price, stretches[at].price);
  }
  return price;
}

/** Wh in each period for a known start: a slice over a boundary belongs to the cheapest it touches, or the first. */
function energyByPeriod(tariff, slices, start) {
  const energy = new Map();
  for (const slice of slices) {
    let found = null;
    for (let at = start + slice.from_ms; at !== null && at < start + endOf(slice); at = nextBoundary(tariff, at)) {
      const index = periodAt(tariff, at);
      if (found === null || priceOf(tariff.periods[index]) < priceOf(tariff.periods[found])) found = index;
    }
    energy.set(found, (energy.get(found) ?? 0n) + slice.energy_wh);
  }
  return energy;
}

// --- which period when -----------------------------------------------------------------------------------------------

const lastUpTo = (values, value) => values.findLastIndex((one) => one <= value);
const offsetAt = (tariff, ms) => Math.max(lastUpTo(tariff.offsets.map((one) => one.since_s), floorDiv(ms, 1000n)), 0);
const localMs = (tariff, ms) => floorMod(ms + tariff.offsets[offsetAt(tariff, ms)].offset_s * 1000n, DAY_MS);

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
