/**
 * Chromium for tests and screenshots. A process of Node.js drives the browser, because
 * playwright-core does not run on Bun. A step is a function whose text is sent to this process, so
 * it uses its arguments only.
 */
import { join } from "node:path";
import type { BrowserContextOptions, Page } from "playwright-core";

/** Program → Debian package. */
export const browserPrograms: Readonly<Record<string, string>> = { chromium: "chromium", node: "nodejs" };

export type BrowserTools = {
  readonly page: Page;
  readonly problems: string[];
  readonly open: (options?: BrowserContextOptions) => Promise<Page>;
  readonly show: (place: string) => Promise<void>;
  readonly violations: () => Promise<string[]>;
  readonly timed: (place: string) => Promise<TimedPage>;
};

/** Times of a page of the console, from its address on, and the rows that it shows. */
export type TimedPage = {
  readonly firstRowMs: number;
  /** While it scrolls to its end. */
  readonly longestFrameMs: number;
  readonly rows: number;
};

export type Browser = AsyncDisposable & {
  /**
   * Runs a step, and returns its value as JSON carries it.
   * @throws Error with the message of the step
   */
  readonly run: <P, T = void>(
    step: (tools: BrowserTools, parameters: P) => Promise<T>,
    parameters: P,
  ) => Promise<T>;
};

type Answer = { readonly value: unknown; readonly error?: string };

/** @throws Error at the first step when Chromium or Node.js is missing */
export function openBrowser(): Browser {
  const driver = join(import.meta.dir, "browser-driver.mjs");
  const child = Bun.spawn([nodeProgram(), driver, Bun.which("chromium") ?? "chromium"], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  const lines = linesOf(child.stdout);
  return {
    async run<P, T>(step: (tools: BrowserTools, parameters: P) => Promise<T>, parameters: P): Promise<T> {
      child.stdin.write(`${JSON.stringify({ text: step.toString(), parameters })}\n`);
      await child.stdin.flush();
      const { value, done } = await lines.next();
      if (done === true) throw new Error("The browser ended: see its messages above");
      const { value: result, error } = JSON.parse(value) as Answer;
      if (error !== undefined) throw new Error(error);
      return result as T;
    },
    async [Symbol.asyncDispose]() {
      await child.stdin.end();
      await child.exited;
    },
  };
}

/** Returns the program of Node.js: `bun run` puts a folder first whose "node" is Bun. */
function nodeProgram(): string {
  const folders = (process.env["PATH"] ?? "").split(":").filter((folder) => !/\/bun-node-/.test(folder));
  return Bun.which("node", { PATH: folders.join(":") }) ?? "node";
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, void> {
  let rest = "";
  const decoder = new TextDecoder();
  for await (const piece of stream) {
    const lines = `${rest}${decoder.decode(piece, { stream: true })}`.split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}
