/**
 * `bun scripts/fec-kernel.ts`: assembles shared/fec/kernel.wat into shared/fec/kernel.ts, where an executable finds it
 * too. Run it after each change of the source; a test holds the two against each other.
 */
import { join } from "node:path";
import wabt from "wabt";

const folder = join(import.meta.dir, "..", "shared", "fec");
const lineLength = 96;

/** The same source gives the same bytes on every machine: the assembler's version is pinned. */
export async function assembleKernel(): Promise<Uint8Array> {
  const source = await Bun.file(join(folder, "kernel.wat")).text();
  const module = (await wabt()).parseWat("shared/fec/kernel.wat", source, { simd: true });
  try {
    return module.toBinary({}).buffer;
  } finally {
    module.destroy();
  }
}

function sourceText(bytes: Uint8Array): string {
  const base64 = bytes.toBase64();
  const lines: string[] = [];
  for (let at = 0; at < base64.length; at += lineLength)
    lines.push(`  "${base64.slice(at, at + lineLength)}",`);
  return `/** kernel.wat, assembled: ${bytes.length} bytes of WebAssembly. Made by \`bun scripts/fec-kernel.ts\`; not to be edited. */
export const kernelBytes: Uint8Array<ArrayBuffer> = Uint8Array.fromBase64(
  [
${lines.map((line) => `  ${line}`).join("\n")}
  ].join(""),
);
`;
}

if (import.meta.main) {
  const bytes = await assembleKernel();
  await Bun.write(join(folder, "kernel.ts"), sourceText(bytes));
  console.log(`shared/fec/kernel.ts: ${bytes.length} bytes`);
}
