/**
 * Runs inside the source's namespace, where alone the source can be reached: prints a task's details as one JSON line
 * each time they are asked for. `bun scripts/lab/task-stream.ts URL TOKEN_FILE TASK INTERVAL_MS`, until it is killed.
 */
import { readFile } from "node:fs/promises";
import { createAdminClient } from "../../shared/api/agent-client.ts";
import { pollTask } from "../rig/task-watch.ts";

const [sourceUrl = "", tokenFile = "", taskId = "", intervalMs = "250"] = process.argv.slice(2);
const client = await createAdminClient({ sourceUrl, token: await readFile(tokenFile, "utf8") });
for await (const detail of pollTask(
  client,
  Number(taskId),
  Number(intervalMs),
  new AbortController().signal,
)) {
  process.stdout.write(`${JSON.stringify(detail)}\n`);
}
