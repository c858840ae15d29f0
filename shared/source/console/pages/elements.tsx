/** Parts that pages share: heading, problem, facts, table with paging, confirmation. */
import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { language, messages } from "./language.ts";
import { ConsoleError, RequestError, type Loaded } from "./request.ts";
import { may } from "./session.ts";
import { count, second, time } from "./texts.ts";

/** Whether a page was shown before: the first one leaves the focus where the browser puts it. */
let hasShownPage = false;

/** Heading of a page, which gets the focus and names the window. */
export function Heading({ text, children }: { text: string; children?: ComponentChildren }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useLayoutEffect(() => {
    document.title = `${text} · ${messages.value.product}`;
  }, [text]);
  useLayoutEffect(() => {
    if (hasShownPage) heading.current?.focus();
    hasShownPage = true;
  }, []);
  return (
    <header class="page-head">
      <h1 ref={heading} tabIndex={-1}>
        {text}
      </h1>
      {children}
    </header>
  );
}

/** Texts of the source begin in lower case, as on a command line. */
const asSentence = (text: string): string => `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`;

/** Returns the next step for a status, in the language of the viewer. */
function nextStep(status: number): string {
  const steps: Readonly<Record<string, string>> = messages.value.nextSteps;
  return steps[status] ?? messages.value.refusedHint;
}

/**
 * A refused or unanswered request, with a next step. Texts of the source are English; in another
 * language the step for the status follows.
 */
export function Problem({ error, onRetry }: { error: RequestError; onRetry?: () => unknown }) {
  const words = messages.value;
  const isUnanswered = error.status === 0;
  // The console's own problems are in the viewer's language, with their next step.
  const isOwn = error instanceof ConsoleError;
  const textLanguage = isOwn ? undefined : "en";
  const isHintEnough = isOwn || (error.hint !== null && language.value === "en");
  return (
    <div class="notice problem" role="alert">
      <p>
        {isUnanswered ? (
          <strong>{words.unreachable}</strong>
        ) : (
          <strong lang={textLanguage}>{asSentence(error.message)}</strong>
        )}
      </p>
      {!isUnanswered && error.hint !== null && <p lang={textLanguage}>{asSentence(error.hint)}</p>}
      {isUnanswered && <p>{words.unreachableHint}</p>}
      {!isUnanswered && !isHintEnough && <p>{nextStep(error.status)}</p>}
      {onRetry && (
        <button type="button" class="secondary" onClick={() => void onRetry()}>
          {words.retry}
        </button>
      )}
    </div>
  );
}

/** Shows what was loaded, and above it the problem of a later request. */
export function Shown<T>({
  loaded,
  children,
}: {
  loaded: Loaded<T>;
  children: (data: T) => ComponentChildren;
}) {
  const { data, error, reload } = loaded;
  return (
    <>
      {error && <Problem error={error} onRetry={reload} />}
      {data === null && error === null && <p aria-busy="true">{messages.value.loading}</p>}
      {data !== null && children(data)}
    </>
  );
}

/** Next step of an empty list. `needs`: row of permissions.ts without which it is left out. */
export type NextStep = {
  readonly needs: string;
  /** Command line that does it. */
  readonly command: string;
  /** Page that does it, and the name of its link. */
  readonly page?: { readonly address: string; readonly name: string };
};

/** An empty list: why it is empty, and the page or the command that changes this. */
export function Empty({ text, next }: { text: string; next?: NextStep }) {
  const step = next !== undefined && may(next.needs) ? next : null;
  return (
    <div class="notice">
      <p>{text}</p>
      {step?.page && (
        <p>
          <a role="button" href={step.page.address}>
            {step.page.name}
          </a>
        </p>
      )}
      {step !== null && step.page === undefined && <Command line={step.command} />}
      {step?.page && (
        <details>
          <summary>{messages.value.byCommandLine}</summary>
          <Command line={step.command} />
        </details>
      )}
    </div>
  );
}

/** Text as a program wrote it. The keyboard scrolls it too. */
export const Output = ({ text }: { text: string }) => (
  <pre tabIndex={0}>
    <code>{text}</code>
  </pre>
);

/** A command line, which is broken at spaces only, with a button that copies it. */
export function Command({ line }: { line: string }) {
  const words = messages.value;
  const [isCopied, setCopied] = useState(false);
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(line);
    setCopied(true);
  };
  return (
    <div class="command">
      <pre tabIndex={0}>
        <code>
          {line.split(/( +|\n)/).map((part, at) => (at % 2 === 1 ? part : <span key={at}>{part}</span>))}
        </code>
      </pre>
      {"clipboard" in navigator && (
        <button type="button" class="secondary" aria-live="polite" onClick={() => void copy()}>
          {isCopied ? words.copied : words.copy}
        </button>
      )}
    </div>
  );
}

export type Fact = readonly [name: string, value: ComponentChildren];

export const Facts = ({ facts }: { facts: readonly Fact[] }) => (
  <dl class="facts">
    {facts.map(([name, value]) => (
      <div key={name}>
        <dt>{name}</dt>
        <dd>{value}</dd>
      </div>
    ))}
  </dl>
);

export const Time = ({ atMs }: { atMs: number }) => (
  <time dateTime={new Date(atMs).toISOString()}>{time(atMs)}</time>
);

/** A time with its seconds. */
export const Moment = ({ atMs }: { atMs: number }) => (
  <time dateTime={new Date(atMs).toISOString()}>{second(atMs)}</time>
);

type BadgeKind = "good" | "bad" | "busy" | "quiet";
export const Badge = ({ kind, text }: { kind: BadgeKind; text: string }) => (
  <span class={`badge ${kind}`}>{text}</span>
);

/** Share of a whole, with its value for screen readers. */
export const Bar = ({ value, max, label }: { value: number; max: number; label: string }) => (
  <progress value={Math.min(value, max)} max={Math.max(1, max)} aria-label={label} />
);

export type Column<T> = {
  readonly name: string;
  readonly cell: (row: T) => ComponentChildren;
  /** Whether the cells are numbers, on the right. */
  readonly isNumber?: boolean;
};

/** Rows of a table in the page; more would slow down the browser. */
const rowsMax = 100;

/** Table of a list of any length, in parts. The first column names the row. */
export function Table<T>({
  label,
  columns,
  rows,
  keyOf,
}: {
  label: string;
  columns: readonly Column<T>[];
  rows: readonly T[];
  keyOf: (row: T) => string | number;
}) {
  const [wanted, setFirst] = useState(0);
  // The list may have become shorter.
  const first = wanted < rows.length ? wanted : 0;
  const region = useRef<HTMLDivElement>(null);
  const show = (next: number): void => {
    setFirst(next);
    region.current?.scrollIntoView({ block: "nearest" });
  };
  return (
    <div ref={region}>
      <div class="table" role="region" aria-label={label} tabIndex={0}>
        <table>
          <thead>
            <tr>
              {columns.map(({ name, isNumber }) => (
                <th key={name} scope="col" class={isNumber === true ? "number" : undefined}>
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.slice(first, first + rowsMax).map((row) => (
              <tr key={keyOf(row)}>
                {columns.map(({ name, cell, isNumber }, at) =>
                  at === 0 ? (
                    <th key={name} scope="row">
                      {cell(row)}
                    </th>
                  ) : (
                    <td key={name} data-name={name} class={isNumber === true ? "number" : undefined}>
                      {cell(row)}
                    </td>
                  ),
                )}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {rows.length > rowsMax && <Paging first={first} total={rows.length} show={show} />}
    </div>
  );
}

function Paging({ first, total, show }: { first: number; total: number; show: (first: number) => void }) {
  return (
    <PageSteps
      first={first}
      rows={Math.min(rowsMax, total - first)}
      total={total}
      toPrevious={first === 0 ? null : () => show(first - rowsMax)}
      toNext={first + rowsMax >= total ? null : () => show(first + rowsMax)}
    />
  );
}

/** Place in a long list, and the ways to the parts before and after it. */
export function PageSteps({
  first,
  rows,
  total,
  toPrevious,
  toNext,
}: {
  first: number;
  rows: number;
  /** Null: not known. */
  total: number | null;
  toPrevious: (() => void) | null;
  toNext: (() => void) | null;
}) {
  const words = messages.value.paging;
  if (toPrevious === null && toNext === null) return null;
  const of = total === null ? "…" : count(total);
  return (
    <nav class="paging" aria-label={words.label}>
      <span aria-live="polite">
        {words.shown(count(Math.min(first + 1, first + rows)), count(first + rows), of)}
      </span>
      <button type="button" class="secondary" disabled={toPrevious === null} onClick={() => toPrevious?.()}>
        {words.previous}
      </button>
      <button type="button" class="secondary" disabled={toNext === null} onClick={() => toNext?.()}>
        {words.next}
      </button>
    </nav>
  );
}

/** State of a request that a person sends. `run` returns whether the source accepted it. */
export function useSending(send: () => Promise<unknown>) {
  const [error, setError] = useState<RequestError | null>(null);
  const [isSending, setSending] = useState(false);
  const run = async (): Promise<boolean> => {
    setSending(true);
    setError(null);
    try {
      await send();
      return true;
    } catch (problem) {
      if (!(problem instanceof RequestError)) throw problem;
      setError(problem);
      return false;
    } finally {
      setSending(false);
    }
  };
  return { error, isSending, begin: () => setError(null), run };
}

/** A button whose request is sent after a confirmation. A refusal is shown in the dialog. */
export function ConfirmedButton({
  name,
  question,
  send,
  isDangerous = false,
}: {
  name: string;
  question: string;
  send: () => Promise<unknown>;
  isDangerous?: boolean;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  const { error, isSending, begin, run } = useSending(send);
  const words = messages.value;
  const confirm = async (): Promise<void> => {
    if (await run()) dialog.current?.close();
  };
  return (
    <>
      <button
        type="button"
        class={isDangerous ? "danger" : "secondary"}
        onClick={() => {
          begin();
          dialog.current?.showModal();
        }}
      >
        {name}
      </button>
      <dialog ref={dialog} aria-label={name}>
        <article>
          <h2>{name}</h2>
          <p>{question}</p>
          {error && <Problem error={error} />}
          <footer class="buttons">
            <button type="button" class="secondary" onClick={() => dialog.current?.close()}>
              {words.close}
            </button>
            <button
              type="button"
              class={isDangerous ? "danger" : undefined}
              aria-busy={isSending}
              disabled={isSending}
              onClick={() => void confirm()}
            >
              {name}
            </button>
          </footer>
        </article>
      </dialog>
    </>
  );
}
