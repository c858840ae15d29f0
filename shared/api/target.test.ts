import { expect, test } from "bun:test";
import { isTargeted } from "./target.ts";

const device = {
  id: "00112233aabbccdd",
  subnet: { id: "0123456789abcdef", cidr: "10.1.2.0/24", site: "routed" },
  groups: ["labs", "floor-2"],
};

test.each([
  ["all", true],
  ["device:00112233aabbccdd", true],
  ["device:ffffffffffffffff", false],
  ["group:labs", true],
  ["group:lab", false],
  ["subnet:10.0.0.0/8", true],
  ["subnet:10.1.2.0/24", true],
  ["subnet:10.1.2.0/25", false],
  ["subnet:fd00::/8", false],
  ["everyone", false],
] as const)("matches the target %s: %p", (target, expected) => {
  expect(isTargeted(target, device)).toBe(expected);
});

test("does not match a device without a subnet against any subnet", () => {
  expect(isTargeted("subnet:0.0.0.0/0", { ...device, subnet: null })).toBe(false);
});
