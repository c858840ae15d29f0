/**
 * The party for which code of the source runs: the caller of the request, or the source itself.
 * The value follows a request through all asynchronous calls, so that the catalog can name the
 * actor of a change in the transaction of the change.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type { ActorKind } from "../model/audit.ts";

export type Act = {
  /** Name of the token or user, or id of the device; empty for nobody. */
  readonly actor: string;
  readonly kind: ActorKind;
  readonly address: string;
  /** Route of the request. */
  readonly action: string;
};

const acts = new AsyncLocalStorage<Act>();

/** Runs code for the act. */
export const runFor = <T>(act: Act, run: () => T): T => acts.run(act, run);

/** Returns the act of the request that runs; null while the source acts itself. */
export const currentAct = (): Act | null => acts.getStore() ?? null;

/** Returns the name of the person that the request is from; null for others. */
export function currentPerson(): string | null {
  const act = currentAct();
  return act !== null && (act.kind === "token" || act.kind === "session") ? act.actor : null;
}

/** Fields of each line of the log: the person whose request wrote it. */
export function actorFields(): { actor?: string } {
  const actor = currentPerson();
  return actor === null ? {} : { actor };
}
