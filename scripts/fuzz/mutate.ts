/**
 * Mutations of valid input: changed bytes, and values of the wrong type, size or shape.
 */
import type { SeededRandom } from "./seeded-random.ts";

const boundaries = [
  0, 1, 0x7f, 0x80, 0x90, 0xa0, 0xbf, 0xc0, 0xc4, 0xca, 0xcf, 0xd9, 0xdc, 0xdd, 0xdf, 0xff,
] as const;

/**
 * Returns a copy of `bytes` with one to four changes: flipped bits, boundary values, and pieces
 * removed, repeated, moved or inserted.
 */
export function mutated(random: SeededRandom, bytes: Uint8Array): Uint8Array {
  let changed: Uint8Array = bytes.slice();
  for (let changes = 1 + random.int(4); changes > 0; changes--) changed = changedOnce(random, changed);
  return changed;
}

function changedOnce(random: SeededRandom, bytes: Uint8Array): Uint8Array {
  const { length } = bytes;
  const at = random.int(length + 1);
  if (length === 0) return random.bytes(1 + random.int(8));
  const count = 1 + random.int(Math.min(16, length));
  switch (random.int(8)) {
    case 0:
      bytes[at % length]! ^= 1 << random.int(8);
      return bytes;
    case 1:
      bytes[at % length] = random.pick(boundaries);
      return bytes;
    case 2:
      bytes.set(random.bytes(Math.min(count, length - (at % length))), at % length);
      return bytes;
    case 3:
      return bytes.slice(0, at);
    case 4:
      return joined(bytes.subarray(0, at), bytes.subarray(Math.min(length, at + count)));
    case 5:
      return joined(bytes.subarray(0, at), random.bytes(count), bytes.subarray(at));
    case 6:
      return joined(
        bytes.subarray(0, at),
        bytes.subarray(at % length, (at % length) + count),
        bytes.subarray(at),
      );
    default:
      bytes.copyWithin(random.int(length), at % length, (at % length) + count);
      return bytes;
  }
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

const strings = [
  "",
  " ",
  "\u0000",
  "..",
  "../../etc/passwd",
  "/abs",
  "C:\\x",
  "a\\b",
  "nul.txt",
  "x/./y",
  "\ud800",
  "é",
  "e\u0301",

  "1e400",
  "-1",
  "NaN",
  "__proto__",
  "constructor",
  "[object Object]",
  "\u001b[2J",
  "%00",
  "'; DROP TABLE tasks; --",

  "0123456789abcdef",
  "0123456789ABCDEF",
  "127.0.0.1",
  "::1",
  "999.1.1.1",
  "evil.example",
  "AAAA",
  "A=",
  "\r\nX: y",
] as const;
const numbers = [
  0,
  -0,
  1,
  -1,
  0.5,
  255,
  256,
  65_535,
  65_536,
  0x7fff_ffff,
  0x8000_0000,
  0xffff_ffff,
  2 ** 32,
  2 ** 53,
  -(2 ** 31),
  1e21,
  1e308,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.MAX_SAFE_INTEGER,
] as const;

/** Returns a value that a schema may not expect. */
export function hostileValue(random: SeededRandom, depth = 0): unknown {
  switch (random.int(depth > 3 ? 6 : 10)) {
    case 0:
      return null;
    case 1:
      return random.oneIn(2);
    case 2:
    case 3:
      return random.pick(numbers);
    case 4:
      return random.pick(strings);
    case 5:
      return random.oneIn(8) ? random.pick(strings).repeat(random.int(2_000)) : random.hex(random.int(20));
    case 6:
      return Array.from({ length: random.oneIn(20) ? random.int(2_000) : random.int(5) }, () =>
        hostileValue(random, depth + 3),
      );
    case 7:
      return { [random.pick(strings)]: hostileValue(random, depth + 1), id: hostileValue(random, depth + 1) };
    case 8:
      return [hostileValue(random, depth + 1)];
    default:
      return {};
  }
}

/** Returns a copy of `value` with one part replaced, removed, added or repeated. */
export function mutatedValue(random: SeededRandom, value: unknown): unknown {
  const isDone = random.oneIn(4);
  if (Array.isArray(value)) {
    const items: unknown[] = [...(value as unknown[])];
    const at = random.int(items.length + 1);
    if (isDone || items.length === 0) {
      switch (random.int(4)) {
        case 0:
          items.splice(at, 1);
          break;
        case 1:
          items.splice(at, 0, hostileValue(random));
          break;
        case 2:
          items.push(...items.slice(0, 64));
          break;
        default:
          items.splice(at, 1, hostileValue(random));
      }
      return items;
    }
    items[at % items.length] = mutatedValue(random, items[at % items.length]);
    return items;
  }
  if (typeof value === "object" && value !== null && !(value instanceof Uint8Array)) {
    const keys = Object.keys(value);
    const key = keys[random.int(keys.length)];
    if (key === undefined) return hostileValue(random);
    const copy: Record<string, unknown> = { ...value };
    const change = isDone ? random.int(3) : -1;
    if (change === -1) copy[key] = mutatedValue(random, copy[key]);
    else if (change === 0) delete copy[key];
    else copy[change === 1 ? random.pick(strings) : key] = hostileValue(random);
    return copy;
  }
  if (typeof value === "number" && random.oneIn(2)) return value + random.pick([-1, 1, 0.5, 256, 2 ** 32]);
  if (typeof value === "string" && random.oneIn(2)) {
    const at = random.int(value.length + 1);
    return value.slice(0, at) + random.pick(strings) + value.slice(at + random.int(2));
  }
  return hostileValue(random);
}
