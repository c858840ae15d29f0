/**
 * Wizard of a new task: its fields, then a summary with the WAN bytes, then the page of the task. A
 * source without the keys cannot sign the task; the wizard then names the command that does.
 */
import { useRef, useState } from "preact/hooks";
import type { TaskChanged, TaskDetail } from "../../../api/schema/admin.ts";
import type { PackageList, SettingList } from "./answers.ts";
import { Empty, Heading, Problem, Shown, type Fact } from "./elements.tsx";
import { focusFirstProblem } from "./form-field.tsx";
import { messages } from "./language.ts";
import { publishStep } from "./command-lines.ts";
import { ask, RequestError, useLoaded } from "./request.ts";
import { addressOf, goTo } from "./router.ts";
import { may } from "./session.ts";
import { newTaskAsked } from "./signing/asked.ts";
import { signStored, type SignOutcome } from "./signing/sign-orders.ts";
import { WaitsFor } from "./signing/waits-for.tsx";
import { imageFacts } from "./signing/order-words.ts";
import { signingMessages } from "./signing/words.ts";
import {
  copyOf,
  draftProblems,
  draftWith,
  emptyDraft,
  requestOf,
  runsCommand,
  type DraftProblems,
  type TaskDraft,
  type FieldsState,
} from "./task-draft.ts";
import { ActionFields, PackageFields, ScheduleFields, SettingField, TargetFields } from "./task-fields.tsx";
import { TaskReview } from "./task-review.tsx";
import { usePreview, useTargetCount } from "./target-preview.tsx";
import { time } from "./texts.ts";

const signLine = "flockcast-source trust sign --all --operator-key FILE";

/** A task that no device obeys yet, and why this browser did not sign it. */
export type UnsignedTask = { readonly task: TaskChanged; readonly outcome: SignOutcome | RequestError };
type Stage = "form" | "summary" | UnsignedTask;

export const NewTaskPage = () => <Wizard first={emptyDraft} />;

/** New task with what another one has, except its times. */
export function CopyTaskPage({ id }: { id: string }) {
  const task = useLoaded<TaskDetail>(`/v1/tasks/${encodeURIComponent(id)}?devices=none`);
  return <Shown loaded={task}>{(found) => <Wizard first={copyOf(found)} />}</Shown>;
}

/** New task with a package, and with its command if there is one only. */
export function PackageTaskPage({ id }: { id: string }) {
  const packages = useLoaded<PackageList>("/v1/packages?limit=1000");
  return (
    <Shown loaded={packages}>
      {({ packages: all }) => <Wizard first={draftWith(all.find((one) => one.id === id))} />}
    </Shown>
  );
}

function Wizard({ first }: { first: TaskDraft }) {
  const words = messages.value;
  const [draft, setDraft] = useState(first);
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
    <Empty text={messages.value.packages.none} next={publishStep()} />
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
  const counted = useTargetCount(draft.target);
  const chosen = packages.find(({ name, version }) => name === draft.name && version === draft.version);
  const commands = chosen?.commands ?? [];
  // The package of a copied task may have been removed since.
  const isGone = draft.name !== "" && chosen === undefined;
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
    const found = {
      ...draftProblems(draft, Date.now()),
      ...(isGone ? { name: "noPackage" as const } : {}),
    };
    setProblems(found);
    if (Object.keys(found).length === 0 && counted.error === null) next();
    else focusFirstProblem(form.current);
  };
  return (
    <form ref={form} class="wizard" noValidate onSubmit={submit}>
      {isGone && <p class="notice">{messages.value.wizard.packageGone(`${draft.name} ${draft.version}`)}</p>}
      <PackageFields state={state} packages={packages} search={search} setSearch={setSearch} />
      <ActionFields state={state} commands={commands} />
      <TargetFields state={state} counted={counted} />
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
  const words = messages.value.wizard;
  const send = async (): Promise<void> => {
    const task = await ask<TaskChanged>("POST", "/v1/tasks", requestOf(draft));
    if (task.isSigned) return goTo("tasks", task.taskId);
    const subject = { kind: "task", subject: String(task.taskId) } as const;
    // The task exists also without a signature: the wizard must not create it again.
    const outcome = await signStored(subject, newTaskAsked(requestOf(draft)));
    if (outcome === "signed") goTo("tasks", task.taskId);
    else created({ task, outcome });
  };
  return (
    <TaskReview
      title={words.summary}
      facts={summaryOf(draft)}
      preview={usePreview(requestOf(draft))}
      submit={words.create}
      send={send}
      back={back}
    />
  );
}

const moment = (atMs: number | null | undefined, otherwise: string): string =>
  atMs === null || atMs === undefined ? otherwise : time(atMs);

function summaryOf(draft: TaskDraft): Fact[] {
  const words = messages.value;
  const request = requestOf(draft);
  const what = { "pre-cache": null, named: draft.run, line: draft.command, upgrade: null, image: null }[
    draft.action
  ];
  const isLocal = draft.startKind === "local";
  const start = isLocal ? words.wizard.localStart(draft.start.replace("T", " ")) : null;
  const conditions: Fact[] = !runsCommand(draft)
    ? []
    : [
        [words.wizard.deadline, moment(request.deadlineAtMs, words.none)],
        [words.wizard.notWhile, request.notWhile?.join(", ") || words.none],
        [words.wizard.after, draft.after === "" ? words.none : words.tasks.one(draft.after)],
      ];
  const downgrade: Fact[] = request.allowDowngrade === true ? [[words.wizard.allowDowngrade, words.yes]] : [];
  return [
    [words.tasks.package, `${draft.name} ${draft.version}`],
    [words.tasks.action, words.wizard.actions[draft.action]],
    ...imageFacts(request.image ?? null),
    ...(what === null ? [] : ([[words.task.command, <code>{what}</code>]] satisfies Fact[])),
    [words.tasks.target, <code>{request.target}</code>],
    [words.tasks.start, start ?? moment(request.startAtMs, words.wizard.starts.now)],
    ...conditions,
    ...downgrade,
    ...(request.wakes === true ? ([[words.wizard.wakes, words.yes]] satisfies Fact[]) : []),
    [words.task.expires, moment(request.expiresAtMs, words.wizard.usualExpiry)],
    [words.task.setting, request.setting ?? words.task.ownSetting],
  ];
}

export const Unsigned = ({ task, outcome }: UnsignedTask) => (
  <>
    <Heading text={messages.value.wizard.created(String(task.taskId))} />
    {outcome instanceof RequestError && <Problem error={outcome} />}
    {outcome === "begun" && <p role="status">{signingMessages.value.drafts.begun}</p>}
    <Empty text={messages.value.wizard.unsigned} next={{ needs: "POST /v1/tasks", command: signLine }} />
    <WaitsFor />
    <p>
      <a href={addressOf("tasks", task.taskId)}>{messages.value.wizard.toTask}</a>
    </p>
  </>
);
