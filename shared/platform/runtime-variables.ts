/**
 * Variables of the environment by which another user could take over a program that runs as root,
 * for example through sudo or a service's settings. The program cannot undo what they did: it
 * refuses to run, so that nobody relies on it. Service definitions clear them (docs/OPERATIONS.md).
 */
import { printNote } from "../standard-output.ts";
import { platform } from "./index.ts";
import { takeoverVariables } from "./takeover-variables.ts";

type Environment = Record<string, string | undefined>;

export const isTakeover = (name: string): boolean => takeoverVariables.has(name.toUpperCase());

/**
 * Returns why the program must not run with these variables; null if it may. Takes out the variable
 * that makes the runtime accept any certificate, also for other users.
 */
export function variableProblem(
  environment: Environment = process.env,
  isAdministrator: boolean = platform.isAdministrator(),
): string | null {
  delete environment["NODE_TLS_REJECT_UNAUTHORIZED"];
  const found = Object.keys(environment).filter((name) => isTakeover(name) && environment[name] !== "");
  if (!isAdministrator || found.length === 0) return null;
  return (
    `The environment has ${found.join(", ")}, which can make this program run foreign code with all rights: ` +
    `remove ${found.length === 1 ? "it" : "them"} (unset, or UnsetEnvironment= in a systemd unit)`
  );
}

/** Ends the process with status 1 when another user may have taken it over. */
export function endIfTakenOver(program: string): void {
  const problem = variableProblem();
  if (problem === null) return;
  printNote(`${program}: ${problem}`);
  process.exit(1);
}
