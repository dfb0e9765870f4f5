// Does a swap, a rent or a return add up? Steps, packs, terms and who paid, as protocols/proof/swap_check.py checks them.

const PERMILLE = INT(0n, 1000n), SLOT = INT(1n, 255n);
const PACK = STRUCT({
  code: SHORT, soc_permille: MAYBE(PERMILLE), soh_permille: MAYBE(PERMILLE), cycles: MAYBE(AMOUNT),
  voltage_mv: MAYBE(AMOUNT), energy_wh: MAYBE(AMOUNT), hottest_dc: MAYBE(INT(-1000n, 2000n)), alarms: LIST(NAME),
});
BODIES["swap-opened"] = STRUCT({
  cabinet: NAME, kind: ONE_OF("swap", "rent", "return"), account: NAME, holds: LIST(HOLD), offer: SHORT, bound: SHORT,
  slot: SLOT, pack: MAYBE(PACK), consent_permille: PERMILLE, resumes: MAYBE(AMOUNT), origin: ORIGIN_OF,
  pins: LIST(PIN), clock_lb_ms: INT(), clock_ub_ms: MAYBE(INT()),
});
const FOLLOWS = {
  "open-empty": ["open-empty", "reopen-empty", "accepted"], "reopen-empty": ["open-empty", "reopen-empty", "accepted"],
  "accepted": ["open-full", "reopen-empty", "give-back"],
  "open-full": ["open-full", "given", "reopen-empty", "give-back"],
  "given": ["reopen-full"], "reopen-full": [], "give-back": [],
};
BODIES["swap-stepped"] = STRUCT({
  session: AMOUNT, step: ONE_OF(...Object.keys(FOLLOWS)), slot: SLOT, pack: MAYBE(PACK), fault: SHORT,
});
const TAKES = ["swapped", "taken"];
const OUTCOMES = {
  swap: ["swapped", "cancelled", "kept"], rent: ["taken", "cancelled"], return: ["returned", "cancelled", "kept"],
};
BODIES["swap-closed"] = STRUCT({
  session: AMOUNT, outcome: ONE_OF("swapped", "taken", "returned", "cancelled", "kept"), fault: SHORT,
  returned: MAYBE(PACK), returned_slot: MAYBE(SLOT), taken: MAYBE(PACK), taken_slot: MAYBE(SLOT),
  until_s: MAYBE(AMOUNT), energy_wh: MAYBE(INT()), lines: LIST(BILL_LINE), amount_fen: AMOUNT, exact_num: INT(),
  exact_den: INT(), overrun_fen: AMOUNT, meter_record: MAYBE(TEXT()),
});
const RULE = (value) => (/^[0-9A-Z?]+\*?$/.test(TEXT(1, 64)(value)) ? value : refuse("a rule"));
const SWAP_TERMS = STRUCT({
  version: AMOUNT, ...LOCAL,
  swaps: LIST(STRUCT({
    name: NAME, kind: ONE_OF("single", "energy", "plan"), asset: NAME, units: AMOUNT, price_e3: AMOUNT,
    floor_fen: AMOUNT, cap_fen: AMOUNT, interval_s: AMOUNT, full_permille: PERMILLE,
  })),
  rents: LIST(STRUCT({
    name: NAME, models: LIST(NAME), days: INT(1n, 3660n), price_e3: AMOUNT, grace_s: AMOUNT, late_e3: AMOUNT,
  })),
  models: LIST(STRUCT({ name: NAME, rules: LIST(RULE), fits: LIST(NAME), deposit_fen: AMOUNT })),
  consent_permille: PERMILLE,
});
const DEPOSITS = ["DEPOSIT", "DEPOSIT-WAIVED"];
const SEALED_S = 60n;

/** A pack's code and charge, as far as it told them. */
function packText(seen) {
  if (!seen) return "";
  const { code, soc_permille: soc, energy_wh } = seen;
  const charge = soc === null ? "" : `${soc / 10n}.${soc % 10n} %`;
  return [code || "?", charge, energy_wh === null ? "" : `${kwh(energy_wh)} kWh`].filter(Boolean).join(", ");
}

async function checkSwap(story, documents, spki) {
  const { closed, opened, moves, steps } = story, slotOf = (slot) => slot ?? "?";
  const putIn = steps.some((one) => ["accepted", "reopen-empty"].includes(one.step));
  const before = opened.resumes !== null && opened.offer && !putIn;
  const lines = [stepsLine(story, before)];
  if (closed.returned) {
    const facts = { pack: packText(closed.returned), slot: slotOf(closed.returned_slot) };
    lines.push(before ? line("open", "put-in", { ...facts, session: opened.resumes }) : line("proven", "put-in", facts));
  }
  if (closed.taken) {
    const facts = { pack: packText(closed.taken), slot: slotOf(closed.taken_slot) };
    lines.push(line("proven", "taken-out", facts), ...(await chargedLines(story, documents)));
  } else {
    const free = !moves.length && !closed.lines.length && !closed.amount_fen && !closed.overrun_fen;
    lines.push(either(free, "not-charged"));
  }
  lines.push(clockLine(story, "swap-clock"));
  if (closed.returned || closed.taken) lines.push(await measurementLine(story, swapMeasured(story), spki));
  return lines;
}

/** Each step may follow the one before, and the end says of packs what the steps have said. */
function stepsLine({ opened, closed, steps }, before) {
  const { outcome, returned, returned_slot, taken, taken_slot } = closed;
  const hands = {
    step: opened.pack ? "open-full" : "open-empty", offered: opened.pack, offered_slot: opened.pack && opened.slot,
    returned: before ? returned : null, returned_slot: before ? returned_slot : null, given: false,
  };
  let orderly = true;
  for (const { step, slot, pack } of steps) {
    orderly &&= FOLLOWS[hands.step].includes(step);
    hands.step = step;
    if (step === "accepted") Object.assign(hands, { returned: pack, returned_slot: slot });
    if (step === "reopen-empty") Object.assign(hands, { returned: null, returned_slot: null });
    if (step === "open-full") Object.assign(hands, { offered: pack, offered_slot: slot });
    if (step === "given") hands.given = true;
  }
  const left = outcome === "cancelled" ? [null, null] : [hands.returned, hands.returned_slot];
  const holds = orderly && OUTCOMES[opened.kind].includes(outcome) && (taken !== null) === TAKES.includes(outcome)
    && (!taken || (hands.given && same([taken, taken_slot], [hands.offered, hands.offered_slot])))
    && same([returned, returned_slot], left);
  return either(holds, "steps", { steps: BigInt(steps.length) });
}

// --- the terms -------------------------------------------------------------------------------------------------------

/** A pack was taken: the terms that were pinned, the bill by them, and who paid it. */
async function chargedLines(story, documents) {
  const { opened, closed } = story, lines = [either(addsUp(closed), "sum", sumOf(closed)), holdsLine(story)];
  const [terms, told] = await readPinned(story, documents, "swap-terms", readTerms, "swap-terms");
  if (!terms) return [...lines, told];
  const offer = terms.swaps.find((one) => one.name === opened.offer);
  const rent = opened.kind === "rent" ? terms.rents.find((one) => one.name === opened.offer) : undefined;
  lines.push(told, either(costs(story, offer, rent), "offered-so", { offer: opened.offer || "-" }));
  if (closed.until_s !== null || rent) lines.push(untilLine(story, rent));
  const whole = [...DEPOSITS, ...(offer?.kind === "plan" ? [offer.asset] : [])];
  const other = (one) => !whole.includes(one.asset);
  const money = { ...story, holds: story.holds.filter(other), moves: story.moves.filter(other) };
  return [
    ...lines, ...wholeLines(story, whole), await capturesLine(money, documents, money.holds),
    ...(await orderLines(money, documents, money.holds, closed.lines)),
  ];
}

function costs({ opened, closed }, offer, rent) {
  const { returned, taken } = closed, known = (returned?.energy_wh ?? null) !== null && taken.energy_wh !== null;
  const energy = offer?.kind === "energy" && known ? taken.energy_wh - returned.energy_wh : null;
  if (energy !== closed.energy_wh) return false;
  const one = (code, quantity, price_e3) => [{ code, period: 0n, quantity, price_e3 }];
  let lines = null;
  if (!opened.offer) lines = [];
  else if (opened.kind === "rent") lines = rent ? one("rent", 1n, rent.price_e3) : null;
  else if (offer) lines = offer.kind === "energy" ? energyLines(offer, energy, one) : one("swap", 1n, offer.price_e3);
  if (!lines) return false;
  const exact = exactOf(lines);
  const priced = lines.map((each, at) => ({ ...each, amount_fen: exact.parts[at] }));
  return sameLines(priced, closed.lines) && exact.fen === closed.amount_fen && exact.num === closed.exact_num
    && exact.den === closed.exact_den;
}

/** By the energy between, or one swap at the floor or the cap. */
function energyLines({ price_e3, floor_fen, cap_fen }, energy, one) {
  const gained = energy !== null && energy > 0n ? energy : 0n, cost = gained * price_e3;
  if (cost < floor_fen * 1_000_000n) return one("swap", 1n, floor_fen * 1000n);
  return cost > cap_fen * 1_000_000n ? one("swap", 1n, cap_fen * 1000n) : one("energy", gained, price_e3);
}

/** To when the term is paid, by the closing record's own time. */
function untilLine({ closed: { until_s }, ended }, rent) {
  if (!rent || until_s === null) return line("failed", "paid-until", { until_s: until_s ?? 0n });
  const sure = ended.quality === 2n, lb = sure ? ended.wall_ms : ended.lb_ms;
  const ub = sure ? ended.wall_ms : ended.ub_ms ?? ended.wall_ms;
  const [from, to] = [floorDiv(lb, 1000n), -floorDiv(-ub, 1000n)];
  const meant = (from > to ? from : to) + rent.days * DAY_S;
  return either(meant - SEALED_S <= until_s && until_s <= meant, "paid-until", { until_s });
}

/** A plan's units and a deposit are taken whole. */
function wholeLines(story, whole) {
  const inIt = (one) => whole.includes(one.asset);
  const signed = (move) => ({ ...move, amount: move.effect === "used" ? move.amount : -move.amount });
  const held = totals(story.holds.filter(inIt)), used = totals(story.moves.filter(inIt).map(signed));
  const amount = (found, key) => found.get(key)?.amount ?? 0n;
  const both = [...new Map([...held, ...used])].map(([key, { account, asset }]) => ({ key, account, asset }));
  const agree = (some) => some.every(({ key }) => amount(held, key) === amount(used, key));
  const deposits = both.filter((one) => one.asset === "DEPOSIT");
  const others = both.filter((one) => one.asset !== "DEPOSIT")
    .sort((one, other) => compare(one.account, other.account) || compare(one.asset, other.asset));
  const lines = [];
  if (deposits.length) {
    lines.push(either(agree(deposits), "deposit", { deposit_fen: sum(deposits.map(({ key }) => amount(held, key))) }));
  }
  if (others.length) {
    const units = others.map(({ key, asset }) => `${amount(held, key)} ${asset}`).join(", ");
    lines.push(either(agree(others), "units", { units }));
  }
  return lines;
}

/** The terms of that payload; null for some that may not be in force. */
function readTerms(payload) {
  try {
    const terms = SWAP_TERMS(unpack(payload)), { swaps, rents, models, consent_permille } = terms;
    const once = (names) => new Set(names).size === names.length;
    const names = models.map((one) => one.name);
    const orderly = rising(terms.offsets, "since_s") && once([...swaps, ...rents].map((one) => one.name)) && once(names)
      && swaps.every((one) => offerHolds(one, consent_permille))
      && rents.every((one) => one.price_e3 && one.models.every((name) => names.includes(name)))
      && models.every((one) => one.rules.length
        && one.fits.every((name) => name !== one.name && names.includes(name)));
    return orderly ? terms : null;
  } catch { return null; }
}

function offerHolds({ kind, asset, units, price_e3, floor_fen, cap_fen, full_permille }, consent_permille) {
  const plan = kind === "plan", money = asset === "CNY";
  const limits = kind === "energy" ? cap_fen > 0n && cap_fen >= floor_fen : !cap_fen && !floor_fen;
  return !DEPOSITS.includes(asset) && plan !== money && plan === units > 0n && plan === !price_e3 && limits
    && full_permille >= consent_permille;
}

// --- what its measurement must say, and in words ---------------------------------------------------------------------

function swapMeasured({ opened, closed }) {
  const { returned, taken } = closed;
  const reading = (seen, RI) => {
    if (seen.energy_wh !== null) return { RV: kwh(seen.energy_wh), RI, RU: "kWh", ST: "G" };
    const soc = seen.soc_permille;
    return soc === null ? { RI, RU: "kWh", ST: "N" } : { RV: `${soc / 10n}.${soc % 10n}`, RI, RU: "%", ST: "G" };
  };
  const said = {
    U_ENERGY_WH: closed.energy_wh, U_IN_CHARGE_PERMILLE: returned?.soc_permille,
    U_OUT_CHARGE_PERMILLE: taken?.soc_permille, V_CABINET: opened.cabinet, V_OUTCOME: closed.outcome,
    V_PACK_IN: returned?.code, V_SLOT_IN: closed.returned_slot, V_PACK_OUT: taken?.code, V_SLOT_OUT: closed.taken_slot,
    W_TERMS_SHA256: hashOf(opened, "swap-terms"),
  };
  const readings = [returned && reading(returned, "pack-in"), taken && reading(taken, "pack-out")].filter(Boolean);
  return { readings, said };
}

const swapView = ({ closed }) => ({
  outcome: closed.outcome, fault: closed.fault, returned: packText(closed.returned), taken: packText(closed.taken),
  paid_until: closed.until_s === null ? "" : instant(closed.until_s * 1000n),
});
