import { expect, test } from "bun:test";
import { join } from "node:path";
import { coloursOn, drawsOn } from "./terminal.ts";

const terminal = { isTTY: true };

test("draws on terminals that move the cursor, and colours unless NO_COLOR has a text", () => {
  const cases = [
    [terminal, { TERM: "xterm" }, true, true],
    [terminal, {}, true, true],
    [terminal, { TERM: "xterm", NO_COLOR: "" }, true, true],
    [terminal, { TERM: "xterm", NO_COLOR: "1" }, true, false],
    [terminal, { TERM: "dumb" }, false, false],
    [{ isTTY: false }, { TERM: "xterm" }, false, false],
    [{}, { TERM: "xterm", FORCE_COLOR: "1" }, false, false],
  ] as const;
  for (const [stream, environment, draws, colours] of cases)
    expect([environment, drawsOn(stream, environment), coloursOn(stream, environment)]).toEqual([
      environment,
      draws,
      colours,
    ]);
});

/** Returns what the log shows on a terminal with these variables. */
async function shownWith(variables: Record<string, string>): Promise<string> {
  const script = `
    import { createLogger } from ${JSON.stringify(join(import.meta.dir, "log.ts"))};
    createLogger("peer", "info").warn("last words");`;
  let shown = "";
  const { NO_COLOR: _no, TERM: _term, ...env } = process.env;
  const child = Bun.spawn([process.execPath, "-e", script], {
    env: { ...env, TERM: "xterm", ...variables },
    terminal: { cols: 200, rows: 50, data: (_, bytes) => void (shown += bytes.toString()) },
  });
  await child.exited;
  for (let tries = 0; !shown.includes("last words") && tries < 200; tries++) await Bun.sleep(25);
  return shown;
}

test.skipIf(process.platform === "win32")(
  "the log on a terminal has no colour with NO_COLOR or TERM=dumb",
  async () => {
    expect(await shownWith({})).toContain("\u001b[");
    for (const variables of [{ NO_COLOR: "1" }, { TERM: "dumb" }] as Record<string, string>[]) {
      const shown = await shownWith(variables);
      expect(shown).toContain("last words");
      expect(shown).not.toContain("\u001b[");
    }
  },
);
