/**
 * Live progress of many devices: redrawn in place on a terminal, one line per change in a log or a
 * pipe. The caller passes the whole state each time.
 */

export type DeviceLine = {
  readonly subnet: string;
  readonly device: string;
  readonly state: string;
  readonly role: string;
  /** Verified share of the package, 0 … 1. */
  readonly share: number;
  /** "multicast 84 %, peers 3 %" */
  readonly from: string;
};

export type Screen = {
  readonly show: (lines: readonly DeviceLine[], footer: string) => void;
  /** Prints a line that stays above the live part. */
  readonly print: (text: string) => void;
  readonly close: () => void;
};

const barWidth = 24;

const bar = (share: number): string => {
  const full = Math.min(barWidth, Math.max(0, Math.floor(share * barWidth)));
  return "█".repeat(full) + "░".repeat(barWidth - full);
};

const percent = (share: number): string => `${Math.floor(share * 100)} %`.padStart(5);

const finished = (line: DeviceLine): boolean => line.state === "complete";

/** One line per subnet, for a terminal with too few rows for all devices. */
function drawSubnets(lines: readonly DeviceLine[]): string[] {
  return [...Map.groupBy(lines, ({ subnet }) => subnet)].map(([subnet, devices]) => {
    const share = devices.reduce((sum, device) => sum + device.share, 0) / devices.length;
    const leader = devices.find(({ role }) => role === "representative");
    const facts = `${devices.filter(finished).length} of ${devices.length}${leader ? `, ★ ${leader.device}` : ""}`;
    return `${subnet.padEnd(9)} ${bar(share)} ${percent(share)}  ${facts}`;
  });
}

/**
 * Returns lines that fit into the terminal. The cursor cannot return to lines that were scrolled
 * off the screen, so a drawing with more rows would be appended each time instead of redrawn.
 */
export function drawToFit(
  lines: readonly DeviceLine[],
  footer: string,
  columns: number,
  rows: number,
): string[] {
  const devices = draw(lines);
  const subnets = devices.length + 2 <= rows ? devices : drawSubnets(lines);
  return [...subnets.slice(0, Math.max(1, rows - 2)), footer].map((line) => line.slice(0, columns - 1));
}

function draw(lines: readonly DeviceLine[]): string[] {
  const drawn: string[] = [];
  let subnet = "";
  for (const line of lines) {
    if (line.subnet !== subnet) drawn.push(line.subnet);
    subnet = line.subnet;
    const role = line.role === "representative" ? "★" : " ";
    drawn.push(
      `  ${role} ${line.device.padEnd(8)} ${line.state.padEnd(11)} ${bar(line.share)} ${percent(line.share)}  ${line.from}`,
    );
  }
  return drawn;
}

function terminalScreen(out: NodeJS.WriteStream): Screen {
  let height = 0;
  const erase = () => (height > 0 ? `\u001B[${height}A\u001B[J` : "");
  let last: string[] = [];
  return {
    show: (lines, footer) => {
      last = drawToFit(lines, footer, out.columns || 100, out.rows || 24);
      out.write(`${erase()}${last.join("\n")}\n`);
      height = last.length;
    },
    print: (text) => {
      out.write(`${erase()}${text}\n${last.map((line) => `${line}\n`).join("")}`);
      height = last.length;
    },
    close: () => {
      height = 0;
      last = [];
    },
  };
}

/** Prints a line when a device's state or role changes, or its share passes another tenth. */
function plainScreen(out: NodeJS.WriteStream): Screen {
  const seen = new Map<string, string>();
  return {
    show: (lines) => {
      for (const line of lines) {
        const key = `${line.subnet} ${line.device}`;
        const mark = `${line.state} ${line.role} ${Math.floor(line.share * 10)}`;
        if (seen.get(key) === mark) continue;
        seen.set(key, mark);
        const role = line.role === "none" ? "" : `${line.role}, `;
        out.write(
          `${key}: ${line.state}, ${role}${percent(line.share).trim()}${line.from ? `, ${line.from}` : ""}\n`,
        );
      }
    },
    print: (text) => void out.write(`${text}\n`),
    close: () => undefined,
  };
}

export const openScreen = (out: NodeJS.WriteStream = process.stdout): Screen =>
  out.isTTY ? terminalScreen(out) : plainScreen(out);
