/**
 * Wake-on-LAN: MAC addresses, magic packets, the address to which a device broadcasts them, and the
 * limits that each device keeps whatever the source asks for. Pure: time is passed in.
 *
 * A magic packet starts a machine and carries no command. The limits bound what a source in the
 * hands of an attacker gains.
 */
import ipaddr from "ipaddr.js";

/** UDP port of magic packets (discard): network cards compare the content, not the port. */
export const wakePort = 9;
/** Times that a packet is sent: a broadcast may be lost. */
export const wakeRepeats = 3;
export const wakeSpacingMs = 500;
/** Upper bound on the MAC addresses that a device wakes in one minute, and in one request. */
export const wakesPerMinute = 60;
/** Time in which a device wakes the same MAC address once. */
export const sameMacMs = 240_000;
/** Awake devices of a subnet that the source asks. */
export const wakersMax = 2;
/** Attempts of the source to wake a device for one task. */
export const wakeAttemptsMax = 3;
/** Time in which the source asks for a device once. */
export const wakeAgainMs = 300_000;
/** Time after the start in which the source still wakes devices. */
export const wakeUntilMs = 86_400_000;

export const wakeModes = ["allow", "never"] as const;
export type WakeMode = (typeof wakeModes)[number];

/** @throws Error that quotes another word */
export function parseWakeMode(text: string): WakeMode {
  if (text === "allow" || text === "never") return text;
  throw new Error(`"${text}" does not say whether to wake: write allow or never`);
}

/** Why a device did not wake all machines of a request. */
export const wakeRefusals = [
  "setting", // wakeOnLan=never
  "no-network", // no interface, or one whose network has no broadcast address
  "limit", // more than it wakes in a minute, or woken a short time ago
  "not-sent", // the system refused the packet
] as const;
export type WakeRefusal = (typeof wakeRefusals)[number];

/** Why the source asks no device to wake another one. */
export const wakeProblems = [
  "no-waker", // no device of the subnet is awake and may wake others
  "no-address", // the last inventory has no address of a network card, or no subnet
  "forbidden", // wakeOnLan=never
] as const;
export type WakeProblem = (typeof wakeProblems)[number];

const macBytes = 6;
const macPattern = /^[0-9a-f]{2}(?:[:-][0-9a-f]{2}){5}$/i;

/**
 * Returns the six bytes of a MAC address that one network card has; null for another text, for the
 * address of a group, and for one of zeros.
 */
export function unicastMac(text: string): Uint8Array | null {
  if (!macPattern.test(text)) return null;
  const bytes = Uint8Array.from(text.split(/[:-]/), (part) => Number.parseInt(part, 16));
  // The lowest bit of the first byte marks groups, the broadcast address among them.
  const isGroup = (bytes[0]! & 1) === 1;
  return isGroup || bytes.every((byte) => byte === 0) ? null : bytes;
}

/** Returns a MAC address in the form in which addresses are compared; null as `unicastMac`. */
export function canonicalMac(text: string): string | null {
  const bytes = unicastMac(text);
  return bytes && Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(":");
}

const macRepeats = 16;

/**
 * Returns the magic packet of a MAC address: six bytes 0xff, and the address sixteen times.
 * @param mac six bytes
 */
export function magicPacket(mac: Uint8Array): Uint8Array {
  const packet = new Uint8Array(macBytes * (1 + macRepeats)).fill(0xff, 0, macBytes);
  for (let at = macBytes; at < packet.length; at += macBytes) packet.set(mac, at);
  return packet;
}

/** Longest prefix of a network with a broadcast address. */
const broadcastBitsMax = 30;

/** Returns the broadcast address of a network; null if it has none. */
export function broadcastOf(cidr: string): string | null {
  if (!ipaddr.IPv4.isValidCIDR(cidr)) return null;
  const [, bits] = ipaddr.IPv4.parseCIDR(cidr);
  return bits > broadcastBitsMax || bits === 0 ? null : ipaddr.IPv4.broadcastAddressFromCIDR(cidr).toString();
}

const minuteMs = 60_000;

/** Limits of one device: MAC addresses in a minute, and times between two wakes of one address. */
export class WakeLimits {
  /** Last wakes by address, the oldest first. */
  readonly #wokenAtMs = new Map<string, number>();

  /** Returns whether a MAC address may be woken now, and counts it if so. */
  take(mac: string, nowMs: number): boolean {
    for (const [known, atMs] of this.#wokenAtMs) {
      if (nowMs - atMs < sameMacMs) break;
      this.#wokenAtMs.delete(known);
    }
    const recent = [...this.#wokenAtMs.values()].filter((atMs) => nowMs - atMs < minuteMs);
    if (this.#wokenAtMs.has(mac) || recent.length >= wakesPerMinute) return false;
    this.#wokenAtMs.set(mac, nowMs);
    return true;
  }
}
