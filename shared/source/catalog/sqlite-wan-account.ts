/** Store of the WAN account in SQLite: package bytes that the source sent, per subnet. */
import type { Database } from "bun:sqlite";
import type { WanAccount } from "./catalog.ts";

export function sqliteWanAccount(database: Database): WanAccount {
  const add = database.query(
    `INSERT INTO wan_account (package_id, subnet_id, bytes) VALUES ($packageId, $subnetId, $bytes)
     ON CONFLICT DO UPDATE SET bytes = bytes + excluded.bytes`,
  );
  const sinceTask = database.query<{ subnet_id: string; bytes: number }, { taskId: number }>(
    `SELECT account.subnet_id, account.bytes - coalesce(baseline.bytes, 0) AS bytes
     FROM tasks
     JOIN wan_account AS account ON account.package_id = tasks.package_id
     LEFT JOIN wan_baseline AS baseline
       ON baseline.task_id = tasks.id AND baseline.subnet_id = account.subnet_id
     WHERE tasks.id = $taskId`,
  );
  return {
    async add(entries) {
      database.transaction(() => {
        for (const entry of entries) add.run({ ...entry });
      })();
    },
    async removeWithoutTask() {
      database.run("DELETE FROM wan_account WHERE package_id NOT IN (SELECT package_id FROM tasks)");
    },
    async sinceTask(taskId) {
      return new Map(sinceTask.all({ taskId }).map((row) => [row.subnet_id, row.bytes] as const));
    },
  };
}
