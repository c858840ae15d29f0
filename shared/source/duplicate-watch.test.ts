import { expect, test } from "bun:test";
import { DuplicateWatch } from "./duplicate-watch.ts";

test("a device whose agents alternate is found, one that restarts is not", () => {
  const watch = new DuplicateWatch();
  const note = (instance: string) => watch.note("d", { instance, address: `address of ${instance}` });
  // Two restarts.
  for (const instance of ["a", "a", "b", "b", "c", "c"]) expect(note(instance)).toBeNull();
  expect(watch.note("another", { instance: "b", address: "" })).toBeNull();
  expect(note("b")).toEqual(["address of c", "address of b"]);
});
