/** Pages whose code is loaded when one of them is shown, so that the first page stays small. */
import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Heading, Problem } from "./elements.tsx";
import { messages } from "./language.ts";
import { RequestError } from "./request.ts";

/** A source of another version has other files; the new page names them. */
const reloadPage = (): void => location.reload();

/**
 * @param load imports the module of the page
 * @param title heading where the page cannot be loaded
 */
export function later<P extends object>(
  load: () => Promise<ComponentType<P>>,
  title: () => string,
): ComponentType<P> {
  return function Later(properties: P) {
    const [found, setFound] = useState<{ readonly page: ComponentType<P> } | "failed" | null>(null);
    useEffect(() => {
      load().then(
        (page) => setFound({ page }),
        () => setFound("failed"),
      );
    }, []);
    if (found === null) return <p aria-busy="true">{messages.value.loading}</p>;
    if (found === "failed")
      return (
        <>
          <Heading text={title()} />
          <Problem error={new RequestError(0, "", null)} onRetry={reloadPage} />
        </>
      );
    return <found.page {...properties} />;
  };
}
