/**
 * Systematic Reed–Solomon code over GF(2^8) on the SIMD kernel (kernel.wat): the same bits as
 * reedsolomon.ts, several times as fast. It copies a block into the memory of the kernel, lets the
 * kernel add rows of products, and copies the sums out.
 *
 * Relies on WebAssembly with SIMD, which an old engine, a processor without AVX or a restricted
 * host lacks. One kernel serves all codes of a thread, because calls are synchronous and keep no
 * state. Its memory has 2.25 MiB, of which only what a block fills uses RAM.
 */
import { checkRepairs, repairsToUse, type Block, type ErasureCode, type RepairSymbol } from "./block.ts";
import { inverseOf } from "./cauchy.ts";
import { invert, multiply } from "./gf256.ts";
import { kernelBytes } from "./kernel.ts";
import { limits } from "../wire/limits.ts";

/** Functions of kernel.wat; arguments are addresses in its memory and lengths in bytes. */
type KernelFunctions = {
  readonly memory: WebAssembly.Memory;
  readonly addFourRows: (
    constants: number,
    columns: number,
    input: number,
    inputStride: number,
    output: number,
    outputStride: number,
    length: number,
  ) => void;
  readonly addRow: (
    constants: number,
    columns: number,
    input: number,
    inputStride: number,
    output: number,
    length: number,
  ) => void;
};
type Kernel = KernelFunctions & { readonly memoryBytes: Uint8Array };

/** Length of an output row: the kernel works in steps of 16 or 32 bytes, so rows are padded. */
const paddedBytes = (sizeBytes: number): number => (sizeBytes + 31) & ~31;
const rowGroup = 4;
/** Memory that kernel.wat leaves to its caller. Each area holds the padded symbols of a block. */
const constantsAt = 24_576;
const constantsBytesMax = limits.blockSymbolsMax * rowGroup;
const areaBytes = limits.blockSymbolsMax * paddedBytes(limits.symbolMaxBytes) + 32;
const sourcesAt = constantsAt + constantsBytesMax;
const sumsAt = sourcesAt + areaBytes;

/** Returns the erasure code on the SIMD kernel, or null without SIMD. */
export function createSimdCode(): ErasureCode | null {
  const kernel = sharedKernel();
  if (kernel === null) return null;
  return {
    kernel: "simd",
    repairSymbols: (block, first, count) => makeRepairs(kernel, block, first, count),
    recover: (block, missing, repairs) => recover(kernel, block, missing, repairs),
  };
}

let kernelOfThread: Kernel | null | undefined;
function sharedKernel(): Kernel | null {
  if (kernelOfThread === undefined) kernelOfThread = startKernel();
  return kernelOfThread;
}

function startKernel(): Kernel | null {
  if (typeof WebAssembly === "undefined" || !WebAssembly.validate(kernelBytes)) return null;
  let functions: KernelFunctions;
  try {
    const instance = new WebAssembly.Instance(new WebAssembly.Module(kernelBytes));
    functions = instance.exports as unknown as KernelFunctions;
  } catch {
    // The process has no address space for the memory, or the host forbids code generation: fall
    // back to TypeScript.
    return null;
  }
  const { memory, addFourRows, addRow } = functions;
  const memoryBytes = new Uint8Array(memory.buffer);
  fillProducts(memoryBytes);
  return { memory, addFourRows, addRow, memoryBytes };
}

/**
 * Fills the product table: for each constant 16 products with the low nibbles, then 16 with the
 * high nibbles.
 */
function fillProducts(memoryBytes: Uint8Array): void {
  for (let constant = 0; constant < 256; constant++)
    for (let nibble = 0; nibble < 16; nibble++) {
      memoryBytes[constant * 32 + nibble] = multiply(constant, nibble);
      memoryBytes[constant * 32 + 16 + nibble] = multiply(constant, nibble << 4);
    }
}

const inverses = Uint8Array.from({ length: 256 }, (_, i) => (i === 0 ? 0 : invert(i)));

function makeRepairs(kernel: Kernel, block: Block, first: number, count: number): Uint8Array {
  checkRepairs(block, first, count);
  const { bytes, k, symbolSizeBytes: size } = block;
  const { memoryBytes } = kernel;
  const out = new Uint8Array(count * size);
  const stride = paddedBytes(size);
  memoryBytes.set(bytes, sourcesAt);
  memoryBytes.fill(0, sourcesAt + bytes.length, sourcesAt + k * size);
  // The area of sums bounds the number of rows at a time.
  for (let done = 0; done < count; done += limits.blockSymbolsMax) {
    const rows = Math.min(limits.blockSymbolsMax, count - done);
    const from = first + done;
    memoryBytes.fill(0, sumsAt, sumsAt + rows * stride);
    addRows(
      kernel,
      rows,
      k,
      (row, source) => inverses[(from + row) ^ source]!,
      sourcesAt,
      size,
      sumsAt,
      size,
    );
    for (let row = 0; row < rows; row++)
      out.set(memoryBytes.subarray(sumsAt + row * stride, sumsAt + row * stride + size), (done + row) * size);
  }
  return out;
}

function recover(
  kernel: Kernel,
  block: Block,
  missing: readonly number[],
  repairs: readonly RepairSymbol[],
): boolean {
  const used = repairsToUse(block, missing, repairs);
  if (used === null) return false;
  if (used.length === 0) return true;
  const { bytes, symbolSizeBytes: size } = block;
  const { memoryBytes } = kernel;
  const lost = used.length;
  const stride = paddedBytes(size);

  // Residuals: each repair symbol less the sources that are present, a sum of products of the
  // missing ones.
  const numbers = used.map((repair) => repair.symbol);
  for (const [i, { payload }] of used.entries()) memoryBytes.set(payload, sumsAt + i * stride);
  const present = copyPresent(memoryBytes, block, missing);
  const coefficientAt = (row: number, column: number): number => inverses[numbers[row]! ^ present[column]!]!;
  addRows(kernel, lost, present.length, coefficientAt, sourcesAt, size, sumsAt, size);

  // The sources are no longer needed: the restored ones are written to their area.
  const inverse = inverseOf(numbers, missing);
  memoryBytes.fill(0, sourcesAt, sourcesAt + lost * stride);
  addRows(
    kernel,
    lost,
    lost,
    (row, column) => inverse[row * lost + column]!,
    sumsAt,
    stride,
    sourcesAt,
    size,
  );
  for (const [i, source] of missing.entries()) {
    const restoredAt = sourcesAt + i * stride;
    const length = Math.min(size, bytes.length - source * size);
    bytes.set(memoryBytes.subarray(restoredAt, restoredAt + length), source * size);
  }
  return true;
}

/**
 * Copies the present sources side by side, pads the last one with zeros and returns their numbers.
 */
function copyPresent(memoryBytes: Uint8Array, block: Block, missing: readonly number[]): number[] {
  const { bytes, k, symbolSizeBytes: size } = block;
  const present: number[] = [];
  for (let run = 0, next = 0; run <= missing.length; run++) {
    const end = missing[run] ?? k;
    memoryBytes.set(bytes.subarray(next * size, end * size), sourcesAt + present.length * size);
    for (; next < end; next++) present.push(next);
    next++;
  }
  const cut = k * size - bytes.length;
  const end = sourcesAt + present.length * size;
  if (present.at(-1) === k - 1) memoryBytes.fill(0, end - cut, end);
  return present;
}

/**
 * Adds output[row] += constantAt(row, column) × input[column]. Output rows are padded and adjacent.
 */
function addRows(
  kernel: Kernel,
  rows: number,
  columns: number,
  constantAt: (row: number, column: number) => number,
  input: number,
  inputStride: number,
  output: number,
  sizeBytes: number,
): void {
  if (columns === 0) return;
  const { memoryBytes } = kernel;
  const stride = paddedBytes(sizeBytes);
  for (let first = 0; first < rows; first += rowGroup) {
    const outputAt = output + first * stride;
    if (rows - first === 1) {
      for (let column = 0; column < columns; column++)
        memoryBytes[constantsAt + column] = constantAt(first, column);
      kernel.addRow(constantsAt, columns, input, inputStride, outputAt, sizeBytes);
      continue;
    }
    // The rows that complete the group add zero to the memory after the last row.
    for (let row = 0; row < rowGroup; row++)
      for (let column = 0; column < columns; column++)
        memoryBytes[constantsAt + column * rowGroup + row] =
          first + row < rows ? constantAt(first + row, column) : 0;
    kernel.addFourRows(constantsAt, columns, input, inputStride, outputAt, stride, sizeBytes);
  }
}
