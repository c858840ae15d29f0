/**
 * Patches the project's modules when Bun loads them. A file loaded with `--preload` installs the
 * patches before the program is loaded. The files on disk stay unchanged.
 */
import { plugin } from "bun";

/** Replacement in a file (path from the project's root) that contains `from` exactly once. */
export type SourcePatch = { readonly file: string; readonly from: string; readonly to: string };

/**
 * Installs the patches. Loading a module fails when it does not contain its `from` exactly once.
 * @param table file that defines the patches, for the error message
 */
export function installPatches(patches: readonly SourcePatch[], table: string): void {
  const patched = async (path: string): Promise<string> => {
    let text = await Bun.file(path).text();
    for (const { file, from, to } of patches) {
      if (!path.endsWith(file)) continue;
      if (text.split(from).length !== 2)
        throw new Error(`${file} must contain "${from}" once: correct ${table}`);
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
