// Bytes and text, each in its one spelling: base64, hex, UTF-8, MessagePack as the till writes it, DER signatures.

/** The bytes do not have the form of what they claim to be. */
class Malformed extends Error {}

const refuse = (what) => { throw new Malformed(what); };
const utf8 = (text) => new TextEncoder().encode(text);
const equalBytes = (one, other) => one.length === other.length && one.every((byte, at) => byte === other[at]);
const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
const fromHex = (digits) => /^([0-9A-Fa-f]{2})*$/.test(digits)
  ? Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16)) : refuse("hex");
const joined = (...parts) => {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) { whole.set(part, at); at += part.length; }
  return whole;
};

function toBase64(bytes) {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}

function fromBase64(text) {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text) || text.length % 4) refuse("base64");
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  return toBase64(bytes) === text ? bytes : refuse("canonical base64");
}

const fromUtf8 = (bytes) => {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch { return refuse("UTF-8"); }
};

/**
 * The value of MessagePack bytes: integers as BigInt, arrays, text, bytes, booleans, null. Only the shortest spelling
 * of each is taken, and nothing may follow, so that no two byte strings mean the same.
 */
function unpack(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const take = (length) => {
    if (at + length > bytes.length) refuse("a value that is cut off");
    at += length;
    return at - length;
  };
  const unsigned = (width) => {
    const from = take(width);
    return { 1: () => view.getUint8(from), 2: () => view.getUint16(from), 4: () => view.getUint32(from) }[width]();
  };
  const length = (width, least) => { const found = unsigned(width); return found >= least ? found : refuse("length"); };
  const whole = (value, least) => (value >= least ? value : refuse("an integer in more bytes than it needs"));
  const below = (value, most) => (value <= most ? value : refuse("an integer in more bytes than it needs"));
  const text = (size) => { const from = take(size); return fromUtf8(bytes.subarray(from, at)); };
  const raw = (size) => { const from = take(size); return bytes.slice(from, at); };
  const list = (size, depth) => {
    if (size > bytes.length) refuse("a list that is cut off");
    return Array.from({ length: size }, () => one(depth));
  };
  const one = (depth) => {
    if (depth > 32) refuse("a value as deep as that");
    const tag = unsigned(1);
    if (tag <= 0x7f) return BigInt(tag);
    if (tag >= 0xe0) return BigInt(tag - 0x100);
    if (tag >= 0x90 && tag <= 0x9f) return list(tag & 0x0f, depth + 1);
    if (tag >= 0xa0 && tag <= 0xbf) return text(tag & 0x1f);
    switch (tag) {
      case 0xc0: return null;
      case 0xc2: return false;
      case 0xc3: return true;
      case 0xc4: return raw(unsigned(1));
      case 0xc5: return raw(length(2, 0x100));
      case 0xc6: return raw(length(4, 0x10000));
      case 0xcc: return whole(BigInt(unsigned(1)), 0x80n);
      case 0xcd: return whole(BigInt(unsigned(2)), 0x100n);
      case 0xce: return whole(BigInt(unsigned(4)), 0x10000n);
      case 0xcf: return whole(view.getBigUint64(take(8)), 0x100000000n);
      case 0xd0: return below(BigInt(view.getInt8(take(1))), -0x21n);
      case 0xd1: return below(BigInt(view.getInt16(take(2))), -0x81n);
      case 0xd2: return below(BigInt(view.getInt32(take(4))), -0x8001n);
      case 0xd3: return below(view.getBigInt64(take(8)), -0x80000001n);
      case 0xd9: return text(length(1, 0x20));
      case 0xda: return text(length(2, 0x100));
      case 0xdb: return text(length(4, 0x10000));
      case 0xdc: return list(length(2, 0x10), depth + 1);
      case 0xdd: return list(length(4, 0x10000), depth + 1);
      default: return refuse("a kind of value that no record has");
    }
  };
  const value = one(0);
  return at === bytes.length ? value : refuse("nothing after the value");
}

/** r and s, 32 bytes each, of an ECDSA signature in DER: what WebCrypto wants. */
function rawSignature(der) {
  let at = 0;
  const byte = () => (at < der.length ? der[at++] : refuse("a signature that is cut off"));
  const integer = () => {
    if (byte() !== 0x02) refuse("INTEGER");
    const length = byte();
    const digits = der.subarray(at, at + length);
    at += length;
    if (!length || at > der.length || digits[0] & 0x80) refuse("a positive INTEGER");
    if (digits[0] === 0 && (length === 1 || !(digits[1] & 0x80))) refuse("the shortest INTEGER");
    const bare = digits[0] === 0 ? digits.subarray(1) : digits;
    return bare.length <= 32 ? joined(new Uint8Array(32 - bare.length), bare) : refuse("32 bytes");
  };
  if (byte() !== 0x30 || byte() !== der.length - 2) refuse("SEQUENCE");
  const raw = joined(integer(), integer());
  return at === der.length ? raw : refuse("nothing after the signature");
}
