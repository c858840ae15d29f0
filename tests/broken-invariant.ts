/**
 * Breaks an invariant of an agent on purpose, for `broken-invariants.test.ts`: loaded with
 * `--preload`, it makes every step of the core end with a failed assertion.
 */
import { installPatches } from "../scripts/rig/source-patches.ts";

installPatches(
  [
    {
      file: "shared/core/step.ts",
      from: "  assertConsistent(member);\n",
      to: '  assert(false, "an invariant is broken on purpose");\n',
    },
  ],
  "tests/broken-invariant.ts",
);
