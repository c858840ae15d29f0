/** Table at the end of the demo and of the lab: cost of the package and right copies, by subnet. */

export type SubnetOutcome = {
  readonly subnet: string;
  readonly representative: string;
  readonly packageBytes: number;
  readonly wanBytes: number;
  readonly lanBytes: number;
  /** Time until the last device was complete; null when one is not. */
  readonly timeMs: number | null;
  readonly devices: number;
  readonly verified: number;
};

/** Upper bound on WAN bytes ÷ package. Design goal of the project: one WAN transfer per subnet. */
export const wanRatioMax = 1.05;

export const wanRatio = ({ wanBytes, packageBytes }: SubnetOutcome): number => wanBytes / packageBytes;

/**
 * Aligns columns: text to the left, numbers to the right. The first row is the head.
 * @param textColumns number of leading columns that hold text
 */
export function alignTable(rows: readonly (readonly string[])[], textColumns = 1): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length);
  }
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) =>
        column < textColumns ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!),
      )
      .join("  ")
      .trimEnd();
  const [head, ...body] = rows;
  return [line(head ?? []), widths.map((width) => "─".repeat(width)).join("  "), ...body.map(line)].join(
    "\n",
  );
}

/** Returns a table with a row per subnet. @param more further columns, with one cell per subnet */
export function outcomeTable(
  outcomes: readonly SubnetOutcome[],
  more: readonly { readonly heading: string; readonly cells: readonly string[] }[] = [],
): string {
  const head = ["subnet", "representative", "WAN ÷ package", "LAN ÷ package", "time", "verified"];
  const rows = outcomes.map((outcome, index) => [
    outcome.subnet,
    outcome.representative,
    wanRatio(outcome).toFixed(3),
    (outcome.lanBytes / outcome.packageBytes).toFixed(3),
    outcome.timeMs === null ? "–" : `${(outcome.timeMs / 1_000).toFixed(1)} s`,
    `${outcome.verified}/${outcome.devices}`,
    ...more.map(({ cells }) => cells[index] ?? ""),
  ]);
  return alignTable([[...head, ...more.map(({ heading }) => heading)], ...rows], 2);
}

/** Returns one sentence per missing copy or exceeded WAN bound; empty on success. */
export function outcomeProblems(outcomes: readonly SubnetOutcome[], ratioMax = wanRatioMax): string[] {
  return outcomes.flatMap((outcome) => [
    ...(outcome.verified === outcome.devices
      ? []
      : [
          `${outcome.subnet}: ${outcome.devices - outcome.verified} of ${outcome.devices} devices have no right copy`,
        ]),
    ...(wanRatio(outcome) <= ratioMax
      ? []
      : [
          `${outcome.subnet}: the WAN carried ${wanRatio(outcome).toFixed(3)} × the package, more than ${ratioMax}`,
        ]),
  ]);
}
