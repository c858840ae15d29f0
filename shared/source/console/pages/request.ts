/**
 * Requests to the API of the source, with the cookie of the session. A refused session ends it in
 * the console too. Answers have the types of the API's schemas; the source has checked them.
 */
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { endSession } from "./session.ts";

/** Time without input after which pages are not refreshed, so that an unused session ends. */
const idleMaxMs = 30 * 60_000;
let lastInputMs = Date.now();
for (const kind of ["pointerdown", "keydown", "focus"])
  addEventListener(kind, () => {
    lastInputMs = Date.now();
  });
const isWatched = (): boolean => !document.hidden && Date.now() - lastInputMs < idleMaxMs;

/** Time limit of one request. */
const timeoutMs = 30_000;
/** Time limit of a part of an upload: 8 MiB at 0.3 Mbit/s. */
const bytesTimeoutMs = 240_000;

export class RequestError extends Error {
  /** 0: the source did not answer. */
  readonly status: number;
  /** Next step, in the words of the source. */
  readonly hint: string | null;

  constructor(status: number, message: string, hint: string | null) {
    super(message);
    this.status = status;
    this.hint = hint;
  }
}

/** A problem that the console itself finds, in the language of the viewer. */
export class ConsoleError extends RequestError {
  constructor(message: string, hint: string | null = null) {
    super(409, message, hint);
  }
}

type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
type Refusal = { readonly error?: string; readonly hint?: string };

/** @throws RequestError when the source does not answer, or refuses */
export const ask = <T>(method: Method, path: string, json?: unknown): Promise<T> =>
  answered(path, {
    method,
    signal: AbortSignal.timeout(timeoutMs),
    ...(json === undefined
      ? {}
      : { headers: { "content-type": "application/json" }, body: JSON.stringify(json) }),
  });

/**
 * Sends bytes.
 * @throws RequestError as `ask`, and after the signal, with the status 0
 */
export const sendBytes = <T>(method: Method, path: string, body: Blob, signal: AbortSignal): Promise<T> =>
  answered(path, {
    method,
    body,
    headers: { "content-type": "application/octet-stream" },
    signal: AbortSignal.any([signal, AbortSignal.timeout(bytesTimeoutMs)]),
  });

async function answered<T>(path: string, init: RequestInit): Promise<T> {
  let response: Response;
  try {
    response = await fetch(path, init);
  } catch {
    throw new RequestError(0, "", null);
  }
  if (response.ok) return (await response.json()) as T;
  const { error = response.statusText, hint = null } = (await response.json().catch(() => ({}))) as Refusal;
  if (response.status === 401 && path !== "/v1/session") endSession("ended");
  throw new RequestError(response.status, error, hint);
}

export type Loaded<T> = {
  /** Null until the first answer. */
  readonly data: T | null;
  /** Problem of the last request; `data` is then that of an earlier one. */
  readonly error: RequestError | null;
  readonly reload: () => Promise<void>;
};

/**
 * Loads a path of the API, and again at an interval while a person watches the page.
 * @param path null: nothing is loaded
 * @param everyMs null: once
 */
export function useLoaded<T>(path: string | null, everyMs: number | null = null): Loaded<T> {
  const [state, setState] = useState<{ path: string | null; data: T | null; error: RequestError | null }>({
    path,
    data: null,
    error: null,
  });
  const current = useRef(path);
  current.current = path;
  const reload = useCallback(async () => {
    if (path === null) return;
    try {
      const data = await ask<T>("GET", path);
      if (current.current === path) setState({ path, data, error: null });
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      if (current.current === path)
        setState((last) => ({ path, data: last.path === path ? last.data : null, error }));
    }
  }, [path]);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isOver = false;
    const run = async (): Promise<void> => {
      if (isWatched()) await reload();
      if (everyMs !== null && !isOver) timer = setTimeout(() => void run(), everyMs);
    };
    void reload();
    if (everyMs !== null) timer = setTimeout(() => void run(), everyMs);
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [reload, everyMs]);
  // The answer about another path is not shown.
  const isCurrent = state.path === path;
  return { data: isCurrent ? state.data : null, error: isCurrent ? state.error : null, reload };
}

/** Rows of one page of a list. */
export const pageRows = 100;

/** A page of a list that the source reads by key, and the ways to the others. */
export type Pages<T> = Loaded<T> & {
  /** Rows before this page. */
  readonly first: number;
  /** Null on the last page. */
  readonly toNext: (() => void) | null;
  /** Null on the first page. */
  readonly toPrevious: (() => void) | null;
};

/**
 * Loads a list a page at a time.
 * @param path with a query; another path begins at its first page
 * @param rows of a page
 */
export function usePages<T extends { readonly next: string | null }>(
  path: string,
  everyMs: number,
  rows = pageRows,
): Pages<T> {
  const [place, setPlace] = useState<{ path: string; cursors: readonly string[] }>({ path, cursors: [] });
  const cursors = place.path === path ? place.cursors : [];
  const after = cursors.at(-1);
  const loaded = useLoaded<T>(
    `${path}&limit=${rows}${after === undefined ? "" : `&after=${encodeURIComponent(after)}`}`,
    everyMs,
  );
  const next = loaded.data?.next ?? null;
  const move = (wanted: readonly string[]) => () => setPlace({ path, cursors: wanted });
  return {
    ...loaded,
    first: cursors.length * rows,
    toNext: next === null ? null : move([...cursors, next]),
    toPrevious: cursors.length === 0 ? null : move(cursors.slice(0, -1)),
  };
}
