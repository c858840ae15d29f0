/**
 * Calls of Windows by bun:ffi about owners and access lists. `windows-access.ts` judges them. All
 * calls were run under Wine 8.
 */
import { dlopen, FFIType, ptr, toArrayBuffer, type Pointer } from "bun:ffi";
import { win32 } from "node:path";
import { sidIn } from "./windows-access.ts";
import { fixedBytes, once, wideText } from "./windows-memory.ts";

const { i32, i64, u32 } = FFIType;
const pointer = FFIType.ptr;

const security = once(
  () =>
    dlopen("advapi32.dll", {
      GetNamedSecurityInfoW: {
        args: [pointer, i32, u32, pointer, pointer, pointer, pointer, pointer],
        returns: u32,
      },
      SetNamedSecurityInfoW: { args: [pointer, i32, u32, pointer, pointer, pointer, pointer], returns: u32 },
      ConvertSecurityDescriptorToStringSecurityDescriptorW: {
        args: [pointer, u32, u32, pointer, pointer],
        returns: i32,
      },
      ConvertStringSecurityDescriptorToSecurityDescriptorW: {
        args: [pointer, u32, pointer, pointer],
        returns: i32,
      },
      GetSecurityDescriptorDacl: { args: [pointer, pointer, pointer, pointer], returns: i32 },
      OpenProcessToken: { args: [i64, u32, pointer], returns: i32 },
      GetTokenInformation: { args: [i64, i32, pointer, u32, pointer], returns: i32 },
    }).symbols,
);
const memory = once(
  () =>
    dlopen("kernel32.dll", {
      LocalFree: { args: [pointer], returns: pointer },
      CloseHandle: { args: [i64], returns: i32 },
    }).symbols,
);

/** SE_FILE_OBJECT. */
const fileObject = 1;
const ownerPart = 1;
const listPart = 4;
/** PROTECTED_DACL_SECURITY_INFORMATION: nothing is inherited from the parent. */
const protectedList = 0x8000_0000;
const revision = 1;

/** Longest path that needs no prefix. */
const shortPathMax = 247;
const nameOf = (path: string): Uint8Array =>
  wideText(path.length > shortPathMax ? win32.toNamespacedPath(path) : path);

/** A place for a pointer that a call returns. */
const place = (): BigUint64Array => new BigUint64Array(fixedBytes(8).buffer);
const pointerIn = (found: BigUint64Array): Pointer => Number(found[0]) as Pointer;

/**
 * Returns owner and access list of a file as SDDL.
 * @throws Error with the number of Windows' error
 */
export function securityOf(path: string): string {
  const api = security();
  const descriptor = place();
  const parts = ownerPart | listPart;
  const name = nameOf(path);
  const failed = api.GetNamedSecurityInfoW(
    ptr(name),
    fileObject,
    parts,
    null,
    null,
    null,
    null,
    ptr(descriptor),
  );
  if (failed !== 0) throw new Error(`Cannot read the access list of "${path}": error ${failed} of Windows`);
  const text = place();
  const length = new Uint32Array(fixedBytes(4).buffer);
  try {
    const { ConvertSecurityDescriptorToStringSecurityDescriptorW: toText } = api;
    if (toText(pointerIn(descriptor), revision, parts, ptr(text), ptr(length)) === 0)
      throw new Error(`Cannot read the access list of "${path}"`);
    const wide = Buffer.from(toArrayBuffer(pointerIn(text), 0, length[0]! * 2));
    return wide.toString("utf16le").replaceAll("\0", "");
  } finally {
    if (text[0] !== 0n) memory().LocalFree(pointerIn(text));
    memory().LocalFree(pointerIn(descriptor));
  }
}

/**
 * Replaces the access list of a file, and what its contents inherit.
 * @param sddl such as `D:P(A;OICI;FA;;;SY)`
 * @throws Error with the number of Windows' error
 */
export function setSecurity(path: string, sddl: string): void {
  const api = security();
  const descriptor = place();
  const text = wideText(sddl);
  const { ConvertStringSecurityDescriptorToSecurityDescriptorW: fromText } = api;
  if (fromText(ptr(text), revision, ptr(descriptor), null) === 0)
    throw new Error(`Cannot make the access list ${sddl}`);
  try {
    const [isThere, isDefault] = [fixedBytes(4), fixedBytes(4)];
    const list = place();
    api.GetSecurityDescriptorDacl(pointerIn(descriptor), ptr(isThere), ptr(list), ptr(isDefault));
    const name = nameOf(path);
    const parts = listPart + protectedList;
    const failed = api.SetNamedSecurityInfoW(ptr(name), fileObject, parts, null, null, pointerIn(list), null);
    if (failed !== 0)
      throw new Error(`Cannot replace the access list of "${path}": error ${failed} of Windows`);
  } finally {
    memory().LocalFree(pointerIn(descriptor));
  }
}

const currentProcess = -1n;
/** TOKEN_QUERY. */
const queryAccess = 8;
/** TokenUser. */
const userClass = 1;
/** TOKEN_USER: a pointer to the SID, and attributes. The SID follows. */
const userHeadBytes = 16;
const sidBytesMax = 68;

/** Returns the SID of the user that this process runs as. @throws Error */
export const ownSid = once((): string => {
  const token = place();
  const api = security();
  if (api.OpenProcessToken(currentProcess, queryAccess, ptr(token)) === 0)
    throw new Error("Windows does not tell which user this process runs as");
  const handle = token[0]!;
  try {
    const user = fixedBytes(userHeadBytes + sidBytesMax);
    const used = fixedBytes(4);
    if (api.GetTokenInformation(handle, userClass, ptr(user), user.length, ptr(used)) === 0)
      throw new Error("Windows does not tell which user this process runs as");
    const address = new DataView(user.buffer).getBigUint64(0, true);
    return sidIn(new DataView(user.buffer, Number(address - BigInt(ptr(user)))));
  } finally {
    memory().CloseHandle(handle);
  }
});
