/**
 * A sender's name for one life of a process, and the sequences it has used: one counter per session.
 *
 * All frame senders of a process share its incarnation, so that leaving a session and joining it again goes on
 * counting: a nonce under one key can then not come twice. The 8 bytes must be random at each process start, and a
 * new incarnation is due before a counter runs out.
 */
import { identityBytes } from "./identity.ts";
import { limits } from "./limits.ts";

type SequenceCounter = { next: number };

export type Incarnation = {
  /** 16 hex digits, random. */
  readonly sender: string;
  readonly counterOf: (session: string) => SequenceCounter;
};

export function createIncarnation(sender: string): Incarnation {
  identityBytes(sender);
  const counters = new Map<string, SequenceCounter>();
  const counterOf = (session: string): SequenceCounter => {
    const counter = counters.get(session) ?? { next: 0 };
    counters.set(session, counter);
    return counter;
  };
  return { sender, counterOf };
}

export const remainingOf = (counter: SequenceCounter): number => limits.counterMax + 1 - counter.next;

/** The next sequence, once. Running out is a bug: the owner watches `remaining` and changes the incarnation. */
export function takeSequence(counter: SequenceCounter): number {
  if (remainingOf(counter) < 1)
    throw new Error("All sequences of this sender are used: begin a new incarnation");
  return counter.next++;
}
