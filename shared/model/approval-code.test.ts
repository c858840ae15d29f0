/** Approval codes: one form at both ends, and what a person may type. */
import { expect, test } from "bun:test";
import { approvalCodeText, readApprovalCode } from "./approval-code-text.ts";
import { approvalCode } from "./approval-code.ts";

const digests = Array.from({ length: 500 }, (_, at) => new Bun.SHA256().update(String(at)).digest("hex"));

test("a code has eight characters without I, L, O and U, and differs for other credentials", () => {
  const codes = digests.map(approvalCode);
  for (const code of codes) expect(code).toMatch(/^[0-9A-HJKMNP-TV-Z]{8}$/);
  expect(new Set(codes).size).toBe(codes.length);
  expect(approvalCode(digests[0]!)).toBe(codes[0]!);
  // Both ends may be of other versions: the code never changes.
  expect(approvalCode("00".repeat(32))).toBe("CMYG7JPK");
});

test("a code is read as people write it", () => {
  for (const digest of digests.slice(0, 50)) {
    const code = approvalCode(digest);
    const text = approvalCodeText(code);
    expect(text).toHaveLength(9);
    for (const typed of [code, text, text.toLowerCase(), ` ${text.replace("-", " ")} `])
      expect(readApprovalCode(typed)).toBe(code);
    expect(readApprovalCode(text.replaceAll("0", "o").replaceAll("1", "l"))).toBe(code);
  }
});

test("a text that is no code is not read", () => {
  for (const text of ["", "ABCD-EFG", "ABCD-EFGHJ", "ABCD-EFGU", "desktop-17", "ABCDEFG!"])
    expect(readApprovalCode(text)).toBeNull();
});
