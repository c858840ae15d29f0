/**
 * Keys of the world's package that a process of the agent knows: those in the ledger when it began,
 * then those that the source sent it. Read from what the device was given, not from the sessions
 * that it joined: a device that does not use its keys is a fault of the program.
 */
import type { AgentTask } from "../api/schema/agent.ts";
import { keysOf, PackageKeyring } from "../device/package-keys.ts";
import { parseTaskRow } from "../device/task-record.ts";
import type { MemoryLedger } from "./ledger.ts";

const textsOf = (keys: readonly Uint8Array[]): string[] => keys.map((key) => key.toBase64());

export class KnownKeys {
  #keys: readonly string[];

  constructor(ledger: MemoryLedger, packageId: string) {
    const kept = new PackageKeyring(ledger).of(packageId);
    const row = parseTaskRow(ledger.tasks()[0]?.state);
    // The row has the only keys until the first check-in, and none after the end of the task.
    this.#keys = textsOf(kept.length > 0 || !row ? kept : keysOf(row.task));
  }

  /** Takes the keys of the source's task. @returns whether they differ from those before */
  take(task: AgentTask): boolean {
    const before = this.#keys;
    this.#keys = textsOf(keysOf(task));
    return before.join() !== this.#keys.join();
  }

  /**
   * Returns whether each process can open frames of the other. The source replaces the task's key
   * only together with those of the package, so these tell about both.
   */
  overlap(other: KnownKeys): boolean {
    return this.#keys.some((key) => other.#keys.includes(key));
  }
}
