import { expect, test } from "bun:test";
import { parseCommands } from "./command-file.ts";

test("a file of commands gives each system its line and shell", () => {
  const text = `
    [uninstall]
    linux = "./remove"
    [install]
    linux = "./install --quiet"
    macos = "open -W App.pkg"
    windows = "./install.ps1 -Quiet"
    shell = "powershell"
    [detect]
    windows = "if exist x exit 0"
  `;
  expect(parseCommands(text)).toEqual([
    { name: "detect", lines: [{ os: "windows", shell: "cmd", line: "if exist x exit 0" }] },
    {
      name: "install",
      lines: [
        { os: "linux", shell: "sh", line: "./install --quiet" },
        { os: "macos", shell: "sh", line: "open -W App.pkg" },
        { os: "windows", shell: "powershell", line: "./install.ps1 -Quiet" },
      ],
    },
    { name: "uninstall", lines: [{ os: "linux", shell: "sh", line: "./remove" }] },
  ]);
});

test.each([
  ["[install", "TOML"],
  ["install = 3", "[install]"],
  ["[install]\nlinux = 3", "[install.linux]"],
  ["[install]\nplan9 = 'x'", "[install.plan9]"],
  ["[install]\nshell = 'bash'\nlinux = 'x'", "[install.shell]"],
  ["[install]\nshell = 'sh'\nwindows = 'x'", "does not run on windows"],
  ["[install]\nshell = 'cmd'", "no command line"],
  ["[Install]\nlinux = 'x'", "must begin with a-z"],
  ["[install]\nlinux = ' '", "is empty"],
])("the file %j is refused with the reason", (text, reason) => {
  expect(() => parseCommands(text)).toThrow(reason);
});
