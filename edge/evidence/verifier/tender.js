// Who pays which part of a bill? Several holds in their order, each for the lines it may pay, as
// protocols/trade/tender.py draws them.

const LINES = ["energy", "service", "session", "idle", "fuel", "swap", "rent", "late", "time"];
const WHOLE = INT(1n, 2n ** 31n);
const TENDERS = STRUCT({
  version: AMOUNT,
  tenders: LIST(STRUCT({ asset: NAME, lines: LIST(NAME), fen_num: WHOLE, fen_den: WHOLE, divisible: FLAG })),
});
const MONEY = { asset: "CNY", lines: [], fen_num: 1n, fen_den: 1n, divisible: true };

/** The document of that payload; null for one that may not be in force. */
function readTenders(payload) {
  try {
    const { tenders } = TENDERS(unpack(payload));
    const sorted = tenders.every((one, at) => !at || compare(tenders[at - 1].asset, one.asset) < 0);
    const orderly = tenders.every((one) => one.asset !== "CNY" && new Set(one.lines).size === one.lines.length
      && one.lines.every((code) => LINES.includes(code)));
    return sorted && orderly ? tenders : null;
  } catch { return null; }
}

/** By code points, as Python compares texts. */
function compare(one, other) {
  const points = (text) => [...text].map((character) => character.codePointAt(0));
  const left = points(one), right = points(other);
  const at = left.findIndex((point, place) => point !== right[place]);
  return at < 0 ? left.length - right.length : left[at] - (right[at] ?? -1);
}

const tenderOf = (asset, tenders) => (asset === "CNY" ? MONEY : tenders.find((one) => one.asset === asset));

/** {units, overrun_fen}: what is taken of each hold, and what none of them covers. */
function draw(lines, holds, tenders) {
  const owed = new Map();
  for (const one of lines) owed.set(one.code, (owed.get(one.code) ?? 0n) + one.amount_fen);
  const offers = holds.map((hold) => {
    const tender = tenderOf(hold.asset, tenders), codes = new Set(owed.keys());
    if (tender.lines.length) for (const code of owed.keys()) if (!tender.lines.includes(code)) codes.delete(code);
    return { hold, tender, codes, worth: (hold.amount * tender.fen_num) / tender.fen_den };
  });
  const payments = [], units = [];
  for (const [at, offer] of offers.entries()) {
    let fen = least(room(owed, payments, offer.codes), offer.worth);
    if (!offer.tender.divisible && fen > 0n && fen < offer.worth) {
      const rest = offers.slice(at + 1);
      if (unpaid(owed, payments, rest) === unpaid(owed, [...payments, { codes: offer.codes, fen }], rest)) fen = 0n;
    }
    const { fen_num, fen_den, divisible } = offer.tender;
    units.push(divisible ? (fen * fen_den + fen_num - 1n) / fen_num : fen > 0n ? offer.hold.amount : 0n);
    payments.push({ codes: offer.codes, fen });
  }
  return { units, overrun_fen: sum([...owed.values()]) - sum(payments.map((one) => one.fen)) };
}

const within = (inner, outer) => [...inner].every((code) => outer.has(code));

/** The most that can still be paid by somebody limited to these codes: in every set of codes the payments must fit. */
function room(owed, payments, codes) {
  const sets = new Map([[[...codes].sort().join(), codes]]);
  for (const payment of payments) {
    for (const inside of [...sets.values()]) {
      const joint = new Set([...inside, ...payment.codes]);
      sets.set([...joint].sort().join(), joint);
    }
  }
  return least(...[...sets.values()].map((inside) => sum([...inside].map((code) => owed.get(code)))
    - sum(payments.filter((one) => within(one.codes, inside)).map((one) => one.fen))));
}

/** What would be left if all these offers were taken as well, as far as they go. */
function unpaid(owed, payments, offers) {
  const made = [...payments];
  for (const offer of offers) made.push({ codes: offer.codes, fen: least(room(owed, made, offer.codes), offer.worth) });
  return sum([...owed.values()]) - sum(made.map((one) => one.fen));
}
