/**
 * Structure checks of the gate beyond the linter: order of folders, names of files in texts, code
 * for an operating system and output in one place each, imports of code for browsers, and the
 * width of classes.
 */
import { join } from "node:path";
import { browserProblems } from "./browser.ts";
import { layerProblems } from "./layers.ts";
import { mentionProblems } from "./mentions.ts";
import { outputProblems } from "./output.ts";
import { platformProblems } from "./platform.ts";
import { widthProblems } from "./width.ts";

/** Reads every program and document of the project. Returns path from the root → text. */
export async function readProject(root: string): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  const read = async (name: string): Promise<void> =>
    void files.set(name, await Bun.file(join(root, name)).text());
  const glob = new Bun.Glob("{roles,shared,scripts,tests,docs}/**/*.{ts,tsx,mjs,wat,md}");
  for await (const name of glob.scan({ cwd: root })) await read(name);
  await read("README.md");
  return files;
}

/** Returns one sentence for each problem. @param files path from the project's root → text */
export const structureProblems = (files: ReadonlyMap<string, string>): string[] => [
  ...browserProblems(files),
  ...layerProblems(files),
  ...mentionProblems(files),
  ...platformProblems(files),
  ...outputProblems(files),
  ...widthProblems(files),
];
