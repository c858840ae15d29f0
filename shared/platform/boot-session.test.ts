import { expect, test } from "bun:test";
import { bootUuidIn } from "./boot-session.ts";
import { platform } from "./index.ts";

test("the UUID of the boot is read from what Linux and macOS print", () => {
  expect(bootUuidIn("2d63d347-0bc3-4ad5-9ef4-9b5a6c3e1c2f\n")).toBe("2d63d347-0bc3-4ad5-9ef4-9b5a6c3e1c2f");
  expect(bootUuidIn("5E0BB5B7-2C8C-4B0E-9D6D-0D7B3A6C7B11\n")).toBe("5e0bb5b7-2c8c-4b0e-9d6d-0d7b3a6c7b11");
});

test.each(["", "sysctl: unknown oid 'kern.bootsessionuuid'", "2d63d347-0bc3-4ad5-9ef4-9b5a6c3e1c2f x"])(
  "no UUID is read from %j",
  (text) => {
    expect(bootUuidIn(text)).toBeNull();
  },
);

test("two processes of one boot get one text from the system", async () => {
  const own = await platform.bootId();
  expect(own).toMatch(/^\S{10,}$/);
  const script = `console.log(await (await import("${import.meta.resolve("./index.ts")}")).platform.bootId())`;
  const other = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe" });
  expect((await new Response(other.stdout).text()).trim()).toBe(own!);
});
