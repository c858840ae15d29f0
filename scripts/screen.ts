/**
 * Live progress of many devices: redrawn in place on a terminal, one line per change elsewhere (a log, a pipe).
 * It only shows; what it shows is handed in whole each time.
 */

export type DeviceLine = {
  readonly subnet: string;
  readonly device: string;
  readonly state: string;
  readonly role: string;
  /** 0 … 1 */
  readonly share: number;
  /** "multicast 84 %, peers 3 %" */
  readonly from: string;
};

export type Screen = {
  readonly show: (lines: readonly DeviceLine[], footer: string) => void;
  /** A line that stays: printed above the live part. */
  readonly say: (text: string) => void;
  readonly close: () => void;
};

const barWidth = 24;

export const bar = (share: number): string => {
  const full = Math.min(barWidth, Math.max(0, Math.floor(share * barWidth)));
  return "█".repeat(full) + "░".repeat(barWidth - full);
};

const percent = (share: number): string => `${Math.floor(share * 100)} %`.padStart(5);

function draw(lines: readonly DeviceLine[], width: number): string[] {
  const drawn: string[] = [];
  let subnet = "";
  for (const line of lines) {
    if (line.subnet !== subnet) drawn.push(line.subnet);
    subnet = line.subnet;
    const role = line.role === "representative" ? "★" : " ";
    const text = `  ${role} ${line.device.padEnd(8)} ${line.state.padEnd(11)} ${bar(line.share)} ${percent(line.share)}  ${line.from}`;
    drawn.push(text.slice(0, width));
  }
  return drawn;
}

function terminalScreen(out: NodeJS.WriteStream): Screen {
  let height = 0;
  const erase = () => (height > 0 ? `\u001B[${height}A\u001B[J` : "");
  let last: string[] = [];
  return {
    show: (lines, footer) => {
      last = [...draw(lines, (out.columns || 100) - 1), footer.slice(0, (out.columns || 100) - 1)];
      out.write(`${erase()}${last.join("\n")}\n`);
      height = last.length;
    },
    say: (text) => {
      out.write(`${erase()}${text}\n${last.map((line) => `${line}\n`).join("")}`);
      height = last.length;
    },
    close: () => {
      height = 0;
      last = [];
    },
  };
}

/** A line when a device's state or role changes, or its share passes another tenth. */
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
    say: (text) => void out.write(`${text}\n`),
    close: () => undefined,
  };
}

export const openScreen = (out: NodeJS.WriteStream = process.stdout): Screen =>
  out.isTTY ? terminalScreen(out) : plainScreen(out);
