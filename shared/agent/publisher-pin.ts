/** Keys of publishers that this device trusts: those of the first check-in that names one. */
import type { DistributionCache, Identity } from "../cache/index.ts";
import type { Logger } from "../log.ts";

/**
 * Pins the first publisher's key. A later key is not trusted on the source's word alone.
 * @param keys as the source names them
 * @returns the identity with the pinned keys
 */
export function pinPublisher(
  identity: Identity,
  keys: readonly string[],
  ledger: DistributionCache["ledger"],
  log: Logger,
): Identity {
  const { publisherKeys } = identity;
  if (publisherKeys.length > 0) {
    const unknown = keys.filter((key) => !publisherKeys.includes(key));
    if (unknown.length > 0)
      log.warn({ unknown }, "the source names a publisher's key that was not pinned: it is not trusted");
    return identity;
  }
  if (keys.length === 0) return identity;
  const pinned = { ...identity, publisherKeys: [...keys] };
  try {
    ledger.saveIdentity(pinned);
  } catch (error) {
    // A full disk delays tasks of new packages only; the next check-in pins the key.
    log.error({ error: String(error) }, "the publisher's key was not saved");
    return identity;
  }
  log.info({ keys }, "publisher's key pinned");
  return pinned;
}
