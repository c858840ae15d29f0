/**
 * Wizard of a new task: its fields, then a summary with the WAN bytes, then the page of the task. A
 * source without the keys cannot sign the task; the wizard then names the command that does.
 */
import { useRef, useState } from "preact/hooks";
import type { TaskChanged } from "../../../api/schema/admin.ts";
import type { PackageList, SettingList } from "./answers.ts";
import { Empty, Facts, Heading, Problem, Shown, useSending, type Fact } from "./elements.tsx";
import { focusFirstProblem } from "./form-field.tsx";
import { messages } from "./language.ts";
import { publishLine } from "./command-lines.ts";
import { ask, RequestError, useLoaded } from "./request.ts";
import { addressOf, goTo } from "./router.ts";
import { may } from "./session.ts";
import { newTaskAsked } from "./signing/asked.ts";
import { signChange, type SignOutcome } from "./signing/sign-orders.ts";
import { WaitsFor } from "./signing/waits-for.tsx";
import { signingMessages } from "./signing/words.ts";
import {
  countRequestOf,
  draftProblems,
  emptyDraft,
  requestOf,
  type DraftProblems,
  type TaskDraft,
} from "./task-draft.ts";
import {
  ActionFields,
  PackageFields,
  ScheduleFields,
  SettingField,
  TargetFields,
  type FieldsState,
} from "./task-fields.tsx";
import { PreviewCost, usePreview, Warnings } from "./target-preview.tsx";
import { time } from "./texts.ts";

const signLine = "flockcast-source trust sign --all --operator-key FILE";

/** A task that no device obeys yet, and why this browser did not sign it. */
type UnsignedTask = { readonly task: TaskChanged; readonly outcome: SignOutcome | RequestError };
type Stage = "form" | "summary" | UnsignedTask;

export function NewTaskPage() {
  const words = messages.value;
  const [draft, setDraft] = useState<TaskDraft>(emptyDraft);
  const [stage, setStage] = useState<Stage>("form");
  const packages = useLoaded<PackageList>("/v1/packages?limit=1000");
  const settings = useLoaded<SettingList>(may("GET /v1/settings") ? "/v1/settings" : null);
  if (stage === "summary")
    return <Summary key="summary" draft={draft} back={() => setStage("form")} created={setStage} />;
  if (stage !== "form") return <Unsigned key="unsigned" {...stage} />;
  return (
    <>
      <Heading text={words.wizard.title} />
      <Shown loaded={packages}>
        {({ packages: all }) => {
          const ready = all.filter(({ state }) => state === "ready");
          return ready.length === 0 ? (
            <NoPackages />
          ) : (
            <TaskForm
              packages={ready}
              settings={settings.data?.settings ?? []}
              draft={draft}
              setDraft={setDraft}
              next={() => setStage("summary")}
            />
          );
        }}
      </Shown>
    </>
  );
}

const NoPackages = () => (
  <>
    <Empty text={messages.value.overview.noPackages} command={publishLine} />
    {may("POST /v1/packages/sign") && (
      <p>
        <a href={addressOf("packages", "new")}>{messages.value.publish.title}</a>
      </p>
    )}
  </>
);

type TaskFormOptions = Pick<PackageList, "packages"> &
  SettingList & {
    draft: TaskDraft;
    setDraft: (draft: TaskDraft) => void;
    next: () => void;
  };

function TaskForm({ packages, settings, draft, setDraft, next }: TaskFormOptions) {
  const form = useRef<HTMLFormElement>(null);
  const [search, setSearch] = useState("");
  const [problems, setProblems] = useState<DraftProblems>({});
  const preview = usePreview(countRequestOf(draft));
  const chosen = packages.find(({ name, version }) => name === draft.name && version === draft.version);
  const commands = chosen?.commands ?? [];
  const state: FieldsState = {
    draft,
    problems,
    change: (part) => {
      const changed = { ...draft, ...part };
      setDraft(changed);
      // Errors that were shown disappear once they are corrected; new ones wait for the button.
      const left = draftProblems(changed, Date.now());
      setProblems(Object.fromEntries(Object.entries(left).filter(([field]) => field in problems)));
    },
  };
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const found = draftProblems(draft, Date.now());
    setProblems(found);
    if (Object.keys(found).length === 0 && preview.error === null) next();
    else focusFirstProblem(form.current);
  };
  return (
    <form ref={form} class="wizard" noValidate onSubmit={submit}>
      <PackageFields state={state} packages={packages} search={search} setSearch={setSearch} />
      <ActionFields state={state} commands={commands} />
      <TargetFields state={state} preview={preview} />
      <ScheduleFields state={state} />
      {settings.length > 0 && <SettingField state={state} settings={settings} />}
      <div class="buttons">
        <button type="submit">{messages.value.wizard.toSummary}</button>
        <a role="button" class="secondary" href={addressOf("tasks")}>
          {messages.value.cancel}
        </a>
      </div>
    </form>
  );
}

function Summary({
  draft,
  back,
  created,
}: {
  draft: TaskDraft;
  back: () => void;
  created: (unsigned: UnsignedTask) => void;
}) {
  const words = messages.value;
  const preview = usePreview(requestOf(draft));
  const { error, isSending, run } = useSending(async () => {
    const task = await ask<TaskChanged>("POST", "/v1/tasks", requestOf(draft));
    if (task.isSigned) return goTo("tasks", task.taskId);
    const subject = { kind: "task", subject: String(task.taskId) } as const;
    // The task exists also without a signature: the wizard must not create it again.
    const outcome = await signChange(subject, newTaskAsked(requestOf(draft))).catch((problem: unknown) => {
      if (problem instanceof RequestError) return problem;
      throw problem;
    });
    if (outcome === "signed") goTo("tasks", task.taskId);
    else created({ task, outcome });
  });
  const isBusy = preview.data === null && preview.error === null;
  return (
    <>
      <Heading text={words.wizard.summary} />
      <Facts facts={summaryOf(draft)} />
      {preview.error && <Problem error={preview.error} />}
      {isBusy && <p aria-busy="true">{words.loading}</p>}
      {preview.data !== null && (
        <>
          <Warnings warnings={preview.data.warnings} />
          {preview.data.devices === 0 && <p class="notice">{words.task.noDevices}</p>}
          <PreviewCost preview={preview.data} />
        </>
      )}
      {error && <Problem error={error} />}
      <div class="buttons">
        <button
          type="button"
          aria-busy={isSending}
          disabled={isSending || preview.data === null}
          onClick={() => void run()}
        >
          {words.wizard.create}
        </button>
        <button type="button" class="secondary" onClick={back}>
          {words.wizard.back}
        </button>
      </div>
    </>
  );
}

const moment = (atMs: number | null | undefined, otherwise: string): string =>
  atMs === null || atMs === undefined ? otherwise : time(atMs);

function summaryOf(draft: TaskDraft): Fact[] {
  const words = messages.value;
  const request = requestOf(draft);
  const what = { "pre-cache": null, named: draft.run, line: draft.command }[draft.action];
  const isLocal = draft.startKind === "local";
  const start = isLocal ? words.wizard.localStart(draft.start.replace("T", " ")) : null;
  const conditions: Fact[] =
    draft.action === "pre-cache"
      ? []
      : [
          [words.wizard.deadline, moment(request.deadlineAtMs, words.none)],
          [words.wizard.notWhile, request.notWhile?.join(", ") || words.none],
        ];
  return [
    [words.tasks.package, `${draft.name} ${draft.version}`],
    [words.tasks.action, words.wizard.actions[draft.action]],
    ...(what === null ? [] : ([[words.task.command, <code>{what}</code>]] satisfies Fact[])),
    [words.tasks.target, <code>{request.target}</code>],
    [words.tasks.start, start ?? moment(request.startAtMs, words.wizard.starts.now)],
    ...conditions,
    [words.task.expires, moment(request.expiresAtMs, words.wizard.usualExpiry)],
    [words.task.setting, request.setting ?? words.task.ownSetting],
  ];
}

const Unsigned = ({ task, outcome }: UnsignedTask) => (
  <>
    <Heading text={messages.value.wizard.created(String(task.taskId))} />
    {outcome instanceof RequestError && <Problem error={outcome} />}
    {outcome === "begun" && <p role="status">{signingMessages.value.drafts.begun}</p>}
    <Empty text={messages.value.wizard.unsigned} command={signLine} />
    <WaitsFor />
    <p>
      <a href={addressOf("tasks", task.taskId)}>{messages.value.wizard.toTask}</a>
    </p>
  </>
);
