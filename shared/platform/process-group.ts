/** POSIX process groups: a command and its descendants, under the id of the first process. */
import type { ProcessTree } from "./platform.ts";

export const processGroup = (pid: number): ProcessTree => ({
  signal(signal) {
    try {
      process.kill(-pid, signal);
    } catch {
      // ESRCH: the group has exited.
    }
  },
  isRunning() {
    try {
      return process.kill(-pid, 0);
    } catch {
      return false;
    }
  },
  close() {},
});
