import { expect, test } from "bun:test";
import { ManifestGrants } from "./manifest-grants.ts";

const holder = (n: number) => ({ deviceId: String(n).padStart(16, "0"), address: `10.0.0.${n}`, lanPort: 7 });

function newGrants(holdersMax?: number) {
  const grants = new ManifestGrants(() => 0, holdersMax);
  return (n: number, attempt: number, nowMs: number, { subnet = "s", bytes = 0 } = {}) => {
    const answer = grants.ask("p", subnet, { ...holder(n), attempt }, bytes, nowMs);
    return answer.result === "granted" ? "granted" : answer.holders.map(({ deviceId }) => Number(deviceId));
  };
}

test("one device of a subnet gets the manifest, and the others are sent to it", () => {
  const ask = newGrants();
  expect([ask(1, 0, 0), ask(2, 0, 1), ask(3, 0, 2)]).toEqual(["granted", [1], [1]]);
  expect(ask(4, 0, 3, { subnet: "other" })).toBe("granted");
});

test("the only holder gets it again, for example after its disk was replaced", () => {
  const ask = newGrants();
  expect([ask(1, 0, 0), ask(1, 0, 1)]).toEqual(["granted", "granted"]);
});

test("a device that could not reach the holders gets it after three attempts", () => {
  const ask = newGrants();
  ask(1, 0, 0);
  expect([1, 2, 3].map((attempt) => ask(2, attempt, 1_000 * attempt + 1_000))).toEqual([[1], [1], "granted"]);
});

test("one device of a subnet after the other gets it, each in the time that its transfer takes", () => {
  const ask = newGrants();
  ask(1, 0, 0, { bytes: 310_000 });
  // The transfer takes ten seconds at 250 kbit/s.
  expect([ask(2, 3, 9_999, { bytes: 310_000 }), ask(2, 3, 10_000, { bytes: 310_000 })]).toEqual([
    [1],
    "granted",
  ]);
  expect([ask(3, 3, 10_001), ask(3, 3, 20_000)]).toEqual([[1], "granted"]);
});

test.each([1, 1_463_000, 2 * 86_400_000])(
  "a clock that was set back by %d ms does not keep the manifest from a device",
  (backMs) => {
    const ask = newGrants();
    ask(1, 0, 1e12);
    expect(ask(2, 3, 1e12 - backMs)).toBe("granted");
  },
);

test("the holders of the oldest subnets are forgotten above the bound on all of them", () => {
  const ask = newGrants(3);
  ask(1, 0, 0, { subnet: "old" });
  ask(2, 0, 0, { subnet: "old" });
  ask(3, 0, 0, { subnet: "new" });
  expect(ask(3, 0, 0, { subnet: "new" })).toBe("granted");
  expect(ask(4, 0, 0, { subnet: "new" })).toEqual([3]);
  expect(ask(5, 0, 0, { subnet: "new" })).toEqual([3]);
  expect(ask(1, 1, 0, { subnet: "old" })).toBe("granted");
});
