/**
 * Program for tests: another user of the machine, "nobody" of Debian. Started by root, it enters a
 * folder, becomes that user, and tries what its further arguments name, such as `read:data/x`.
 * Prints the outcomes as JSON: "done", or the code of the error. Paths are relative, because the
 * folders that lead to the working folder may be closed to that user.
 */
import { closeSync, openSync, readdirSync, writeFileSync } from "node:fs";
import net from "node:net";
import { assertReadable } from "../shared/platform/private-files.ts";
import { strangerId } from "./root-test.ts";

const connect = (path: string): Promise<void> =>
  new Promise((resolve, reject) => {
    const socket = net.connect({ path }, () => {
      socket.destroy();
      resolve();
    });
    socket.on("error", reject);
  });

const actions: Readonly<Record<string, (path: string) => unknown>> = {
  read: (path) => closeSync(openSync(path, "r")),
  write: (path) => writeFileSync(path, "foreign"),
  list: (path) => readdirSync(path),
  connect,
  /** As the commands `status` and `cache` begin. */
  ask: assertReadable,
};

const [folder, ...attempts] = process.argv.slice(2);
process.chdir(folder!);
// Later loads would have to find their files as the other user.
await connect("missing").catch(() => {});
process.setgroups!([]);
process.setgid!(strangerId);
process.setuid!(strangerId);
const outcomes: Record<string, string> = {};
for (const attempt of attempts) {
  const [action, path] = attempt.split(":", 2) as [string, string];
  try {
    await actions[action]!(path);
    outcomes[attempt] = "done";
  } catch (error) {
    outcomes[attempt] = (error as NodeJS.ErrnoException).code ?? String(error);
  }
}
console.log(JSON.stringify(outcomes));
