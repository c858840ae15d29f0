/**
 * Open files of one package: at most a few at a time. An exclusive action waits for all uses of the
 * files and closes them, because Windows cannot move a folder with open files.
 */
import { asCacheError } from "./cache-error.ts";
import type { OpenFile } from "./files.ts";

/** Upper bound on files kept open; files in use may exceed it. */
const handlesMax = 64;

/** A handle that `isRetired` is no longer listed, and closed by its last user. */
type Handle = { readonly opened: Promise<OpenFile>; users: number; isRetired: boolean };
type PoolOptions = {
  readonly open: (index: number) => Promise<OpenFile>;
  /** Path of a file, for error messages. */
  readonly pathOf: (index: number) => string;
};

export class FilePool {
  readonly #options: PoolOptions;
  /** Open files by index, least recently used first. */
  readonly #handles = new Map<number, Handle>();
  #users = 0;
  #whenIdle: (() => void) | null = null;
  /** Settles when no exclusive action is waiting or running. */
  #gate: Promise<void> = Promise.resolve();

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /** @param doing for the error message: "Cannot DOING "PATH"" */
  async use<T>(index: number, doing: string, action: (file: OpenFile) => Promise<T>): Promise<T> {
    // Another exclusive action may have begun before this continuation ran.
    for (let gate = this.#gate; ; gate = this.#gate) {
      await gate;
      if (gate === this.#gate) break;
    }
    this.#users++;
    const entry = this.#handleOf(index);
    entry.users++;
    try {
      return await action(await entry.opened);
    } catch (error) {
      throw asCacheError(error, doing, this.#options.pathOf(index));
    } finally {
      entry.users--;
      if (entry.isRetired && entry.users === 0)
        await entry.opened.then((opened) => opened.close()).catch(() => {});
      await this.#closeSurplus();
      this.#users--;
      if (this.#users === 0) {
        this.#whenIdle?.();
        this.#whenIdle = null;
      }
    }
  }

  /**
   * Retires the handle of a file that another program removed or replaced, so that the next use
   * opens the path again. Returns whether there was one.
   */
  async retireUnnamed(index: number): Promise<boolean> {
    const handle = this.#handles.get(index);
    if (handle === undefined) return false;
    const file = await handle.opened.catch(() => null);
    if (file === null || this.#handles.get(index) !== handle || file.state() !== null) return false;
    this.#handles.delete(index);
    handle.isRetired = true;
    if (handle.users === 0) await file.close();
    return true;
  }

  /** Waits for all uses to end, closes all files and runs the action alone. */
  async exclusively(action: () => Promise<void>): Promise<void> {
    const before = this.#gate;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#gate = before.then(() => promise);
    await before;
    try {
      if (this.#users > 0) await new Promise<void>((idle) => (this.#whenIdle = idle));
      // Not listed while they are closed: `retireUnnamed` does not wait for this action.
      const handles = [...this.#handles.values()];
      this.#handles.clear();
      for (const { opened } of handles) await (await opened).close();
      await action();
    } finally {
      resolve();
    }
  }

  #handleOf(index: number): Handle {
    let entry = this.#handles.get(index);
    if (entry) this.#handles.delete(index);
    else {
      const opened = this.#options.open(index);
      const made: Handle = { opened, users: 0, isRetired: false };
      opened.catch(() => {
        if (this.#handles.get(index) === made) this.#handles.delete(index);
      });
      entry = made;
    }
    this.#handles.set(index, entry);
    return entry;
  }

  async #closeSurplus(): Promise<void> {
    if (this.#handles.size <= handlesMax) return;
    for (const [index, entry] of this.#handles) {
      if (entry.users > 0) continue;
      this.#handles.delete(index);
      await entry.opened.then((file) => file.close()).catch(() => {});
      if (this.#handles.size <= handlesMax) return;
    }
  }
}
