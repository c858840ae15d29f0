/** Access lists of Windows as text, and what they mean. */
import { describe, expect, test } from "bun:test";
import {
  isPrivateSecurity,
  parseSecurity,
  privateSecurity,
  securityProblem,
  sidIn,
} from "./windows-access.ts";

const user = "S-1-5-21-1-2-3-1001";
const problemOf = (sddl: string, role: "own" | "parent" | "secret" = "own"): string | null =>
  securityProblem("C:\\data", parseSecurity(sddl), role, user);

/** A folder that an administrator made below C:\, and one below C:\ProgramData. */
const belowRoot =
  "O:BAG:SYD:AI(A;OICIID;FA;;;BA)(A;OICIID;FA;;;SY)(A;OICIID;0x1200a9;;;BU)(A;ID;0x1301bf;;;AU)";
const belowProgramData =
  "O:BAG:SYD:AI(A;OICIID;FA;;;SY)(A;OICIID;FA;;;BA)(A;OICIIOID;GA;;;CO)(A;CIID;DCLCRPCR;;;BU)";

describe("a data folder on Windows", () => {
  test.each([
    ["in which everybody may change everything", belowRoot, "(Authenticated Users)"],
    ["in which users may create files", belowProgramData, "(Users)"],
    ["without an access list", `O:${user}D:NO_ACCESS_CONTROL`, "(everybody)"],
    ["without the part of an access list", `O:${user}`, "(everybody)"],
    ["whose rights are given by condition", `O:BAD:P(XA;;FA;;;BU;(@User.x==1))`, "(Users)"],
  ])("%s is refused", (_, sddl, who) => {
    expect(problemOf(sddl)).toContain(`can be changed by other users ${who}`);
    expect(problemOf(sddl)).toContain("icacls");
  });

  test.each([
    ["that others can only read", `O:${user}D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1200a9;;;BU)`],
    ["that is private", `O:SYD:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;${user})`],
    ["with a denial", `O:BAD:P(D;;FA;;;BU)(A;OICI;FA;;;SY)S:(AU;SA;FA;;;WD)`],
  ])("%s is taken", (_, sddl) => expect(problemOf(sddl)).toBeNull());

  test("of another user is refused, as a parent too", () => {
    const foreign = "O:S-1-5-21-9-9-9-1002G:SYD:P(A;OICI;FA;;;SY)";
    for (const role of ["own", "parent"] as const)
      expect(problemOf(foreign, role)).toContain("belongs to another user (S-1-5-21-9-9-9-1002)");
    expect(problemOf(belowRoot, "parent")).toBeNull();
  });
});

test("a secret is refused while other users can read it", () => {
  expect(problemOf(`O:${user}D:(A;;FA;;;SY)(A;;FA;;;${user})`, "secret")).toBeNull();
  expect(problemOf(`O:${user}D:(A;;FR;;;BU)(A;;FA;;;${user})`, "secret")).toContain("(Users): icacls");
});

test("what is set for a private folder reads as private, and only for its user", () => {
  const sddl = `O:BA${privateSecurity("folder", user)}`;
  expect(isPrivateSecurity(parseSecurity(sddl), user)).toBe(true);
  expect(isPrivateSecurity(parseSecurity(sddl), "S-1-5-21-1-2-3-1002")).toBe(false);
  expect(isPrivateSecurity(parseSecurity("O:BAD:P(A;OICIIO;GR;;;BU)"), user)).toBe(false);
});

test("knows the users of services by their names", () => {
  const own = parseSecurity("O:LSD:P(A;;FA;;;SY)(A;;FA;;;LS)");
  expect(securityProblem("C:\\data", own, "own", "S-1-5-19")).toBeNull();
  expect(isPrivateSecurity(own, "S-1-5-19")).toBe(true);
  expect(securityProblem("C:\\data", own, "own", user)).toContain("belongs to another user (S-1-5-19)");
});

test("reads a SID", () => {
  const bytes = Uint8Array.of(1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0);
  expect(sidIn(new DataView(bytes.buffer))).toBe("S-1-5-32-544");
});
