/** Summary before a task is created or changed: facts, devices, WAN bytes, and the last button. */
import type { TaskPreview } from "../../../api/schema/labels.ts";
import { Facts, Heading, Problem, useSending, type Fact } from "./elements.tsx";
import { messages } from "./language.ts";
import { PreviewCost, Warnings, type Asked } from "./target-preview.tsx";

type ReviewOptions = {
  readonly title: string;
  readonly facts: readonly Fact[];
  readonly preview: Asked<TaskPreview>;
  /** Name of the button that sends. */
  readonly submit: string;
  readonly send: () => Promise<unknown>;
  readonly back: () => void;
};

export function TaskReview({ title, facts, preview, submit, send, back }: ReviewOptions) {
  const words = messages.value;
  const { error, isSending, run } = useSending(send);
  return (
    <>
      <Heading text={title} />
      <Facts facts={facts} />
      {preview.error && <Problem error={preview.error} />}
      {preview.data === null && preview.error === null && <p aria-busy="true">{words.loading}</p>}
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
          {submit}
        </button>
        <button type="button" class="secondary" onClick={back}>
          {words.wizard.back}
        </button>
      </div>
    </>
  );
}
