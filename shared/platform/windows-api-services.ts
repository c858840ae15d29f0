/**
 * Calls of the service control manager of Windows by bun:ffi. A handle is a number; each call that
 * fails throws an error with the number of Windows. All calls were run under Wine 8.
 */
import { dlopen, FFIType, ptr } from "bun:ffi";
import { ServiceError } from "./service.ts";
import { fixedBytes, once, wideText } from "./windows-memory.ts";

const { i32, u32, u64 } = FFIType;
const pointer = FFIType.ptr;

const services = once(
  () =>
    dlopen("advapi32.dll", {
      OpenSCManagerW: { args: [pointer, pointer, u32], returns: u64 },
      OpenServiceW: { args: [u64, pointer, u32], returns: u64 },
      CreateServiceW: {
        args: [
          u64,
          pointer,
          pointer,
          u32,
          u32,
          u32,
          u32,
          pointer,
          pointer,
          pointer,
          pointer,
          pointer,
          pointer,
        ],
        returns: u64,
      },
      ChangeServiceConfigW: {
        args: [u64, u32, u32, u32, pointer, pointer, pointer, pointer, pointer, pointer, pointer],
        returns: i32,
      },
      ChangeServiceConfig2W: { args: [u64, u32, pointer], returns: i32 },
      StartServiceW: { args: [u64, u32, pointer], returns: i32 },
      ControlService: { args: [u64, u32, pointer], returns: i32 },
      QueryServiceStatusEx: { args: [u64, i32, pointer, u32, pointer], returns: i32 },
      QueryServiceConfigW: { args: [u64, pointer, u32, pointer], returns: i32 },
      DeleteService: { args: [u64], returns: i32 },
      CloseServiceHandle: { args: [u64], returns: i32 },
    }).symbols,
);
const errors = once(
  () => dlopen("kernel32.dll", { GetLastError: { args: [], returns: u32 } }).symbols.GetLastError,
);

export type ServiceHandle = bigint;

const accessDenied = 5;
/** ERROR_INVALID_LEVEL. */
const invalidLevel = 124;
const noSuchService = 1_060;
const alreadyRunning = 1_056;
const notActive = 1_062;

const failure = (doing: string, code: number): ServiceError =>
  new ServiceError(
    code === accessDenied
      ? `Cannot ${doing}: run this command as an administrator`
      : `Cannot ${doing}: error ${code} of Windows (net helpmsg ${code})`,
  );

/** @returns the number of Windows' error; 0 when the call succeeded */
const codeAfter = (result: number | bigint): number => (BigInt(result) === 0n ? errors()() || 1 : 0);

function check(doing: string, result: number | bigint): void {
  const code = codeAfter(result);
  if (code !== 0) throw failure(doing, code);
}

/** SC_MANAGER_CONNECT and SC_MANAGER_CREATE_SERVICE. */
const managerAccess = { connect: 1, create: 3 } as const;
/** SERVICE_ALL_ACCESS, and the rights to query the status and the configuration. */
const serviceAccess = { all: 0xf01ff, query: 5 } as const;

function withManager<T>(access: keyof typeof managerAccess, use: (manager: ServiceHandle) => T): T {
  const { OpenSCManagerW, CloseServiceHandle } = services();
  const manager = OpenSCManagerW(null, null, managerAccess[access]);
  check("open the service control manager", manager);
  try {
    return use(manager);
  } finally {
    CloseServiceHandle(manager);
  }
}

/** Calls `use` with the service; returns null when there is none of this name. */
export function withService<T>(
  name: string,
  access: keyof typeof serviceAccess,
  use: (service: ServiceHandle) => T,
): T | null {
  return withManager("connect", (manager) => {
    const wide = wideText(name);
    const service = services().OpenServiceW(manager, ptr(wide), serviceAccess[access]);
    const code = codeAfter(service);
    if (code === noSuchService) return null;
    if (code !== 0) throw failure(`open the service ${name}`, code);
    try {
      return use(service);
    } finally {
      services().CloseServiceHandle(service);
    }
  });
}

/** SERVICE_WIN32_OWN_PROCESS, SERVICE_AUTO_START, SERVICE_ERROR_NORMAL. */
const [ownProcess, autoStart, errorNormal] = [0x10, 2, 1];

export type ServiceConfig = {
  readonly name: string;
  readonly displayName: string;
  readonly commandLine: string;
};

/** Creates a service that starts with the system, or changes an existing one. */
export function putService({ name, displayName, commandLine }: ServiceConfig): void {
  const [wideName, wideDisplay, wideLine] = [wideText(name), wideText(displayName), wideText(commandLine)];
  const { CreateServiceW, ChangeServiceConfigW, CloseServiceHandle } = services();
  const changed = withService(name, "all", (service) => {
    const line = ptr(wideLine);
    const display = ptr(wideDisplay);
    const args = [null, null, null, null, null] as const;
    const kinds = [ownProcess, autoStart, errorNormal] as const;
    check(`change the service ${name}`, ChangeServiceConfigW(service, ...kinds, line, ...args, display));
    return true;
  });
  if (changed) return;
  withManager("create", (manager) => {
    const kinds = [serviceAccess.all, ownProcess, autoStart, errorNormal] as const;
    const names = [ptr(wideName), ptr(wideDisplay)] as const;
    const service = CreateServiceW(manager, ...names, ...kinds, ptr(wideLine), null, null, null, null, null);
    check(`create the service ${name}`, service);
    CloseServiceHandle(service);
  });
}

/** Levels of ChangeServiceConfig2W. */
const level = { description: 1, failureActions: 2, delayedStart: 3, actsOnFailure: 4 } as const;
/** SC_ACTION_RESTART. */
const restart = 1;
const failureActionsBytes = 40;

/** @returns false if the system does not know this part of a configuration */
function configure(service: ServiceHandle, which: keyof typeof level, information: Uint8Array): boolean {
  const code = codeAfter(services().ChangeServiceConfig2W(service, level[which], ptr(information)));
  if (code === invalidLevel) return false;
  if (code !== 0) throw failure(`set the ${which} of the service`, code);
  return true;
}

export function describeService(service: ServiceHandle, text: string): boolean {
  const wide = wideText(text);
  const place = new BigUint64Array([BigInt(ptr(wide))]);
  return configure(service, "description", new Uint8Array(place.buffer));
}

/** The service starts some minutes after the system, when others do not need the disk. */
export const delayStart = (service: ServiceHandle): boolean =>
  configure(service, "delayedStart", new Uint8Array(new Uint32Array([1, 0]).buffer));

/**
 * Makes the system start the service again after each failure: a crash, or an end with an error.
 * @param delaysMs waits after the first failures; the last one counts for all further ones
 */
export function restartOnFailure(
  service: ServiceHandle,
  delaysMs: readonly number[],
  forgetsAfterSeconds: number,
): boolean {
  const actions = new Uint32Array(delaysMs.flatMap((delayMs) => [restart, delayMs]));
  const information = fixedBytes(failureActionsBytes);
  const view = new DataView(information.buffer);
  view.setUint32(0, forgetsAfterSeconds, true);
  view.setUint32(24, delaysMs.length, true);
  view.setBigUint64(32, BigInt(ptr(actions)), true);
  const isKnown = configure(service, "failureActions", information);
  return configure(service, "actsOnFailure", new Uint8Array(new Uint32Array([1, 0]).buffer)) && isKnown;
}

export function startService(service: ServiceHandle, name: string): void {
  const code = codeAfter(services().StartServiceW(service, 0, null));
  if (code !== 0 && code !== alreadyRunning) throw failure(`start the service ${name}`, code);
}

/** SERVICE_CONTROL_STOP. */
const stopControl = 1;

/** Asks the service to stop. @returns whether it ran */
export function askToStop(service: ServiceHandle, name: string): boolean {
  const status = fixedBytes(28);
  const code = codeAfter(services().ControlService(service, stopControl, ptr(status)));
  if (code === notActive) return false;
  if (code !== 0) throw failure(`stop the service ${name}`, code);
  return true;
}

export const deleteService = (service: ServiceHandle, name: string): void =>
  check(`remove the service ${name}`, services().DeleteService(service));

/** Returns SERVICE_STATUS_PROCESS. */
export function processStatus(service: ServiceHandle): DataView {
  const [status, needed] = [fixedBytes(36), fixedBytes(4)];
  const result = services().QueryServiceStatusEx(service, 0, ptr(status), status.length, ptr(needed));
  check("ask for the status of the service", result);
  return new DataView(status.buffer);
}

const configBytesMax = 8_192;

/** Whether the system starts the service. */
export function startsWithSystem(service: ServiceHandle): boolean {
  const [config, needed] = [fixedBytes(configBytesMax), fixedBytes(4)];
  const result = services().QueryServiceConfigW(service, ptr(config), config.length, ptr(needed));
  check("ask for the configuration of the service", result);
  return new DataView(config.buffer).getUint32(4, true) === autoStart;
}
