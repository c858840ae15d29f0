/** Location of the package on a device's disk, and comparison with the published bytes. */
import type { Context } from "./context.ts";
import type { ForeignChange } from "./disk.ts";
export type { ForeignChange } from "./disk.ts";
import { dataFolder } from "./layout.ts";
import type { Machine } from "./machine.ts";

const partialRoot = (id: string): string => `${dataFolder}/cache/.partial/${id}`;
const finalRoot = (name: string, version: string): string => `${dataFolder}/cache/${name}/${version}`;

/** Returns the package's folder: the final one when it exists, otherwise the partial one. */
export function rootOf({ package: published }: Context, { disk }: Machine): string {
  const { name, version, files } = published.manifest;
  const final = finalRoot(name, version);
  return disk.modeOf(`${final}/${files[0]!.path}`) === null ? partialRoot(published.id) : final;
}

export const isFinal = (context: Context, machine: Machine): boolean =>
  rootOf(context, machine) !== partialRoot(context.package.id);

/** Calls `test` for the span of the chunk in each file. Returns false after the first failure. */
export function everySpan(
  context: Context,
  machine: Machine,
  chunk: number,
  test: (path: string, fileOffset: number, length: number, streamOffset: number) => boolean,
): boolean {
  const { package: published } = context;
  const root = rootOf(context, machine);
  let offset = published.offsetOf(chunk);
  for (const { file, fileOffset, length } of published.spansOf(chunk)) {
    if (!test(`${root}/${published.manifest.files[file]!.path}`, fileOffset, length, offset)) return false;
    offset += length;
  }
  return true;
}

/** Returns whether the chunk's bytes on the disk equal the published ones. */
export const isCorrectOnDisk = (context: Context, machine: Machine, chunk: number): boolean =>
  everySpan(context, machine, chunk, (path, fileOffset, length, offset) => {
    const found = machine.disk.bytesAt(path, fileOffset, length);
    return found !== null && Buffer.compare(found, context.package.bytesAt(offset, length)) === 0;
  });

/** Changes a random file of the incomplete package. Returns what was done, as text. */
export function changeFile(context: Context, { disk, random }: Machine, change: ForeignChange): string {
  const root = partialRoot(context.package.id);
  const paths = context.package.manifest.files.map(({ path }) => `${root}/${path}`);
  const present = paths.filter((path) => disk.modeOf(path) !== null);
  if (present.length === 0) return "there is no file";
  const path = random.pick(present);
  return disk.changeByOther(path, change) ? `another program ${change} ${path}` : "the file is being written";
}

/** Flips a random bit of the chunk on the disk. */
export function flipBit(context: Context, machine: Machine, chunk: number): void {
  const { package: published } = context;
  const { disk, random } = machine;
  const { file, fileOffset, length } = random.pick(published.spansOf(chunk));
  const path = `${rootOf(context, machine)}/${published.manifest.files[file]!.path}`;
  disk.flipBit(path, fileOffset + random.whole(0, length - 1), random.whole(0, 7));
}
