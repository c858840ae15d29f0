/**
 * A process of the agent under a supervisor: its start, the way to ask it to stop, and the last
 * line of its error output. The output goes where that of the supervisor goes.
 */
import { writeSync } from "node:fs";
import { lastLineOf } from "../../device/command-outcome.ts";
import { platform } from "../../platform/index.ts";
import { stopMessage, supervisedVariable, type SupervisedAs } from "./supervised.ts";

const standardError = 2;
/** Characters of the error output that are kept for its last line. */
const tailCharacters = 4_096;
/** Time in which an agent stops that was asked to: more than it gives itself. */
const stopMsMax = 10_000;
const signalStatus = 128;
/** Numbers of the signals that end programs. */
const signals: Readonly<Record<string, number>> = { SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGTERM: 15 };

export type SupervisedEnd = { readonly status: number; readonly lastLine: string };

export class SupervisedProcess {
  readonly ended: Promise<SupervisedEnd>;
  readonly #child: Bun.Subprocess;
  readonly #kill: () => void;

  /** @throws Error when the executable does not start */
  constructor(executable: string, words: readonly string[], as: SupervisedAs) {
    const isTrial = as === "trial";
    this.#child = Bun.spawn([executable, ...words], {
      env: { ...process.env, [supervisedVariable]: as },
      stdin: "inherit",
      stdout: "inherit",
      stderr: isTrial ? "pipe" : "inherit",
      // The tree of a new version can be killed with its group, whatever it has started.
      detached: platform.hasProcessGroups,
      ipc: () => {},
      serialization: "json",
    });
    const tree = platform.processTree(this.#child.pid);
    this.#kill = () => tree.signal("SIGKILL");
    this.ended = this.#untilEnd().finally(() => tree.close());
  }

  /** Asks the agent to stop; kills it when it does not. */
  stop(): void {
    try {
      this.#child.send(stopMessage);
    } catch {
      // The process has closed the channel, or is about to end.
    }
    const timer = setTimeout(() => this.kill(), stopMsMax);
    void this.ended.finally(() => clearTimeout(timer));
  }

  /** Ends the process and its children. */
  kill(): void {
    this.#kill();
    this.#child.kill("SIGKILL");
  }

  async #untilEnd(): Promise<SupervisedEnd> {
    const { stderr, exited } = this.#child;
    const reading = stderr instanceof ReadableStream ? passOn(stderr) : Promise.resolve("");
    const status = await exited;
    // A child of the process may keep the pipe open.
    const tail = await Promise.race([reading, Bun.sleep(1_000).then(() => "")]);
    const { exitCode, signalCode } = this.#child;
    return {
      status: exitCode ?? (signalCode === null ? status : signalStatus + (signals[signalCode] ?? 0)),
      lastLine: lastLineOf(tail),
    };
  }
}

/** Writes the stream to the standard error. @returns its end */
async function passOn(stream: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let tail = "";
  for await (const piece of stream) {
    tail = (tail + decoder.decode(piece, { stream: true })).slice(-tailCharacters);
    try {
      writeSync(standardError, piece);
    } catch {
      // Nobody reads the output of the supervisor.
    }
  }
  return tail;
}
