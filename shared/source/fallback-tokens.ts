/**
 * Tokens for WAN fallback: the right of a device to download on its own although another device
 * leads its subnet.
 *
 * Devices of a subnet share its WAN link. One download at a time is as fast for the last device,
 * and the next device may find a copy on the LAN. The tokens are kept in memory: after a restart of
 * the source, devices ask again, and a subnet may have two tokens for a minute.
 */
/** Lifetime of a token. A device renews it while its download runs. */
export const fallbackTokenMs = 60_000;
const fallbackPerSubnetMax = 1;
/** Upper bound on tokens of one source. Its WAN link serves representatives first. */
export const fallbackTokensMax = 16;
/** Delay after which a refused device asks again. */
const retryAfterMs = 10_000;

type Token = {
  readonly packageId: string;
  readonly subnetId: string;
  readonly deviceId: string;
  untilMs: number;
  /** Useless bytes that the device stated last. */
  statedBytes: number;
};
type Wanted = Omit<Token, "untilMs" | "statedBytes">;
type FallbackTokenAnswer =
  { readonly result: "granted"; expiresInMs: number } | { readonly result: "refused"; retryAfterMs: number };

export class FallbackTokens {
  #tokens: Token[] = [];

  /** Grants a token, or extends the one of this device. */
  ask(wanted: Wanted, nowMs: number, statedBytes = 0): FallbackTokenAnswer {
    // A token that expires more than one lifetime from now was issued before the clock was set
    // back: treat it as expired.
    const isAhead = (untilMs: number): boolean => untilMs > nowMs && untilMs <= nowMs + fallbackTokenMs;
    this.#tokens = this.#tokens.filter(({ untilMs }) => isAhead(untilMs));
    const own = this.#tokens.find((token) => isSameToken(token, wanted));
    if (own) own.untilMs = nowMs + fallbackTokenMs;
    else {
      const ofSubnet = this.#tokens.filter(({ subnetId }) => subnetId === wanted.subnetId).length;
      if (ofSubnet >= fallbackPerSubnetMax || this.#tokens.length >= fallbackTokensMax)
        return { result: "refused", retryAfterMs };
      this.#tokens.push({ ...wanted, untilMs: nowMs + fallbackTokenMs, statedBytes });
    }
    return { result: "granted", expiresInMs: fallbackTokenMs };
  }

  /** Returns the useless bytes that the token's device spent since it stated them last. */
  spend(token: Wanted, statedBytes: number): number {
    const own = this.#tokens.find((one) => isSameToken(one, token));
    if (!own) return 0;
    const spentBytes = Math.max(0, statedBytes - own.statedBytes);
    own.statedBytes = statedBytes;
    return spentBytes;
  }

  /** Takes a token back, so that another device can have one. */
  giveBack(token: Wanted): void {
    this.#tokens = this.#tokens.filter((one) => !isSameToken(one, token));
  }
}

const isSameToken = (a: Wanted, b: Wanted): boolean =>
  a.deviceId === b.deviceId && a.packageId === b.packageId && a.subnetId === b.subnetId;
