/** Where a device's copy of the package is on its disk, and whether a chunk of it is right. */
import type { Context } from "./context.ts";
import { dataFolder } from "./layout.ts";
import type { Machine } from "./machine.ts";

const partialRoot = (id: string): string => `${dataFolder}/cache/.partial/${id}`;
const finalRoot = (name: string, version: string): string => `${dataFolder}/cache/${name}/${version}`;

/** The package's folder: the final one once it is there. */
export function rootOf({ package: published }: Context, { disk }: Machine): string {
  const { name, version, files } = published.manifest;
  const final = finalRoot(name, version);
  return disk.modeOf(`${final}/${files[0]!.path}`) === null ? partialRoot(published.id) : final;
}

export const isFinal = (context: Context, machine: Machine): boolean =>
  rootOf(context, machine) !== partialRoot(context.package.id);

/** Calls `test` for each piece of the chunk; false as soon as one fails. */
export function everySpan(
  context: Context,
  machine: Machine,
  chunk: number,
  test: (path: string, fileOffset: number, length: number, streamOffset: number) => boolean,
): boolean {
  const { package: published } = context;
  const root = rootOf(context, machine);
  let offset = chunk * published.manifest.chunkSizeBytes;
  for (const { file, fileOffset, length } of published.spansOf(chunk)) {
    if (!test(`${root}/${published.manifest.files[file]!.path}`, fileOffset, length, offset)) return false;
    offset += length;
  }
  return true;
}

/** Whether the chunk's bytes on the disk are those that were published. */
export const isCorrectOnDisk = (context: Context, machine: Machine, chunk: number): boolean =>
  everySpan(context, machine, chunk, (path, fileOffset, length, offset) => {
    const found = machine.disk.bytesAt(path, fileOffset, length);
    return found !== null && Buffer.compare(found, context.package.bytesAt(offset, length)) === 0;
  });

/** A bit of the chunk flips on the disk. */
export function flipBit(context: Context, machine: Machine, chunk: number): void {
  const { package: published } = context;
  const { disk, random } = machine;
  const { file, fileOffset, length } = random.pick(published.spansOf(chunk));
  const path = `${rootOf(context, machine)}/${published.manifest.files[file]!.path}`;
  disk.flipBit(path, fileOffset + random.whole(0, length - 1), random.whole(0, 7));
}
