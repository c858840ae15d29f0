/** Leases in SQLite: they outlive a restart of the source, so that no second download begins because of one. */
import type { Database } from "bun:sqlite";
import type { LeaseStore } from "./catalog.ts";
import type { LeaseState } from "./lease.ts";

export function sqliteLeases(database: Database): LeaseStore {
  const read = database.query<{ state_json: string }, { taskId: number; subnetId: string }>(
    "SELECT state_json FROM leases WHERE task_id = $taskId AND subnet_id = $subnetId",
  );
  const write = database.query(
    `INSERT INTO leases (task_id, subnet_id, state_json) VALUES ($taskId, $subnetId, $state)
     ON CONFLICT DO UPDATE SET state_json = excluded.state_json`,
  );
  const ofTask = database.query<{ subnet_id: string; state_json: string }, { taskId: number }>(
    "SELECT subnet_id, state_json FROM leases WHERE task_id = $taskId",
  );
  return {
    async update(taskId, subnetId, decide) {
      return database
        .transaction(() => {
          const row = read.get({ taskId, subnetId });
          const state = row && (JSON.parse(row.state_json) as LeaseState);
          const { next, result } = decide(state);
          if (next !== state) write.run({ taskId, subnetId, state: JSON.stringify(next) });
          return result;
        })
        .immediate();
    },
    async ofTask(taskId) {
      return new Map(
        ofTask
          .all({ taskId })
          .map((row) => [row.subnet_id, JSON.parse(row.state_json) as LeaseState] as const),
      );
    },
  };
}
