/** The kernel that is committed against its source. */
import { expect, test } from "bun:test";
import { kernelBytes } from "../shared/fec/kernel.ts";
import { assembleKernel } from "./fec-kernel.ts";

test("the committed kernel of the erasure code is the one that its source gives", async () => {
  const built = await assembleKernel();
  expect(kernelBytes.toHex()).toBe(built.toHex());
});
