/**
 * The enrolment token of the command line, a file or the environment. A file is the documented way:
 * every user of the machine can read the words of a process.
 */
import { resolve } from "node:path";
import type { Logger } from "../log.ts";
import { AccessError, readPrivateFile } from "../platform/private-files.ts";

/** Path that stands for the standard input. */
const standardInput = "-";

type TokenOptions = {
  /** `--enroll` */
  readonly enroll?: string | undefined;
  /** `--enroll-file` */
  readonly enrollFile?: string | undefined;
};

/** Null with the reason, for a person who has to enrol the device. */
export type EnrolmentToken =
  { readonly text: string } | { readonly text: null; readonly problem: string | null };

/**
 * Returns the token. A file that is missing or refused only counts for a device that has to enrol:
 * the token is needed once, and a configured file may be gone since.
 */
export async function readEnrolmentToken(
  { enroll, enrollFile }: TokenOptions,
  log: Pick<Logger, "warn">,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Promise<EnrolmentToken> {
  if (enroll !== undefined) {
    log.warn("--enroll shows the token to every user of this machine: use --enroll-file FILE instead");
    return { text: enroll };
  }
  const file = enrollFile ?? environment["FLOCKCAST_ENROLL_FILE"];
  if (!file) return { text: null, problem: null };
  try {
    const isInput = file === standardInput;
    const text = isInput ? await Bun.stdin.text() : await readPrivateFile(resolve(file), "enrolment token");
    if (text.trim() !== "") return { text: text.trim() };
    return { text: null, problem: `${isInput ? "the standard input" : `"${file}"`} is empty` };
  } catch (error) {
    if (error instanceof AccessError) log.warn({ file }, error.message);
    const problem = error instanceof Error ? error.message : String(error);
    return { text: null, problem: `the file of the enrolment token cannot be used: ${problem}` };
  }
}
