/**
 * Incarnation: the sender name of one process run, and one sequence counter per session.
 *
 * All frame writers of a process share its incarnation. A device that leaves a session and joins it
 * again continues to count, so no nonce is used twice under one key. The 8 bytes of the name must
 * be random. A new incarnation is due before a counter runs out, and when the process may continue
 * from a copy of its past (device/sender-life.ts).
 */
import { identityBytes } from "./identity.ts";
import { limits } from "./limits.ts";

type SequenceCounter = { next: number };

export type Incarnation = {
  /** Sender name: 16 random hex digits. */
  readonly sender: string;
  readonly counterOf: (session: string) => SequenceCounter;
  /** Sessions with their counters. */
  readonly counters: ReadonlyMap<string, SequenceCounter>;
};

export function createIncarnation(sender: string): Incarnation {
  identityBytes(sender);
  const counters = new Map<string, SequenceCounter>();
  const counterOf = (session: string): SequenceCounter => {
    const counter = counters.get(session) ?? { next: 0 };
    counters.set(session, counter);
    return counter;
  };
  return { sender, counterOf, counters };
}

/** Returns the number of sequences that are left. */
export const remainingOf = (counter: SequenceCounter): number => limits.counterMax + 1 - counter.next;

/**
 * Returns the next sequence and counts it as used.
 *
 * @throws Error when no sequence is left, which is a bug: the owner watches `remaining`
 */
export function takeSequence(counter: SequenceCounter): number {
  if (remainingOf(counter) < 1)
    throw new Error("All sequences of this sender are used: start a new incarnation");
  return counter.next++;
}
