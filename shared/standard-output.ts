/**
 * Standard output whose reader may leave, as in `… | head`: that is no failure, and nothing to say. Any other trouble,
 * a full disk for example, is one.
 */
export function endWhenNobodyReads(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    process.stderr.write(`error: Cannot write the output: ${error.message}\n`);
    process.exit(1);
  });
}
