/**
 * Packs the files of the console for executables: a third of their size, and no bundling at the
 * first request. `#packed-console` (package.json) names the module that is written.
 */
import { mkdir, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { consoleFiles } from "../../shared/source/console/console-files.ts";

/** Writes the module, which is the same for equal sources. */
export async function packConsole(file: string): Promise<void> {
  const files = [...(await consoleFiles())].toSorted(([one], [other]) => (one < other ? -1 : 1));
  const packed = files.map(([path, { gzipped }]) => [path, Buffer.from(gzipped).toString("base64")]);
  const text = `export const packedConsole = ${JSON.stringify(Object.fromEntries(packed))};\n`;
  await mkdir(dirname(file), { recursive: true });
  // Another build may read it.
  const whole = `${file}.${process.pid}.${crypto.randomUUID()}`;
  await writeFile(whole, text);
  await rename(whole, file);
}
