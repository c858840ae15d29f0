/**
 * Calls of Windows by bun:ffi: tables of the IP helper, power, boot, sparse files. A call
 * takes a few milliseconds, where PowerShell takes seconds. The first call loads the library.
 *
 * `windows-tables.ts` parses what the calls fill in. All of them were run under Wine 8.
 */
import { dlopen, FFIType, ptr, toArrayBuffer, type Pointer } from "bun:ffi";
import { win32 } from "node:path";
import { fixedBytes, once, wideText } from "./windows-memory.ts";

const { i32, u32, u64 } = FFIType;
const pointer = FFIType.ptr;

const loadIpHelper = () =>
  dlopen("iphlpapi.dll", {
    GetIfTable2: { args: [pointer], returns: u32 },
    FreeMibTable: { args: [pointer], returns: FFIType.void },
    GetIpForwardTable: { args: [pointer, pointer, i32], returns: u32 },
    GetIpNetTable: { args: [pointer, pointer, i32], returns: u32 },
  }).symbols;
const loadKernel = () =>
  dlopen("kernel32.dll", {
    GetSystemPowerStatus: { args: [pointer], returns: i32 },
    CreateFileW: { args: [pointer, u32, u32, pointer, u32, u32, u64], returns: FFIType.i64 },
    DeviceIoControl: { args: [FFIType.i64, u32, pointer, u32, pointer, u32, pointer, pointer], returns: i32 },
    CloseHandle: { args: [FFIType.i64], returns: i32 },
  }).symbols;
const loadPower = () =>
  dlopen("powrprof.dll", { PowerDeterminePlatformRoleEx: { args: [u32], returns: u32 } }).symbols;
const loadNative = () =>
  dlopen("ntdll.dll", {
    RtlGetVersion: { args: [pointer], returns: i32 },
    NtQuerySystemInformation: { args: [i32, pointer, u32, pointer], returns: i32 },
  }).symbols;

const loadShell = () => dlopen("shell32.dll", { IsUserAnAdmin: { args: [], returns: i32 } }).symbols;

const ipHelper = once(loadIpHelper);
const kernel = once(loadKernel);
const power = once(loadPower);
const shell = once(loadShell);
const native = once(loadNative);

const interfaceRowBytes = 1_352;

/** Returns the rows of GetIfTable2 (MIB_IF_ROW2), without the heading. */
export function interfaceRows(): DataView {
  const place = new BigUint64Array(fixedBytes(8).buffer);
  if (ipHelper().GetIfTable2(ptr(place)) !== 0) return new DataView(new ArrayBuffer(0));
  const table = Number(place[0]) as Pointer;
  try {
    const count = new DataView(toArrayBuffer(table, 0, 4)).getUint32(0, true);
    // Copied, because Windows frees the table.
    return new DataView(toArrayBuffer(table, 8, count * interfaceRowBytes).slice(0));
  } finally {
    ipHelper().FreeMibTable(table);
  }
}

/** Rows that may be added between two calls. */
const spareRows = 16;
const insufficientBuffer = 122;

/** Calls a function that fills a buffer and returns how large the buffer has to be. */
function tableOf(
  fill: (into: Pointer | null, size: Pointer, sorted: number) => number,
  rowBytes: number,
): DataView {
  const size = new Uint32Array(fixedBytes(4).buffer);
  if (fill(null, ptr(size), 0) !== insufficientBuffer) return new DataView(new ArrayBuffer(4));
  const bytes = fixedBytes(size[0]! + spareRows * rowBytes);
  size[0] = bytes.length;
  return fill(ptr(bytes), ptr(size), 0) === 0 ? new DataView(bytes.buffer) : new DataView(new ArrayBuffer(4));
}

/** Returns MIB_IPFORWARDTABLE: the IPv4 routes. */
export const routeTable = (): DataView => tableOf(ipHelper().GetIpForwardTable, 56);
/** Returns MIB_IPNETTABLE: the IPv4 neighbours. */
export const neighbourTable = (): DataView => tableOf(ipHelper().GetIpNetTable, 24);

/** Returns SYSTEM_POWER_STATUS; null if the call fails. */
export function powerStatus(): DataView | null {
  const status = fixedBytes(12);
  return kernel().GetSystemPowerStatus(ptr(status)) === 0 ? null : new DataView(status.buffer);
}

/** Whether the process has the rights of administrators. */
export const isUserAdministrator = (): boolean => shell().IsUserAnAdmin() !== 0;

/** Returns the POWER_PLATFORM_ROLE, version 2. */
export const platformRole = (): number => power().PowerDeterminePlatformRoleEx(2);

/** Returns wProductType of OSVERSIONINFOEXW: 1 workstation, 2 domain controller, 3 server. */
export function productType(): number {
  const information = fixedBytes(284);
  new DataView(information.buffer).setUint32(0, information.length, true);
  return native().RtlGetVersion(ptr(information)) === 0 ? information[282]! : 0;
}

/** SystemTimeOfDayInformation. */
const timeOfDayClass = 3;

/** Returns SYSTEM_TIMEOFDAY_INFORMATION; null if the call fails. */
export function timeOfDay(): DataView | null {
  const information = fixedBytes(48);
  const { NtQuerySystemInformation } = native();
  const status = NtQuerySystemInformation(timeOfDayClass, ptr(information), information.length, null);
  return status === 0 ? new DataView(information.buffer) : null;
}

const writeAttributes = 0x100;
const shareAll = 7;
const openExisting = 3;
/** FILE_FLAG_OPEN_REPARSE_POINT: a link is not followed. */
const noFollow = 0x200000;
const setSparseCode = 0x900c4;

/** Sets or clears the sparse attribute of a file (FSCTL_SET_SPARSE). Returns false on failure. */
export function setSparse(path: string, isSparse: boolean): boolean {
  const { CreateFileW, DeviceIoControl, CloseHandle } = kernel();
  // The prefix \\?\ allows a path of more than 260 characters.
  const name = wideText(win32.toNamespacedPath(path));
  const handle = CreateFileW(ptr(name), writeAttributes, shareAll, null, openExisting, noFollow, 0n);
  if (BigInt(handle) === -1n) return false;
  try {
    const request = fixedBytes(8).fill(isSparse ? 1 : 0, 0, 1);
    const returned = fixedBytes(8);
    return DeviceIoControl(handle, setSparseCode, ptr(request), 1, null, 0, ptr(returned), null) !== 0;
  } finally {
    CloseHandle(handle);
  }
}
