/**
 * Calls of Windows by bun:ffi that tell one machine from others: the registry and the tables of the
 * firmware. `machine-uuid.ts` parses what the calls return.
 */
import { dlopen, FFIType, ptr } from "bun:ffi";
import { fixedBytes, once, wideText } from "./windows-memory.ts";

const { i32, u32, u64 } = FFIType;
const pointer = FFIType.ptr;

const registry = once(
  () =>
    dlopen("advapi32.dll", {
      RegGetValueW: { args: [u64, pointer, pointer, u32, pointer, pointer, pointer], returns: i32 },
    }).symbols,
);
const firmware = once(
  () =>
    dlopen("kernel32.dll", { GetSystemFirmwareTable: { args: [u32, u32, pointer, u32], returns: u32 } })
      .symbols,
);

/** HKEY_LOCAL_MACHINE, extended with its sign. */
const localMachine = 0xff_ff_ff_ff_80_00_00_02n;
/** RRF_RT_REG_SZ and RRF_SUBKEY_WOW6464KEY: a text of the 64-bit view. */
const textOf64Bits = 0x1_00_02;

/** Returns MachineGuid, which Windows Setup creates; empty if there is none. */
export function machineGuid(): string {
  const value = fixedBytes(256);
  const size = new Uint32Array(fixedBytes(4).buffer);
  size[0] = value.length;
  const [key, name] = [wideText("SOFTWARE\\Microsoft\\Cryptography"), wideText("MachineGuid")];
  const { RegGetValueW } = registry();
  const result = RegGetValueW(localMachine, ptr(key), ptr(name), textOf64Bits, null, ptr(value), ptr(size));
  if (result !== 0) return "";
  return Buffer.from(value).subarray(0, size[0]).toString("utf16le").replaceAll("\0", "");
}

/** "RSMB": the SMBIOS tables. */
const smbios = 0x52_53_4d_42;

/** Returns the SMBIOS tables with a heading of eight bytes; empty if there are none. */
export function firmwareTable(): Uint8Array {
  const { GetSystemFirmwareTable } = firmware();
  const bytes = fixedBytes(GetSystemFirmwareTable(smbios, 0, null, 0));
  if (bytes.length === 0) return bytes;
  const filled = GetSystemFirmwareTable(smbios, 0, ptr(bytes), bytes.length);
  return filled > bytes.length ? fixedBytes(0) : bytes.subarray(0, filled);
}
