/** Which targets are within another one, by their texts. */
import { expect, test } from "bun:test";
import { isWithinTarget } from "./index.ts";

test.each([
  ["all", "all", true],
  ["tag=lab", "all", true],
  ["all", "tag=lab", false],
  ["tag=Lab", "group=lab", true],
  ["tag=lab and os=linux", "tag=lab", true],
  ["tag=lab", "tag=lab and os=linux", false],
  ["os=linux and tag=lab", "tag=lab and os=linux", true],
  ["(tag=lab and os=linux) or (tag=lab and os=macos)", "tag=lab", true],
  ["tag=lab or os=linux", "tag=lab", false],
  ["tag=lab", "tag=lab or tag=pilot", true],
  ["tag=pilot or tag=lab", "tag=lab or tag=pilot", true],
  ["tag=lab", "tag in (pilot, LAB)", true],
  ["tag in (pilot, lab)", "group in (lab, pilot, all)", true],
  ["tag in (pilot, lab)", "tag=lab", false],
  ["tag not in (lab)", "tag in (lab)", false],
  ["site=lab", "tag=lab", false],
  ["not tag=lab", "tag=lab", false],
  ["tag!=lab", "tag=lab", false],
  ["tag=labs", "tag=lab", false],
  ["pc-1", "pc-1,pc-2", true],
  ["pc-1,pc-3", "pc-1,pc-2", false],
  ["((", "all", false],
  ["all", "((", false],
])("%s within %s: %p", (target, limit, expected) => {
  expect(isWithinTarget(target, limit)).toBe(expected);
});
