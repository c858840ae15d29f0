/** Commands `source backup` and `source restore`. */
import { open, rename, rm } from "node:fs/promises";
import { resolve } from "node:path";
import { formatSize } from "../../model/quantity.ts";
import { retryLocked } from "../../platform/locked-files.ts";
import { ArchiveError, readArchive, type ArchiveContents } from "../backup/archive.ts";
import { restore } from "../backup/restore.ts";
import { dataFiles, isContentName } from "../data-files.ts";
import { keyTextsIn } from "../trust/signing-keys.ts";
import { CommandError } from "./command-error.ts";
import { connect, type JsonOptions } from "./connect.ts";
import { formatTime, print, printJson, printTable } from "./print.ts";
import { defaultKeyFile } from "./publish.ts";

type BackupOptions = JsonOptions & { readonly withPackages?: true | undefined };
type RestoreOptions = {
  readonly data: string;
  readonly replace?: true | undefined;
  readonly pauseTasks?: true | undefined;
  readonly json?: true | undefined;
};

export async function backUp(file: string, options: BackupOptions): Promise<void> {
  const client = await connect(options);
  const bytes = await client.backup(options.withPackages === true);
  const contents = await store(file, bytes);
  const notInIt = missingOf(contents);
  if (options.json) return printJson({ file: resolve(file), ...contents, notInIt });
  const total = contents.entries.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  print(`backup of ${formatTime(contents.facts.createdAtMs)} in ${file}, ${formatSize(total)}, verified`);
  print("");
  printTable(
    ["IN IT", "SIZE", ""],
    rowsOf(contents).map(([name, sizeBytes, what]) => [name, formatSize(sizeBytes), what]),
  );
  print("");
  print("not in it:");
  for (const line of notInIt) print(`- ${line}`);
  print("The file holds secrets: every reader of it can administer the source.");
}

/** Writes and verifies the archive under a temporary name, so that a file of the name is whole. */
async function store(file: string, bytes: ReadableStream<Uint8Array>): Promise<ArchiveContents> {
  const draft = `${file}.part`;
  await rm(draft, { force: true });
  const handle = await open(draft, "wx", 0o600).catch((error: Error) => {
    throw new CommandError(`Cannot write the backup "${file}": ${error.message}`, 1, { cause: error });
  });
  const written = async function* (): AsyncGenerator<Uint8Array> {
    for await (const part of bytes) {
      for (let at = 0; at < part.length;) at += (await handle.write(part, at)).bytesWritten;
      yield part;
    }
  };
  try {
    const contents = await readArchive(written());
    await handle.sync();
    await handle.close();
    await retryLocked(() => rename(draft, file));
    return contents;
  } catch (error) {
    await handle.close().catch(() => {});
    await rm(draft, { force: true });
    const why = error instanceof ArchiveError ? "what the source sent" : "";
    const message = `${why} ${error instanceof Error ? error.message : String(error)}`.trim();
    throw new CommandError(`No backup was made: ${message}; the log of the source tells more`, 1, {
      cause: error,
    });
  }
}

function rowsOf({ facts, entries }: ArchiveContents): [string, number, string][] {
  const { devices, tasks, packages } = facts;
  const files = entries.filter(({ name }) => !isContentName(name));
  const rows = files.map(({ name, sizeBytes }): [string, number, string] => [
    name,
    sizeBytes,
    name === dataFiles.catalog.name ? `${devices} devices, ${tasks} tasks, settings, manifests` : "",
  ]);
  const packageBytes = packages.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const { name } = dataFiles.packages;
  return packages.length === 0
    ? rows
    : [
        ...rows,
        [
          name,
          packageBytes,
          `the bytes of ${packages.length === 1 ? "one package" : `${packages.length} packages`}`,
        ],
      ];
}

/** Returns a line for each thing that a complete recovery needs in addition. */
function missingOf({ facts }: ArchiveContents): string[] {
  const { packagesLeftOut } = facts;
  const names = packagesLeftOut.map(({ name, version }) => `${name}@${version}`).join(", ");
  const bytes = packagesLeftOut.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  return [
    ...(names === ""
      ? []
      : [
          `the bytes of ${names} (${formatSize(bytes)}): --with-packages adds them; after a restore publish them again`,
        ]),
    `the publisher's key: it is where packages are published, here ${defaultKeyFile()} unless --key names another file`,
    "TLS certificates and keys: the source issues another one, or uses the files of --tls-cert and --tls-key",
  ];
}

export async function restoreBackup(file: string, options: RestoreOptions): Promise<void> {
  const restored = await restore({
    file,
    dataFolder: options.data,
    replaces: options.replace === true,
    pausesTasks: options.pauseTasks === true,
    nowMs: Date.now(),
  });
  if (options.json) return printJson(restored);
  const { facts, keptFolder, openTasks } = restored;
  print(`restored the backup of ${formatTime(facts.createdAtMs)} to ${options.data}`);
  if (keptFolder !== null) print(`the old folder is ${keptFolder}`);
  print(
    `- ${facts.devices} devices; one that was enrolled later says so: start it once with --enroll-file FILE`,
  );
  print(`- ${facts.tasks} tasks; later ones are lost${tasksText(openTasks, options.pauseTasks === true)}`);
  if ((await keyTextsIn(options.data)) === null)
    print("- tasks and settings wait for signatures: trust sign --all, once the source runs");
  for (const { name, version } of facts.packagesLeftOut)
    print(`- the bytes of ${name} ${version} are missing: publish them again`);
}

function tasksText(openTasks: readonly number[], paused: boolean): string {
  if (openTasks.length === 0) return "";
  const ids = openTasks.join(", ");
  return paused
    ? `; paused until task resume: ${ids}`
    : `; devices that have not completed them get ${ids} with the start of the source, also where one was cancelled since`;
}
