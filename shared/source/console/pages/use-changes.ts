/** Changes that the event stream of the source names: a page need not wait for its interval. */
import { useEffect } from "preact/hooks";
import type { Change, ChangeKind } from "../../../api/schema/events.ts";

/**
 * Calls `onChange` for each change of a kind, and after a stream that was lost.
 * @param onChange of the first rendering
 */
export function useChanges(kind: ChangeKind, onChange: () => unknown): void {
  useEffect(() => {
    const stream = new EventSource("/v1/events");
    stream.addEventListener("change", ({ data }) => {
      const { changes } = JSON.parse(data as string) as { readonly changes: readonly Change[] };
      if (changes.some((one) => one.kind === kind)) onChange();
    });
    stream.addEventListener("hello", () => onChange());
    return () => stream.close();
  }, [kind]);
}
