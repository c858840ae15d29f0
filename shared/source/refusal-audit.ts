/**
 * Refused requests in the audit. The first one of an hour for a caller, address and route is a row
 * at once; the others of that hour are counted, and become one row at its end. The rows of an hour
 * are bounded, so that nobody fills the disk.
 */
import type { Logger } from "../log.ts";
import { runFor, type Act } from "./acting.ts";
import type { AuditStore } from "./catalog/index.ts";

const hourMs = 3_600_000;
/** Upper bound on kinds of refusals in an hour that have rows of their own. */
const kindsMax = 100;
const pathLengthMax = 200;

export type RefusedAttempt = Act & { readonly path: string; readonly why: string };
type Counted = { readonly attempt: RefusedAttempt; repeats: number };

export class RefusalAudit {
  readonly #audit: AuditStore;
  readonly #log: Logger;
  readonly #kinds = new Map<string, Counted>();
  #others = 0;
  #endsAtMs = 0;

  constructor(audit: AuditStore, log: Logger) {
    this.#audit = audit;
    this.#log = log;
  }

  note(attempt: RefusedAttempt, nowMs: number): void {
    this.flush(nowMs);
    const { actor, kind, address, action, why } = attempt;
    const key = JSON.stringify([actor, kind, address, action, why]);
    const known = this.#kinds.get(key);
    if (known !== undefined) known.repeats++;
    else if (this.#kinds.size >= kindsMax) this.#others++;
    else {
      this.#kinds.set(key, { attempt, repeats: 0 });
      this.#write(attempt, 1);
    }
  }

  /** Writes the counts of an hour that has ended. @param isLast also those of the current one */
  flush(nowMs: number, isLast = false): void {
    // A clock that is set back ends the hour as well.
    if (!isLast && nowMs < this.#endsAtMs && this.#endsAtMs - nowMs <= hourMs) return;
    for (const { attempt, repeats } of this.#kinds.values())
      if (repeats > 0) this.#write({ ...attempt, path: "" }, repeats);
    const rest = { actor: "", kind: "nobody", address: "", action: "any", path: "", why: "others" } as const;
    if (this.#others > 0) this.#write(rest, this.#others);
    this.#kinds.clear();
    this.#others = 0;
    this.#endsAtMs = nowMs + hourMs;
  }

  #write({ path, why, ...act }: RefusedAttempt, count: number): void {
    const note = { object: path.slice(0, pathLengthMax), result: `refused: ${why}`, count };
    runFor(act, () => this.#audit.note(note)).catch((error: unknown) =>
      this.#log.error({ err: error }, "cannot record a refused request in the audit"),
    );
  }
}
