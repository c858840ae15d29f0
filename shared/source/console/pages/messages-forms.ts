/** Texts of the forms in English, a part of messages.ts: the new task, and publishing. */
import type { DraftAction, DraftProblem, DraftStart } from "./task-draft.ts";
import type { UploadProgress } from "./upload.ts";

export const englishForms = {
  wizard: {
    title: "New task",
    choose: "Choose …",
    searchPackage: "Search packages",
    found: (count: number) => (count === 1 ? "1 package" : `${count} packages`),
    whatToDo: "What devices do with it",
    actions: {
      "pre-cache": "store it in the cache",
      named: "run a command of the package",
      line: "run a command line",
    } satisfies Record<DraftAction, string>,
    lineHint: "For the shell of the system, in the folder of the package.",
    matches: (text: string, count: number, subnets: string) =>
      count === 0
        ? "The target matches no device yet."
        : `${count === 1 ? "1 device" : `${text} devices`} in ${subnets === "1" ? "1 subnet" : `${subnets} subnets`}`,
    showDevices: "Show the devices",
    moreDevices: (count: string) => `and ${count} more devices`,
    holds: "Has it",
    schedule: "Schedule",
    starts: {
      now: "at once",
      at: "at a time",
      local: "at a time of each device's clock",
    } satisfies Record<DraftStart, string>,
    startTime: "Time of the start",
    zoneHint: "In the time zone of this browser.",
    localHint: "In the time zone of each device.",
    expiresHint: "No device begins from this time on. Empty: 90 days after the start.",
    deadline: "Deadline",
    deadlineHint: "From this time on the command waits for no window, program or user. Empty: none.",
    notWhile: "Not while these programs run",
    notWhileHint: "Names without folders, separated by commas, such as EXCEL.EXE, code",
    setting: "Setting for this task",
    settingHint: "Replaces the own setting of each device while it works on the task.",
    toSummary: "Continue to the summary",
    summary: "Summary of the new task",
    cost: "Cost",
    create: "Create the task",
    back: "Back to the fields",
    localStart: (time: string) => `${time} by each device's clock`,
    usualExpiry: "90 days after the start",
    created: (id: string) => `Task ${id} waits for a signature`,
    unsigned: "This source has no signing keys: devices ignore the task until an operator signs it, with:",
    toTask: "Show the task",
    problems: {
      noPackage: "Choose a package and a version.",
      noCommand: "Choose a command of the package.",
      noLine: "Write the command line.",
      noTarget: "Write which devices get the task, for example: all",
      noStart: "Give the time of the start.",
      deadlineBeforeStart: "The deadline has to be after the start: choose a later time.",
      expiryBeforeStart: "The expiry has to be after the start: choose a later time.",
      expiryPassed: "This time has passed: choose a later one.",
      programPath: "Give names of programs without their folders.",
    } satisfies Record<DraftProblem, string>,
  },
  publish: {
    title: "Publish a package",
    content: "File or folder",
    drop: "Drop a file or a folder here, or choose one:",
    file: "File",
    folder: "Folder",
    folderHint: "With everything in it; empty folders only when it is dropped.",
    chosen: (name: string, files: string, size: string) =>
      `${name}: ${files === "1" ? "1 file" : `${files} files`}, ${size}.`,
    hasCommands: "The commands of flockcast.toml become those of the package.",
    versionHint: "A version never changes once it is published.",
    submit: "Publish",
    nothingChosen: "Choose a file or a folder.",
    noName: "Write the name of the package.",
    noVersion: "Write the version, for example 1.0",
    stages: {
      digesting: "Digesting the files …",
      signing: "The source signs …",
      uploading: "Uploading …",
      waiting: "The connection is lost. The upload continues when the source answers …",
    } satisfies Record<UploadProgress["stage"], string>,
    keepOpen:
      "Keep this page open. After a reload, choose the same files, name and version again: the upload continues.",
    unfinished: "Bytes of these packages are missing. Choose the same files, name and version to continue:",
    unreadable: "A file cannot be read: it was changed or removed after it was chosen.",
    unreadableHint: "Choose the files again.",
    noKeys: "This source has no signing keys. Publish where the publisher's key is:",
    insecure:
      "A browser digests files over https or on the source's machine only. Publish with the command line:",
  },
};

export type FormMessages = typeof englishForms;
