/**
 * Handles errors of standard output for the whole process. A reader that closes the pipe, as in
 * `… | head`, ends the process quietly with status 0. Any other error, for example a full disk, is
 * reported and ends it with status 1.
 */
export function endWhenNobodyReads(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    process.stderr.write(`error: Cannot write the output: ${error.message}\n`);
    process.exit(1);
  });
}
