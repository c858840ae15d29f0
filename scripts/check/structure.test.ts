import { describe, expect, test } from "bun:test";
import { layerProblems } from "./layers.ts";
import { mentionProblems } from "./mentions.ts";
import { platformProblems } from "./platform.ts";

const project = (files: Record<string, string>) => new Map(Object.entries(files));

describe("the order of folders", () => {
  test("refuses an import of a folder above, of types too, and takes one of a folder below", () => {
    const files = project({
      "shared/core/peer.ts": `import type { Lan } from "../net/lan/lan-bus.ts";\nimport { x } from "../wire/index.ts";`,
      "shared/net/lan/lan-bus.ts": `import { step } from "../../core/step.ts";`,
      "scripts/lab.ts": `await import("./lab/world.ts"); import { version } from "../shared/version.ts";`,
    });
    expect(layerProblems(files)).toEqual([
      "shared/core/peer.ts imports shared/net/lan/lan-bus.ts: shared/net is not below shared/core",
    ]);
  });

  test("refuses a folder without a place, and leaves tests alone", () => {
    const files = project({
      "shared/utils/x.ts": "",
      "shared/core/peer.test.ts": `import "../agent/agent.ts";`,
    });
    expect(layerProblems(files)).toEqual([expect.stringContaining('"shared/utils" has no place')]);
  });
});

test("a comment or document that names a file which does not exist is found; code and strings are not", () => {
  const files = project({
    "shared/core/peer.ts": `/** See gone.ts and peer.ts. */\nconst file = "elsewhere.ts"; // core/peer.ts`,
    "docs/A.md": "`shared/core/peer.ts`, `core/old.ts`",
  });
  expect(mentionProblems(files)).toEqual([
    'shared/core/peer.ts names "gone.ts", which is not a file of the project',
    'docs/A.md names "core/old.ts", which is not a file of the project',
  ]);
});

test("a question for the operating system outside shared/platform is found", () => {
  const files = project({
    "shared/net/a.ts": "if (process.platform === 'win32') {}",
    "shared/platform/index.ts": "process.platform",
    "scripts/b.ts": "process.platform",
  });
  expect(platformProblems(files)).toEqual([expect.stringContaining("shared/net/a.ts asks")]);
});
