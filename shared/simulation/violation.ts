/** A broken invariant of a simulated world. */
export class Violation extends Error {
  /** Name of the checker, as in docs/TESTING.md. */
  readonly checker: string;
  /** Name of the device; "-" for a violation of the whole world. */
  readonly device: string;
  /** World time. */
  readonly atMs: number;

  constructor(checker: string, device: string, atMs: number, message: string) {
    super(message);
    this.checker = checker;
    this.device = device;
    this.atMs = atMs;
  }
}
