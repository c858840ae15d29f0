/**
 * `bench fec`: speed at which both kernels of the erasure code encode repair symbols and decode.
 */
import { randomBytes } from "node:crypto";
import {
  createSimdCode,
  createTypescriptCode,
  type Block,
  type ErasureCode,
} from "../../shared/fec/index.ts";
import { alignTable } from "../rig/table.ts";
import { fixed } from "../rig/figures.ts";

type FecOptions = { readonly k: number; readonly r: number; readonly symbol: number };
type Speed = { readonly encode: number; readonly decode: number };

type FecTimes = { readonly warmUpMs: number; readonly measureMs: number };
const times: FecTimes = { warmUpMs: 200, measureMs: 700 };
/** Calls between two reads of the clock. */
const batchCalls = 8;

/** Returns MB/s (10^6 bytes) of source bytes. */
function speedOf(bytes: number, { warmUpMs, measureMs }: FecTimes, work: () => void): number {
  const runFor = (limitMs: number): number => {
    const beganAtMs = performance.now();
    for (let calls = 0; ; calls += batchCalls) {
      const tookMs = performance.now() - beganAtMs;
      if (tookMs >= limitMs) return (calls * bytes) / 1_000 / tookMs;
      for (let i = 0; i < batchCalls; i++) work();
    }
  };
  runFor(warmUpMs);
  return runFor(measureMs);
}

/**
 * Measures encoding, and decoding of `lost` source symbols, spread over the block, from as many
 * repair symbols.
 * @throws Error when the code restores wrong bytes
 */
export function measureCode(
  code: ErasureCode,
  { k, symbol }: FecOptions,
  lost: number,
  during = times,
): Speed {
  const bytes = new Uint8Array(randomBytes(k * symbol));
  const original = bytes.slice();
  const block: Block = { bytes, k, symbolSizeBytes: symbol };
  const missing = Array.from({ length: lost }, (_, at) => Math.floor((at * k) / lost));
  const encode = speedOf(bytes.length, during, () => void code.repairSymbols(block, k, lost));
  const made = code.repairSymbols(block, k, lost).slice();
  const repairs = missing.map((_, at) => ({
    symbol: k + at,
    payload: made.subarray(at * symbol, (at + 1) * symbol),
  }));
  for (const at of missing) bytes.fill(0, at * symbol, (at + 1) * symbol);
  const decode = speedOf(bytes.length, during, () => void code.recover(block, missing, repairs));
  if (Buffer.compare(bytes, original) !== 0)
    throw new Error(`The ${code.kernel} code restored wrong bytes (k = ${k}, ${lost} lost): this is a bug`);
  return { encode, decode };
}

export function runFec(options: FecOptions): string {
  const shapes = [options, { ...options, k: 32, r: 8 }].filter(
    ({ k, r }, at) => at === 0 || k !== options.k || r !== options.r,
  );
  const codes = [createSimdCode(), createTypescriptCode()].filter((code) => code !== null);
  const rows = codes.flatMap((code) =>
    shapes.flatMap((shape) =>
      [shape.r, 1].map((lost) => {
        const { encode, decode } = measureCode(code, shape, lost);
        return [code.kernel, String(shape.k), String(lost), fixed(encode, 0), fixed(decode, 0)];
      }),
    ),
  );
  return alignTable([["kernel", "k", "repair symbols", "encode MB/s", "decode MB/s"], ...rows]);
}
