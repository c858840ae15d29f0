/**
 * Who may download for itself although another device leads its subnet: the last resort, staggered by tokens. Kept in
 * memory: after a restart of the source devices ask again, and a subnet may have two for a minute.
 *
 * Devices of one subnet share its WAN link: one at a time is as fast for the last of them, and the next one may find
 * the first one's copy.
 */
export const fallbackTokenMs = 60_000;
const fallbackPerSubnetMax = 1;
/** At one source at a time, whatever falls apart: its line serves representatives first. */
export const fallbackTokensMax = 16;
const retryAfterMs = 10_000;

type Token = {
  readonly packageId: string;
  readonly subnetId: string;
  readonly deviceId: string;
  untilMs: number;
};
type FallbackTokenAnswer =
  { readonly result: "granted"; expiresInMs: number } | { readonly result: "refused"; retryAfterMs: number };

export class FallbackTokens {
  #tokens: Token[] = [];

  /** Grants a token, or keeps the one that this device has. */
  ask(wanted: Omit<Token, "untilMs">, nowMs: number): FallbackTokenAnswer {
    // One that ends later than it could from now on is over too: the clock was set back.
    const isAhead = (untilMs: number): boolean => untilMs > nowMs && untilMs <= nowMs + fallbackTokenMs;
    this.#tokens = this.#tokens.filter(({ untilMs }) => isAhead(untilMs));
    const own = this.#tokens.find((token) => isSameToken(token, wanted));
    if (own) own.untilMs = nowMs + fallbackTokenMs;
    else {
      const ofSubnet = this.#tokens.filter(({ subnetId }) => subnetId === wanted.subnetId).length;
      if (ofSubnet >= fallbackPerSubnetMax || this.#tokens.length >= fallbackTokensMax)
        return { result: "refused", retryAfterMs };
      this.#tokens.push({ ...wanted, untilMs: nowMs + fallbackTokenMs });
    }
    return { result: "granted", expiresInMs: fallbackTokenMs };
  }

  giveBack(token: Omit<Token, "untilMs">): void {
    this.#tokens = this.#tokens.filter((one) => !isSameToken(one, token));
  }
}

const isSameToken = (a: Omit<Token, "untilMs">, b: Omit<Token, "untilMs">): boolean =>
  a.deviceId === b.deviceId && a.packageId === b.packageId && a.subnetId === b.subnetId;
