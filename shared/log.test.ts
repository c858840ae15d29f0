import { expect, test } from "bun:test";
import { join } from "node:path";
import { printable } from "./printable.ts";

test("writes JSON lines to standard error with secrets censored, including the last line before an exit", async () => {
  const script = `
    import { createLogger } from ${JSON.stringify(join(import.meta.dir, "log.ts"))};
    const log = createLogger("peer", "info");
    log.debug("not shown");
    log.warn({ credential: "secret", device: "d1" }, "last words");
    process.exit(3);`;
  const child = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe", stderr: "pipe" });
  const [out, error] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  expect([await child.exited, out]).toEqual([3, ""]);
  expect(JSON.parse(error)).toMatchObject({
    level: "warn",
    name: "peer",
    msg: "last words",
    device: "d1",
    credential: "…",
  });
});

/** Logs text from outside on a terminal or a pipe; returns what standard error received. */
async function logged(place: "terminal" | "pipe"): Promise<string> {
  const script = `
    import { createLogger } from ${JSON.stringify(join(import.meta.dir, "log.ts"))};
    const log = createLogger("peer", "info");
    const hostname = "pc\\u001b]52;c;x\\u0007\\u009b31m\\u202e\\n[12:00:00] INFO: forged";
    log.warn({ hostname, err: new Error(hostname) }, "failed: " + hostname);`;
  let shown = "";
  const child =
    place === "terminal"
      ? Bun.spawn([process.execPath, "-e", script], {
          terminal: { cols: 500, rows: 50, data: (_, bytes) => void (shown += bytes.toString()) },
        })
      : Bun.spawn([process.execPath, "-e", script], { stdout: "ignore", stderr: "pipe" });
  if (place === "pipe") shown = await new Response(child.stderr as ReadableStream).text();
  expect(await child.exited).toBe(0);
  for (let tries = 0; !shown.includes("stack") && tries < 200; tries++) await Bun.sleep(25);
  return shown;
}

test("keeps a line of JSON one valid line without hidden characters", async () => {
  const text = await logged("pipe");
  expect(text).toMatch(/^[^\n\p{C}]+\n$/u);
  expect(JSON.parse(text)).toMatchObject({
    hostname: "pc\u001b]52;c;x\u0007\u009b31m\u202e\n[12:00:00] INFO: forged",
  });
});

test.skipIf(process.platform === "win32")("shows hidden characters on a terminal as escapes", async () => {
  const text = await logged("terminal");
  const escaped = String.raw`pc\x1b]52;c;x\x07\x9b31m\u202e\x0a[12:00:00] INFO: forged`;
  expect(text).toContain(`failed: ${escaped}`);
  const lines = Bun.stripANSI(text).trimEnd().split(/\r?\n/);
  expect(lines.map(printable)).toEqual(lines);
  // Only a stack has several lines; each one is indented.
  expect(lines.filter((line) => line.startsWith("[12:00:00]"))).toEqual([]);
});
