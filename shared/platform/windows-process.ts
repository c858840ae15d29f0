/**
 * Processes of Windows by bun:ffi: the start of a program that outlasts this process, its job, and
 * when a process started. All calls were run under Wine 8.
 *
 * `Bun.spawn` cannot start such a program. The runtime puts its children into a job that ends with
 * this process, and tells the last 8 bits of an exit code (3010 is 194). "Detached" children have
 * no console, so `chcp` has no effect and each of their own children opens a window.
 */
import { dlopen, FFIType, ptr } from "bun:ffi";
import type { ProcessTree } from "./platform.ts";
import { fixedBytes, once, wideText } from "./windows-memory.ts";

const { i32, i64, u32, u64 } = FFIType;
const pointer = FFIType.ptr;

const kernel = once(
  () =>
    dlopen("kernel32.dll", {
      AssignProcessToJobObject: { args: [i64, i64], returns: i32 },
      CloseHandle: { args: [i64], returns: i32 },
      CreateFileW: { args: [pointer, u32, u32, pointer, u32, u32, u64], returns: i64 },
      CreateJobObjectW: { args: [pointer, pointer], returns: i64 },
      CreateProcessW: {
        args: [pointer, pointer, pointer, pointer, i32, u32, pointer, pointer, pointer, pointer],
        returns: i32,
      },
      DeleteProcThreadAttributeList: { args: [pointer], returns: FFIType.void },
      DuplicateHandle: { args: [i64, i64, i64, pointer, u32, i32, u32], returns: i32 },
      GetCurrentProcess: { args: [], returns: i64 },
      GetExitCodeProcess: { args: [i64, pointer], returns: i32 },
      GetLastError: { args: [], returns: u32 },
      GetProcessTimes: { args: [i64, pointer, pointer, pointer, pointer], returns: i32 },
      InitializeProcThreadAttributeList: { args: [pointer, u32, u32, pointer], returns: i32 },
      IsProcessInJob: { args: [i64, i64, pointer], returns: i32 },
      OpenProcess: { args: [u32, i32, u32], returns: i64 },
      QueryInformationJobObject: { args: [i64, i32, pointer, u32, pointer], returns: i32 },
      ResumeThread: { args: [i64], returns: u32 },
      TerminateJobObject: { args: [i64, u32], returns: i32 },
      UpdateProcThreadAttribute: { args: [pointer, u32, u64, pointer, u64, pointer, pointer], returns: i32 },
      WaitForSingleObject: { args: [i64, u32], returns: u32 },
    }).symbols,
);

/** Exit status of a process that its job ends. */
const killedStatus = 1;
/** WAIT_TIMEOUT: the process has not ended. */
const waitTimeout = 0x102;

const hasEnded = (process: bigint): boolean => kernel().WaitForSingleObject(process, 0) !== waitTimeout;

/** Returns the time of the process's start, in units of 100 ns since 1601; null if it has ended. */
function startOf(process: bigint): string | null {
  const times = fixedBytes(32);
  const at = (index: number) => ptr(times, index * 8);
  if (hasEnded(process) || kernel().GetProcessTimes(process, at(0), at(1), at(2), at(3)) === 0) return null;
  return new DataView(times.buffer).getBigUint64(0, true).toString();
}

/** PROCESS_QUERY_LIMITED_INFORMATION and SYNCHRONIZE. */
const observerRights = 0x10_1000;

/** Returns a text that no other process has; null if the process has ended. */
export function processStart(pid: number): string | null {
  const process = kernel().OpenProcess(observerRights, 0, pid);
  // A process that ended exists while another one has it open.
  if (process === 0n) return null;
  try {
    return startOf(process);
  } finally {
    kernel().CloseHandle(process);
  }
}

/** JobObjectBasicAccountingInformation, and the offset of ActiveProcesses in it. */
const accounting = { informationClass: 1, bytes: 48, activeProcesses: 40 } as const;

function treeOf(job: bigint): ProcessTree {
  const system = kernel();
  let isOpen = true;
  const information = fixedBytes(accounting.bytes);
  return {
    signal() {
      if (isOpen) system.TerminateJobObject(job, killedStatus);
    },
    isRunning() {
      const { informationClass, bytes, activeProcesses } = accounting;
      if (!isOpen) return false;
      system.QueryInformationJobObject(job, informationClass, ptr(information), bytes, null);
      return new DataView(information.buffer).getUint32(activeProcesses, true) > 0;
    },
    close() {
      if (isOpen) system.CloseHandle(job);
      isOpen = false;
    },
  };
}

/** DUPLICATE_SAME_ACCESS. */
const sameAccess = 2;

/**
 * Returns the job of a process: the one into which `startProcess` put it, also if another process
 * did, or else a new one. Null if the process belongs to a job that allows no other.
 *
 * The name of a job is forgotten with its last handle, though the job exists as long as its
 * processes. The process is therefore given a handle of its own job.
 */
function jobOf(process: bigint, pid: number): ProcessTree | null {
  const system = kernel();
  const name = wideText(String.raw`Global\flockcast-${pid}-${startOf(process) ?? "ended"}`);
  const named = system.CreateJobObjectW(null, ptr(name));
  // Another kind of object may have the name.
  const job = named === 0n ? system.CreateJobObjectW(null, null) : named;
  const isIn = new Int32Array(fixedBytes(4).buffer);
  system.IsProcessInJob(process, job, ptr(isIn));
  if (isIn[0] === 0) {
    if (system.AssignProcessToJobObject(job, process) === 0) {
      system.CloseHandle(job);
      return null;
    }
    system.DuplicateHandle(system.GetCurrentProcess(), job, process, null, 0, 0, sameAccess);
  }
  return treeOf(job);
}

/** Returns the process without its descendants; for want of a job. */
export const soleProcess = (pid: number): ProcessTree => ({
  signal(signal) {
    try {
      process.kill(pid, signal);
    } catch {
      // The process has ended.
    }
  },
  isRunning() {
    try {
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  },
  close() {},
});

/** `observerRights`, PROCESS_TERMINATE, PROCESS_SET_QUOTA and PROCESS_DUP_HANDLE. */
const ownerRights = observerRights | 0x141;

export function processTree(pid: number): ProcessTree {
  const process = kernel().OpenProcess(ownerRights, 0, pid);
  if (process === 0n) return soleProcess(pid);
  try {
    return jobOf(process, pid) ?? soleProcess(pid);
  } finally {
    kernel().CloseHandle(process);
  }
}

export type ProcessSpec = {
  /** Absolute path of the executable. */
  readonly program: string;
  /** All words, the program's included, as the program gets them. */
  readonly commandLine: string;
  readonly folder: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Existing file to which standard output and standard error are appended. */
  readonly outputPath: string;
};
export type StartedProcess = {
  readonly pid: number;
  readonly tree: ProcessTree;
  /** Resolves to the exit code, as a signed number of 32 bits, as `cmd.exe` shows it. */
  readonly exited: Promise<number>;
};

/** Interval at which the end of a process is looked for. */
const pollMs = 50;

/**
 * Starts a program that continues when this process ends, in a job, with a console of its own that
 * has no window.
 * @throws Error when Windows refuses
 */
export function startProcess(spec: ProcessSpec): StartedProcess {
  const input = openInheritable("NUL", genericRead);
  const output = openInheritable(spec.outputPath, appendRights);
  try {
    const { process, thread, pid } = create(spec, input, output);
    const tree = jobOf(process, pid) ?? soleProcess(pid);
    kernel().ResumeThread(thread);
    kernel().CloseHandle(thread);
    return { pid, tree, exited: exitOf(process) };
  } finally {
    for (const handle of [input, output]) kernel().CloseHandle(handle);
  }
}

async function exitOf(process: bigint): Promise<number> {
  while (!hasEnded(process)) await Bun.sleep(pollMs);
  const code = new Int32Array(fixedBytes(4).buffer);
  kernel().GetExitCodeProcess(process, ptr(code));
  kernel().CloseHandle(process);
  return code[0]!;
}

const genericRead = 0x8000_0000;
/** FILE_GENERIC_READ and FILE_GENERIC_WRITE without FILE_WRITE_DATA: every write is at the end. */
const appendRights = 0x12_019f & ~0x2;
const shareAll = 7;
const openExisting = 3;

/**
 * Returns a handle that a new process may inherit.
 * @throws Error when the file cannot be opened
 */
function openInheritable(path: string, rights: number): bigint {
  // SECURITY_ATTRIBUTES: its length, no descriptor, bInheritHandle.
  const attributes = fixedBytes(24);
  new DataView(attributes.buffer).setUint32(0, attributes.length, true);
  new DataView(attributes.buffer).setUint32(16, 1, true);
  const name = wideText(path);
  const handle = kernel().CreateFileW(ptr(name), rights, shareAll, ptr(attributes), openExisting, 0, 0n);
  if (handle === -1n)
    throw new Error(`${path} cannot be opened (error ${kernel().GetLastError()} of Windows)`);
  return handle;
}

/** CREATE_SUSPENDED, _UNICODE_ENVIRONMENT and _NO_WINDOW, and EXTENDED_STARTUPINFO_PRESENT. */
const creationFlags = 0x4 | 0x400 | 0x8_0000 | 0x800_0000;
/** CREATE_BREAKAWAY_FROM_JOB: the job of this process, if any, does not end the program. */
const breakawayFlag = 0x100_0000;
/** PROC_THREAD_ATTRIBUTE_HANDLE_LIST. */
const handleListAttribute = 0x2_0002n;
const handleBytes = 8n;
/** Offsets in STARTUPINFOEXW and PROCESS_INFORMATION on 64-bit systems. */
const startup = { bytes: 112, flags: 60, input: 80, output: 88, error: 96, attributes: 104 } as const;
const information = { bytes: 24, process: 0, thread: 8, pid: 16 } as const;
/** STARTF_USESTDHANDLES. */
const useHandles = 0x100;

type Created = { readonly process: bigint; readonly thread: bigint; readonly pid: number };

/** Creates the process, which inherits two handles, and no socket of the agent. */
function create(spec: ProcessSpec, input: bigint, output: bigint): Created {
  const system = kernel();
  const handles = new BigInt64Array(fixedBytes(16).buffer);
  handles.set([input, output]);
  const size = new BigUint64Array(fixedBytes(8).buffer);
  system.InitializeProcThreadAttributeList(null, 1, 0, ptr(size));
  const attributes = fixedBytes(Number(size[0]));
  const startupInfo = fixedBytes(startup.bytes);
  const fields = new DataView(startupInfo.buffer);
  fields.setUint32(0, startup.bytes, true);
  fields.setUint32(startup.flags, useHandles, true);
  fields.setBigInt64(startup.input, input, true);
  fields.setBigInt64(startup.output, output, true);
  fields.setBigInt64(startup.error, output, true);
  fields.setBigUint64(startup.attributes, BigInt(ptr(attributes)), true);
  const created = fixedBytes(information.bytes);
  const [program, folder] = [wideText(spec.program), wideText(spec.folder)];
  const environment = environmentBlock(spec.environment);
  const tryCreate = (flags: number): boolean => {
    // Windows writes into the command line.
    const line = wideText(spec.commandLine);
    const [application, words] = [ptr(program), ptr(line)];
    const [block, place, start, result] = [ptr(environment), ptr(folder), ptr(startupInfo), ptr(created)];
    return system.CreateProcessW(application, words, null, null, 1, flags, block, place, start, result) !== 0;
  };
  const count = BigInt(handles.length) * handleBytes;
  if (
    system.InitializeProcThreadAttributeList(ptr(attributes), 1, 0, ptr(size)) === 0 ||
    system.UpdateProcThreadAttribute(
      ptr(attributes),
      0,
      handleListAttribute,
      ptr(handles),
      count,
      null,
      null,
    ) === 0
  )
    throw new Error(`${spec.program} is not started (error ${system.GetLastError()} of Windows)`);
  try {
    // A job that forbids to break away refuses the flag.
    if (!tryCreate(creationFlags | breakawayFlag) && !tryCreate(creationFlags))
      throw new Error(
        `${spec.program} cannot be started in ${spec.folder} (error ${system.GetLastError()} of Windows)`,
      );
  } finally {
    system.DeleteProcThreadAttributeList(ptr(attributes));
    // The list points at the handles, which must exist until here.
    handles.fill(0n);
  }
  const view = new DataView(created.buffer);
  return {
    process: view.getBigInt64(information.process, true),
    thread: view.getBigInt64(information.thread, true),
    pid: view.getUint32(information.pid, true),
  };
}

/** Names differ by more than their case. */
const byName = (a: string, b: string): number => (a.toUpperCase() < b.toUpperCase() ? -1 : 1);

/** Returns NAME=VALUE texts as Windows requires them: in order, each with a NUL, then a NUL. */
function environmentBlock(environment: Readonly<Record<string, string>>): Uint8Array {
  const names = Object.keys(environment).toSorted(byName);
  return wideText(`${names.map((name) => `${name}=${environment[name]}\0`).join("")}\0`);
}
