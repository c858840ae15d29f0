/**
 * Store of leases in SQLite. Leases survive a restart of the source, so that it causes no second
 * download.
 */
import type { Database } from "bun:sqlite";
import type { LeaseStore } from "./catalog.ts";
import { noLease, withoutFailures, type LeaseState } from "../../model/lease.ts";

/** Earlier versions wrote fewer fields. */
export const parseLease = (text: string): LeaseState => ({ ...noLease, ...(JSON.parse(text) as LeaseState) });

export function sqliteLeases(database: Database): LeaseStore {
  const read = database.query<{ state_json: string }, { packageId: string; subnetId: string }>(
    "SELECT state_json FROM leases WHERE package_id = $packageId AND subnet_id = $subnetId",
  );
  const write = database.query(
    `INSERT INTO leases (package_id, subnet_id, state_json) VALUES ($packageId, $subnetId, $state)
     ON CONFLICT DO UPDATE SET state_json = excluded.state_json`,
  );
  const ofPackage = database.query<{ subnet_id: string; state_json: string }, { packageId: string }>(
    "SELECT subnet_id, state_json FROM leases WHERE package_id = $packageId",
  );
  const ofShare = database.query<{ package_id: string; state_json: string }, { subnetId: string }>(
    "SELECT package_id, state_json FROM leases WHERE subnet_id = $subnetId",
  );
  const statesOf = (packageId: string) =>
    ofPackage.all({ packageId }).map((row) => [row.subnet_id, parseLease(row.state_json)] as const);
  return {
    async read(packageId, subnetId) {
      const row = read.get({ packageId, subnetId });
      return row && parseLease(row.state_json);
    },
    async giveUp(subnetId, deviceId) {
      database
        .transaction(() => {
          for (const { package_id: packageId, state_json: text } of ofShare.all({ subnetId })) {
            const state = parseLease(text);
            if (state.holder?.deviceId !== deviceId || state.expiresAtMs === 0) continue;
            write.run({ packageId, subnetId, state: JSON.stringify({ ...state, expiresAtMs: 0 }) });
          }
        })
        .immediate();
    },
    async update(packageId, subnetId, decide) {
      return database
        .transaction(() => {
          const row = read.get({ packageId, subnetId });
          const state = row && parseLease(row.state_json);
          const { next, result } = decide(state);
          if (next !== state) write.run({ packageId, subnetId, state: JSON.stringify(next) });
          return result;
        })
        .immediate();
    },
    async removeWithoutTask() {
      database.run("DELETE FROM leases WHERE package_id NOT IN (SELECT package_id FROM tasks)");
    },
    async ofPackage(packageId) {
      return new Map(statesOf(packageId));
    },
    async forgetFailures(packageId) {
      database
        .transaction(() => {
          for (const [subnetId, state] of statesOf(packageId))
            write.run({ packageId, subnetId, state: JSON.stringify(withoutFailures(state)) });
        })
        .immediate();
    },
  };
}
