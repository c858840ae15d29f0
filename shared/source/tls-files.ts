/**
 * Watches the files of certificate and key, and reads them again when they change. Files that
 * cannot be used are logged, and the certificate in use stays.
 *
 * The files are polled: programs that renew certificates replace them by renames and symbolic
 * links, in two steps.
 */
import { stat } from "node:fs/promises";
import type { Logger } from "../log.ts";
import { loadTls, type Tls } from "./listen.ts";

const pollMs = 2_000;

type TlsWatchOptions = {
  readonly certFile: string;
  readonly keyFile: string;
  readonly onChange: (tls: Tls) => Promise<void>;
  readonly log: Logger;
};

/** Starts to watch; the returned function ends it. */
export function watchTlsFiles(options: TlsWatchOptions): () => void {
  const { certFile, keyFile, onChange, log } = options;
  let isStopped = false;
  let timer: ReturnType<typeof setTimeout>;
  let used: string | null = null;
  let last: string | null = null;
  const look = async (): Promise<void> => {
    const found = `${await stampOf(certFile)} ${await stampOf(keyFile)}`;
    used ??= found;
    // A change counts once the files were the same at two looks: a program may still write them.
    const isSettled = found === last;
    last = found;
    if (found === used || !isSettled || isStopped) return;
    used = found;
    try {
      const tls = await loadTls(certFile, keyFile);
      await onChange(tls);
      log.info({ certFile, spki: tls.spki }, "the TLS certificate was replaced");
    } catch (error) {
      log.error(
        { certFile, keyFile, error: (error as Error).message },
        "the changed TLS files cannot be used: the certificate in use stays",
      );
    }
  };
  const next = (): void => {
    timer = setTimeout(() => {
      void look().finally(() => {
        if (!isStopped) next();
      });
    }, pollMs);
    timer.unref();
  };
  void look();
  next();
  return () => {
    isStopped = true;
    clearTimeout(timer);
  };
}

async function stampOf(file: string): Promise<string> {
  try {
    const { ino, size, mtimeMs } = await stat(file);
    return `${ino}:${size}:${mtimeMs}`;
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code);
  }
}
