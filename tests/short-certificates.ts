/**
 * Makes the source's own certificates end within seconds, for `own-certificate.test.ts`: loaded
 * with `--preload`.
 */
import { installPatches } from "../scripts/rig/source-patches.ts";

const file = "shared/source/own-certificate.ts";

installPatches(
  [
    { file, from: "const lifeMs = 365 * dayMs;", to: "const lifeMs = 6_000;" },
    { file, from: "const checkMs = 3_600_000;", to: "const checkMs = 250;" },
  ],
  "tests/short-certificates.ts",
);
