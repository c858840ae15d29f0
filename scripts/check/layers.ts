/**
 * Order of the project's folders. A folder imports only itself and lower ones, types included.
 * Tests and their helpers may import anything.
 */
import { dirname, join, normalize } from "node:path";

/** Folders, the lowest first. An unlisted folder is a problem, so that a new one is placed here. */
const layers = [
  "shared/model",
  "shared/command-line",
  "shared/platform",
  "shared/service",
  "shared/wire",
  "shared/fec",
  "shared/cache",
  "shared/core",
  "shared/net",
  "shared/api",
  "shared/device",
  "shared/source",
  "shared/agent",
  "shared/simulation",
  "roles",
  "scripts/build",
  "scripts/rig",
  "scripts/package",
  "scripts/image",
  "scripts/lab",
  "scripts/imaging-lab",
  "scripts/demo",
  "scripts/chaos",
  "scripts/bench",
  "scripts/fuzz",
  "scripts/simulate",
  "scripts/generate",
  "scripts/release",
  "scripts/check",
  "scripts",
  "tests",
] as const;

/** Folder whose own files any folder may import: log, version and standard output. */
const unlayeredFolder = "shared";

const isTestFile = (path: string): boolean => /(\.test|\/testing(-\w+)?|-fixture)\.ts$/.test(path);

/** Returns a path's folder: "shared/core/peer.ts" → "shared/core", "scripts/lab.ts" → "scripts". */
function layerOf(path: string): string {
  const [top = "", second = "", third] = path.split("/");
  return (top === "shared" || top === "scripts") && third !== undefined ? `${top}/${second}` : top;
}

const importPattern = /(?:from|import)\s*\(?\s*"(\.{1,2}\/[^"]+)"/g;
const rankOf = (layer: string): number => layers.indexOf(layer as (typeof layers)[number]);

/**
 * Returns one sentence for each import of a higher folder.
 * @param files path from the project's root → text
 */
export function layerProblems(files: ReadonlyMap<string, string>): string[] {
  const problems: string[] = [];
  for (const [path, text] of files) {
    if (!/\.tsx?$/.test(path) || isTestFile(path)) continue;
    const from = layerOf(path);
    if (rankOf(from) < 0 && from !== unlayeredFolder) {
      problems.push(`${path}: the folder "${from}" has no place in the order of scripts/check/layers.ts`);
      continue;
    }
    for (const [, specifier] of text.matchAll(importPattern)) {
      const target = normalize(join(dirname(path), specifier!));
      const to = layerOf(target);
      if (to === from || to === unlayeredFolder || target === "package.json") continue;
      if (rankOf(to) < 0 || rankOf(to) > rankOf(from))
        problems.push(`${path} imports ${target}: ${to} is not below ${from}`);
    }
  }
  return problems;
}
