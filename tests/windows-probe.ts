/**
 * Program for `wine.test.ts`: files of the cache, commands, programs and users on Windows. Prints
 * one line of JSON. Another handle, which shares nothing, plays the scanner.
 */
import { dlopen, FFIType, ptr } from "bun:ffi";
import { existsSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { runCommand } from "../shared/agent/task-command.ts";
import { systemFiles } from "../shared/cache/disk/system-files.ts";
import { platform } from "../shared/platform/index.ts";
import { sessionInformations } from "../shared/platform/windows-api-sessions.ts";

const { CreateFileW, CloseHandle } = dlopen("kernel32.dll", {
  CreateFileW: {
    args: [FFIType.ptr, FFIType.u32, FFIType.u32, FFIType.ptr, FFIType.u32, FFIType.u32, FFIType.u64],
    returns: FFIType.i64,
  },
  CloseHandle: { args: [FFIType.i64], returns: FFIType.i32 },
}).symbols;
const genericRead = 0x8000_0000;
const openExisting = 3;

const folder = process.argv[2]!;
const files = systemFiles();

/** Opens the file as a scanner does, and closes it after a while. */
function scan(path: string): void {
  const name = Buffer.from(`${path}\0`, "utf16le");
  const handle = CreateFileW(ptr(name), genericRead, 0, null, openExisting, 0, 0n);
  if (BigInt(handle) === -1n) throw new Error(`cannot open ${path}`);
  setTimeout(() => CloseHandle(handle), 300);
}

const file = join(folder, "file.bin");
const moved = join(folder, "moved.bin");
writeFileSync(file, "abc");
scan(file);
await files.rename(file, moved);
const wasMoved = existsSync(moved) && !existsSync(file);
scan(moved);
const text = Buffer.from(await files.readFile(moved)).toString();
scan(moved);
await files.remove(moved);
const wasRemoved = !existsSync(moved);

const image = await files.open(join(folder, "image.bin"), "write", 0o644);
await image.write(new Uint8Array([7]), 0, 1, 64 * 1_048_576, "cached");
await image.write(new Uint8Array(64 * 1_048_576), 0, 64 * 1_048_576, 0, "cached");
await image.sync("all");
const imageBytes = image.state()?.sizeBytes;
await image.close();

const startedMs = performance.now();
const { timedOut, outputTail } = await runCommand(
  {
    taskId: 1,
    key: "run 1.1",
    folder,
    command: 'echo begun & cmd /c "ping -n 20 127.0.0.1 >nul & echo late"',
    shell: null,
    environment: {},
    timeoutMs: 1_500,
    signal: new AbortController().signal,
  },
  folder,
);
// The command would take 19 s.
const wasKilled = timedOut && performance.now() - startedMs < 10_000;
const output = outputTail.trim();
const listsItself = (await platform.runningPrograms()).includes(basename(process.execPath));
const { ignoresCase } = platform;
const userIdleMs = await platform.userIdleMs();
// Throws if a function is missing.
const sessions = sessionInformations().length;
const ofFiles = { wasMoved, text, wasRemoved, imageBytes };
console.log(
  JSON.stringify({ ...ofFiles, wasKilled, output, listsItself, ignoresCase, userIdleMs, sessions }),
);
