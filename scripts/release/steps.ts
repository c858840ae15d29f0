/**
 * The programs that a release runs, one after the other. A signal ends the one that runs and every
 * later one, so that the release can take its changes back.
 */
import { cleanEnvironment } from "../rig/process.ts";

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export class Steps implements Disposable {
  readonly #root: string;
  #child: Bun.Subprocess | null = null;
  #endedBy: NodeJS.Signals | null = null;
  readonly #end = (signal: NodeJS.Signals): void => {
    this.#endedBy = signal;
    this.#child?.kill(signal);
  };

  /** @param root working folder of the programs */
  constructor(root: string) {
    this.#root = root;
    for (const signal of signals) process.on(signal, this.#end);
  }

  [Symbol.dispose](): void {
    for (const signal of signals) process.off(signal, this.#end);
  }

  /** @throws Error after a signal */
  throwIfEnded(): void {
    if (this.#endedBy !== null) throw new Error(`The release was ended by ${this.#endedBy}`);
  }

  /**
   * Runs a script of the project, and passes its output on.
   * @throws Error when it fails
   */
  async run(
    what: string,
    words: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    this.throwIfEnded();
    const command = [process.execPath, ...words];
    const options = { cwd: this.#root, env: cleanEnvironment(env), stdin: "ignore" } as const;
    this.#child = Bun.spawn(command, { ...options, stdout: "inherit", stderr: "inherit" });
    const status = await this.#child.exited;
    this.throwIfEnded();
    if (status !== 0) throw new Error(`${what} failed with exit status ${status}: see above`);
  }

  /** Runs a program and returns its output. @throws Error when it fails */
  async output(command: readonly string[]): Promise<string> {
    this.throwIfEnded();
    const options = { cwd: this.#root, env: cleanEnvironment(), stdin: "ignore" } as const;
    const child = Bun.spawn([...command], { ...options, stdout: "pipe", stderr: "pipe" });
    this.#child = child;
    const [out, err, status] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ]);
    this.throwIfEnded();
    if (status !== 0) throw new Error(`"${command.join(" ")}" ended with status ${status}: ${err.trim()}`);
    return out;
  }
}
