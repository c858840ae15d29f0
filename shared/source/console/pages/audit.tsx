/** Audit: who changed what, and the check of its chain. */
import { useState } from "preact/hooks";
import type { AuditVerification } from "../../../api/schema/audit.ts";
import type { AuditList, AuditRow } from "./answers.ts";
import { Empty, Heading, Output, Problem, Shown, Table, Time } from "./elements.tsx";
import { language, messages } from "./language.ts";
import { auditWords, germanKind } from "./messages-audit.ts";
import { ask, RequestError, useLoaded } from "./request.ts";
import { addressOf } from "./router.ts";
import { count } from "./texts.ts";

const pageRows = 100;

export function AuditPage() {
  const words = messages.value.audit;
  const [before, setBefore] = useState<number | null>(null);
  const place = before === null ? "" : `&before=${before}`;
  const list = useLoaded<AuditList>(`/v1/audit?limit=${pageRows}${place}`);
  return (
    <>
      <Heading text={words.title} />
      <Verification />
      <Shown loaded={list}>
        {({ rows }) => (
          <>
            {rows.length === 0 ? <Empty text={words.none} /> : <Rows rows={rows} />}
            <div class="buttons">
              {before !== null && (
                <button type="button" class="secondary" onClick={() => setBefore(null)}>
                  {words.newest}
                </button>
              )}
              {rows.length === pageRows && (
                <button
                  type="button"
                  class="secondary"
                  onClick={() => setBefore(Math.min(...rows.map(({ sequence }) => sequence)))}
                >
                  {words.older}
                </button>
              )}
            </div>
          </>
        )}
      </Shown>
    </>
  );
}

function Verification() {
  const words = messages.value.audit;
  const [result, setResult] = useState<AuditVerification | RequestError | null>(null);
  const [isBusy, setBusy] = useState(false);
  const verify = async (): Promise<void> => {
    setBusy(true);
    try {
      setResult(await ask<AuditVerification>("GET", "/v1/audit/verification"));
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      setResult(error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <>
      <div class="buttons">
        <button
          type="button"
          class="secondary"
          aria-busy={isBusy}
          disabled={isBusy}
          onClick={() => void verify()}
        >
          {words.verify}
        </button>
      </div>
      {result instanceof RequestError && <Problem error={result} />}
      {result !== null && !(result instanceof RequestError) && (
        <div class={result.broken === null ? "notice" : "notice problem"} role="status">
          <p>{result.broken === null ? words.verified(count(result.rows)) : words.broken(result.broken)}</p>
          {result.broken !== null && <p>{words.brokenHint}</p>}
        </div>
      )}
    </>
  );
}

function Rows({ rows }: { rows: readonly AuditRow[] }) {
  const words = messages.value.audit;
  return (
    <Table
      label={words.title}
      rows={rows}
      keyOf={({ sequence }) => sequence}
      columns={[
        { name: words.at, cell: ({ atMs }) => <Time atMs={atMs} /> },
        { name: words.actor, cell: (row) => <span class="name">{whoOf(row)}</span> },
        { name: words.action, cell: ({ action }) => actionText(action) },
        { name: words.object, cell: ({ object }) => <AuditedObject object={object} /> },
        {
          name: words.result,
          cell: ({ result, count: times }) => `${kindText(result)}${times > 1 ? ` × ${times}` : ""}`,
        },
        { name: words.change, cell: (row) => <Change row={row} /> },
      ]}
    />
  );
}

const kindText = (kind: string): string => (language.value === "de" ? germanKind(kind) : kind);

const whoOf = ({ actor, kind }: AuditRow): string =>
  actor === "" || actor === kind ? kindText(kind) : `${actor} (${kindText(kind)})`;

function actionText(action: string) {
  const found = auditWords.get(action);
  return found === undefined ? <code>{action}</code> : found[language.value === "de" ? 1 : 0];
}

/** Pages of the objects that a row names, such as "task 3". */
const objectPages = { task: "tasks", device: "devices", package: "packages", setting: "settings" } as const;

function AuditedObject({ object }: { object: string }) {
  const [, kind, id] = /^(task|device|package|setting) (\S+)$/.exec(object) ?? [];
  if (kind === undefined || id === undefined) return withShortIds(object);
  return <a href={addressOf(objectPages[kind as keyof typeof objectPages], id)}>{withShortIds(object)}</a>;
}

/** Returns JSON with a line for each value, and other texts as they are. */
function indented(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

/** Returns the text with the beginnings of ids of packages, which are 64 digits. */
const withShortIds = (object: string): string =>
  object.replaceAll(/\b[0-9a-f]{64}\b/g, (id) => `${id.slice(0, 12)}…`);

function Change({ row: { action, object, before, after, address } }: { row: AuditRow }) {
  const words = messages.value.audit;
  return (
    <details class="small">
      <summary>{words.change}</summary>
      <p>
        <code>{action}</code>
      </p>
      <p>
        {words.address}: {address || "–"}
      </p>
      {object !== withShortIds(object) && <Part name={words.object} text={object} />}
      {before !== null && <Part name={words.before} text={before} />}
      {after !== null && <Part name={words.after} text={after} />}
    </details>
  );
}

const Part = ({ name, text }: { name: string; text: string }) => (
  <>
    <p>{name}</p>
    <Output text={indented(text)} />
  </>
);
