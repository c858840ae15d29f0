/**
 * Detects a credential that two agents use, because a `ledger.db` was copied. Each start of an
 * agent has a random instance number. A restart replaces the number for good; two agents alternate.
 *
 * Kept in memory: after a restart of the source, three check-ins detect it again.
 */

/** Upper bound on devices that are remembered; the one that was quiet longest is dropped. */
const devicesMax = 1_000_000;

type Use = { readonly instance: string; readonly address: string };
type Known = { current: Use; previous: Use | null };

export class DuplicateWatch {
  readonly #known = new Map<string, Known>();

  /**
   * Notes a check-in.
   *
   * @param use instance number of the agent, and its LAN address
   * @returns the addresses of both agents, when an instance returned after another one
   */
  note(deviceId: string, use: Use): readonly [string, string] | null {
    const known = this.#known.get(deviceId) ?? { current: use, previous: null };
    this.#known.delete(deviceId);
    this.#known.set(deviceId, known);
    if (this.#known.size > devicesMax) this.#known.delete(this.#known.keys().next().value!);
    const { current, previous } = known;
    known.current = use;
    if (current.instance === use.instance) return null;
    known.previous = current;
    if (previous?.instance !== use.instance) return null;
    return [current.address, use.address];
  }
}
