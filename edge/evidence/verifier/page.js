// The page: a receipt in by drop, paste, choice or link; the verdict, the bill and every line out. Text only, no markup
// is ever made from what a receipt says.

const byId = (id) => document.getElementById(id);
const words = WORDS;
const link = new URLSearchParams(location.hash.slice(1));
let language = link.get("lang") === "en" || (link.get("lang") !== "zh" && !navigator.language.startsWith("zh")) ? 1 : 0;
let receipt = "", keysCameWithTheLink = false, turn = 0;

const said = (table, code) => table[code]?.[language] ?? code;
const utc = (ms) => { const text = instant(ms); return text ? `${text.slice(0, 10)} ${text.slice(11, 19)} UTC` : "?"; };

/** A fact by the unit in its name. */
function factText(name, fact) {
  if (typeof fact !== "bigint") return String(fact);
  const unit = name.includes("_") || name === "fen" ? name.slice(name.lastIndexOf("_") + 1) : "";
  switch (unit) {
    case "fen": return `¥${yuan(fact)}`;
    case "wh": return `${kwh(fact)} kWh`;
    case "ml": return `${litres(fact)} L`;
    case "e3": return `¥${yuanE3(fact)}`;
    case "s": return utc(fact * 1000n);
    case "ms": return utc(fact);
    default: return String(fact);
  }
}

/** A line of the statement in words. */
function say(line, at = language) {
  const template = words.lines[`${line.code}/${line.mark}`]?.[at] ?? `${line.code}: ${line.mark}`;
  return template.replace(/\{(\w+)\}/g, (_, name) => factText(name, line.facts[name]));
}

function element(tag, text = "", ...names) {
  const made = document.createElement(tag);
  made.textContent = text;
  made.className = names.join(" ");
  return made;
}

function row(cells, tag = "td") {
  const made = element("tr");
  made.append(...cells.map((cell) => element(tag, cell)));
  return made;
}

/** The bill, from the signed bytes. */
function slip(told) {
  const { story, pricing } = told, { closed, began, ended, session } = story, kind = kindOf(story);
  const doubt = began.quality === 2n && ended.quality === 2n ? "" : said(words.slip, "uncertain");
  const facts = [
    ["session", session], ...Object.entries(kind.named(story)),
    ["began", localTime(began.wall_ms, pricing) + doubt], ["ended", localTime(ended.wall_ms, pricing) + doubt],
  ];
  if (closed) facts.push(...FACTS[story.kind](story, pricing));
  const table = element("table", "", "facts");
  table.append(...facts.map(([name, value]) => row([said(words.slip, name), value])));
  const bill = element("table", "", "bill");
  if (closed) {
    bill.append(row(["line", "quantity", "price", "amount"].map((code) => said(words.slip, code)), "th"));
    for (const one of closed.lines) {
      const sums = [`¥${yuanE3(one.price_e3)}`, `¥${yuan(one.amount_fen)}`];
      bill.append(row([item(story, pricing, one), quantity(one), ...sums]));
    }
    const total = row([said(words.slip, "total"), "", "", `¥${yuan(closed.amount_fen)}`]);
    total.className = "total";
    bill.append(total);
    if (closed.overrun_fen) bill.append(row([said(words.slip, "overrun"), "", "", `¥${yuan(closed.overrun_fen)}`]));
  } else bill.append(row([said(words.slip, kind.ends)]));
  byId("slip").replaceChildren(element("h2", said(words.slip, kind.title(story))), table, bill);
}

const chargeFacts = ({ opened: { begin }, closed }) => [
  ["reason", said(words.reasons, closed.reason)],
  ["meter", `${begin.meter}  ${kwh(begin.energy_wh)} → ${kwh(closed.end.energy_wh)} kWh`],
  ["energy", `${kwh(closed.energy_wh)} kWh`],
];

function fillingFacts({ opened, closed }, pricing) {
  const { nozzle, grade } = closed.sold;
  const [before, after] = [opened.begin, closed.end].map((totals) => totalOf(totals, nozzle));
  const shown = (ml) => (ml === null ? "?" : litres(ml));
  return [
    ["reason", said(words.reasons, closed.reason)], ["nozzle", String(nozzle)], ["grade", gradeName(grade, pricing)],
    ["totalizer", `${shown(before)} → ${shown(after)} L`], ["volume", `${litres(closed.volume_ml)} L`],
  ];
}

function swapFacts({ closed }, pricing) {
  const facts = [["reason", said(words.reasons, closed.outcome)]];
  if (closed.returned) facts.push(["pack-in", packText(closed.returned)]);
  if (closed.taken) facts.push(["pack-out", packText(closed.taken)]);
  if (closed.until_s !== null) facts.push(["until", localTime(closed.until_s * 1000n, pricing)]);
  return facts;
}

function portFacts({ closed }) {
  const facts = [["reason", said(words.reasons, closed.reason)]];
  if (closed.energy_wh !== null) facts.push(["energy", `${kwh(closed.energy_wh)} kWh`]);
  if (closed.elapsed_s !== null) facts.push(["lasted", lasted(closed.elapsed_s)]);
  return facts;
}

const lockerFacts = ({ closed }) => [["reason", said(words.reasons, closed.outcome)], ["lasted", lasted(closed.stay_s)]];

const FACTS = {
  "session-opened": chargeFacts, "filling-opened": fillingFacts, "swap-opened": swapFacts, "port-opened": portFacts,
  "locker-opened": lockerFacts,
};

/** As the price list calls it; its code where there is none. */
const gradeName = (code, pricing) => pricing?.grades.find((one) => one.code === code)?.name ?? code;

/** `2026-09-21 19:26:40 UTC+8`, in the zone of what it was priced by. */
function localTime(ms, pricing) {
  const offset = pricing ? pricing.offsets[offsetAt(pricing, ms)].offset_s : 0n, ahead = offset < 0n ? -offset : offset;
  const minutes = offset % 3600n ? `:${String((ahead % 3600n) / 60n).padStart(2, "0")}` : "";
  return utc(ms + offset * 1000n) + (offset ? `${offset < 0n ? "-" : "+"}${ahead / 3600n}${minutes}` : "");
}

function item(story, pricing, one) {
  const name = said(words.slip, `line-${one.code}`);
  if (isFilling(story)) return one.code === "fuel" ? `${name} · ${gradeName(story.closed.sold.grade, pricing)}` : name;
  if (one.code !== "energy" && one.code !== "service") return name;
  const period = pricing?.periods?.[Number(one.period)]?.name;
  return period ? `${name} · ${language === 0 ? words.periods[period] ?? period : period}` : name;
}

const UNIT = { energy: " kWh", service: " kWh", fuel: " L" };
const quantity = (one) => one.code === "idle" || one.code === "time" ? `${one.quantity / 60n} min ${one.quantity % 60n} s`
  : `${quantityOf(one)}${UNIT[one.code] ?? ""}`;

function show(told) {
  const verdict = byId("verdict");
  verdict.hidden = false;
  verdict.className = told.verdict;
  verdict.classList.toggle("waiting", told.verdict === "unproven" && told.lines.every((one) => one.mark !== "failed"));
  const final = told.lines.some((one) => one.code === "cosigned") ? "final" : "provisional";
  const more = {
    "proven": () => said(words.slip, final),
    "unproven": () => "",
    "bad-input": () => `${said(words.page, told.where)}: ${told.expected}`,
  }[told.verdict]();
  verdict.replaceChildren(element("strong", said(words.verdicts, told.verdict)), element("span", more));
  const open = told.lines.find((one) => one.code === "site-key" && one.mark === "open");
  byId("same").hidden = !open;
  byId("same").textContent = open ? `${said(words.page, "same")}: ${open.facts.fingerprint}` : "";
  byId("same").onclick = () => { byId("site").value = open.facts.fingerprint; keysCameWithTheLink = false; check(); };
  byId("from-link").hidden = !keysCameWithTheLink;
  byId("slip").hidden = !told.story;
  if (told.story) slip(told);
  byId("lines").replaceChildren(...told.lines.map((line) => {
    const made = element("li", "", line.mark);
    made.dataset.code = line.code;
    made.append(element("b", words.marks[line.mark]), element("span", say(line)));
    return made;
  }));
}

async function check() {
  const mine = ++turn;
  const told = receipt.trim() ? await judge(receipt, byId("site").value, byId("hq").value) : null;
  if (mine !== turn) return; // a later one is under way
  byId("result").hidden = !told;
  if (told) show(told);
  document.body.dataset.verdict = told ? told.verdict : "";
}

async function canVerify() {
  try {
    const key = fromHex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"); // RFC 8032, 7.1
    await crypto.subtle.importKey("raw", key, { name: "Ed25519" }, false, ["verify"]);
    return "".isWellFormed() && [].findLastIndex !== undefined;
  } catch { return false; }
}

function translate() {
  document.documentElement.lang = ["zh-CN", "en"][language];
  for (const one of document.querySelectorAll("[data-word]")) one.textContent = said(words.page, one.dataset.word);
  for (const one of document.querySelectorAll("[data-hint]")) one.placeholder = said(words.page, one.dataset.hint);
  check();
}

function take(text) { receipt = text; byId("paste").value = text.length < 200_000 ? text : ""; check(); }

async function start() {
  byId("language").onclick = () => { language = 1 - language; translate(); };
  byId("file").onchange = async (event) => event.target.files[0] && take(await event.target.files[0].text());
  byId("paste").oninput = (event) => { receipt = event.target.value; check(); };
  for (const id of ["site", "hq"]) byId(id).oninput = () => { keysCameWithTheLink = false; check(); };
  document.ondragover = (event) => event.preventDefault();
  document.ondrop = async (event) => {
    event.preventDefault();
    const file = event.dataTransfer.files[0];
    take(file ? await file.text() : event.dataTransfer.getData("text"));
  };
  for (const id of ["site", "hq"]) byId(id).value = link.get(id) ?? "";
  keysCameWithTheLink = link.has("site") || link.has("hq");
  byId("too-old").hidden = await canVerify();
  try {
    receipt = fromUtf8(fromBase64((link.get("receipt") ?? "").replaceAll("-", "+").replaceAll("_", "/")));
  } catch { receipt = "?"; }
  byId("paste").value = receipt;
  translate();
}

start();
