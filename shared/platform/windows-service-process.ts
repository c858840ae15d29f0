/**
 * A process that the service control manager of Windows has started, by bun:ffi.
 *
 * `StartServiceCtrlDispatcherW` blocks, so it is the start routine of a thread. Windows calls
 * `ServiceMain` and the handler on threads of its own. Bun passes the calls to the event loop; both
 * return nothing, which is the one kind of callback that can be passed on.
 */
import { dlopen, FFIType, JSCallback, ptr } from "bun:ffi";
import { ServiceError, type ServiceConnection, type ServiceName } from "./service.ts";
import { fixedBytes, once, wideText } from "./windows-memory.ts";

const { u32, u64, i32 } = FFIType;
const pointer = FFIType.ptr;

const control = once(
  () =>
    dlopen("advapi32.dll", {
      RegisterServiceCtrlHandlerW: { args: [pointer, pointer], returns: u64 },
      SetServiceStatus: { args: [u64, pointer], returns: i32 },
    }).symbols,
);
const kernel = once(
  () =>
    dlopen("kernel32.dll", {
      LoadLibraryW: { args: [pointer], returns: u64 },
      GetProcAddress: { args: [u64, pointer], returns: u64 },
      CreateThread: { args: [pointer, u64, u64, pointer, u32, pointer], returns: u64 },
    }).symbols,
);

/** SERVICE_WIN32_OWN_PROCESS. */
const ownProcess = 0x10;
/** SERVICE_STOPPED, SERVICE_STOP_PENDING, SERVICE_RUNNING. */
const state = { stopped: 1, stopPending: 3, running: 4 } as const;
/** SERVICE_ACCEPT_STOP and SERVICE_ACCEPT_SHUTDOWN. */
const accepted = 5;
/** SERVICE_CONTROL_STOP and SERVICE_CONTROL_SHUTDOWN. */
const stopControls: ReadonlySet<number> = new Set([1, 5]);
/** ERROR_SERVICE_SPECIFIC_ERROR: the next field has the exit status. */
const specificError = 1_066;
/** Time after which the manager takes a service that stops for one that hangs. */
const stopHintMs = 10_000;

/** Everything whose address Windows keeps. Referenced for the life of the process. */
const kept: unknown[] = [];

/**
 * Connects this process to the service control manager, and reports that the service runs.
 * @param onStop called when the manager or the end of the system asks the service to stop
 * @throws ServiceError when the system refuses
 */
export function connectToManager(name: ServiceName, onStop: () => void): ServiceConnection {
  let handle = 0n;
  let hasEnded = false;
  const report = (current: number, exitStatus = 0, hintMs = 0): void => {
    if (handle === 0n) return;
    const values = [ownProcess, current, current === state.running ? accepted : 0];
    const code = exitStatus === 0 ? 0 : specificError;
    const status = new Uint32Array([...values, code, exitStatus, 0, hintMs]);
    control().SetServiceStatus(handle, ptr(status));
  };
  const handler = new JSCallback(
    (code: number) => {
      if (!stopControls.has(code) || hasEnded) return;
      report(state.stopPending, 0, stopHintMs);
      onStop();
    },
    { args: [u32], returns: FFIType.void, threadsafe: true },
  );
  const wideName = wideText(name);
  const main = new JSCallback(
    () => {
      handle = BigInt(control().RegisterServiceCtrlHandlerW(ptr(wideName), handler.ptr));
      report(state.running);
    },
    { args: [u32, pointer], returns: FFIType.void, threadsafe: true },
  );
  // SERVICE_TABLE_ENTRYW of the service, and the empty entry at the end.
  const table = new BigUint64Array(fixedBytes(32).buffer);
  table.set([BigInt(ptr(wideName)), BigInt(main.ptr!)]);
  kept.push(handler, main, wideName, table);
  startDispatcher(table);
  return {
    ended: (status) => {
      if (hasEnded) return;
      hasEnded = true;
      report(state.stopped, status);
    },
  };
}

function startDispatcher(table: BigUint64Array): void {
  const { LoadLibraryW, GetProcAddress, CreateThread } = kernel();
  const library = wideText("advapi32.dll");
  const routine = Buffer.from("StartServiceCtrlDispatcherW\0", "latin1");
  const dispatcher = GetProcAddress(LoadLibraryW(ptr(library)), ptr(routine));
  if (BigInt(dispatcher) === 0n) throw new ServiceError("Windows has no dispatcher of services");
  if (BigInt(CreateThread(null, 0n, dispatcher, ptr(table), 0, null)) === 0n)
    throw new ServiceError("Windows cannot start the thread of the service");
}
