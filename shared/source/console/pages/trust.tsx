/** Trust in words: keys and their rights, versions of the trust file, freshness, and drafts. */
import type { NeededList, TrustView } from "../../../api/schema/trust.ts";
import { signLine } from "./drafts.tsx";
import { Badge, Command, Empty, Facts, Heading, Shown, Table, Time } from "./elements.tsx";
import { messages } from "./language.ts";
import { useLoaded } from "./request.ts";
import { addressOf } from "./router.ts";
import { may } from "./session.ts";
import { KeyPanel } from "./signing/key-panel.tsx";
import { ReadAndSign } from "./signing/read-and-sign.tsx";
import { TrustChanges } from "./signing/trust-change.tsx";
import { ago, count, time } from "./texts.ts";

const everyMs = 30_000;
const exportLine = "flockcast-source trust export --data DATA --out FOLDER";
const freshLine = "flockcast-source trust sign --fresh --operator-key FILE";

type TrustFile = TrustView["file"];

export function TrustPage() {
  const words = messages.value.trust;
  const trust = useLoaded<TrustView>("/v1/trust", everyMs);
  return (
    <>
      <Heading text={words.title} />
      <Shown loaded={trust}>
        {(view) => (
          <>
            <Place trust={view} />
            <KeyPanel trust={view} reload={trust.reload} />
            <File trust={view} />
            <Keys file={view.file} />
            {!view.canSign && may("POST /v1/trust/files") && <TrustChanges reload={trust.reload} />}
            <Versions files={view.files} />
            <Freshness freshness={view.freshness} canSign={view.canSign} />
          </>
        )}
      </Shown>
      {may("GET /v1/trust/needed") && <Drafts threshold={trust.data?.file.orderThreshold ?? 1} />}
    </>
  );
}

/** Where the keys are, and what this means when the source is broken into. */
function Place({ trust: { file, canSign } }: { trust: TrustView }) {
  const words = messages.value.trust;
  return (
    <div class="notice">
      <p>
        <strong>{file.embedded ? words.embedded : words.away}</strong>
      </p>
      <p>{file.embedded ? words.embeddedHint : words.awayHint}</p>
      {file.embedded && !canSign && <p>{words.partly}</p>}
      {file.embedded && may("POST /v1/trust/files") && <Command line={exportLine} />}
    </div>
  );
}

function File({ trust: { file, root } }: { trust: TrustView }) {
  const words = messages.value.trust;
  const { version, issuedAtMs, deployment, orderThreshold } = file;
  return (
    <section>
      <h2>{words.file}</h2>
      <Facts
        facts={[
          [words.version, count(version)],
          [words.issued, <Time atMs={issuedAtMs} />],
          [words.deployment, String(deployment)],
          [words.fingerprint, <code>{root}</code>],
        ]}
      />
      <p>{words.rootWords(count(file.root.threshold), count(file.root.keys.length))}</p>
      <p>{words.orderWords(count(orderThreshold))}</p>
    </section>
  );
}

type KeyRow = {
  readonly key: string;
  readonly role: "root" | "publisher" | "operator";
  readonly scope: string;
  /** Null: no end. */
  readonly expiresAtMs: number | null;
};

function keysOf({ root, publishers, operators }: TrustFile): KeyRow[] {
  const words = messages.value.trust;
  const actionWords = (actions: readonly string[]): string => actions.join(", ") || words.allActions;
  return [
    ...root.keys.map((key): KeyRow => ({ key, role: "root", scope: words.rootScope, expiresAtMs: null })),
    ...publishers.map(({ key, packages }): KeyRow => {
      const scope = packages.length === 0 ? words.allPackages : words.packages(packages.join(", "));
      return { key, role: "publisher", scope, expiresAtMs: null };
    }),
    ...operators.map(({ key, actions, target, expiresAtMs }): KeyRow => {
      const scope = words.operatorScope(actionWords(actions), target);
      return { key, role: "operator", scope, expiresAtMs };
    }),
  ];
}

function Keys({ file }: { file: TrustFile }) {
  const words = messages.value.trust;
  return (
    <Table
      label={words.key}
      rows={keysOf(file)}
      keyOf={({ role, key }) => `${role} ${key}`}
      columns={[
        { name: words.key, cell: ({ key }) => <code>{key}</code> },
        { name: words.role, cell: ({ role }) => words.roleNames[role] },
        { name: words.scope, cell: ({ scope }) => scope },
        { name: words.ends, cell: ({ expiresAtMs }) => <End atMs={expiresAtMs} /> },
      ]}
    />
  );
}

function End({ atMs }: { atMs: number | null }) {
  const words = messages.value.trust;
  if (atMs === null) return <>{words.noEnd}</>;
  return (
    <>
      <Time atMs={atMs} /> {atMs <= Date.now() && <Badge kind="bad" text={words.ended} />}
    </>
  );
}

type Signed = TrustView["files"][number];

/** Returns the content of a statement, which the source has checked. */
const contentOf = <T,>({ payload }: Signed): T => JSON.parse(payload) as T;

function Versions({ files }: Pick<TrustView, "files">) {
  const words = messages.value.trust;
  const rows = files
    .map((signed) => ({ file: contentOf<TrustFile>(signed), signatures: signed.signatures.length }))
    .toReversed();
  return (
    <section>
      <h2>{words.versions}</h2>
      <Table
        label={words.versions}
        rows={rows}
        keyOf={({ file }) => file.version}
        columns={[
          { name: words.version, cell: ({ file }) => count(file.version) },
          { name: words.issued, cell: ({ file }) => <Time atMs={file.issuedAtMs} /> },
          { name: words.signatures, isNumber: true, cell: ({ signatures }) => count(signatures) },
          { name: words.roots, isNumber: true, cell: ({ file }) => count(file.root.keys.length) },
          { name: words.publishers, isNumber: true, cell: ({ file }) => count(file.publishers.length) },
          { name: words.operators, isNumber: true, cell: ({ file }) => count(file.operators.length) },
        ]}
      />
    </section>
  );
}

function Freshness({ freshness, canSign }: Pick<TrustView, "freshness" | "canSign">) {
  const words = messages.value.trust;
  const endMs = freshness === null ? null : contentOf<{ expiresAtMs: number }>(freshness).expiresAtMs;
  return (
    <section>
      <h2>{words.freshness}</h2>
      <p>{freshText(endMs)}</p>
      {!canSign && (
        <>
          <p>{words.freshHint}</p>
          <Command line={freshLine} />
        </>
      )}
    </section>
  );
}

function freshText(endMs: number | null): string {
  const words = messages.value.trust;
  if (endMs === null) return words.noFreshness;
  const nowMs = Date.now();
  return endMs > nowMs ? words.freshUntil(time(endMs), ago(endMs, nowMs)) : words.stale(time(endMs));
}

type Needed = NeededList["needed"][number];

const pageOf = { task: "tasks", setting: "settings", assignments: "settings" } as const;

function Drafts({ threshold }: { threshold: number }) {
  const words = messages.value.trust;
  const needed = useLoaded<NeededList>("/v1/trust/needed", everyMs);
  const name = ({ kind, subject }: Needed): string => `${words.kinds[kind]} ${subject}`.trim();
  return (
    <section>
      <h2>{words.drafts}</h2>
      {may("POST /v1/trust/orders") && <ReadAndSign done={needed.reload} />}
      <Shown loaded={needed}>
        {({ needed: rows }) =>
          rows.length === 0 ? (
            <Empty text={words.noDrafts} />
          ) : (
            <>
              <p>{words.signHint}</p>
              <Command line={signLine} />
              <Table
                label={words.drafts}
                rows={rows}
                keyOf={name}
                columns={[
                  {
                    name: words.draft,
                    cell: (one) => (
                      <a href={addressOf(pageOf[one.kind], one.subject || undefined)}>{name(one)}</a>
                    ),
                  },
                  {
                    name: words.signatures,
                    cell: ({ pending }) =>
                      words.signed(count(pending?.signatures.length ?? 0), count(threshold)),
                  },
                ]}
              />
            </>
          )
        }
      </Shown>
    </section>
  );
}
