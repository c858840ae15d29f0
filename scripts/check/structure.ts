/** What the gate requires of the project's structure beyond the linter: order of folders, names of files, one place per system. */
import { join } from "node:path";
import { layerProblems } from "./layers.ts";
import { mentionProblems } from "./mentions.ts";
import { platformProblems } from "./platform.ts";

/** Every program and document of the project, by its path from the root. */
export async function readProject(root: string): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  const read = async (name: string): Promise<void> =>
    void files.set(name, await Bun.file(join(root, name)).text());
  const glob = new Bun.Glob("{roles,shared,scripts,tests,docs}/**/*.{ts,mjs,wat,md}");
  for await (const name of glob.scan({ cwd: root })) await read(name);
  await read("README.md");
  return files;
}

export const structureProblems = (files: ReadonlyMap<string, string>): string[] => [
  ...layerProblems(files),
  ...mentionProblems(files),
  ...platformProblems(files),
];
