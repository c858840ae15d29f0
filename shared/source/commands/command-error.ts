/**
 * How a command ends other than well: one clear line and an exit status. 2 says that the command line is wrong, 1 that
 * it was right and did not work.
 */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly exitCode: 1 | 2;

  constructor(message: string, exitCode: 1 | 2 = 1, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

/** Runs a parser of words from the command line: what it throws becomes a usage error. */
export function usage<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new CommandError(error instanceof Error ? error.message : String(error), 2, { cause: error });
  }
}
