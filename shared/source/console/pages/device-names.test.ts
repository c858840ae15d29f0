import { expect, test } from "bun:test";
import { namesIn } from "./device-names.ts";

test("devices of one name are told apart by their ids, and others have their name alone", () => {
  const devices = [
    { id: "6a30ae10e19ed6e9", name: null, hostname: "vm" },
    { id: "81011891b92c064b", name: "vm", hostname: "pc-17" },
    { id: "062673bc93b74746", name: "desk", hostname: "vm" },
  ];
  const nameIn = namesIn(devices, ({ id }) => id);
  expect(devices.map(nameIn)).toEqual(["vm (6a30ae)", "vm (810118)", "desk"]);
});
