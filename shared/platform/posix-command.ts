/** Commands on POSIX systems: the shell that stores their exit status, and their environment. */
import { closeSync, openSync } from "node:fs";
import os from "node:os";
import type { CommandSpec, StartedCommand } from "./platform.ts";
import { processGroup } from "./process-group.ts";

/**
 * Runs the command ($1) and stores its exit status in a file ($2) by rename, after the key ($3), so
 * that a later process of the agent learns it. The shell outlasts the signals that it passes on to
 * the command; the command itself has their default actions. Its own messages about signals do not
 * belong to the output.
 */
const recorder = `trap : HUP INT TERM
exec 3>&2 2>/dev/null
/bin/sh -c "$1" 2>&3 3>&-
code=$?
(umask 077; printf '%s %s\\n' "$3" "$code" > "$2.new") && mv -f "$2.new" "$2"
exit "$code"`;

export const systemEnvironment = (): Record<string, string> => ({
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  HOME: os.homedir(),
  TMPDIR: os.tmpdir(),
  LANG: "C.UTF-8",
});

/** Starts the command in a session of its own, so that it can be stopped with its children. */
export function startCommand({ line, folder, environment, status, outputPath }: CommandSpec): StartedCommand {
  const output = openSync(outputPath, "a");
  try {
    const child = Bun.spawn(["/bin/sh", "-c", recorder, "flockcast-command", line, status.path, status.key], {
      cwd: folder,
      env: { ...systemEnvironment(), ...environment },
      stdin: "ignore",
      stdout: output,
      stderr: output,
      detached: true,
    });
    return { pid: child.pid, tree: processGroup(child.pid), exited: child.exited.then(() => child.exitCode) };
  } finally {
    closeSync(output);
  }
}
