/** Commands `audit list`, `audit verify` and `audit export`, and their command line. */
import { open, rename, rm } from "node:fs/promises";
import type { Command } from "@commander-js/extra-typings";
import type { AuditBeginning, AuditRow } from "../../model/audit.ts";
import { parseDurationMs } from "../../model/quantity.ts";
import { checkAuditFile } from "./audit-file.ts";
import { CommandError, usage } from "./command-error.ts";
import { connect, type JsonOptions, type ListOptions } from "./connect.ts";
import { csvOption, jsonOption, sourceOption, tokenOption } from "./options.ts";
import { formatTime, print, printedAs, printJson, printTable } from "./print.ts";
import { parsePointInTime } from "./start-time.ts";

type AuditListOptions = ListOptions & {
  readonly since?: string | undefined;
  readonly actor?: string | undefined;
  readonly action?: string | undefined;
  readonly object?: string | undefined;
  readonly limit: string;
};

/** A duration without a sign is a time before now. */
function parseSince(text: string): number {
  if (/^\d+(\.\d+)?[a-z]+$/i.test(text)) return Date.now() - usage(() => parseDurationMs(text));
  try {
    return parsePointInTime(text, Date.now());
  } catch (error) {
    throw new CommandError(
      `--since "${text}" is not a time: write for example 7d, 2030-01-31 or 2030-01-31T22:00`,
      2,
      { cause: error },
    );
  }
}

function parseLimit(text: string): number {
  if (/^([1-9]\d{0,2}|1000)$/.test(text)) return Number(text);
  throw new CommandError(`--limit "${text}" is not a number of rows: write 1 to 1000`, 2);
}

const actorText = ({ actor, kind, address }: AuditRow): string =>
  [kind === "nobody" ? "nobody" : actor, ...(address === "" ? [] : [address])].join(" at ");

const changeText = ({ before, after }: AuditRow): string =>
  before === null ? (after ?? "") : `${before} → ${after ?? "nothing"}`;

async function listAudit(options: AuditListOptions): Promise<void> {
  const { since, actor, action, object } = options;
  const sinceMs = since === undefined ? undefined : parseSince(since);
  const query = { sinceMs, actor, action, object, limit: parseLimit(options.limit) };
  const rows = await (await connect(options)).audit(query);
  if (printedAs(options, rows)) return;
  printTable(
    ["ROW", "TIME", "WHO", "ACTION", "OBJECT", "RESULT", "CHANGE"],
    rows
      .toReversed()
      .map((row) => [
        String(row.sequence),
        formatTime(row.atMs),
        actorText(row),
        row.action,
        row.object,
        row.count === 1 ? row.result : `${row.result}, ${row.count} times`,
        changeText(row),
      ]),
  );
}

const headText = ({ sequence, hash }: AuditBeginning): string => `${sequence}:${hash}`;

function parseHead(text: string): AuditBeginning {
  const [, sequence, hash] = /^(\d{1,15}):([0-9a-f]{64})$/.exec(text.trim()) ?? [];
  if (sequence === undefined || hash === undefined)
    throw new CommandError(
      `--head "${text}" is not a head: copy what audit verify or audit export prints`,
      2,
    );
  return { sequence: Number(sequence), hash };
}

type VerifyOptions = JsonOptions & {
  readonly file?: string | undefined;
  readonly head?: string | undefined;
};

async function verifyAudit(options: VerifyOptions): Promise<void> {
  const known = options.head === undefined ? undefined : parseHead(options.head);
  if (options.file !== undefined) {
    if (known !== undefined) throw new CommandError("--head is for the source: leave out --file", 2);
    const checked = await checkAuditFile(options.file).catch((error: Error) => {
      throw new CommandError(`Cannot read the export "${options.file}": ${error.message}`, 1, {
        cause: error,
      });
    });
    return report(checked, options);
  }
  const verified = await (await connect(options)).verifyAudit(known);
  if (verified.known === "changed" || verified.known === "missing")
    return report(
      { ...verified, broken: `row ${known!.sequence} is ${verified.known} since its export` },
      options,
    );
  if (verified.known === "removed-by-age" && options.json !== true)
    print(`row ${known!.sequence} was removed by its age`);
  report(verified, options);
}

function report(
  checked: { readonly rows: number; readonly head: AuditBeginning; readonly broken: string | null },
  { json }: JsonOptions,
): void {
  if (json) printJson(checked);
  else if (checked.broken === null)
    print(`${checked.rows} rows are in order; head ${headText(checked.head)}`);
  if (checked.broken !== null) throw new CommandError(`The audit is not in order: ${checked.broken}`);
}

/** Writes under a temporary name, so that a file of the name is whole. */
async function exportAudit(file: string, options: JsonOptions): Promise<void> {
  const bytes = await (await connect(options)).exportAudit();
  const draft = `${file}.part`;
  await rm(draft, { force: true });
  const handle = await open(draft, "wx", 0o600).catch((error: Error) => {
    throw new CommandError(`Cannot write "${file}": ${error.message}`, 1, { cause: error });
  });
  try {
    for await (const part of bytes)
      for (let at = 0; at < part.length;) at += (await handle.write(part, at)).bytesWritten;
    await handle.sync();
  } finally {
    await handle.close();
  }
  const checked = await checkAuditFile(draft);
  await rename(draft, file);
  report(checked, options);
}

/** Adds `audit` to the program. */
export function addAudit(program: Command): void {
  const audit = program.command("audit").description("changes and refused attempts, in a chain of hashes");
  audit
    .command("list")
    .description("the newest rows, the last one at the end")
    .option("--since <time>", "such as 7d or 2026-01-31")
    .option("--actor <name>", "name of a token or user, id of a device, or source")
    .option("--action <text>", "part of the action, such as tasks or DELETE")
    .option("--object <text>", "such as 'task 5', 'token ci' or 'setting default'")
    .option("--limit <count>", "number of rows, at most 1000", "100")
    .addOption(jsonOption())
    .addOption(csvOption())
    .addOption(sourceOption())
    .addOption(tokenOption())
    .action(listAudit);
  audit
    .command("verify")
    .description("check the chain of the source, or of an exported file; exit status 1 if it is not in order")
    .option("--file <file>", "an export; needs no source")
    .option("--head <head>", "head that was noted earlier; its row has to be there unchanged")
    .addOption(jsonOption())
    .addOption(sourceOption())
    .addOption(tokenOption())
    .action(verifyAudit);
  audit
    .command("export")
    .description("store all rows as JSON lines in a file, and print the head")
    .argument("<file>")
    .addOption(jsonOption())
    .addOption(sourceOption())
    .addOption(tokenOption())
    .action(exportAudit);
}
