/**
 * `bun run generate kernels`: assembles the WebAssembly kernels into TypeScript files beside their sources, where an
 * executable finds them too. Run it after each change of a source; a test holds the two against each other.
 */
import { join } from "node:path";
import wabt from "wabt";

const root = join(import.meta.dir, "..", "..");
const lineLength = 96;

/** Sources (.wat) and what they become, below the project's folder. */
export const kernels = [
  { source: "shared/fec/kernel.wat", target: "shared/fec/kernel.ts" },
  { source: "shared/net/seal/frame-tag.wat", target: "shared/net/seal/frame-tag-kernel.ts" },
] as const;

/** The same source gives the same bytes on every machine: the assembler's version is pinned. */
export async function assembleKernel(source: string): Promise<Uint8Array> {
  const text = await Bun.file(join(root, source)).text();
  const module = (await wabt()).parseWat(source, text, { simd: true, bulk_memory: true });
  try {
    return module.toBinary({}).buffer;
  } finally {
    module.destroy();
  }
}

function sourceText(source: string, bytes: Uint8Array): string {
  const base64 = bytes.toBase64();
  const lines: string[] = [];
  for (let at = 0; at < base64.length; at += lineLength)
    lines.push(`  "${base64.slice(at, at + lineLength)}",`);
  const name = source.split("/").at(-1);
  return `/** ${name}, assembled: ${bytes.length} bytes of WebAssembly. Made by \`bun run generate kernels\`; not to be edited. */
export const kernelBytes: Uint8Array<ArrayBuffer> = Uint8Array.fromBase64(
  [
${lines.map((line) => `  ${line}`).join("\n")}
  ].join(""),
);
`;
}

/** Assembles every kernel and writes its TypeScript file. */
export async function generateKernels(): Promise<void> {
  for (const { source, target } of kernels) {
    const bytes = await assembleKernel(source);
    await Bun.write(join(root, target), sourceText(source, bytes));
    console.log(`${target}: ${bytes.length} bytes`);
  }
}
