/** Something that must hold does not. */
export class Violation extends Error {
  /** Which check. */
  readonly checker: string;
  /** Its name; "-" when it is nobody's. */
  readonly device: string;
  readonly atMs: number;

  constructor(checker: string, device: string, atMs: number, message: string) {
    super(message);
    this.checker = checker;
    this.device = device;
    this.atMs = atMs;
  }
}
