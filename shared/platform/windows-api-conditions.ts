/**
 * Calls of Windows by bun:ffi about the conditions of the machine: cost of the network, times of
 * the processors, memory. `windows-conditions.ts` parses what the calls fill in. All of them were
 * run under Wine 8.
 */
import { CFunction, dlopen, FFIType, ptr, toArrayBuffer, type Pointer } from "bun:ffi";
import { memoryStatus, type ProcessorTimes } from "./windows-conditions.ts";
import { fixedBytes, once } from "./windows-memory.ts";

const { i32, u32 } = FFIType;
const pointer = FFIType.ptr;

const kernel = once(
  () =>
    dlopen("kernel32.dll", {
      GetSystemTimes: { args: [pointer, pointer, pointer], returns: i32 },
      GlobalMemoryStatusEx: { args: [pointer], returns: i32 },
    }).symbols,
);
const ole = once(
  () =>
    dlopen("ole32.dll", {
      CoInitializeEx: { args: [pointer, u32], returns: i32 },
      CoCreateInstance: { args: [pointer, pointer, u32, pointer, pointer], returns: i32 },
    }).symbols,
);

const timeOf = (bytes: Uint8Array<ArrayBuffer>): bigint => new DataView(bytes.buffer).getBigUint64(0, true);

/** Returns the times of all processors; null if the call fails. */
export function processorTimes(): ProcessorTimes | null {
  const [idle, inKernel, user] = [fixedBytes(8), fixedBytes(8), fixedBytes(8)];
  if (kernel().GetSystemTimes(ptr(idle), ptr(inKernel), ptr(user)) === 0) return null;
  return { idle: timeOf(idle), kernel: timeOf(inKernel), user: timeOf(user) };
}

/** Returns MEMORYSTATUSEX; null if the call fails. */
export function memory(): DataView | null {
  const status = new DataView(fixedBytes(memoryStatus.bytes).buffer);
  status.setUint32(0, memoryStatus.bytes, true);
  return kernel().GlobalMemoryStatusEx(ptr(status)) === 0 ? null : status;
}

/** COINIT_MULTITHREADED. */
const multithreaded = 0;
/** CLSCTX_ALL: the object may run in this process, or in a server. */
const anywhere = 0x17;
const networkListManager = "dcb00c01-570f-4a9b-8d69-199fdba5723b";
const networkCostManager = "dcb00008-570f-4a9b-8d69-199fdba5723b";

/** Returns a GUID as it is stored: the first three groups are numbers, the last two are bytes. */
function guidBytes(text: string): Uint8Array<ArrayBuffer> {
  const [first, second, third, ...rest] = text.split("-");
  const bytes = fixedBytes(16);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, Number.parseInt(first!, 16), true);
  view.setUint16(4, Number.parseInt(second!, 16), true);
  view.setUint16(6, Number.parseInt(third!, 16), true);
  bytes.set(Buffer.from(rest.join(""), "hex"), 8);
  return bytes;
}

/** Position of GetCost in the functions of INetworkCostManager, behind those of IUnknown. */
const getCostAt = 3;

const pointerAt = (address: Pointer, offset: number): Pointer =>
  Number(new DataView(toArrayBuffer(address, offset, 8)).getBigUint64(0, true)) as Pointer;

/** The object and its function GetCost; made once, and kept until the agent ends. */
const costManager = once(() => {
  // S_OK, or S_FALSE when the thread was initialized before.
  if (ole().CoInitializeEx(null, multithreaded) < 0) throw new Error("COM cannot be used");
  const [kind, wanted, place] = [guidBytes(networkListManager), guidBytes(networkCostManager), fixedBytes(8)];
  const status = ole().CoCreateInstance(ptr(kind), null, anywhere, ptr(wanted), ptr(place));
  if (status < 0) throw new Error("Windows has no network cost manager");
  const object = Number(new DataView(place.buffer).getBigUint64(0, true)) as Pointer;
  const code = pointerAt(pointerAt(object, 0), getCostAt * 8);
  return { object, getCost: CFunction({ ptr: code, args: [pointer, pointer, pointer], returns: i32 }) };
});

/** Returns NLM_CONNECTION_COST of the machine's connection; null if the call fails. */
export function connectionCost(): number | null {
  const { object, getCost } = costManager();
  const cost = fixedBytes(4);
  return getCost(object, ptr(cost), null) < 0 ? null : new DataView(cost.buffer).getUint32(0, true);
}
