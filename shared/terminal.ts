/**
 * Limits of a stream: colour on a terminal unless `NO_COLOR` forbids it (no-color.org), and
 * lines that replace earlier ones unless the terminal cannot move its cursor.
 */

type Stream = { readonly isTTY?: boolean | undefined };
type Environment = Readonly<Record<string, string | undefined>>;

/** Returns whether lines may replace those shown before. */
export const drawsOn = ({ isTTY }: Stream, environment: Environment = process.env): boolean =>
  isTTY === true && environment["TERM"] !== "dumb";

/** Returns whether text may be coloured. An empty NO_COLOR does not count. */
export const coloursOn = (stream: Stream, environment: Environment = process.env): boolean =>
  drawsOn(stream, environment) && (environment["NO_COLOR"] ?? "") === "";
