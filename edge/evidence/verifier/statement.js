// What does a receipt prove to somebody who brings a key? Line by line, as protocols/proof/statement.py says it.

const FORMAT = "fieldtill.receipt/1";

const hasKeys = (value, names) => value && typeof value === "object" && !Array.isArray(value)
  && Object.keys(value).length === names.length && names.every((name) => Object.hasOwn(value, name));
const isTable = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** A receipt.json's values, its form checked and nothing else. Throws Malformed. */
function parseFile(text) {
  let file;
  try {
    if (utf8(text).length > 4 * 1024 * 1024) refuse("a file of that length");
    const wellFormed = (_, value) => (typeof value === "string" && !value.isWellFormed() ? refuse("text") : value);
    file = JSON.parse(text, wellFormed);
  } catch { refuse("JSON"); }
  if (!hasKeys(file, ["format", "view", "device_key", "records", "documents"])) refuse("a receipt");
  const { records, documents } = file;
  if (file.format !== FORMAT || !isTable(file.view)) refuse(FORMAT);
  if (!Array.isArray(records) || !Array.isArray(documents)) refuse("records and documents");
  if (records.length < 2 || records.length > 64 || documents.length > 8) refuse("2 to 64 records");
  const bytes = (part, most = 256 * 1024) => {
    const found = typeof part === "string" ? fromBase64(part) : refuse("base64");
    return found.length <= most ? found : refuse("so many bytes");
  };
  const proven = records.map((one) => {
    if (!hasKeys(one, ["record", "proof"]) || typeof one.proof !== "string") refuse("record and proof");
    return { data: bytes(one.record), ...parseProof(one.proof) };
  });
  if (!proven.every((one) => one.note === proven[0].note && equalBytes(one.extra, proven[0].extra))) refuse("one head");
  const pinned = documents.map((one) => {
    const kinds = ["tariff", "tenders", "fuel-prices", "swap-terms", "port-prices"];
    if (!hasKeys(one, ["kind", "payload"]) || !kinds.includes(one.kind)) refuse("kind and payload");
    return { kind: one.kind, payload: bytes(one.payload) };
  });
  return { view: file.view, spki: bytes(file.device_key, 1024), records: proven, documents: pinned };
}

const keyLines = (text) => text.split(/\r\n|[\n\r]/).map((one) => one.split("#")[0].trim()).filter(Boolean);

/** [{fingerprint} or {log}] of what a reader knows of a box: fingerprint, device key or log key, one a line. */
async function readSiteKeys(text) {
  return Promise.all(keyLines(text).map(async (one) => {
    const lower = one.toLowerCase();
    if (/^[0-9a-f]{4}(-[0-9a-f]{4}){7}$/.test(lower)) return { fingerprint: lower };
    if (/^[0-9a-f]{32}$/.test(lower)) return { fingerprint: lower.match(/..../g).join("-") };
    if (one.startsWith("fieldtill/")) {
      const key = await vkey(one);
      return key.type === ED25519 ? { log: key.text } : refuse("a key of type 01");
    }
    const spki = /^([0-9a-f]{2})+$/.test(lower) ? fromHex(lower) : fromBase64(one);
    requireDeviceKey(spki);
    return { fingerprint: await fingerprint(spki) };
  }));
}

/** The cosigning keys among vkey lines as `fieldtill-hq keys` prints them. */
async function readHqKeys(text) {
  const keys = (await Promise.all(keyLines(text).map(vkey))).filter((key) => key.type === COSIGNATURE);
  return keys.length || !keyLines(text).length ? keys : refuse("a key of type 04");
}

/** {lines, proven, story, pricing}: every claim in order, up to the first that breaks the chain of trust. pricing: the
 * pinned document that it was priced by, where it is here, in whose zone the bill's times are. */
async function statement(file, siteKeys, cosigners) {
  const lines = [], stop = () => ({ lines, proven: false, story: null });
  let certificate;
  try {
    certificate = await certified(file.records[0].extra, file.spki);
  } catch { lines.push(line("failed", "box")); return stop(); }
  const { key, site, epoch } = certificate, mark = { fingerprint: await fingerprint(file.spki) };
  lines.push(line("proven", "box", { ...mark, site, epoch }));
  const known = siteKeys.some((one) => (one.log ? one.log === key.text : one.fingerprint === mark.fingerprint));
  lines.push(line(known ? "proven" : siteKeys.length ? "failed" : "open", "site-key", mark));
  if (siteKeys.length && !known) return stop();

  const note = parseNote(file.records[0].note);
  let head;
  try {
    await signedBy(note, key);
    head = parseCheckpoint(note.text);
    if (head.origin !== key.name) throw new Unproven("origin");
  } catch { lines.push(line("failed", "head", { log: key.name })); return stop(); }
  lines.push(line("proven", "head", { log: key.name, size: head.size }));
  lines.push(await cosignedLine(note, head, cosigners));
  for (const one of file.records) {
    const holds = await isIncluded(one.data, one.index, one.path, head.size, head.root);
    lines.push(either(holds, "included", { seq: one.index }));
  }
  if (lines.some((one) => one.mark === "failed")) return stop();

  let story;
  try {
    story = readStory(site, epoch, file.records.map((one) => ({ seq: one.index, data: one.data })));
  } catch (error) {
    if (!(error instanceof NoStory)) throw error;
    lines.push(line("failed", "session", { why: error.code, seq: error.seq }));
    return stop();
  }
  const { session } = story, kind = kindOf(story);
  lines.push(line("proven", kind.code(story), { session, ...kind.named(story) }));
  lines.push(...(await kind.check(story, file.documents, file.spki)), either(same(file.view, viewOf(story)), "view"));
  lines.push(line("open", kind.unproven), line("open", "software-keys"));
  const vouched = lines.some((one) => ["site-key", "cosigned"].includes(one.code) && one.mark === "proven");
  const missing = lines.some((one) => one.mark === "failed" || one.code === "not-cosigned");
  const [priced, read] = kind.priced(story), [pricing] = await readPinned(story, file.documents, priced, read, priced);
  return { lines, proven: vouched && !missing, story, pricing };
}

async function cosignedLine(note, head, cosigners) {
  const others = note.signatures.filter((one) => one.name !== head.origin);
  if (!cosigners.length) {
    const names = others.filter((one) => one.signature.length === 72).map((one) => one.name).join(", ");
    return names ? line("open", "not-asked", { names }) : line("open", "provisional");
  }
  for (const key of cosigners) {
    if (!others.some((one) => isBy(one, key))) continue;
    try {
      return line("proven", "cosigned", { name: key.name, at_s: await signedBy(note, key) });
    } catch { return line("failed", "cosigned", { name: key.name }); }
  }
  return line("open", "not-cosigned", { name: cosigners[0].name });
}

/** The verdict on a receipt.json under keys as typed: `proven`, `unproven`, or `bad-input` with what was expected. */
async function judge(text, siteText, hqText) {
  let file, siteKeys, cosigners;
  try {
    file = parseFile(text);
  } catch (error) { return { verdict: "bad-input", where: "receipt", expected: error.message, lines: [] }; }
  try {
    siteKeys = await readSiteKeys(siteText);
  } catch (error) { return { verdict: "bad-input", where: "site-key", expected: error.message, lines: [] }; }
  try {
    cosigners = await readHqKeys(hqText);
  } catch (error) { return { verdict: "bad-input", where: "hq-key", expected: error.message, lines: [] }; }
  const told = await statement(file, siteKeys, cosigners);
  return { ...told, file, verdict: told.proven ? "proven" : "unproven" };
}
