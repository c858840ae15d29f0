/**
 * Archive of a backup: a tar whose first entry describes the backup, and whose last one has the
 * SHA-256 of all others. An archive without the last entry was broken off.
 *
 * The digests find damage. They prove no author: a forger changes them too.
 */
import * as v from "valibot";
import { counter, bytesCount, name, packageIdSchema, timeMs } from "../../api/schema/common.ts";
import { backedUpNames, isContentName } from "../data-files.ts";
import { blockBytes, paddingBytes, readTarHeader, tarHeader, type TarEntry } from "./tar.ts";

const aboutName = "about.json";
const digestsName = "digests.json";
const product = "flockcast source";
const format = 1;
/** Upper bound on the first and the last entry. */
const jsonBytesMax = 64 * 1_048_576;

const namedPackageSchema = v.object({
  id: packageIdSchema,
  name: name(128),
  version: name(64),
  sizeBytes: bytesCount,
});
const aboutSchema = v.object({
  product: v.literal(product),
  format: v.literal(format),
  createdAtMs: timeMs,
  /** Version of the source that made the backup. */
  version: v.string(),
  deployment: counter,
  devices: counter,
  tasks: counter,
  /** Packages whose bytes are in the backup. */
  packages: v.array(namedPackageSchema),
  /** Packages whose bytes only the source has, and which are not in the backup. */
  packagesLeftOut: v.array(namedPackageSchema),
});
export type BackupFacts = Omit<v.InferOutput<typeof aboutSchema>, "product" | "format">;

const digestsSchema = v.array(
  v.object({
    name: v.string(),
    sizeBytes: bytesCount,
    sha256: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
  }),
);

type Bytes = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
export type ArchiveEntry = TarEntry & { readonly bytes: Bytes };

/** Returns the bytes of an archive. */
export async function* writeArchive(
  facts: BackupFacts,
  entries: Iterable<ArchiveEntry> | AsyncIterable<ArchiveEntry>,
): AsyncGenerator<Uint8Array> {
  const digests: v.InferOutput<typeof digestsSchema> = [];
  const write = async function* ({ bytes, ...entry }: ArchiveEntry): AsyncGenerator<Uint8Array> {
    const { name: called, sizeBytes } = entry;
    yield tarHeader(entry, facts.createdAtMs);
    const hasher = new Bun.CryptoHasher("sha256");
    let written = 0;
    for await (const part of bytes) {
      written += part.length;
      if (written > sizeBytes) break;
      hasher.update(part);
      yield part;
    }
    if (written !== sizeBytes) throw new Error(`"${called}" changed while it was backed up: try again`);
    yield new Uint8Array(paddingBytes(sizeBytes));
    digests.push({ name: called, sizeBytes, sha256: hasher.digest("hex") });
  };
  yield* write(jsonEntry(aboutName, { product, format, ...facts }));
  for await (const entry of entries) yield* write(entry);
  yield* write(jsonEntry(digestsName, digests));
  yield new Uint8Array(2 * blockBytes);
}

function jsonEntry(called: string, value: unknown): ArchiveEntry {
  const bytes = new TextEncoder().encode(`${JSON.stringify(value, null, 1)}\n`);
  return { name: called, sizeBytes: bytes.length, bytes: [bytes] };
}

/** Destination of an entry's bytes. */
export type EntrySink = { write(bytes: Uint8Array): Promise<void>; end(): Promise<void> };
export type ArchiveContents = { readonly facts: BackupFacts; readonly entries: readonly TarEntry[] };

/** A file that is not a backup, or a damaged one. The message has no name of the file. */
export class ArchiveError extends Error {}

const damaged = (how: string): ArchiveError => new ArchiveError(`is damaged: ${how}`);

/**
 * Reads an archive to its end, and checks each digest.
 *
 * @param sinkOf called for each file of the data folder; null: its bytes are only checked
 * @throws ArchiveError
 */
export async function readArchive(
  bytes: AsyncIterable<Uint8Array>,
  sinkOf: (entry: TarEntry) => Promise<EntrySink | null> = async () => null,
): Promise<ArchiveContents> {
  const reader = new ByteReader(bytes);
  const found = new Map<string, TarEntry & { readonly sha256: string }>();
  const readJson = async ({ name: called, sizeBytes }: TarEntry): Promise<unknown> => {
    if (sizeBytes > jsonBytesMax) throw damaged(`"${called}" is too large`);
    const parts: Uint8Array[] = [];
    await readEntry(called, sizeBytes, async (part) => void parts.push(part.slice()));
    try {
      return JSON.parse(Buffer.concat(parts).toString("utf8"));
    } catch {
      throw damaged(`"${called}" is not JSON`);
    }
  };
  const readEntry = async (
    called: string,
    sizeBytes: number,
    write: (part: Uint8Array) => Promise<void>,
  ): Promise<void> => {
    const hasher = new Bun.CryptoHasher("sha256");
    for (let left = sizeBytes; left > 0;) {
      const part = await reader.some(left);
      hasher.update(part);
      await write(part);
      left -= part.length;
    }
    await reader.exactly(paddingBytes(sizeBytes));
    found.set(called, { name: called, sizeBytes, sha256: hasher.digest("hex") });
  };
  const facts = await readFacts(reader, readJson);
  for (;;) {
    const entry = readTarHeader(await reader.exactly(blockBytes));
    if (entry === null || found.has(entry.name)) throw damaged("the list of its files is wrong");
    const { name: called, sizeBytes } = entry;
    if (called === digestsName) {
      checkDigests(await readJson(entry), found);
      const entries = [...found.values()].map((one) => ({ name: one.name, sizeBytes: one.sizeBytes }));
      return { facts, entries: entries.filter((one) => one.name !== aboutName && one.name !== digestsName) };
    }
    if (!backedUpNames.includes(called) && !isContentName(called))
      throw damaged(`it has a file "${called}", which belongs to no backup`);
    const sink = await sinkOf(entry);
    try {
      await readEntry(called, sizeBytes, async (part) => await sink?.write(part));
    } finally {
      await sink?.end();
    }
  }
}

async function readFacts(
  reader: ByteReader,
  readJson: (entry: TarEntry) => Promise<unknown>,
): Promise<BackupFacts> {
  const foreign = "is not a backup of a flockcast source";
  const first = readTarHeader(await reader.exactly(blockBytes, foreign));
  if (first?.name !== aboutName) throw new ArchiveError(foreign);
  const value = await readJson(first);
  const other = v.safeParse(v.object({ product: v.literal(product), format: v.number() }), value);
  if (!other.success) throw new ArchiveError(foreign);
  if (other.output.format > format)
    throw new ArchiveError(
      `has the format ${other.output.format} of a newer version: restore it with that one`,
    );
  const about = v.safeParse(aboutSchema, value);
  if (!about.success) throw damaged(`"${aboutName}" is wrong`);
  const { product: _product, format: _format, ...facts } = about.output;
  return facts;
}

function checkDigests(
  stated: unknown,
  found: ReadonlyMap<string, TarEntry & { readonly sha256: string }>,
): void {
  const digests = v.safeParse(digestsSchema, stated);
  if (!digests.success) throw damaged(`"${digestsName}" is wrong`);
  const all = new Map(digests.output.map((one) => [one.name, one]));
  for (const { name: called, sha256 } of found.values())
    if (called !== digestsName && all.get(called)?.sha256 !== sha256)
      throw damaged(`"${called}" does not have its digest`);
  for (const called of [...all.keys(), ...backedUpNames])
    if (!found.has(called)) throw damaged(`"${called}" is missing`);
}

/** Reads a stream of parts of any size. */
class ByteReader {
  readonly #parts: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array();

  constructor(bytes: AsyncIterable<Uint8Array>) {
    this.#parts = bytes[Symbol.asyncIterator]();
  }

  /** Returns between 1 and `max` bytes. @throws ArchiveError at the end */
  async some(max: number, atEnd = "is damaged: it ends early"): Promise<Uint8Array> {
    while (this.#rest.length === 0) {
      const next = await this.#parts.next();
      if (next.done === true) throw new ArchiveError(atEnd);
      this.#rest = next.value;
    }
    const part = this.#rest.subarray(0, max);
    this.#rest = this.#rest.subarray(part.length);
    return part;
  }

  /** @throws ArchiveError at the end */
  async exactly(count: number, atEnd?: string): Promise<Uint8Array> {
    const bytes = new Uint8Array(count);
    for (let at = 0; at < count;) {
      const part = await this.some(count - at, atEnd);
      bytes.set(part, at);
      at += part.length;
    }
    return bytes;
  }
}
