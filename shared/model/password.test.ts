import { expect, test } from "bun:test";
import { normalizedPassword, passwordProblem } from "./password.ts";

test.each([
  ["eleven char", "has 11 characters: give at least 12"],
  ["ä".repeat(129), "more than 256 bytes"],
  ["correct\u0007horse battery", "control character"],
  ["aaaaaaaabbbb", "fewer than 5 different"],
  ["annika1annika", "made from the user's name"],
  ["ANNIKAannika", "made from the user's name"],
])("refuses %p and names the reason", (password, problem) => {
  expect(passwordProblem(password, "Annika")).toContain(problem);
});

test("accepts a long password, also with blanks and letters of any script", () => {
  for (const password of ["correct horse battery", "Пароль из слов", "annika has a bike"])
    expect(passwordProblem(password, "annika")).toBeNull();
});

test("hashes composed and decomposed letters in one form", () => {
  expect(normalizedPassword("Ko\u0308ln am Rhein")).toBe(normalizedPassword("K\u00f6ln am Rhein"));
});
