/**
 * Password hashes: argon2id with 64 MiB and 2 passes, at most two at the same time, so that a flood
 * of logins takes bounded memory and leaves a processor for the devices.
 */
import { ApiError } from "../api-error.ts";
import { normalizedPassword } from "../../model/password.ts";

const cost = { algorithm: "argon2id", memoryCost: 65_536, timeCost: 2 } as const;
const parallelMax = 2;
/** Upper bound on hashes that wait for their turn: about 2 s of work. */
const waitingMax = 32;

export class PasswordHashes {
  #running = 0;
  readonly #waiting: (() => void)[] = [];
  /** Hash of no password, which is checked for a user who does not exist. */
  #nobody: Promise<string> | null = null;

  /** Hashes that run and that wait, for tests. */
  get load(): { readonly running: number; readonly waiting: number } {
    return { running: this.#running, waiting: this.#waiting.length };
  }

  /** @throws ApiError 503 while too many others wait */
  hash(password: string): Promise<string> {
    return this.#inTurn(() => Bun.password.hash(normalizedPassword(password), cost));
  }

  /**
   * Takes the same time for a user without a password, which never fits.
   * @throws ApiError 503 while too many others wait
   */
  async verify(password: string, hash: string | null): Promise<boolean> {
    // Made at the first check of any user: later ones are all as fast.
    this.#nobody ??= Bun.password.hash(crypto.randomUUID(), cost).catch((error: unknown) => {
      this.#nobody = null;
      throw error;
    });
    const nobody = await this.#nobody;
    const fits = await this.#inTurn(() => Bun.password.verify(normalizedPassword(password), hash ?? nobody));
    return fits && hash !== null;
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= parallelMax) {
      if (this.#waiting.length >= waitingMax)
        throw new ApiError(503, "Too many people sign in at this moment", "try again in some seconds");
      // The turn passes from the one that ends, so `#running` stays.
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else this.#running++;
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running--;
    }
  }
}
