/**
 * Layout of a package's bytes: the order of the files in the stream, and the chunks of the stream.
 *
 * The stream is the files in manifest order, one after the other. A file of at least
 * `chunkSizeBytes` begins with a chunk of its own and is cut into chunks of that size; its last one
 * may be shorter. Smaller files are packed whole: a chunk ends where the next file does not fit,
 * and also before files that a hash of their path selects. So an unchanged file mostly has
 * unchanged chunks in the next version, although other files were added, removed or resized. The
 * layout depends on sizes and paths alone; every device gets the same one.
 */

type FileSize = { readonly path: string; readonly sizeBytes: number };
export type ChunkLayout = {
  /** Offset of each file in the stream, bytes. */
  readonly fileStarts: Float64Array;
  /** Offset of each chunk in the stream, bytes; the last entry is the size of the stream. */
  readonly chunkStarts: Float64Array;
};

/** Mean number of packed bytes between two hash-selected chunk starts, as a share of a chunk. */
const packedShare = 0.5;
const hashRange = 2 ** 32;

/**
 * Returns the layout.
 * @param chunksMax upper bound on the number of chunks; the layout ends there
 */
export function chunkLayout(
  files: readonly FileSize[],
  chunkSizeBytes: number,
  chunksMax: number,
): ChunkLayout {
  const fileStarts = new Float64Array(files.length);
  const chunkStarts: number[] = [];
  let end = 0;
  /** Bytes of the open chunk, to which a small file may be added; 0: none is open. */
  let packedBytes = 0;
  for (const [index, { path, sizeBytes }] of files.entries()) {
    fileStarts[index] = end;
    if (sizeBytes >= chunkSizeBytes) {
      const fileEnd = end + sizeBytes;
      for (let at = end; at < fileEnd && chunkStarts.length <= chunksMax; at += chunkSizeBytes)
        chunkStarts.push(at);
      packedBytes = 0;
    } else if (sizeBytes > 0) {
      const isFull = packedBytes === 0 || packedBytes + sizeBytes > chunkSizeBytes;
      if (isFull || startsChunk(path, sizeBytes, chunkSizeBytes)) {
        chunkStarts.push(end);
        packedBytes = 0;
      }
      packedBytes += sizeBytes;
    }
    end += sizeBytes;
  }
  chunkStarts.push(end);
  return { fileStarts, chunkStarts: Float64Array.from(chunkStarts) };
}

/**
 * Selects small files before which a chunk starts, with a probability proportional to their size.
 */
const startsChunk = (path: string, sizeBytes: number, chunkSizeBytes: number): boolean =>
  hashOf(path) * chunkSizeBytes * packedShare < sizeBytes * hashRange;

/** FNV-1a over the UTF-16 code units, with the final mixing of MurmurHash3; 32 bits. */
function hashOf(text: string): number {
  let hash = 0x811c_9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x0100_0193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Returns the index of the last start that is at most `offset`; -1 if there is none. */
export function indexAt(starts: Float64Array, offset: number): number {
  let low = 0;
  let high = starts.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (starts[middle]! <= offset) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
