import { expect, test } from "bun:test";
import { resolve } from "node:path";
import { Command } from "@commander-js/extra-typings";
import { wordsOf } from "./install.ts";

const options = new Command()
  .option("--source <url>", "")
  .option("--data <dir>", "")
  .option("--volunteer", "")
  .option("--no-tls", "")
  .option("--device-group <name...>", "")
  .option("--audit-age <duration>", "", "400d")
  .option("--no-start", "").options;

test("the words of a service have absolute paths, each value of a list, and no defaults", () => {
  const values = {
    source: "https://a",
    data: "some folder",
    volunteer: true,
    tls: false,
    deviceGroup: ["a", "b"],
    auditAge: "400d",
    start: false,
  };
  expect(wordsOf(options, values)).toEqual(
    ["--source", "https://a", "--data", resolve("some folder"), "--volunteer", "--no-tls"].concat(
      ["a", "b"].flatMap((name) => ["--device-group", name]),
    ),
  );
  expect(wordsOf(options, { tls: true, source: "https://a" })).toEqual(["--source", "https://a"]);
});
