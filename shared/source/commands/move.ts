/** Command `source move`: announces another address of the source to all devices. */
import { parseSourceUrl, SourceError } from "../../api/agent-client.ts";
import { CommandError, usage } from "./command-error.ts";
import { connect, sourceOf, type JsonOptions } from "./connect.ts";
import { print, printJson } from "./print.ts";
import { printNote } from "../../standard-output.ts";

type MoveOptions = JsonOptions & { readonly to?: string | undefined; readonly cancel?: boolean | undefined };

export async function moveSource(options: MoveOptions): Promise<void> {
  const { to, cancel = false } = options;
  if (to !== undefined && cancel) throw new CommandError("--to and --cancel exclude each other: give one", 2);
  const wanted = to === undefined ? null : usage(() => parseSourceUrl(to));
  const client = await connect(options);
  if (wanted === null && !cancel) {
    const { announcedUrl } = await client.announcement();
    if (options.json) return printJson({ announcedUrl });
    return print(announcedUrl === null ? "no other address is announced" : `announced: ${announcedUrl}`);
  }
  const announced = wanted === sourceOf(options) ? null : wanted;
  const { announcedUrl } = await client.announce(announced);
  if (options.json) printJson({ announcedUrl });
  else if (announcedUrl === null) print("no other address is announced any more");
  else print(`announced: ${announcedUrl}; devices use it once the source answers there`);
  if (announced === null) return;
  try {
    await client.statement(announced);
  } catch (error) {
    if (!(error instanceof SourceError)) throw error;
    printNote(`warning: the source does not answer there yet: ${error.message}`);
  }
}
