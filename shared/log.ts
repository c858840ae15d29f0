/**
 * The log of a program: JSON lines on standard error or in a file, or formatted lines when standard
 * error is a terminal. Standard output is reserved for data.
 *
 * Text from outside cannot forge a line or change the terminal: in JSON hidden characters are
 * escapes of JSON, and formatted lines show them as visible escapes.
 *
 * Lines are written synchronously, so the last line before an exit is not lost. pino transports are
 * not used: their worker threads do not start inside a compiled executable.
 */
import pino from "pino";
import pinoPretty from "pino-pretty";
import { LogFile } from "./log-file.ts";
import { coloursOn } from "./terminal.ts";
import { printable, printableJson, printableValue } from "./printable.ts";

const STANDARD_ERROR = 2;

export type Logger = pino.Logger;

export type LogOutput = {
  /** File of the log instead of standard error (log-file.ts); null: none. */
  readonly path?: string | null;
  /** Gets each line of JSON that is written, without the censored texts. */
  readonly onLine?: (line: string) => void;
};

/** Passes a line on, as it will be written. */
const passedTo =
  (onLine: (line: string) => void, write: (line: string) => string) =>
  (line: string): string => {
    const written = write(line);
    onLine(written);
    return written;
  };

/** Returns a line of the log whose texts are formatted for a terminal later. */
function printableRecord(line: string): string {
  try {
    return `${JSON.stringify(printableValue(JSON.parse(line)))}\n`;
  } catch {
    return `${printable(line.trimEnd())}\n`;
  }
}

/**
 * Returns the logger of a program. Tokens, credentials and task keys are censored.
 * @param level `silent`, `error`, `warn`, `info` or `debug`; defaults to the environment variable
 *   FLOCKCAST_LOG. An unknown level, or none, means `info`.
 * @param fields returns further fields of each line
 * @param output where the lines go, other than to standard error
 * @throws Error of the file system when the file cannot be made
 */
export function createLogger(
  name: string,
  level = process.env["FLOCKCAST_LOG"],
  fields: () => object = () => ({}),
  { path = null, onLine = () => {} }: LogOutput = {},
): Logger {
  const known = level !== undefined && (level === "silent" || Object.hasOwn(pino.levels.values, level));
  const isForPeople = path === null && process.stderr.isTTY;
  const options: pino.LoggerOptions = {
    name,
    level: known ? level : "info",
    base: { name },
    mixin: fields,
    timestamp: pino.stdTimeFunctions.isoTime,
    hooks: { streamWrite: passedTo(onLine, isForPeople ? printableRecord : printableJson) },
    formatters: { level: (label) => ({ level: label }) },
    redact: {
      paths: [
        "token",
        "credential",
        "*.token",
        "*.credential",
        "taskKey",
        "*.taskKey",
        "packageKey",
        "*.packageKey",
      ],
      censor: "…",
    },
  };
  const log = isForPeople
    ? pino(
        options,
        pinoPretty({
          colorize: coloursOn(process.stderr),
          sync: true,
          destination: STANDARD_ERROR,
          ignore: "name",
          translateTime: "HH:MM:ss",
        }),
      )
    : pino(options, path === null ? pino.destination({ fd: STANDARD_ERROR, sync: true }) : new LogFile(path));
  if (level !== undefined && !known) {
    log.warn(`FLOCKCAST_LOG is "${level}": write silent, error, warn, info or debug; logging at info`);
  }
  return log;
}
