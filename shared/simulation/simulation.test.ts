import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { mutationNames, type Mutation } from "../../scripts/simulate/mutations.ts";
import { simulate, World } from "./index.ts";

/** Seeds that `npm test` has time for. `bun run simulate --seeds A..B` runs any number. */
const seedsFixed = 120;
/** Seeds within which a checker detects each mutation. docs/TESTING.md has the detection rates. */
const seedsMutated = 60;
/** Checker that detects the mutation first. */
const foundBy: Record<Mutation, string> = {
  "accept-unverified": "wrong bytes",
  "skip-lease": "lease",
  "keep-lease": "lease",
  "keep-idle-holder": "all complete",
  "reuse-nonce": "nonce",
  "keep-sender": "nonce",
  "forget-ledger": "complete",
  "list-before-sync": "ledger",
  "complete-before-read-back": "complete",
  "trust-read-back": "complete",
  "offer-corrupt": "claims",
  "exceed-rate": "pace",
  "repeat-command": "command",
  "ignore-window": "run window",
  "ignore-programs": "run window",
  "never-step-down": "one leader",
  "ignore-guard": "guard",
  "elect-guarded": "guard",
  "ignore-wan-guard": "guard",
  "all-standbys": "standby",
};

describe("worlds from seeds", () => {
  test.each(Array.from({ length: seedsFixed / 20 }, (_, i) => i * 20))(
    "cause no violation in the 20 seeds after %d",
    (before) => {
      for (let seed = before + 1; seed <= before + 20; seed++) {
        const { violation, faults } = simulate({ seed });
        expect({ seed, faults, violation }).toEqual({ seed, faults, violation: null });
      }
    },
  );

  test("give the same outcome at every run of a seed, whether or not the history is kept", () => {
    for (const seed of [4, 33, 78]) {
      const [first, again, logged] = [simulate({ seed }), simulate({ seed }), simulate({ seed, log: true })];
      expect(again).toEqual(first);
      expect(logged.hash).toBe(first.hash);
      expect(logged.log.length).toBeGreaterThan(5);
    }
    expect(simulate({ seed: 4 }).hash).not.toBe(simulate({ seed: 5 }).hash);
  });

  test("download the package once per subnet without faults, and send nothing when idle", () => {
    const world = new World({ seed: 1, devices: 12, subnets: 3, log: false });
    world.start();
    expect(world.run(60_000, () => world.isAtRest)).toBe(true);
    for (const { chunks } of world.checks.wan.accounts.slice(1)) expect(chunks).toBe(world.chunkCount);
    const { datagrams } = world.checks.wire;
    world.run(86_400_000);
    expect(world.checks.wire.datagrams).toBe(datagrams);
  });
});

/**
 * Runs a subnet whose only fault is loss. Returns the bytes of the group ÷ package, and the time
 * from the first multicast chunk to the last complete device ÷ the time at the rate limit.
 */
function lossy(options: { devices: number; lanRateBps: number; loss: number; chunks: number; seed: number }) {
  const { loss, ...given } = options;
  const [chunkBytes, symbolBytes] = [131_072, 1_400];
  const usual = { chunkBytes, symbolBytes, wanRateBps: 1e9, useDeputy: false, log: false };
  const world = new World({ ...usual, ...given });
  world.network.conditions[1]!.loss = loss;
  world.start();
  const firstChunkSent = () => world.network.bytesSent > chunkBytes;
  expect(world.run(60_000, firstChunkSent)).toBe(true);
  const fromMs = world.nowMs;
  expect(world.run(120_000, () => world.allHold)).toBe(true);
  const packageBytes = options.chunks * chunkBytes;
  // Headers of each datagram: UDP 8, IPv4 20, Ethernet 14 bytes.
  const lanBytes = world.network.bytesSent + world.network.datagramsSent * 42;
  const idealMs = (8_000 * (packageBytes - chunkBytes)) / options.lanRateBps;
  return { lanShare: lanBytes / packageBytes, timeShare: (world.nowMs - fromMs) / idealMs };
}

describe("loss without other faults costs at most", () => {
  test.each([
    { devices: 9, lanRateBps: 8e6, loss: 0.01, lanMax: 1.11, timeMax: 1.05 },
    { devices: 65, lanRateBps: 8e6, loss: 0.01, lanMax: 1.13, timeMax: 1.07 },
    { devices: 9, lanRateBps: 4e6, loss: 0.05, lanMax: 1.18, timeMax: 1.12 },
  ])(
    "%o",
    ({ lanMax, timeMax, ...options }) => {
      for (const seed of [1, 2]) {
        const { lanShare, timeShare } = lossy({ ...options, chunks: 80, seed });
        expect(lanShare).toBeLessThan(lanMax);
        expect(timeShare).toBeLessThan(timeMax);
      }
    },
    60_000,
  );
});

/** Faults of the worlds in which a mutation shows; others draw from all faults. */
const faultsOf: Partial<Record<Mutation, string>> = {
  "keep-sender": "snapshot",
  "repeat-command": "command-crash",
  "offer-corrupt": "bit-flip",
  "trust-read-back": "file-change",
  "never-step-down": "partition,line-cut",
  "keep-idle-holder": "idle-holder",
  "ignore-guard": "guard",
  "elect-guarded": "guard",
  "ignore-wan-guard": "guard",
};

describe("the checkers detect the mutation", () => {
  test.each(mutationNames)(
    "%s",
    async (mutation) => {
      const script = join(import.meta.dir, "..", "..", "scripts", "simulate.ts");
      const seeds = `1..${seedsMutated}`;
      const faults = faultsOf[mutation] ? ["--faults", faultsOf[mutation]] : [];
      const run = Bun.spawn(
        [process.execPath, script, "--seeds", seeds, "--jobs", "1", "--mutate", mutation, ...faults],
        { stdout: "pipe", stderr: "pipe" },
      );
      const [output, errors] = await Promise.all([run.stdout.text(), run.stderr.text()]);
      expect(errors).toBe("");
      expect(output).toContain(`VIOLATION of "${foundBy[mutation]}"`);
      expect(await run.exited).toBe(1);
    },
    60_000,
  );
});
