/**
 * Failure of a command: one line of text and an exit status. Status 2 reports a wrong command line,
 * 1 a command that failed, 3 a watch whose time is over.
 */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly exitCode: 1 | 2 | 3;

  constructor(message: string, exitCode: 1 | 2 | 3 = 1, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

/** Runs a parser of command-line words and turns its exception into an error with exit status 2. */
export function usage<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new CommandError(error instanceof Error ? error.message : String(error), 2, { cause: error });
  }
}

/** Returns the exit status of the program after an error of a command. */
export const exitStatusOf = (error: unknown): number => (error instanceof CommandError ? error.exitCode : 1);
