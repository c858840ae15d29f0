/**
 * Form that publishes a file of a web site, and the publications that the source works on. The
 * source reads the file, so the page may be closed meanwhile.
 */
import { useRef, useState } from "preact/hooks";
import type { Publication } from "../../../api/schema/publishing.ts";
import { packageNameProblem, versionProblem } from "../../../model/package-path.ts";
import { packageUrlProblem } from "../../../model/package-url.ts";
import type { PublicationList } from "./answers.ts";
import { Badge, Bar, ConfirmedButton, Facts, Problem, useSending, type Fact } from "./elements.tsx";
import { Field, focusFirstProblem } from "./form-field.tsx";
import { messages } from "./language.ts";
import { CommandsField, NameFields } from "./publish-fields.tsx";
import { ask, RequestError, useLoaded } from "./request.ts";
import { addressOf } from "./router.ts";
import { size } from "./texts.ts";
import { useChanges } from "./use-changes.ts";

/** Interval that counts where the event stream is lost. */
const everyMs = 5_000;

type Draft = { url: string; name: string; version: string; commands: string };
const emptyDraft: Draft = { url: "", name: "", version: "", commands: "" };

/** Returns the name of the file at the end of an address, without its ending. */
function nameIn(url: string): string {
  const path = URL.parse(url)?.pathname ?? "";
  const name = path.slice(path.lastIndexOf("/") + 1).replace(/\.[a-z0-9]{1,5}$/i, "");
  return packageNameProblem(name) === null ? name : "";
}

function problemsOf({ url, name, version }: Draft): Partial<Record<keyof Draft, string>> {
  const words = messages.value.publish;
  const found = {
    url: url.trim() === "" ? words.noUrl : packageUrlProblem(url.trim()),
    name: name.trim() === "" ? words.noName : packageNameProblem(name.trim()),
    version: version.trim() === "" ? words.noVersion : versionProblem(version.trim()),
  };
  return Object.fromEntries(Object.entries(found).filter(([, problem]) => problem !== null));
}

export function PublishUrl() {
  const publications = useLoaded<PublicationList>("/v1/publications", everyMs);
  useChanges("publication", publications.reload);
  return (
    <>
      <UrlForm begun={publications.reload} />
      {publications.error && <Problem error={publications.error} onRetry={publications.reload} />}
      <Publications all={publications.data?.publications ?? []} reload={publications.reload} />
    </>
  );
}

function UrlForm({ begun }: { begun: () => Promise<void> }) {
  const words = messages.value.publish;
  const form = useRef<HTMLFormElement>(null);
  const [draft, setDraft] = useState(emptyDraft);
  const [problems, setProblems] = useState<Partial<Record<keyof Draft, string>>>({});
  const { error, isSending, run } = useSending(async () => {
    const { url, name, version, commands } = draft;
    const body = { url: url.trim(), name: name.trim(), version: version.trim(), commands };
    await ask<Publication>("POST", "/v1/publications", body);
    setDraft(emptyDraft);
    await begun();
  });
  const change = (part: Partial<Draft>): void => {
    setDraft({ ...draft, ...part });
    setProblems(Object.fromEntries(Object.entries(problems).filter(([field]) => !(field in part))));
  };
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const found = problemsOf(draft);
    setProblems(found);
    if (Object.keys(found).length > 0) focusFirstProblem(form.current);
    else void run();
  };
  const named = (url: string): Partial<Draft> =>
    draft.name === "" || draft.name === nameIn(draft.url) ? { url, name: nameIn(url) } : { url };
  return (
    <form ref={form} class="wizard" noValidate onSubmit={submit}>
      {error && <Problem error={error} />}
      <Field name="url" label={words.url} hint={words.urlHint} problem={problems.url}>
        {(attributes) => (
          <input
            {...attributes}
            type="url"
            inputMode="url"
            autocomplete="off"
            spellcheck={false}
            value={draft.url}
            onInput={(event) => change(named(event.currentTarget.value))}
          />
        )}
      </Field>
      <NameFields name={draft.name} version={draft.version} problems={problems} change={change} />
      <CommandsField value={draft.commands} change={(commands) => change({ commands })} />
      <div class="buttons">
        <button type="submit" aria-busy={isSending} disabled={isSending}>
          {words.submit}
        </button>
      </div>
    </form>
  );
}

function Publications({ all, reload }: { all: readonly Publication[]; reload: () => Promise<void> }) {
  if (all.length === 0) return null;
  return (
    <section aria-label={messages.value.publish.publications}>
      <h2>{messages.value.publish.publications}</h2>
      {all.map((one) => (
        <One key={one.id} publication={one} reload={reload} />
      ))}
    </section>
  );
}

const badgeKinds = {
  reading: "busy",
  signing: "busy",
  done: "good",
  failed: "bad",
  cancelled: "quiet",
} as const;

function One({ publication, reload }: { publication: Publication; reload: () => Promise<void> }) {
  const words = messages.value.publish;
  const { id, name, version, state, problem, packageId, endedAtMs } = publication;
  const cancel = async (): Promise<void> => {
    await ask("DELETE", `/v1/publications/${id}`);
    await reload();
  };
  return (
    <article class="publication">
      <h3>
        {packageId === null ? (
          `${name} ${version}`
        ) : (
          <a href={addressOf("packages", packageId)}>{`${name} ${version}`}</a>
        )}{" "}
        <Badge kind={badgeKinds[state]} text={words.publicationStates[state]} />
      </h3>
      {endedAtMs === null && <Reading publication={publication} />}
      <Facts facts={factsOf(publication)} />
      <Warnings publication={publication} />
      {problem !== null && <Problem error={new RequestError(422, problem.error, problem.hint)} />}
      {endedAtMs === null && (
        <div class="buttons">
          <ConfirmedButton
            name={words.cancelPublication}
            question={words.askCancelPublication(`${name} ${version}`)}
            send={cancel}
            isDangerous
          />
        </div>
      )}
    </article>
  );
}

/** Progress; without a length it has no end. */
function Reading({ publication: { doneBytes, totalBytes } }: { publication: Publication }) {
  const words = messages.value.publish;
  if (totalBytes === null) return <progress aria-label={words.publicationStates.reading} />;
  return <Bar value={doneBytes} max={totalBytes} label={words.publicationStates.reading} />;
}

function factsOf({ url, startedBy, doneBytes, totalBytes, file }: Publication): Fact[] {
  const words = messages.value.publish;
  const read =
    totalBytes === null ? size(doneBytes) : messages.value.tasks.ofTotal(size(doneBytes), size(totalBytes));
  const sent: Fact[] =
    file === null
      ? []
      : [
          [words.file, `${file.path} (${file.type || words.noMediaType})`],
          ...(file.lastUrl === url ? [] : ([[words.lastUrl, <code>{file.lastUrl}</code>]] as const)),
        ];
  return [[words.url, <code>{url}</code>], [words.read, read], [words.startedBy, startedBy], ...sent];
}

/** Notes for a person: the web site may have sent another file than the one meant. */
function Warnings({ publication: { file } }: { publication: Publication }) {
  const words = messages.value.publish;
  if (file === null) return null;
  const isPage = /^(text\/html|application\/xhtml)/.test(file.type);
  if (!isPage && file.isEndProven) return null;
  return (
    <div class="notice">
      {isPage && <p>{words.webPage}</p>}
      {!file.isEndProven && <p>{words.endUnproven}</p>}
    </div>
  );
}
