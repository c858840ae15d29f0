/**
 * Screen of a machine that was started for an image: lines on standard output about what the agent
 * does, and the code that an administrator approves, in large digits. Progress is shown every few
 * seconds, anything else at once.
 */
import { createHash } from "node:crypto";
import { approvalCodeText } from "../model/approval-code-text.ts";
import { approvalCode } from "../model/approval-code.ts";
import { printLines } from "../standard-output.ts";
import { largeText } from "./large-text.ts";
import { taskLine } from "./status/status-text.ts";
import type { AgentStatus } from "./status/status-server.ts";

const lookEveryMs = 1_000;
const progressEveryMs = 5_000;

/** `kept`: a change of anything else is shown at once. */
type Line = { readonly key: string; readonly text: string; readonly kept: string };

type Shown = { readonly text: string; readonly kept: string; readonly atMs: number };

const line = (key: string, text: string): Line => ({ key, text, kept: text });

/** Returns what the screen has to say, in its order. Pure. */
export function screenLines(status: AgentStatus): Line[] {
  const { lostContact, approval, tasks, multicastProblem } = status;
  if (lostContact !== null)
    return [
      line("source", `the source ${status.source} is not reached (${lostContact.why}): ${lostContact.text}`),
    ];
  const about = multicastProblem === "" ? [] : [line("lan", `multicast does not work: ${multicastProblem}`)];
  if (approval === null) return [line("source", `connects to ${status.source}`), ...about];
  if (approval === "waiting")
    return [line("source", "waits until an administrator approves this machine"), ...about];
  const connected = line("source", `connected to ${status.source}`);
  if (tasks.length === 0)
    return [connected, ...about, line("tasks", "waits for a task that writes an image")];
  return [
    connected,
    ...about,
    ...tasks.map((task) => ({
      key: `task ${task.taskId}`,
      text: taskLine(task),
      kept: taskLine({ ...task, bytesVerified: 0, rateBps: 0 }),
    })),
  ];
}

/** Returns the code of a machine in large digits, with what to do. */
export function codeLines(credential: string): string[] {
  const sha256 = createHash("sha256").update(credential).digest("hex");
  const code = approvalCodeText(approvalCode(sha256));
  return [
    "",
    ...largeText(code),
    "",
    "This machine has no enrolment token. An administrator compares this code and approves it,",
    `in the console, or by: flockcast-source device approve ${code}`,
    "The code is valid for an hour; then the machine gets another one.",
    "",
  ];
}

export class ImagingScreen {
  readonly #status: () => AgentStatus;
  readonly #credential: string | null;
  readonly #print: (lines: readonly string[]) => void;
  readonly #timer: ReturnType<typeof setInterval>;
  #shown = new Map<string, Shown>();
  #showsCode = false;

  /** @param credential of a machine that may wait for an approval; null: it enrolled by a token */
  constructor(
    status: () => AgentStatus,
    credential: string | null,
    print: (lines: readonly string[]) => void = printLines,
  ) {
    this.#status = status;
    this.#credential = credential;
    this.#print = print;
    this.#timer = setInterval(() => this.look(performance.now()), lookEveryMs);
  }

  /** Prints what has changed. */
  look(nowMs: number): void {
    const status = this.#status();
    const isWaiting = status.approval === "waiting";
    if (isWaiting && !this.#showsCode && this.#credential !== null) this.#print(codeLines(this.#credential));
    this.#showsCode = isWaiting;
    const next = new Map<string, Shown>();
    for (const { key, text, kept } of screenLines(status)) {
      const before = this.#shown.get(key);
      const isDue = before === undefined || before.kept !== kept || nowMs - before.atMs >= progressEveryMs;
      if (before?.text === text || !isDue) next.set(key, before!);
      else {
        this.#print([`flockcast: ${text}`]);
        next.set(key, { text, kept, atMs: nowMs });
      }
    }
    this.#shown = next;
  }

  close(): void {
    clearInterval(this.#timer);
    this.look(Infinity);
  }
}
