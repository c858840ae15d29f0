import { describe, expect, test } from "bun:test";
import { layerProblems } from "./layers.ts";
import { mentionProblems } from "./mentions.ts";
import { outputProblems } from "./output.ts";
import { platformProblems } from "./platform.ts";

const project = (files: Record<string, string>) => new Map(Object.entries(files));

describe("the order of folders", () => {
  test("reports an import of a higher folder, of types too, and accepts one of a lower folder", () => {
    const files = project({
      "shared/core/peer.ts": `import type { Lan } from "../net/lan/lan-bus.ts";\nimport { x } from "../wire/index.ts";`,
      "shared/net/lan/lan-bus.ts": `import { step } from "../../core/step.ts";`,
      "scripts/lab.ts": `await import("./lab/world.ts"); import { version } from "../shared/version.ts";`,
    });
    expect(layerProblems(files)).toEqual([
      "shared/core/peer.ts imports shared/net/lan/lan-bus.ts: shared/net is not below shared/core",
    ]);
  });

  test("reports a folder without a place, and ignores tests", () => {
    const files = project({
      "shared/utils/x.ts": "",
      "shared/core/peer.test.ts": `import "../agent/agent.ts";`,
    });
    expect(layerProblems(files)).toEqual([expect.stringContaining('"shared/utils" has no place')]);
  });
});

test("reports a missing file named in a comment or document, and ignores code and strings", () => {
  const files = project({
    "shared/core/peer.ts": `/** See gone.ts and peer.ts. */\nconst file = "elsewhere.ts"; // core/peer.ts`,
    "docs/A.md": "`shared/core/peer.ts`, `core/old.ts`",
  });
  expect(mentionProblems(files)).toEqual([
    'shared/core/peer.ts names "gone.ts", which is not a file of the project',
    'docs/A.md names "core/old.ts", which is not a file of the project',
  ]);
});

test("reports a file outside shared/platform that reads the operating system", () => {
  const files = project({
    "shared/net/a.ts": "if (process.platform === 'win32') {}",
    "shared/platform/index.ts": "process.platform",
    "scripts/b.ts": "process.platform",
  });
  expect(platformProblems(files)).toEqual([expect.stringContaining("shared/net/a.ts reads")]);
});

test("reports a file of the product that blocks until a process ends", () => {
  const files = project({
    "shared/platform/windows.ts": 'Bun.spawnSync(["powershell"])',
    "shared/net/a.ts": 'execFileSync("arp")',
    "shared/net/a.test.ts": 'Bun.spawnSync(["mount"])',
    "scripts/b.ts": 'Bun.spawnSync(["mount"])',
  });
  expect(platformProblems(files)).toEqual([
    expect.stringContaining("shared/platform/windows.ts blocks"),
    expect.stringContaining("shared/net/a.ts blocks"),
  ]);
});

test("reports a file of the product that writes to the terminal without escapes", () => {
  const files = project({
    "shared/standard-output.ts": "process.stdout.write(text);",
    "shared/source/a.ts": "process.stderr.write(`${device.hostname}\\n`);",
    "shared/agent/b.ts": "console.error(error.message);",
    "shared/agent/b.test.ts": "console.log(1);",
    "shared/net/c.ts": "/**\n * console.log(world.log)\n */",
    "roles/peer.ts": "await Bun.stdout.writer().write(text);",
    "scripts/d.ts": "console.log(1);",
  });
  expect(outputProblems(files)).toEqual([
    expect.stringContaining("shared/source/a.ts writes"),
    expect.stringContaining("shared/agent/b.ts writes"),
    expect.stringContaining("roles/peer.ts writes"),
  ]);
});
