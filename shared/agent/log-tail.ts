/**
 * The last lines of the agent's log, kept in memory for an administrator who asks for them. The
 * logger censors keys and credentials by their names; here they are also removed from texts.
 */
import type { AgentClient } from "../api/agent-client.ts";
import { logBytesMax, logLineLengthMax, logLinesMax } from "../api/schema/device-detail.ts";
import type { Logger } from "../log.ts";

/** Secrets that a text may contain → what is left of them. */
const secrets: readonly (readonly [RegExp, string])[] = [
  // Tokens of people and enrolments.
  [/\bfc_[ep][A-Za-z0-9_-]{8,}(?:\.[0-9a-f]{64})*/g, "fc_…"],
  [/\b(Bearer|Basic) +[A-Za-z0-9+/=._~-]{8,}/gi, "$1 …"],
  // User and password of a URL, then its query, which may be a signature.
  [/(:\/\/)[^\s/@"']+@/g, "$1…@"],
  [/(\bhttps?:\/\/[^\s"'?]+)\?[^\s"']+/g, "$1?…"],
  [/\b(password|passwd|secret|token|credential|api[-_]?key)(["']?\s*[=:]\s*["']?)[^\s"',;&]+/gi, "$1$2…"],
];

/** Returns a line without secrets, at most as long as the source takes. */
export function withoutSecrets(line: string): string {
  const clean = secrets.reduce((text, [pattern, rest]) => text.replaceAll(pattern, rest), line);
  return clean.length <= logLineLengthMax ? clean : `${clean.slice(0, logLineLengthMax - 1)}…`;
}

export class LogTail {
  #lines: string[] = [];
  #length = 0;

  /** Keeps a line as the logger wrote it, and drops the oldest ones above the bounds. */
  readonly add = (line: string): void => {
    const kept = withoutSecrets(line.trimEnd());
    this.#lines.push(kept);
    this.#length += kept.length;
    while (this.#lines.length > logLinesMax || this.#length > logBytesMax)
      this.#length -= this.#lines.shift()!.length;
  };

  /** The oldest line first. */
  get lines(): readonly string[] {
    return this.#lines;
  }
}

/** Answers a request for the log with its last lines, or with the refusal of the own setting. */
export function sendLogTail(
  client: Pick<AgentClient, "log">,
  { log, logTail }: { readonly log: Logger; readonly logTail: LogTail },
  request: string,
  isShared: boolean,
): void {
  log.info({ isShared }, "an operator asks for the end of this log");
  const answer = { request, refused: !isShared, lines: isShared ? [...logTail.lines] : [] };
  client
    .log(answer)
    .catch((error: unknown) => log.warn({ error: String(error) }, "the source did not take the log"));
}
