import { expect, test } from "bun:test";
import { join } from "node:path";

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
