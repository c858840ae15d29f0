import { expect, test } from "bun:test";
import { nearNames } from "./near-names.ts";

const known = ["default", "branch1", "branch2", "kiosk", "hamburg-night"];

test.each([
  ["brnach2", ["branch2", "branch1"]],
  ["Branch2", ["branch2", "branch1"]],
  ["kisk", ["kiosk"]],
  ["hamburg", []],
  ["defualt", ["default"]],
  ["x", []],
])("the names near %s are %p", (name, near) => {
  expect(nearNames(name, known)).toEqual(near);
});
