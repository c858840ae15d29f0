import { describe, expect, test } from "bun:test";
import { decideEnrolment, removalReasons, type KnownMachine } from "./enrolment.ts";

const row = (id: string, given: Partial<KnownMachine> = {}): KnownMachine => ({
  id,
  life: "active",
  isConnected: false,
  unused: null,
  ...given,
});

/** Every row that can exist: only a row that is kept has a connection or an unused credential. */
const uses: Pick<KnownMachine, "isConnected" | "unused">[] = [
  { isConnected: false, unused: null },
  { isConnected: true, unused: null },
  { isConnected: false, unused: "own" },
  { isConnected: false, unused: "other" },
];
const rows: Omit<KnownMachine, "id">[] = [
  ...uses.map((use) => Object.assign({ life: "active" as const }, use)),
  ...uses.map((use) => Object.assign({ life: "suspended" as const }, use)),
  ...removalReasons.map((life) => ({ life, isConnected: false, unused: null })),
];

/** All sets of up to three rows. */
function* worlds(): Generator<KnownMachine[]> {
  const choices = [null, ...rows];
  for (const a of choices)
    for (const b of choices)
      for (const c of choices)
        yield [a, b, c].flatMap((one, at) => (one === null ? [] : [{ id: String(at), ...one }]));
}

describe("an enrolment", () => {
  test("of a machine that is not known gets a new row that counts", () => {
    expect(decideEnrolment([], false)).toEqual({ kind: "new", suspended: false, why: "unknown" });
  });

  test("takes over the row of a machine whose device is not connected, and waits for approval", () => {
    expect(decideEnrolment([row("a")], false)).toEqual({ kind: "takeover", id: "a", suspended: true });
    expect(decideEnrolment([row("a")], true)).toEqual({ kind: "takeover", id: "a", suspended: false });
  });

  test("gets a new row while the device of its identity is connected, or about to connect", () => {
    for (const other of [row("a", { isConnected: true }), row("a", { unused: "other" })])
      expect(decideEnrolment([other], true)).toEqual({ kind: "new", suspended: false, why: "in-use" });
  });

  test("gets a new row where several devices share the identity", () => {
    expect(decideEnrolment([row("a"), row("b")], true)).toMatchObject({ kind: "new", why: "shared" });
  });

  test("takes over the row of a device that expired, never one that was removed or cloned", () => {
    expect(decideEnrolment([row("a", { life: "expired" })], true)).toMatchObject({
      kind: "takeover",
      id: "a",
    });
    expect(decideEnrolment([row("a", { life: "removed" })], true)).toMatchObject({
      kind: "new",
      suspended: true,
    });
    expect(decideEnrolment([row("a", { life: "cloned" })], true)).toMatchObject({
      kind: "new",
      suspended: false,
    });
  });

  test("never displaces a device in use, and never escapes a suspension or a removal", () => {
    let seen = 0;
    for (const known of worlds()) {
      for (const approves of [true, false]) {
        seen++;
        const decision = decideEnrolment(known, approves);
        const chosen = decision.kind === "new" ? null : known.find(({ id }) => id === decision.id)!;
        if (decision.kind === "takeover") {
          expect(chosen).toMatchObject({ isConnected: false, unused: null });
          expect(["active", "suspended", "expired"]).toContain(chosen!.life);
          expect(known.filter(({ life }) => life === "active" || life === "suspended").length).toBeLessThan(
            2,
          );
          if (!approves) expect(decision.suspended).toBe(true);
        }
        if (decision.kind === "repeat") expect(chosen!.unused).toBe("own");
        if (
          decision.kind !== "repeat" &&
          known.some(({ life }) => life === "suspended" || life === "removed")
        )
          expect(decision.suspended).toBe(true);
        if (known.some(({ unused }) => unused === "own")) expect(decision.kind).toBe("repeat");
        // The order of the rows does not matter, except between rows that the process got itself.
        const reversed = decideEnrolment(known.toReversed(), approves);
        expect(reversed.kind).toBe(decision.kind);
        if (decision.kind !== "repeat") expect(reversed).toEqual(decision);
      }
    }
    expect(seen).toBe(2 * (rows.length + 1) ** 3);
  });
});
