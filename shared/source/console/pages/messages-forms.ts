/** Texts of the forms in English, a part of messages.ts: the new task, and publishing. */
import type { Publication } from "../../../api/schema/publishing.ts";
import type { MachineEnd } from "../../../model/image-order.ts";
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
      upgrade: "upgrade the agent with it",
      image: "write its file to a disk",
    } satisfies Record<DraftAction, string>,
    image: {
      disk: "Disk",
      diskHint:
        "For example path=/dev/sda, or model=Samsung*,min=200GB,max=600GB. Empty: the only fixed disk. Only machines that were started for imaging write disks.",
      onlyDisk: "the only fixed disk",
      overwrite: "Also a disk that holds data, which is lost",
      machineEnd: "Then the machine",
      machineEnds: {
        stay: "runs on",
        reboot: "restarts",
        poweroff: "is switched off",
      } satisfies Record<MachineEnd, string>,
    },
    lineHint:
      "For the shell of the system, in the folder of the package. Files published with a browser are not executable: write for example sh ./install.sh",
    ofPackage: "New task with this package",
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
    after: "After the task",
    afterHint: "Number of a task whose command has to succeed on a device before. Empty: none.",
    wakes: "Wake sleeping devices before the start (Wake-on-LAN)",
    allowDowngrade: "Also after a higher version of the package",
    packageGone: (name: string) =>
      `${name} is not at the source any more. Choose another package or version.`,
    added: "New devices",
    dropped: "Devices that drop it",
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
      noDisk: "Write conditions of the disk with commas: path=, model=, serial=, min= or max=.",
      noTarget: "Write which devices get the task, for example: all",
      noStart: "Give the time of the start.",
      deadlineBeforeStart: "The deadline has to be after the start: choose a later time.",
      expiryBeforeStart: "The expiry has to be after the start: choose a later time.",
      noExpiry: "Give the time from which no device begins.",
      noTaskId: "Give the number of a task, for example 7.",
      expiryPassed: "This time has passed: choose a later one.",
      programPath: "Give names of programs without their folders.",
    } satisfies Record<DraftProblem, string>,
  },
  taskForms: {
    edit: "Edit",
    copy: "Copy",
    title: (id: string) => `Edit task ${id}`,
    summary: (id: string) => `Changes of task ${id}`,
    same: "Nothing is changed yet.",
    save: "Save the changes",
    kill: "Cancel, and end running commands",
    askKill:
      "Cancel this task, and end its commands that run now? A program that is ended in the middle of its work can leave it half done.",
    remove: "Remove the task",
    askRemove: (id: string) => `Remove task ${id} with the reports of its devices? Nothing brings them back.`,
  },
  publish: {
    title: "Publish a package",
    place: "Where the content is",
    places: { files: "On this machine", url: "On a web site, which the source reads" },
    url: "Address of the file",
    urlHint:
      "http or https. Devices download from there too. The source uses its own proxy, and reads public addresses, or those that serve --publish-network names.",
    noUrl: "Write the address, for example https://web.example/setup.exe",
    commands: "Named commands (TOML)",
    commandsHint:
      'Optional. [install], then a line for each system: linux = "sh ./install.sh". Replaces flockcast.toml of a folder.',
    publications: "Read by the source",
    publicationStates: {
      reading: "reading and digesting",
      signing: "signing",
      done: "published",
      failed: "failed",
      cancelled: "cancelled",
    } satisfies Record<Publication["state"], string>,
    read: "Read",
    startedBy: "Started by",
    lastUrl: "Sent by",
    noMediaType: "no media type",
    cancelPublication: "Cancel the publication",
    askCancelPublication: (name: string) => `Stop to read ${name}? Nothing is published.`,
    webPage:
      "This is a web page. If another file was meant, remove the version, and publish the right address.",
    endUnproven:
      "The web site did not state the length, and a connection that broke off looks like the end. Compare the size.",
    addUrl: "Add a web site",
    addUrlHint: "Devices that download now use it too. Of several files, it is the folder.",
    removeUrl: "Remove the web site",
    askRemoveUrl: (url: string) => `Remove ${url}? Devices no longer download from it.`,
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
