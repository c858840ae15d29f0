/**
 * Changes lines of the project's modules on their way into Bun. A file that is loaded with `--preload` calls this before the
 * program is loaded.
 */
import { plugin } from "bun";

/** `file` is a path from the project's root; `from` stands in it once. */
export type SourcePatch = { readonly file: string; readonly from: string; readonly to: string };

/** @throws Error, when a module is loaded that does not contain its `from`. @param table file to correct then */
export function installPatches(patches: readonly SourcePatch[], table: string): void {
  const patched = async (path: string): Promise<string> => {
    let text = await Bun.file(path).text();
    for (const { file, from, to } of patches) {
      if (!path.endsWith(file)) continue;
      if (text.split(from).length !== 2) throw new Error(`${file} has no single "${from}": correct ${table}`);
      text = text.replace(from, () => to);
    }
    return text;
  };
  for (const file of new Set(patches.map((patch) => patch.file)))
    plugin({
      name: `patched ${file}`,
      setup(build) {
        build.onLoad({ filter: new RegExp(`${file.replaceAll(".", "\\.")}$`) }, async ({ path }) => ({
          contents: await patched(path),
          loader: "ts",
        }));
      },
    });
}
