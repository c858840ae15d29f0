/**
 * A year of a source with sixty agents, on a clock of the test: real client, real HTTP with TLS,
 * real catalog. At the end the source's counts are compared with what happened on each machine.
 */
import { expect, test } from "bun:test";
import { Account } from "./fleet/account.ts";
import { days } from "./fleet/plan.ts";
import { FleetSource } from "./fleet/source.ts";
import { FleetYear } from "./fleet/year.ts";

const startMs = Date.UTC(2031, 0, 6);

test.each([1, 2, 18])(
  "sixty machines and their source agree about a year of seed %i",
  async (seed) => {
    const source = await FleetSource.open({ nowMs: startMs });
    const year = new FleetYear(source, seed);
    try {
      const account = new Account(year);
      const problems: string[] = [];
      while (year.day < days && problems.length < 20) problems.push(...(await year.nextDay(account.check)));
      await year.finish();
      problems.push(...(await account.finalProblems()));
      const { fleet, administrator } = year;
      const counts = { ...fleet.counted, ...administrator.counted, ...administrator.wan.total };
      console.log(`seed ${seed}: ${JSON.stringify(counts)}\n${account.table()}`);
      expect(problems).toEqual([]);
      const audit = await source.admin.verifyAudit();
      expect(audit).toMatchObject({ broken: null });
      // Each enrolment and each change of the year, in one chain over restarts and restores.
      expect(audit.rows).toBeGreaterThan(fleet.machines.length);
    } finally {
      year.close();
      await source.close();
    }
  },
  300_000,
);
