/**
 * Writes a Windows DLL for x64 whose only export forwards to a function of another DLL. The file
 * has one section with the export directory, and no code (Microsoft, "PE Format").
 */

const sectionAddress = 0x1000;
const sectionOffset = 0x200;
const headerOffset = 0x40;
const optionalHeaderBytes = 240;

/** @param target DLL and function, for example "advapi32.SystemFunction036" */
export function forwarderDll(name: string, exported: string, target: string): Uint8Array {
  const bytes = new Uint8Array(2 * sectionOffset);
  const view = new DataView(bytes.buffer);
  const u16 = (at: number, value: number): void => view.setUint16(at, value, true);
  const u32 = (at: number, value: number): void => view.setUint32(at, value, true);
  const text = (at: number, value: string): number => {
    bytes.set(new TextEncoder().encode(value), at);
    return at + value.length + 1;
  };
  text(0, "MZ");
  u32(0x3c, headerOffset);
  text(headerOffset, "PE");
  const file = headerOffset + 4;
  u16(file, 0x8664); // machine: x64
  u16(file + 2, 1); // sections
  u16(file + 16, optionalHeaderBytes);
  u16(file + 18, 0x2022); // executable, large addresses, DLL
  const optional = file + 20;
  u16(optional, 0x20b); // 64-bit
  u32(optional + 8, sectionOffset); // bytes of initialized data
  view.setBigUint64(optional + 24, 0x1_8000_0000n, true);
  u32(optional + 32, sectionAddress); // alignment in memory
  u32(optional + 36, sectionOffset); // alignment in the file
  u16(optional + 40, 6); // version of the operating system
  u16(optional + 48, 6); // version of the subsystem
  u32(optional + 56, 2 * sectionAddress); // bytes in memory
  u32(optional + 60, sectionOffset); // bytes of headers
  u16(optional + 68, 3); // subsystem: console
  u16(optional + 70, 0x100); // compatible with data execution prevention
  u32(optional + 108, 16); // data directories; the first is the export directory
  u32(optional + 112, sectionAddress);
  u32(optional + 116, sectionOffset);
  const section = optional + optionalHeaderBytes;
  text(section, ".rdata");
  u32(section + 8, sectionOffset);
  u32(section + 12, sectionAddress);
  u32(section + 16, sectionOffset);
  u32(section + 20, sectionOffset);
  u32(section + 36, 0x4000_0040); // readable, initialized data

  const directory = sectionOffset;
  const address = (at: number): number => at - sectionOffset + sectionAddress;
  const [functions, names, ordinals] = [directory + 40, directory + 44, directory + 48];
  const nameAt = directory + 52;
  const exportedAt = text(nameAt, name);
  const targetAt = text(exportedAt, exported);
  text(targetAt, target);
  u32(directory + 12, address(nameAt));
  u32(directory + 16, 1); // first ordinal
  u32(directory + 20, 1); // functions
  u32(directory + 24, 1); // names
  u32(directory + 28, address(functions));
  u32(directory + 32, address(names));
  u32(directory + 36, address(ordinals));
  // An address inside the export directory is a forwarder.
  u32(functions, address(targetAt));
  u32(names, address(exportedAt));
  return bytes;
}
