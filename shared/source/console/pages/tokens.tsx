/** Tokens: of programs, and for enrolments. The text of a new one is shown once. */
import { useState } from "preact/hooks";
import * as v from "valibot";
import type { Token, TokenCreate, TokenCreated } from "../../../api/schema/tokens.ts";
import { labelNameSchema } from "../../../model/label-name.ts";
import type { TokenList } from "./answers.ts";
import { Badge, ConfirmedButton, Empty, Shown, Table, Time, type Column } from "./elements.tsx";
import { Check, checked, Dialog, Field, FormButton, namesOf, Select, textOf } from "./forms.tsx";
import { messages } from "./language.ts";
import { RoleFields, roleAndScopeOf } from "./role-fields.tsx";
import { ask, useLoaded } from "./request.ts";
import { may } from "./session.ts";
import { count } from "./texts.ts";

const hourMs = 3_600_000;
const spans = {
  hour: hourMs,
  day: 24 * hourMs,
  week: 7 * 24 * hourMs,
  month: 30 * 24 * hourMs,
  quarter: 90 * 24 * hourMs,
  year: 365 * 24 * hourMs,
  ever: null,
} as const;
type Span = keyof typeof spans;
const spanNames = Object.keys(spans) as Span[];
const usesSchema = v.pipe(v.number("write a number"), v.integer(), v.minValue(1, "at least 1"));

function expiryOf(data: FormData): number | null {
  const spanMs = spans[spanNames.find((one) => one === textOf(data, "span")) ?? "day"];
  return spanMs === null ? null : Date.now() + spanMs;
}

const nameOf = (data: FormData): string => checked("name", labelNameSchema, textOf(data, "name"));

const personToken = (data: FormData): TokenCreate => ({
  kind: "person",
  name: nameOf(data),
  ...roleAndScopeOf(data),
  expiresAtMs: expiryOf(data),
});

function enrolmentToken(data: FormData): TokenCreate {
  const uses = textOf(data, "uses");
  return {
    kind: "enrolment",
    name: nameOf(data),
    tags: namesOf(data, "tags"),
    uses: uses === "" ? null : checked("uses", usesSchema, Number(uses)),
    needsApproval: data.has("needsApproval"),
    approvesTakeovers: data.has("approvesTakeovers"),
    isImaging: data.has("isImaging"),
    expiresAtMs: expiryOf(data),
  };
}

export function Tokens() {
  const words = messages.value.tokens;
  const tokens = useLoaded<TokenList>("/v1/tokens?limit=1000");
  const [text, setText] = useState<string | null>(null);
  const create = async (body: TokenCreate): Promise<void> => {
    setText((await ask<TokenCreated>("POST", "/v1/tokens", body)).text);
    await tokens.reload();
  };
  return (
    <section>
      <h2>{words.title}</h2>
      {may("POST /v1/tokens") && <CreateButtons create={create} />}
      {text !== null && <NewToken text={text} close={() => setText(null)} />}
      <Shown loaded={tokens}>
        {({ tokens: rows }) =>
          rows.length === 0 ? (
            <Empty text={words.none} />
          ) : (
            <Table
              label={words.title}
              rows={rows}
              keyOf={({ id }) => id}
              columns={columnsOf(tokens.reload)}
            />
          )
        }
      </Shown>
    </section>
  );
}

function CreateButtons({ create }: { create: (body: TokenCreate) => Promise<void> }) {
  const words = messages.value.tokens;
  const expiry = (
    <Select
      name="span"
      label={words.validFor}
      options={spanNames.map((one) => [one, words.spans[one]])}
      value="month"
    />
  );
  return (
    <div class="buttons">
      <FormButton
        name={words.createPerson}
        submit={words.create}
        send={async (data) => create(personToken(data))}
      >
        <Field name="name" label={words.name} />
        <RoleFields role="viewer" scope={[]} />
        {expiry}
      </FormButton>
      <FormButton
        name={words.createEnrolment}
        submit={words.create}
        send={async (data) => create(enrolmentToken(data))}
      >
        <Field name="name" label={words.name} />
        <Field name="tags" label={words.tags} hint={messages.value.tagging.hint} />
        <Field name="uses" label={words.uses} hint={words.usesHint} />
        {expiry}
        <Check name="needsApproval" label={words.approval} />
        <Check name="approvesTakeovers" label={words.takeovers} />
        <Check name="isImaging" label={words.imaging} />
      </FormButton>
    </div>
  );
}

function NewToken({ text, close }: { text: string; close: () => void }) {
  const words = messages.value.tokens;
  const [isCopied, setCopied] = useState<boolean | null>(null);
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
      setCopied(true);
    } catch {
      setCopied(false);
    }
  };
  return (
    <Dialog name={words.text} close={close}>
      <p>{words.once}</p>
      <pre tabIndex={0}>
        <code class="secret">{text}</code>
      </pre>
      <p role="status">{isCopied !== null && (isCopied ? words.copied : words.copyFailed)}</p>
      <footer class="buttons">
        <button type="button" class="secondary" onClick={() => void copy()}>
          {words.copy}
        </button>
        <button type="button" onClick={close}>
          {words.done}
        </button>
      </footer>
    </Dialog>
  );
}

function stateOf({ revokedAtMs, expiresAtMs, usesLeft }: Token): "valid" | "revoked" | "expired" | "used" {
  if (revokedAtMs !== null) return "revoked";
  if (expiresAtMs !== null && expiresAtMs <= Date.now()) return "expired";
  return usesLeft === 0 ? "used" : "valid";
}

function rightsOf({ kind, role, scope, tags, needsApproval, isImaging }: Token): string {
  const { roles, tokens } = messages.value;
  const parts =
    kind === "person" && role !== null
      ? [roles[role], ...scope]
      : [
          ...tags,
          ...(needsApproval ? [tokens.needsApproval] : []),
          ...(isImaging ? [tokens.imagesOnly] : []),
        ];
  return parts.join(", ") || "–";
}

function columnsOf(reload: () => Promise<void>): Column<Token>[] {
  const words = messages.value.tokens;
  return [
    { name: words.name, cell: ({ name }) => name },
    { name: words.kind, cell: ({ kind }) => words.kindNames[kind] },
    { name: words.rights, cell: rightsOf },
    {
      name: words.uses,
      isNumber: true,
      cell: ({ kind, uses, usesLeft }) => {
        if (kind === "person") return "–";
        return usesLeft === null ? count(uses) : words.usesOf(count(uses), count(usesLeft));
      },
    },
    {
      name: words.expires,
      cell: ({ expiresAtMs }) => (expiresAtMs === null ? words.never : <Time atMs={expiresAtMs} />),
    },
    {
      name: words.lastUsed,
      cell: ({ lastUsedAtMs }) => (lastUsedAtMs === null ? words.never : <Time atMs={lastUsedAtMs} />),
    },
    { name: words.createdBy, cell: ({ createdBy }) => createdBy },
    {
      name: words.state,
      cell: (token) => {
        const state = stateOf(token);
        return <Badge kind={state === "valid" ? "good" : "quiet"} text={words[state]} />;
      },
    },
    {
      name: messages.value.people.actions,
      cell: (token) =>
        token.revokedAtMs === null &&
        may("DELETE /v1/tokens/:token") && (
          <div class="buttons">
            <ConfirmedButton
              name={words.revoke}
              question={words.askRevoke(token.name)}
              send={async () => {
                await ask("DELETE", `/v1/tokens/${encodeURIComponent(token.id)}`);
                await reload();
              }}
              isDangerous
            />
          </div>
        ),
    },
  ];
}
