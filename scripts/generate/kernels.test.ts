/** Compares the committed kernels with their sources. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { assembleKernel, kernels } from "./kernels.ts";

test.each([...kernels])("$target equals the assembled $source", async ({ source, target }) => {
  const built = await assembleKernel(source);
  const { kernelBytes } = (await import(join(import.meta.dir, "..", "..", target))) as {
    kernelBytes: Uint8Array;
  };
  expect(kernelBytes.toHex()).toBe(built.toHex());
});
