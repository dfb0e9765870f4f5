// Does the end of a stay in a locker add up? Who opened it, how long it was taken, and what that came to, as
// protocols/proof/locker_check.py checks them.

const SECRET = (value) => (BYTES()(value).length <= 64 ? value : refuse("a digest"));
BODIES["locker-opened"] = STRUCT({
  board: NAME, port: INT(1n, 255n), account: SHORT, holds: LIST(HOLD), price: NAME, secret: SECRET,
  charge: MAYBE(PRESET), charge_by: TEXT(0, 512), origin: ORIGIN_OF, pins: LIST(PIN), clock_lb_ms: INT(),
  clock_ub_ms: MAYBE(INT()),
});
BODIES["locker-stored"] = STRUCT({ stay: AMOUNT, unsure: FLAG });
BODIES["locker-door"] = STRUCT({
  stay: AMOUNT, act: ONE_OF("collect", "remove", "look"), origin: ORIGIN_OF, why: SHORT,
});
BODIES["locker-overdue"] = STRUCT({ stay: AMOUNT, stay_s: AMOUNT });
BODIES["locker-closed"] = STRUCT({
  stay: AMOUNT, outcome: ONE_OF("collected", "removed"), stay_s: AMOUNT, lines: LIST(BILL_LINE), amount_fen: AMOUNT,
  exact_num: INT(), exact_den: INT(), overrun_fen: AMOUNT,
});

async function checkLocker(story, documents) {
  const { acts, closed, moves } = story;
  if (!closed) return [either(!moves.length && !acts.length, "voided"), clockLine(story, "swap-clock")]; // never opened
  return [
    doorsLine(story), stayedLine(story), ...(await lateLines(story, documents)),
    ...(await lockerPriceLines(story, documents)), clockLine(story, "swap-clock"),
  ];
}

/** It opened to its owner only for a pack that was in it; whoever emptied it had the door opened for that. */
function doorsLine({ acts, closed: { outcome } }) {
  let stored = 0, holds = true;
  const doors = acts.filter((one) => one.kind === "locker-door");
  for (const { kind, act } of acts) {
    if (kind === "locker-stored") stored += 1;
    else holds &&= act !== "collect" || stored > 0;
  }
  const wanted = outcome === "collected" ? "collect" : "remove";
  holds &&= stored <= 1 && doors.some((one) => one.act === wanted);
  return either(holds, outcome, { doors: BigInt(doors.length) });
}

/** No longer than the time between the first record and the last. */
function stayedLine({ began, ended, closed: { stay_s } }) {
  const told = { lasted: lasted(stay_s) }, sameBoot = equalBytes(began.boot, ended.boot);
  if (!sameBoot && ended.ub_ms === null) return line("open", "stayed", told);
  const most = sameBoot ? ended.mono_ms - began.mono_ms : ended.ub_ms - began.lb_ms;
  return either(stay_s * 1000n <= most, "stayed", told);
}

/** Days beyond those that are free, if any, and who paid them. */
async function lateLines(story, documents) {
  const { closed, holds, moves } = story;
  if (!closed.lines.length) {
    const free = !moves.length && !closed.amount_fen && !closed.overrun_fen && !closed.exact_num;
    return [either(free, "not-billed")];
  }
  return [
    either(addsUp(closed), "sum", sumOf(closed)), await capturesLine(story, documents, holds), holdsLine(story),
    ...(await orderLines(story, documents, holds, closed.lines)),
  ];
}

async function lockerPriceLines(story, documents) {
  const { opened, closed } = story, price = opened.price;
  const [prices, told] = await readPinned(story, documents, "port-prices", readPortPrices, "port-prices");
  if (!prices) return [told];
  const found = prices.prices.find((one) => one.name === price), priced = found && lateBill(found, closed.stay_s);
  const holds = Boolean(priced) && sameLines(priced, closed.lines)
    && sum(priced.map((one) => one.amount_fen)) === closed.amount_fen;
  return [told, either(holds, "port-priced", { price })];
}

/** Lines of a stay of so many seconds: the days begun beyond those that are free. */
function lateBill({ late_e3, late_free_s, late_days_max }, stay_s) {
  const over = stay_s - late_free_s, begun = over > 0n ? -floorDiv(-over, DAY_S) : 0n;
  const days = late_e3 ? (begun < late_days_max ? begun : late_days_max) : 0n;
  if (!days) return [];
  const bare = [{ code: "late", period: 0n, quantity: days, price_e3: late_e3 }];
  return [{ ...bare[0], amount_fen: exactOf(bare).fen }];
}

const lockerView = ({ closed }) => closed ? { outcome: closed.outcome, lasted: lasted(closed.stay_s) } : {};
