/**
 * Layout of a chunk in blocks and symbols. It is a pure function of the chunk's length and the
 * session's symbol size, so it is never sent.
 *
 * Block sizes differ by one symbol at most (RFC 5052, section 9.1). A short last block would need
 * repair symbols of its own for every loss.
 */
import { limits } from "../wire/limits.ts";

export type BlockLayout = {
  readonly chunkLengthBytes: number;
  readonly symbolSizeBytes: number;
  /**
   * Source symbols of the chunk. The last one may be shorter on the wire and counts as padded with
   * zeros.
   */
  readonly symbolCount: number;
  readonly blockCount: number;
  /** Source symbols of a block, 1 … 128. */
  readonly k: (block: number) => number;
  /** Number in the chunk of the first source symbol of a block. */
  readonly firstSymbol: (block: number) => number;
  /** Offset of a block in the chunk, and its length: k × symbol size, less in the last block. */
  readonly blockOffsetBytes: (block: number) => number;
  readonly blockLengthBytes: (block: number) => number;
  /** Offset in the chunk and length of one source symbol (0 … k-1) of a block. */
  readonly symbolOffsetBytes: (block: number, symbol: number) => number;
  readonly symbolLengthBytes: (block: number, symbol: number) => number;
  /**
   * Returns whether numbers and a length from the network fit a symbol of this chunk. Source
   * symbols have their own length; repair symbols (k … 255) always have the full symbol size.
   */
  readonly hasSymbol: (block: number, symbol: number, lengthBytes: number) => boolean;
};

/**
 * Returns the layout of a chunk.
 *
 * @throws Error for sizes outside the limits
 * @example
 * const layout = blockLayout(262_144, 1_400); // 188 symbols in 2 blocks of 94
 */
export function blockLayout(chunkLengthBytes: number, symbolSizeBytes: number): BlockLayout {
  if (!Number.isInteger(symbolSizeBytes) || symbolSizeBytes < 1 || symbolSizeBytes > limits.symbolMaxBytes)
    throw new Error(`Symbols of ${symbolSizeBytes} bytes: give 1 to ${limits.symbolMaxBytes}`);
  if (!Number.isInteger(chunkLengthBytes) || chunkLengthBytes < 1)
    throw new Error(`A chunk of ${chunkLengthBytes} bytes: give 1 or more`);
  const symbolCount = Math.ceil(chunkLengthBytes / symbolSizeBytes);
  const blockCount = Math.ceil(symbolCount / limits.blockSymbolsMax);
  if (blockCount > limits.chunkBlocksMax)
    throw new Error(`A chunk of ${chunkLengthBytes} bytes has ${blockCount} blocks: take larger symbols`);
  const smallerK = Math.floor(symbolCount / blockCount);
  const largerBlocks = symbolCount % blockCount;

  const k = (block: number): number => (block < largerBlocks ? smallerK + 1 : smallerK);
  const firstSymbol = (block: number): number => block * smallerK + Math.min(block, largerBlocks);
  const symbolOffsetBytes = (block: number, symbol: number): number =>
    (firstSymbol(block) + symbol) * symbolSizeBytes;
  const symbolLengthBytes = (block: number, symbol: number): number =>
    Math.min(chunkLengthBytes - symbolOffsetBytes(block, symbol), symbolSizeBytes);
  const blockOffsetBytes = (block: number): number => symbolOffsetBytes(block, 0);
  return {
    chunkLengthBytes,
    symbolSizeBytes,
    symbolCount,
    blockCount,
    k,
    firstSymbol,
    blockOffsetBytes,
    blockLengthBytes: (block) =>
      Math.min(chunkLengthBytes - blockOffsetBytes(block), k(block) * symbolSizeBytes),
    symbolOffsetBytes,
    symbolLengthBytes,
    hasSymbol: (block, symbol, lengthBytes) =>
      block < blockCount &&
      symbol < limits.codedSymbolsMax &&
      lengthBytes === (symbol < k(block) ? symbolLengthBytes(block, symbol) : symbolSizeBytes),
  };
}
