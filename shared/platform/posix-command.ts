/** Commands on POSIX systems: the shell that stores their exit status, and their environment. */
import os from "node:os";
import type { CommandStatus, ShellCommand } from "./platform.ts";

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
printf '%s %s' "$3" "$code" > "$2.new" && mv -f "$2.new" "$2"
exit "$code"`;

export const shell = (command: string, _named: unknown, { path, key }: CommandStatus): ShellCommand => ({
  words: ["/bin/sh", "-c", recorder, "flockcast-command", command, path, key],
  isVerbatim: false,
});

export const commandEnvironment = (): Record<string, string> => ({
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  HOME: os.homedir(),
  TMPDIR: os.tmpdir(),
  LANG: "C.UTF-8",
});
