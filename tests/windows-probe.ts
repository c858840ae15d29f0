/**
/**
 * Program for `wine.test.ts`: files of the cache, boot, commands, programs, users and conditions
 * on Windows. Prints one line of JSON. Another handle, which shares nothing, plays the scanner.
 */
import { dlopen, FFIType, ptr } from "bun:ffi";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { runCommand } from "../shared/agent/task-command.ts";
import { systemFiles } from "../shared/cache/disk/system-files.ts";
import { platform } from "../shared/platform/index.ts";
import { ensurePrivateFolder, readPrivateFile } from "../shared/platform/private-files.ts";
import { ownSid, setSecurity } from "../shared/platform/windows-api-access.ts";
import { connectionCost, memory, processorTimes } from "../shared/platform/windows-api-conditions.ts";
import { sessionInformations, sessionStates } from "../shared/platform/windows-api-sessions.ts";

const { CreateFileW, CloseHandle, OpenProcess } = dlopen("kernel32.dll", {
  CreateFileW: {
    args: [FFIType.ptr, FFIType.u32, FFIType.u32, FFIType.ptr, FFIType.u32, FFIType.u32, FFIType.u64],
    returns: FFIType.i64,
  },
  CloseHandle: { args: [FFIType.i64], returns: FFIType.i32 },
  OpenProcess: { args: [FFIType.u32, FFIType.i32, FFIType.u32], returns: FFIType.i64 },
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

const bootId = await platform.bootId();
await Bun.sleep(200);
const hasBootId = bootId !== null && bootId === (await platform.bootId());

const run = (command: string, timeoutMs: number) => {
  const { signal } = new AbortController();
  const request = {
    taskId: 1,
    identity: "",
    key: "run 1.1",
    folder,
    command,
    shell: null,
    environment: {},
    timeoutMs,
    signal,
  };
  return runCommand(request, folder);
};

// A process that has ended exists while another process has it open.
const brief = Bun.spawn(["cmd.exe", "/c", "ping -n 2 127.0.0.1 >nul"], { stdout: "ignore" });
const handle = OpenProcess(0x1000, 0, brief.pid);
const start = await platform.processStart(brief.pid);
const isSameStart = start !== null && start === (await platform.processStart(brief.pid));
await brief.exited;
const knowsEnd = isSameStart && handle !== 0n && (await platform.processStart(brief.pid)) === null;
CloseHandle(handle);

writeFileSync(join(folder, "my setup.cmd"), "@echo %1 [%~2] %OS%\r\n@exit /b 3010\r\n");
const lines = [
  String.raw`"my setup.cmd" "a b" "c&d"`,
  String.raw`echo %OS% %%OS%% 100% ^& "a ^ b" !OS! !a & (echo x) && exit -2147024891`,
  String.raw`echo "a|b" | find "|" & echo wrong>&2 & exit 1618`,
  String.raw`set A=1&echo %A% "\"x\"" 'y'`,
  `"${process.env["ComSpec"]}" /c "exit 7"`,
  "is-not-there",
  "exit 300",
];
/** Lines that mean something else to cmd.exe when the agent runs them. */
const differences: unknown[] = [];
for (const line of lines) {
  const direct = join(folder, "direct.log");
  const log = openSync(direct, "w");
  const child = Bun.spawn(["cmd.exe", "/d", "/s", "/c", `"${line}"`], {
    windowsVerbatimArguments: true,
    cwd: folder,
    stdin: "ignore",
    stdout: log,
    stderr: log,
  });
  // Bun tells the last 8 bits of an exit code.
  const lastBits = await child.exited;
  closeSync(log);
  const output = readFileSync(direct, "utf8");
  const { outputTail, exitCode } = await run(line, 20_000);
  if (outputTail !== output || exitCode === null || (exitCode & 255) !== lastBits)
    differences.push({ line, output, lastBits, outputTail, exitCode });
}

const startedMs = performance.now();
const { timedOut, outputTail } = await run(
  'echo begun & cmd /c "ping -n 20 127.0.0.1 >nul & echo late"',
  1_500,
);
// The command would take 19 s.
const wasKilled = timedOut && performance.now() - startedMs < 10_000;
const output = outputTail.trim();
const listsItself = (await platform.runningPrograms()).includes(basename(process.execPath));
const { ignoresCase } = platform;
const userIdleMs = await platform.userIdleMs();
// Each throws if a function is missing.
const sessions = sessionInformations().length + sessionStates().length;
const calls = { cost: connectionCost(), hasTimes: processorTimes() !== null, hasMemory: memory() !== null };
await platform.conditions(null);
await Bun.sleep(200);
const { onBattery, isMetered, cpuPercent, memoryFreePercent } = await platform.conditions(null);
const measured = [cpuPercent, memoryFreePercent].map((share) => share !== null && share >= 0 && share <= 100);
const ofConditions = { calls, onBattery, isMetered, measured };

// Wine keeps an access list as the mode of the Unix file, where others can still read it.
const kept = join(folder, "kept");
mkdirSync(kept);
setSecurity(kept, "D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;WD)");
const wasOpen = platform.accessProblem(kept, "own")?.includes("other users (Everyone)");
await ensurePrivateFolder(kept);
const wasClosed = platform.accessProblem(kept, "own") === null;
const textOf = (name: string): Promise<string> =>
  readPrivateFile(join(folder, name), "key").catch((error: unknown) => String(error));
const secrets = [await textOf("secret"), (await textOf("open secret")).includes("users (Everyone): icacls")];
const ofAccess = { wasOpen, wasClosed, secrets, user: ownSid().startsWith("S-1-5-21-") };
const ofFiles = { wasMoved, text, wasRemoved, imageBytes };
const { system } = await platform.machineId();
const hasMachineId = system !== "" && system === (await platform.machineId()).system;
const ofCommands = { hasBootId, hasMachineId, knowsEnd, differences, wasKilled, output };
console.log(
  JSON.stringify({
    ...ofFiles,
    ...ofAccess,
    ...ofCommands,
    ...ofConditions,
    listsItself,
    ignoresCase,
    userIdleMs,
    sessions,
  }),
);
