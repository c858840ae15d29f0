/**
 * Page that publishes a file or a folder of the person's machine, or a file of a web site. A source
 * without signing keys cannot sign; the page then names the command that publishes.
 */
import { useEffect, useRef, useState } from "preact/hooks";
import type { PublishedPackage } from "../../../api/schema/admin.ts";
import type { SignRequest } from "../../../api/schema/publishing.ts";
import type { TrustView } from "../../../api/schema/trust.ts";
import { packageNameProblem, pathProblem, versionProblem } from "../../../model/package-path.ts";
import type { PackageList } from "./answers.ts";
import { Bar, Empty, Heading, Problem, Shown } from "./elements.tsx";
import { Field, focusFirstProblem } from "./form-field.tsx";
import { messages } from "./language.ts";
import { publishLine } from "./command-lines.ts";
import { CommandsField, NameFields } from "./publish-fields.tsx";
import { PublishUrl } from "./publish-url.tsx";
import { pickedInDrop, pickedInInput, type Picked } from "./picked-files.ts";
import { RequestError, useLoaded } from "./request.ts";
import { goTo } from "./router.ts";
import { publisherSigner, withSignature } from "./signing/sign-manifest.ts";
import type { Signer } from "./signing/signer.ts";
import { count, size } from "./texts.ts";
import { commandFileName, publishPicked, type UploadProgress } from "./upload.ts";

export function PublishPage() {
  const words = messages.value.publish;
  const packages = useLoaded<PackageList>("/v1/packages?limit=1000");
  const trust = useLoaded<TrustView>("/v1/trust");
  const [place, setPlace] = useState<ContentPlace>("files");
  const signer = usePublisher();
  return (
    <>
      <Heading text={words.title} />
      {signer instanceof RequestError && <Problem error={signer} />}
      <Shown loaded={trust}>
        {({ file }) =>
          signer === "unknown" ? (
            <p aria-busy="true">{messages.value.loading}</p>
          ) : globalThis.isSecureContext && (file.embedded || isSigner(signer)) ? (
            <>
              {file.embedded && <PlaceChoice place={place} choose={setPlace} />}
              {place === "url" ? (
                <PublishUrl />
              ) : (
                <Shown loaded={packages}>
                  {({ packages: all }) => (
                    <PublishForm packages={all} signer={file.embedded || !isSigner(signer) ? null : signer} />
                  )}
                </Shown>
              )}
            </>
          ) : (
            <Empty
              text={file.embedded ? words.insecure : words.noKeys}
              next={{
                needs: "POST /v1/packages/sign",
                command: file.embedded ? publishLine() : `${publishLine()} --key FILE`,
              }}
            />
          )
        }
      </Shown>
    </>
  );
}

/** Key of this browser that may sign packages; null: none. */
type Publisher = Signer | null | "unknown" | RequestError;

const isSigner = (publisher: Publisher): publisher is Signer =>
  publisher !== null && publisher !== "unknown" && !(publisher instanceof RequestError);

function usePublisher(): Publisher {
  const [publisher, setPublisher] = useState<Publisher>("unknown");
  useEffect(() => {
    publisherSigner().then(setPublisher, (problem: unknown) =>
      setPublisher(problem instanceof RequestError ? problem : null),
    );
  }, []);
  return publisher;
}

const contentPlaces = ["files", "url"] as const;
type ContentPlace = (typeof contentPlaces)[number];

const PlaceChoice = ({ place, choose }: { place: ContentPlace; choose: (place: ContentPlace) => void }) => (
  <fieldset>
    <legend>{messages.value.publish.place}</legend>
    {contentPlaces.map((one) => (
      <label key={one}>
        <input type="radio" name="place" value={one} checked={place === one} onChange={() => choose(one)} />
        {messages.value.publish.places[one]}
      </label>
    ))}
  </fieldset>
);

type Problems = { picked?: string; name?: string; version?: string };

function problemsOf(picked: Picked | null, name: string, version: string): Problems {
  const words = messages.value.publish;
  const problems: Problems = {};
  const wrong = picked?.files.find(({ path }) => pathProblem(path) !== null);
  if (picked === null || picked.files.length === 0) problems.picked = words.nothingChosen;
  else if (wrong !== undefined) problems.picked = `${wrong.path}: ${pathProblem(wrong.path)}`;
  const nameProblem = name === "" ? words.noName : packageNameProblem(name);
  if (nameProblem !== null) problems.name = nameProblem;
  const ofVersion = version === "" ? words.noVersion : versionProblem(version);
  if (ofVersion !== null) problems.version = ofVersion;
  return problems;
}

type Named = { readonly name: string; readonly version: string; readonly commands: string };

/** State of the upload that runs. It ends with the page. */
function useUpload(packages: readonly PublishedPackage[], signer: Signer | null) {
  const [progress, setProgress] = useState<UploadProgress | null>(null);
  const [error, setError] = useState<RequestError | null>(null);
  const running = useRef<AbortController | null>(null);
  useEffect(() => () => running.current?.abort(), []);
  const start = async (picked: Picked, given: Named): Promise<void> => {
    const abort = new AbortController();
    running.current = abort;
    setError(null);
    try {
      const { signal } = abort;
      const sign = signer && ((request: SignRequest) => withSignature(signer, request));
      const upload = { ...given, picked, packages, sign, signal, onProgress: setProgress };
      goTo("packages", await publishPicked(upload));
    } catch (problem) {
      if (!abort.signal.aborted) setError(problemFor(problem));
    } finally {
      running.current = null;
      setProgress(null);
    }
  };
  return { progress, error, start, cancel: () => running.current?.abort() };
}

/** A file that changed or went away is a DOMException, and a package that is too large an Error. */
function problemFor(problem: unknown): RequestError {
  if (problem instanceof RequestError) return problem;
  const words = messages.value.publish;
  const text = problem instanceof DOMException ? words.unreadable : String((problem as Error).message);
  return new RequestError(400, text, words.unreadableHint);
}

type PublishOptions = { packages: readonly PublishedPackage[]; signer: Signer | null };

function PublishForm({ packages, signer }: PublishOptions) {
  const words = messages.value.publish;
  const form = useRef<HTMLFormElement>(null);
  const [picked, setPicked] = useState<Picked | null>(null);
  const [name, setName] = useState("");
  const [version, setVersion] = useState("");
  const [commands, setCommands] = useState("");
  const [problems, setProblems] = useState<Problems>({});
  const { progress, error, start, cancel } = useUpload(packages, signer);
  const pick = (found: Picked | null): void => {
    if (found === null) return;
    setPicked(found);
    setProblems({});
    if (name === "") setName(found.label.replace(/\.[a-z0-9]{1,5}$/i, ""));
  };
  const rename = (part: { name?: string; version?: string }): void => {
    if (part.name !== undefined) setName(part.name);
    if (part.version !== undefined) setVersion(part.version);
  };
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const found = problemsOf(picked, name.trim(), version.trim());
    setProblems(found);
    if (Object.keys(found).length > 0) focusFirstProblem(form.current);
    else if (picked !== null) void start(picked, { name: name.trim(), version: version.trim(), commands });
  };
  if (progress !== null) return <Progress progress={progress} cancel={cancel} />;
  return (
    <>
      {error && <Problem error={error} />}
      <Unfinished packages={packages} />
      <form ref={form} class="wizard" noValidate onSubmit={submit}>
        <Picking picked={picked} pick={pick} problem={problems.picked} />
        <NameFields name={name} version={version} problems={problems} change={rename} />
        <CommandsField value={commands} change={setCommands} />
        <div class="buttons">
          <button type="submit">{words.submit}</button>
        </div>
      </form>
    </>
  );
}

/** Attribute that the types of Preact lack. */
const folderChoice: object = { webkitdirectory: true };

type PickingOptions = {
  picked: Picked | null;
  pick: (picked: Picked | null) => void;
  problem: string | undefined;
};

function Picking({ picked, pick, problem }: PickingOptions) {
  const words = messages.value.publish;
  const drop = (event: DragEvent): void => {
    event.preventDefault();
    if (event.dataTransfer !== null) void pickedInDrop(event.dataTransfer).then(pick);
  };
  const hasCommands = picked?.files.some(({ path }) => path === commandFileName) === true;
  return (
    <fieldset class="drop" onDragOver={(event) => event.preventDefault()} onDrop={drop}>
      <legend>{words.content}</legend>
      <p>{words.drop}</p>
      <div class="field-row">
        <Field name="file" label={words.file} problem={problem}>
          {(attributes) => (
            <input
              {...attributes}
              type="file"
              onChange={(event) => pick(pickedInInput(event.currentTarget))}
            />
          )}
        </Field>
        <Field name="folder" label={words.folder} hint={words.folderHint}>
          {(attributes) => (
            <input
              {...attributes}
              type="file"
              {...folderChoice}
              onChange={(event) => pick(pickedInInput(event.currentTarget))}
            />
          )}
        </Field>
      </div>
      <p role="status">
        {picked !== null &&
          words.chosen(
            picked.label,
            count(picked.files.length),
            size(picked.files.reduce((sum, { file }) => sum + file.size, 0)),
          )}
        {hasCommands && ` ${words.hasCommands}`}
      </p>
    </fieldset>
  );
}

const Progress = ({ progress, cancel }: { progress: UploadProgress; cancel: () => void }) => {
  const words = messages.value.publish;
  const { stage, doneBytes, totalBytes } = progress;
  return (
    <>
      <p role="status">{words.stages[stage]}</p>
      <Bar value={doneBytes} max={totalBytes} label={words.stages[stage]} />
      <p>{messages.value.tasks.ofTotal(size(doneBytes), size(totalBytes))}</p>
      <p>{words.keepOpen}</p>
      <div class="buttons">
        <button type="button" class="secondary" onClick={cancel}>
          {messages.value.cancel}
        </button>
      </div>
    </>
  );
};

/** Uploads that ended early. */
function Unfinished({ packages }: { packages: readonly PublishedPackage[] }) {
  const unfinished = packages.filter(({ state }) => state === "uploading");
  if (unfinished.length === 0) return null;
  return (
    <div class="notice">
      <p>{messages.value.publish.unfinished}</p>
      <ul>
        {unfinished.map(({ id, name, version }) => (
          <li key={id}>{`${name} ${version}`}</li>
        ))}
      </ul>
    </div>
  );
}
