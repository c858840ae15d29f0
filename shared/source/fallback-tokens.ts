/**
 * Tokens for WAN fallback: the right of a device to download on its own although another device
 * leads its subnet.
 *
 * Devices of a subnet share its WAN link. One download at a time is as fast for the last device,
 * and the next device may find a copy on the LAN. A device has one token at most, whatever subnets
 * and packages it names. While another device of the subnet waits, a token lasts one turn.
 *
 * The tokens are kept in memory: after a restart of the source, devices ask again, and a subnet may
 * have two tokens for a minute.
 */
/** Lifetime of a token. A device renews it while its download runs. */
export const fallbackTokenMs = 60_000;
/** Upper bound on tokens of one source. Its WAN link serves representatives first. */
export const fallbackTokensMax = 16;
/** Time after which a token is not renewed, if another device of the subnet asked for it. */
export const fallbackTurnMs = 120_000;
/** Delay after which a refused device asks again. */
const retryAfterMs = 10_000;
/** Time after a turn in which the other devices of the subnet ask again. */
const turnOverMs = 2 * retryAfterMs;

type Wanted = {
  readonly packageId: string;
  /** Name of the devices that share the token (`DeviceRecord.share`). */
  readonly share: string;
  readonly deviceId: string;
};
type Token = Wanted & {
  readonly fromMs: number;
  untilMs: number;
  /** Useless bytes that the device stated last. */
  statedBytes: number;
  /** Whether another device of the share asked for it. */
  isWanted: boolean;
};
type FallbackTokenAnswer =
  { readonly result: "granted"; expiresInMs: number } | { readonly result: "refused"; retryAfterMs: number };

export class FallbackTokens {
  #tokens: Token[] = [];
  /** Devices whose turn is over, and the time until which others go first. */
  readonly #over = new Map<string, number>();

  /** Grants a token, or extends the one of this device. */
  ask(wanted: Wanted, nowMs: number, statedBytes = 0): FallbackTokenAnswer {
    this.#expire(nowMs);
    // A device is on one subnet at a time.
    this.#tokens = this.#tokens.filter(
      ({ deviceId, share }) => deviceId !== wanted.deviceId || share === wanted.share,
    );
    const own = this.#tokens.find(({ deviceId }) => deviceId === wanted.deviceId);
    if (own) return own.packageId === wanted.packageId ? this.#extend(own, nowMs) : refused;
    const ofShare = this.#tokens.find(({ share }) => share === wanted.share);
    if (ofShare) ofShare.isWanted = true;
    if (ofShare || this.#over.has(wanted.deviceId) || this.#tokens.length >= fallbackTokensMax)
      return refused;
    const untilMs = nowMs + fallbackTokenMs;
    this.#tokens.push({ ...wanted, fromMs: nowMs, untilMs, statedBytes, isWanted: false });
    return { result: "granted", expiresInMs: fallbackTokenMs };
  }

  #extend(own: Token, nowMs: number): FallbackTokenAnswer {
    if (own.isWanted && nowMs >= own.fromMs + fallbackTurnMs) {
      this.giveUp(own.deviceId);
      this.#over.set(own.deviceId, nowMs + turnOverMs);
      return refused;
    }
    own.untilMs = nowMs + fallbackTokenMs;
    return { result: "granted", expiresInMs: fallbackTokenMs };
  }

  #expire(nowMs: number): void {
    // A token that expires more than one lifetime from now was issued before the clock was set
    // back: treat it as expired.
    const isAhead = (untilMs: number): boolean => untilMs > nowMs && untilMs <= nowMs + fallbackTokenMs;
    this.#tokens = this.#tokens.filter(({ untilMs }) => isAhead(untilMs));
    for (const [deviceId, untilMs] of this.#over) if (!isAhead(untilMs)) this.#over.delete(deviceId);
  }

  /** Whether the device has a token for the package. */
  isHeldBy(deviceId: string, packageId: string, nowMs: number): boolean {
    this.#expire(nowMs);
    return this.#tokens.some((one) => one.deviceId === deviceId && one.packageId === packageId);
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

  /** Takes the token of a device back that has left its subnet. */
  giveUp(deviceId: string): void {
    this.#tokens = this.#tokens.filter((one) => one.deviceId !== deviceId);
  }
}

const refused = { result: "refused", retryAfterMs } as const;

const isSameToken = (a: Wanted, b: Wanted): boolean =>
  a.deviceId === b.deviceId && a.packageId === b.packageId && a.share === b.share;
