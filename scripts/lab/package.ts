/**
 * Packages that the lab distributes, and what each may cost. A package is given on the command
 * line, or made: one file, many small files, a program of some files, or a disk image.
 */
import { randomBytes } from "node:crypto";
import { cp, mkdir, open, truncate, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { wanRatioMax } from "../rig/table.ts";
import { digestTree, sizeOfTree, type Digests } from "../rig/verify.ts";

/** Word of `--content` → upper bound on WAN ÷ package; of a disk image, on WAN ÷ bytes not zero. */
export const contents = { file: wanRatioMax, "small-files": 1.015, "disk-image": wanRatioMax } as const;
export type Content = keyof typeof contents;

export type LabPackage = {
  readonly path: string;
  readonly name: string;
  readonly version: string;
  readonly sizeBytes: number;
  /** Bytes that devices cannot produce on their own: the size without chunks of zeros. */
  readonly sentBytes: number;
  readonly digests: Digests;
};

type PackageOptions = {
  readonly size: number;
  readonly package?: string | undefined;
  /** Default: "file". "program" is that of the scenario new-version. */
  readonly content?: Content | "program" | undefined;
};

const pieceBytes = 1_000_000;
const smallFileBytes = 4_096;
const filesOfFolder = 100;
/** Multiple of every chunk size that such an image has. */
const imagePieceBytes = 1_048_576;
const imagePieces = 4;
/** Share of a disk image that is not zero. */
const imageShare = 1 / 16;
const programLibraries = 20;
/** Small files next to the script, which share its chunk. */
const programNotes = 40;
const noteBytes = 1_000;
const scriptName = "install.sh";
const scriptBytes = 300;

/** Makes the package below `folder`, unless it is given. */
export async function preparePackage(options: PackageOptions, folder: string): Promise<LabPackage> {
  const { content = "file", size } = options;
  const sizeBytes = Math.round(size * 1e6);
  const path = options.package ?? join(folder, "web", content === "file" ? "package.bin" : content);
  let zerosBytes = 0;
  if (!options.package) {
    await mkdir(dirname(path));
    if (content === "file") await writeFile(path, randomPieces(sizeBytes));
    if (content === "small-files") await makeSmallFiles(path, sizeBytes);
    if (content === "disk-image") zerosBytes = await makeDiskImage(path, sizeBytes);
    if (content === "program") await makeProgram(path, sizeBytes);
  }
  return {
    path,
    name: basename(path).replaceAll(/[^\w.-]/g, "-"),
    ...(await stateOf(path, zerosBytes)),
    version: "1",
  };
}

async function stateOf(path: string, zerosBytes: number) {
  const sizeBytes = await sizeOfTree(path);
  return { sizeBytes, sentBytes: sizeBytes - zerosBytes, digests: await digestTree(path) };
}

/** Returns version 2 of a program: another script of the same size, all else unchanged. */
export async function nextVersion(sent: LabPackage): Promise<LabPackage> {
  const path = join(dirname(sent.path), "version-2", basename(sent.path));
  await cp(sent.path, path, { recursive: true });
  await writeFile(join(path, scriptName), script("2"));
  return { ...sent, path, version: "2", ...(await stateOf(path, 0)) };
}

function* randomPieces(sizeBytes: number): Generator<Buffer> {
  for (let at = 0; at < sizeBytes; at += pieceBytes) yield randomBytes(Math.min(pieceBytes, sizeBytes - at));
}

async function makeSmallFiles(path: string, sizeBytes: number): Promise<void> {
  for (let at = 0; at < Math.round(sizeBytes / smallFileBytes); at++) {
    const folder = join(path, `folder-${Math.floor(at / filesOfFolder)}`);
    if (at % filesOfFolder === 0) await mkdir(folder, { recursive: true });
    await writeFile(join(folder, `file-${at % filesOfFolder}`), randomBytes(smallFileBytes));
  }
}

/** Makes a sparse file with a few pieces of random bytes. Returns the number of zeros. */
async function makeDiskImage(path: string, sizeBytes: number): Promise<number> {
  const count = Math.max(1, Math.round((sizeBytes * imageShare) / imagePieces / imagePieceBytes));
  const step = Math.floor(sizeBytes / imagePieces / imagePieceBytes) * imagePieceBytes;
  if (count * imagePieceBytes > step) throw new RangeError("a disk image of the lab has at least 4.2 MB");
  await writeFile(path, "");
  await truncate(path, sizeBytes);
  const file = await open(path, "r+");
  for (let piece = 0; piece < imagePieces; piece++)
    await file.write(randomBytes(count * imagePieceBytes), 0, count * imagePieceBytes, piece * step);
  await file.close();
  return sizeBytes - imagePieces * count * imagePieceBytes;
}

/** Makes a folder of a script, a large file, libraries, and small files next to the script. */
async function makeProgram(path: string, sizeBytes: number): Promise<void> {
  await mkdir(join(path, "lib"), { recursive: true });
  await writeFile(join(path, scriptName), script("1"));
  for (let at = 0; at < programNotes; at++)
    await writeFile(join(path, `install-${at}.txt`), randomBytes(noteBytes));
  const libraryBytes = Math.floor(sizeBytes / 2 / programLibraries);
  for (let at = 0; at < programLibraries; at++)
    await writeFile(join(path, "lib", `library-${at}`), randomBytes(libraryBytes));
  const restBytes = sizeBytes - scriptBytes - programNotes * noteBytes - programLibraries * libraryBytes;
  await writeFile(join(path, "program"), randomPieces(restBytes));
}

const script = (version: string): string =>
  `#!/bin/sh\necho "installs version ${version}"\n`.padEnd(scriptBytes, "#");
