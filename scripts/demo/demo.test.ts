/** The demo as a person starts it, with a program in place of the desktop's `xdg-open`. */
import { expect, test } from "bun:test";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TestBrowser } from "../../shared/source/testing-browser.ts";

const limitMs = 180_000;

test.skipIf(process.platform !== "linux")(
  "gives the browser a link that signs in, and stays with --open until Enter",
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "flockcast-demo-test-"));
    try {
      const opened = join(folder, "opened");
      const opener = join(folder, "xdg-open");
      await writeFile(opener, `#!/bin/sh\nprintf %s "$1" > ${opened}\n`);
      await chmod(opener, 0o755);
      await writeFile(join(folder, "package.bin"), new Uint8Array(300_000).fill(7));
      const words = [join(folder, "package.bin"), "--subnets", "1", "--devices", "2", "--open"];
      const child = Bun.spawn([process.execPath, join(import.meta.dir, "..", "start.ts"), ...words], {
        stdin: "pipe",
        stdout: "pipe",
        stderr: "inherit",
        env: { ...process.env, PATH: `${folder}:${process.env["PATH"]}` },
      });
      let shown = "";
      let status = 0;
      const decoder = new TextDecoder();
      for await (const piece of child.stdout) {
        const before = shown;
        shown += decoder.decode(piece, { stream: true });
        const isLast = shown.includes("press Enter") && !before.includes("press Enter");
        if (!isLast) continue;
        const link = new URL(await Bun.file(opened).text());
        const json = { secret: link.hash.split("/").at(-1) };
        const browser = new TestBrowser();
        const answer = await browser.send(`${link.origin}/v1/sign-in/link`, { method: "POST", json });
        status = answer.status;
        child.stdin.write("\n");
        await child.stdin.flush();
      }
      expect(shown).toContain("All 2 devices verified.");
      expect(shown).toContain(await Bun.file(opened).text());
      expect([status, await child.exited]).toEqual([200, 0]);
    } finally {
      await rm(folder, { recursive: true });
    }
  },
  limitMs,
);
