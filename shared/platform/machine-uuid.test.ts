import { describe, expect, test } from "bun:test";
import * as linux from "./linux.ts";
import { firmwareUuidIn, machineUuidIn, platformUuidIn, systemIdIn } from "./machine-uuid.ts";

const structure = (type: number, body: Buffer, strings: string): Buffer =>
  Buffer.concat([Buffer.from([type, body.length + 4, 0, 0]), body, Buffer.from(`${strings}\0\0`, "latin1")]);

/** Structures as GetSystemFirmwareTable returns them: header, BIOS, system, end. */
function smbios(uuid: string, length = 27): Uint8Array {
  const body = Buffer.concat([Buffer.from([1, 2, 0, 3]), Buffer.from(uuid, "hex"), Buffer.from([6, 0, 0])]);
  const parts = [
    structure(0, Buffer.alloc(20), "SeaBIOS\0rel-1.16.2"),
    structure(1, body.subarray(0, length - 4), "QEMU\0Standard PC"),
    structure(127, Buffer.alloc(0), ""),
  ];
  return Buffer.concat([Buffer.from([0, 2, 8, 0, 0, 0, 0, 0]), ...parts]);
}

describe("the ids of a machine", () => {
  test("are read from the listing of ioreg", () => {
    const listing = `+-o J274AP  <class IOPlatformExpertDevice, id 0x100000236, registered, matched>
    {
      "IOPlatformSerialNumber" = "C07FX0QYQ6NV"
      "IOPlatformUUID" = "5A1B6B0C-7E5D-5C0B-9B1D-0A7A1C2D3E4F"
    }
`;
    expect(platformUuidIn(listing)).toBe("5a1b6b0c-7e5d-5c0b-9b1d-0a7a1c2d3e4f");
    expect(platformUuidIn("")).toBe("");
  });

  test("are read from the SMBIOS table with the byte order of Windows", () => {
    const table = smbios("33221100554477668899aabbccddeeff");
    expect(firmwareUuidIn(table)).toBe("00112233-4455-6677-8899-aabbccddeeff");
  });

  test("are missing in a table that is cut off, too old or empty", () => {
    const table = smbios("33221100554477668899aabbccddeeff");
    for (let bytes = 0; bytes < 70; bytes++) expect(firmwareUuidIn(table.subarray(0, bytes))).toBe("");
    expect(firmwareUuidIn(smbios("00".repeat(16), 8))).toBe("");
    expect(firmwareUuidIn(smbios("00".repeat(16)))).toBe("");
  });

  test("are missing where a maker or an image left them unset", () => {
    expect(machineUuidIn("FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF")).toBe("");
    expect(machineUuidIn("03000200-0400-0500-0006-000700080009")).toBe("");
    expect(machineUuidIn("Not Settable")).toBe("");
    expect(systemIdIn("uninitialized\n")).toBe("");
    expect(systemIdIn("")).toBe("");
    expect(systemIdIn("0".repeat(32))).toBe("");
    expect(systemIdIn("b08dfa6083e7567a1921a715000001fb\n")).toBe("b08dfa6083e7567a1921a715000001fb");
  });

  test("are the same each time on this machine", async () => {
    const first = await linux.machineId();
    expect(Object.keys(first).toSorted()).toEqual(["firmware", "system"]);
    expect(await linux.machineId()).toEqual(first);
  });
});
