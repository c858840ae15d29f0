import { expect, test } from "bun:test";
import { SenderDirectory } from "./sender-directory.ts";

test.each<[what: string, frames: [string, string, string | null][], deviceId: string | null]>([
  ["no frame named a device", [["s", "10.0.0.2", null]], null],
  ["its only frame named a device", [["s", "10.0.0.2", "a"]], "a"],
  [
    "a later frame named a device",
    [
      ["s", "10.0.0.2", null],
      ["s", "10.0.0.2", "a"],
    ],
    "a",
  ],
  [
    "only its first frame named a device",
    [
      ["s", "10.0.0.2", "a"],
      ["s", "10.0.0.2", null],
    ],
    "a",
  ],
  [
    "its frames named two devices",
    [
      ["s", "10.0.0.2", "a"],
      ["s", "10.0.0.2", "b"],
    ],
    "a",
  ],
  [
    "other senders named devices",
    [
      ["s", "10.0.0.2", null],
      ["t", "10.0.0.3", "b"],
      ["s", "10.0.0.2", null],
    ],
    null,
  ],
])("gives the address and the first stated device of a sender when %s", (_, frames, deviceId) => {
  const directory = new SenderDirectory();
  for (const [sender, address, stated] of frames) directory.update(sender, address, stated);
  expect(directory.lookUp("s")).toEqual({ address: "10.0.0.2", deviceId });
});

test('gives the address "unknown" for a sender that was not received', () => {
  const directory = new SenderDirectory();
  directory.update("s", "10.0.0.2", "a");
  expect(directory.lookUp("t")).toEqual({ address: "unknown", deviceId: null });
});

test("keeps the first address of a sender when its frames come from another one", () => {
  const directory = new SenderDirectory();
  directory.update("s", "10.0.0.2", "a");
  directory.update("s", "10.0.0.9", "a");
  expect(directory.lookUp("s").address).toBe("10.0.0.2");
});

test("drops the sender received first when there are more than 1,024", () => {
  const directory = new SenderDirectory();
  for (let i = 0; i <= 1_024; i++) directory.update(`${i}`, `address ${i}`, null);
  expect([0, 1, 1_024].map((i) => directory.lookUp(`${i}`).address)).toEqual([
    "unknown",
    "address 1",
    "address 1024",
  ]);
});
