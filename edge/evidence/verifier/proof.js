// Is this record in that log, and who says so? C2SP tlog-proof, signed-note and tlog-checkpoint, RFC 6962, WebCrypto.

/** What was claimed is not proven. */
class Unproven extends Error {}

const SIZE_MAX = 2n ** 63n - 1n;
const NOTE_BYTES_MAX = 256 * 1024;
const ED25519 = 1, COSIGNATURE = 4;
const DASH = "\u2014 ";
const SITE = "[A-Za-z0-9][A-Za-z0-9._-]{0,63}";
const ORIGIN = new RegExp(`^fieldtill/(${SITE})/(0|[1-9][0-9]{0,18})$`);
const CERTIFICATE = "fieldtill/log-key/v1";
const SPKI_HEAD = fromHex("3059301306072a8648ce3d020106082a8648ce3d03010703420004"); // P-256, uncompressed
// Under a key of small order anyone can sign; known y coordinates, little-endian, as in protocols/proof/ed25519.py.
const SMALL_ORDER = new Set([
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
]);

const sha256 = async (...parts) => new Uint8Array(await crypto.subtle.digest("SHA-256", joined(...parts)));
const decimal = (text) => (/^(0|[1-9][0-9]{0,18})$/.test(text) ? BigInt(text) : refuse("a decimal number"));
const hash = (text) => { const bytes = fromBase64(text); return bytes.length === 32 ? bytes : refuse("32 bytes"); };

async function verified(algorithm, format, key, signature, message) {
  try {
    const public_ = await crypto.subtle.importKey(format, key, algorithm, false, ["verify"]);
    return await crypto.subtle.verify({ ...algorithm, hash: "SHA-256" }, public_, signature, message);
  } catch { return false; }
}
const edVerified = (key, signature, message) => verified({ name: "Ed25519" }, "raw", key, signature, message);
const P256 = { name: "ECDSA", namedCurve: "P-256" };
const ecVerified = (spki, der, message) => {
  try {
    return verified(P256, "spki", spki, rawSignature(der), message);
  } catch { return Promise.resolve(false); }
};

// --- keys ------------------------------------------------------------------------------------------------------------

const NO_NAME = /[+\x00-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/; // plus, blanks, controls

function requireName(name) {
  const length = utf8(name).length;
  return length >= 1 && length <= 255 && !NO_NAME.test(name) ? name : refuse("a key's name");
}

function requireEd25519(key) {
  if (key.length !== 32) refuse("32 bytes of Ed25519");
  const y = key.slice();
  y[31] &= 0x7f;
  const tooLarge = y[31] === 0x7f && y.subarray(1, 31).every((byte) => byte === 0xff) && y[0] >= 0xed;
  if (tooLarge || SMALL_ORDER.has(hex(y))) refuse("a point of full order");
}

/** {name, type, key, id, text} of `name+hex(id)+base64(type, key)`. */
async function vkey(text) {
  const parts = text.split("+");
  const name = requireName(parts[0]);
  const material = fromBase64(parts.slice(2).join("+"));
  const type = material[0], key = material.slice(1);
  if (type !== ED25519 && type !== COSIGNATURE) refuse("signature type 01 or 04");
  requireEd25519(key);
  const id = (await sha256(utf8(`${name}\n`), material)).slice(0, 4);
  return parts[1] === hex(id) ? { name, type, key, id, text } : refuse("the key's own id");
}

async function fingerprint(spki) {
  return hex((await sha256(spki)).slice(0, 16)).match(/..../g).join("-");
}

function requireDeviceKey(spki) {
  if (spki.length !== 91 || !equalBytes(spki.subarray(0, 27), SPKI_HEAD)) refuse("a P-256 key");
}

/** The log's key, its site and epoch, once the device key has been seen to certify them. */
async function certified(certificate, spki) {
  requireDeviceKey(spki);
  const binary = Array.from(certificate, (byte) => String.fromCharCode(byte)).join("");
  const lines = binary.split("\n");
  if (certificate.length > 1024 || lines.length !== 4 || lines[3] || lines[0] !== CERTIFICATE) refuse("a certificate");
  if (/[^\x00-\x7f]/.test(lines[1])) refuse("ASCII");
  const key = await vkey(lines[1]);
  const [site, epoch] = origin(key.name);
  if (key.type !== ED25519) refuse("a key of type 01");
  const message = utf8(`${CERTIFICATE}\n${key.text}\n`);
  if (!(await ecVerified(spki, fromBase64(lines[2]), message))) throw new Unproven("certificate");
  return { key, site, epoch };
}

function origin(name) {
  const match = ORIGIN.exec(name);
  return match && BigInt(match[2]) <= SIZE_MAX ? [match[1], BigInt(match[2])] : refuse("fieldtill/SITE/EPOCH");
}

// --- notes and proofs ------------------------------------------------------------------------------------------------

/** {text, signatures} of a signed note; nothing verified. */
function parseNote(note) {
  if (utf8(note).length > NOTE_BYTES_MAX) refuse("a note of that length");
  const cut = note.lastIndexOf("\n\n");
  if (cut < 0) refuse("an empty line");
  const text = note.slice(0, cut + 1), tail = note.slice(cut + 2);
  if (/[\x00-\x09\x0b-\x1f]/.test(text) || !tail.endsWith("\n")) refuse("a note");
  const lines = tail.slice(0, -1).split("\n");
  if (lines.length > 64) refuse("at most 64 signatures");
  return { text, signatures: lines.map(parseSignature) };
}

function parseSignature(line) {
  const parts = line.slice(DASH.length).split(" ");
  if (!line.startsWith(DASH) || parts.length !== 2) refuse("a signature line");
  const blob = fromBase64(parts[1]);
  if (blob.length <= 4) refuse("a key id and a signature");
  return { name: requireName(parts[0]), id: blob.slice(0, 4), signature: blob.slice(4) };
}

const isBy = (line, key) => line.name === key.name && equalBytes(line.id, key.id);

/** The time in seconds at which `key` cosigned, or null for a plain signature. Throws Unproven. */
async function signedBy(note, key) {
  const lines = note.signatures.filter((line) => isBy(line, key));
  if (lines.length !== 1) throw new Unproven("one signature");
  let signature = lines[0].signature, message = note.text, time = null;
  if (key.type === COSIGNATURE) {
    if (signature.length < 8) throw new Unproven("a time");
    time = new DataView(signature.buffer, signature.byteOffset).getBigUint64(0);
    if (time > SIZE_MAX) throw new Unproven("a time");
    signature = signature.slice(8);
    message = `cosignature/v1\ntime ${time}\n${note.text}`;
  }
  const holds = signature.length === 64 && await edVerified(key.key, signature, utf8(message));
  if (!holds) throw new Unproven("signature");
  return time;
}

function parseCheckpoint(text) {
  const lines = text.split("\n");
  if (lines.length !== 4 || lines[3]) refuse("3 lines");
  const size = decimal(lines[1]);
  if (size > SIZE_MAX) refuse("a size");
  return { origin: requireName(lines[0]), size, root: hash(lines[2]) };
}

/** {index, path, note, checkpoint, extra} of a tlog-proof; nothing verified. */
function parseProof(text) {
  if (!text.isWellFormed()) refuse("text");
  if (utf8(text).length > NOTE_BYTES_MAX + 128 * 1024) refuse("a proof of that length");
  const cut = text.indexOf("\n\n");
  const lines = text.slice(0, cut).split("\n");
  if (cut < 0 || lines.shift() !== "c2sp.org/tlog-proof@v1") refuse("tlog-proof");
  if (!lines[0]?.startsWith("extra ")) refuse("the log key's certificate as extra");
  const extra = fromBase64(lines.shift().slice(6));
  if (extra.length < 1 || extra.length > 64 * 1024) refuse("an extra of that length");
  if (!lines[0]?.startsWith("index ")) refuse("an index");
  const index = decimal(lines.shift().slice(6));
  if (index > SIZE_MAX || lines.length > 63) refuse("a proof");
  const note = text.slice(cut + 2);
  parseNote(note);
  return { index, path: lines.map(hash), note, extra };
}

/** Do these hashes lead from the record's leaf to the root? */
async function isIncluded(record, index, path, size, root) {
  if (index >= size) return false;
  const inner = (index ^ (size - 1n)).toString(2).length * (index === size - 1n ? 0 : 1);
  let border = 0;
  for (let rest = index >> BigInt(inner); rest; rest &= rest - 1n) border += 1;
  if (path.length !== inner + border) return false;
  let found = await sha256([0], record);
  for (const [level, sibling] of path.entries()) {
    const left = level >= inner || (index >> BigInt(level)) & 1n;
    found = await (left ? sha256([1], sibling, found) : sha256([1], found, sibling));
  }
  return equalBytes(found, root);
}
