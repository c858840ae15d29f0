/**
 * Prints a task's details as one JSON line per interval, until the program is killed. The program
 * runs inside the source's namespace, because the source is not reachable from outside.
 *
 *     bun scripts/lab/task-stream.ts URL TOKEN_FILE TASK INTERVAL_MS
 */
import { readFile } from "node:fs/promises";
import { createAdminClient } from "../../shared/api/agent-client.ts";
import { pollTask } from "../rig/task-watch.ts";

const [sourceUrl = "", tokenFile = "", taskId = "", intervalMs = "250"] = process.argv.slice(2);
const token = await readFile(tokenFile, "utf8");
const client = createAdminClient({ sourceUrl, token, allowsPlainHttp: true });
for await (const detail of pollTask(
  client,
  Number(taskId),
  Number(intervalMs),
  new AbortController().signal,
)) {
  process.stdout.write(`${JSON.stringify(detail)}\n`);
}
