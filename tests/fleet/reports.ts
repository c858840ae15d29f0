/**
 * Book of what the source was told: the last report of each device about each task. A backup keeps
 * a copy, and a restore takes the book back to that copy.
 */
import type { DeviceTaskState, Progress } from "../../shared/api/schema/common.ts";
import { taskName } from "./machine.ts";

type Told = { readonly state: DeviceTaskState; readonly attempt: number };
type Pages = Map<string, Map<string, Told>>;

export class ReportBook {
  #pages: Pages = new Map();
  #backup: Pages = new Map();

  readonly note = (deviceId: string, reports: readonly Progress[]): void => {
    for (const { taskId: id, createdAtMs = 0, state, attempt = 1 } of reports) {
      const page = this.#pages.get(deviceId) ?? new Map<string, Told>();
      this.#pages.set(deviceId, page.set(taskName({ id, createdAtMs }), { state, attempt }));
    }
  };

  enrol(deviceId: string): void {
    if (!this.#pages.has(deviceId)) this.#pages.set(deviceId, new Map());
  }

  /** Whether the source knows the device: a restore forgets what enrolled since the backup. */
  knows(deviceId: string): boolean {
    return this.#pages.has(deviceId);
  }

  of(deviceId: string, task: string): Told | null {
    return this.#pages.get(deviceId)?.get(task) ?? null;
  }

  /** Notes that the administrator repeats a task where it failed. */
  retry(task: string): void {
    for (const page of this.#pages.values()) {
      const told = page.get(task);
      if (told?.state === "failed") page.set(task, { state: "pending", attempt: told.attempt + 1 });
    }
  }

  backUp(): void {
    this.#backup = structuredClone(this.#pages);
  }

  restore(): void {
    this.#pages = structuredClone(this.#backup);
  }
}
