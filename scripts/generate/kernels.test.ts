/** The kernels that are committed against their sources. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { assembleKernel, kernels } from "./kernels.ts";

test.each([...kernels])("$target is what $source gives", async ({ source, target }) => {
  const built = await assembleKernel(source);
  const { kernelBytes } = (await import(join(import.meta.dir, "..", "..", target))) as {
    kernelBytes: Uint8Array;
  };
  expect(kernelBytes.toHex()).toBe(built.toHex());
});
