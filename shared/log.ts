/**
 * The log of a program: JSON lines on standard error, readable lines when a person looks at a terminal.
 * Standard output stays free for data. Written synchronously, so that the last line before an exit is not lost.
 * No pino transport: worker threads do not start inside a compiled executable.
 */
import pino from "pino";
import pinoPretty from "pino-pretty";

const STANDARD_ERROR = 2;

export type Logger = pino.Logger;

/** @param level `silent`, `error`, `warn`, `info` or `debug`; default: the environment's FLOCKCAST_LOG, else `info`. */
export function createLogger(name: string, level = process.env["FLOCKCAST_LOG"]): Logger {
  const known = level !== undefined && (level === "silent" || Object.hasOwn(pino.levels.values, level));
  const options: pino.LoggerOptions = {
    name,
    level: known ? level : "info",
    base: { name },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: {
      paths: ["token", "credential", "*.token", "*.credential", "taskKey", "*.taskKey"],
      censor: "…",
    },
  };
  const log = process.stderr.isTTY
    ? pino(
        options,
        pinoPretty({
          colorize: true,
          sync: true,
          destination: STANDARD_ERROR,
          ignore: "name",
          translateTime: "HH:MM:ss",
        }),
      )
    : pino(options, pino.destination({ fd: STANDARD_ERROR, sync: true }));
  if (level !== undefined && !known) {
    log.warn({ level }, "FLOCKCAST_LOG is none of silent, error, warn, info, debug: logging at info");
  }
  return log;
}
