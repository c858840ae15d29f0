/** English texts about the signing key of a browser, its recovery file, and approvals. */
import type { ReviewCode } from "../../../../model/trust/review-error.ts";

type Refusals = Readonly<Record<ReviewCode, (words: readonly string[]) => string>>;
const refusals: Refusals = {
  "other-subject": ([about]) => `The source answers about ${about}: nothing was signed.`,
  unreadable: ([why]) => `The source states an order that cannot be read: ${why}`,
  "no-order-before": ([subject]) =>
    `No signed order of ${subject} is there to compare with. Read the order on the page Trust, and sign it there.`,
  differs: ([fields]) => `The source states another ${fields} than you asked for: nothing was signed.`,
  attempts: ([stated, allowed]) =>
    `The source states ${stated} attempts instead of ${allowed}: nothing was signed.`,
  start: () => "The source states another start than now. Check the clock of this machine.",
  expiry: () => "The source states a later expiry than 90 days after the start: nothing was signed.",
  package: ([id, found, stated]) => `Package ${id} is ${found}, not ${stated}: nothing was signed.`,
  "other-package": ([stated, asked]) =>
    `The source states package ${stated} instead of ${asked}: nothing was signed.`,
};

export const signingEnglish = {
  refusals,
  refused: (why: string) => `Nothing was signed: ${why}`,
  refusedHint:
    "The change is stored at the source, and devices ignore it. Look at it again; if you did not expect this, the source may be in other hands.",
  publishing: {
    notInScope: (name: string) => `The key of this browser may not sign packages named "${name}".`,
    notInScopeHint: "Choose another name, or have a root holder list the key for it.",
    differsHint: "Choose the files again. If it happens again, the source may be in other hands.",
  },
  problems: {
    older: (shown: string, seen: string) =>
      `The source shows version ${shown} of the trust file, and this browser has seen version ${seen}.`,
    olderHint:
      "A source that was restored gets the newer version back from its devices. Otherwise it keeps something from you.",
    notBelieved: (why: string) => `The trust file of this source does not count: ${why}`,
    notBelievedHint: "The key of this browser knows other roots. Use a recovery file of this deployment.",
    ahead: "The last order of the source is more than a day ahead. Check the clock of this machine.",
    insecure:
      "The browser offers no keys here, because others can read the connection. Open the console with https://.",
    "no-ed25519":
      "This browser cannot make Ed25519 signatures. Use a newer one: Chrome or Edge 137, Firefox 130, Safari 17.",
    "no-storage":
      "This browser refuses to store a key. Leave the private window, or allow this site to store data.",
    storage: "The browser did not store the key. Free some disk space, or leave the private window.",
    notEmbedded: "The source no longer holds the signing keys.",
    notDraft: "This file is not a draft of the trust file.",
    notNext: (version: string) =>
      `The draft does not follow version ${version} of the trust file, or has parts that this version cannot read. Make it again.`,
    signedBefore: (version: string) =>
      `This root key has signed version ${version} of the trust file already. The source shows an older one: it was restored, or keeps something from you.`,
    notRoot: "The recovery file has no root key that the trust file lists.",
    lastRoot: "The last root key stays. List another one first.",
    notListed: "The trust file does not list this key.",
    listed: "The trust file lists this key already. End it first to change its rights.",
    tooFew: "Fewer keys would be left than have to sign. List another one first.",
    notKey: "A public key has 64 hex digits.",
  },
  recovery: {
    "other-file": "This file is not a recovery file.",
    "later-version": "The recovery file is of a later version. Use a newer source.",
    damaged: "The recovery file is damaged. Use another copy.",
    "wrong-password": "The password does not open this recovery file.",
    unproven: "The recovery file holds a key that does not belong to its public key. Use another copy.",
    none: "Choose the recovery file.",
    noSigning: "This recovery file holds no signing key.",
    otherKeys: "This is another recovery file. Choose the one that was made now.",
    weak: "Choose a password of at least 12 characters, of which five are different.",
    differs: "The two passwords differ.",
    file: "Recovery file",
    password: "Password of the recovery file",
    newHint: "At least 12 characters. Nobody can reset it.",
    again: "Password again",
    make: "Make the keys",
    madeTitle: "Save the recovery file",
    made: "Save the file, and keep copies in two safe places. It is the only copy of the keys.",
    download: "Save the recovery file",
    check: "Then prove that the file and the password work: choose the saved file and type the password.",
    confirm: "Check the file and use the keys",
    open: "Open",
  },
  place: {
    name: "In this browser, with a recovery file",
    broken:
      "Whoever copies the disk or a backup of the source gets no keys. Whoever controls the running source can change this page, and have it sign when you open it: for more, use key files of the command line.",
    lost: "When this browser is lost, the recovery file and its password bring the keys back. Without both, no device can be commanded any more, and each one has to be enrolled again.",
    work: "Tasks and settings that you make in this browser are signed here. The root key stays in the recovery file, and is asked for when keys change. The source's word is valid for 14 days: each signature renews it.",
    begin: "Move the keys to this browser",
    done: "This browser signs from now on. Destroy older backups of the source: they have the old keys.",
  },
  key: {
    title: "Signing key of this browser",
    none: "This browser holds no signing key.",
    held: (name: string) => `This browser holds the key ${name}.`,
    operator: "It signs tasks, settings and freshness.",
    publisher: "It may sign packages.",
    unlisted:
      "The trust file does not list it as an operator's: a root holder has to list its public key. Until then it signs nothing.",
    publicKey: "Public key",
    waitsFor: (needed: string, names: string) =>
      `Signatures that are needed: ${needed}, of the keys ${names}.`,
    use: "Use a recovery file",
    useHint: "The signing key in the file is stored in this browser, in place of one that is there.",
    make: "Make a signing key",
    makeHint: "A key of your own for this browser. A root holder then lists it as an operator's.",
    forget: "Forget the key",
    askForget:
      "Remove the key from this browser? Only the recovery file can bring it back. The trust file still lists the key: a stolen one has to be ended.",
    fresh: "Renew the word that nothing is kept back",
    renewed: (until: string) => `The word counts until ${until}.`,
  },
  drafts: {
    read: "Read and sign",
    readHint:
      "These are the orders as this browser signs them, computed from the text that is signed. Sign only what you know.",
    sign: (count: string) => `Sign ${count} orders`,
    signOne: "Sign this order",
    nothing: "No order waits for a signature.",
    signed: "Signed: devices get these orders.",
    begun: "Signed. The orders need the signature of another operator.",
    waiting: "This browser holds no key that may sign.",
    byBrowser: "The source holds no signing keys. The key of this browser signs your changes.",
    toTrust: "Read and sign what waits",
    task: (id: string) => `Task ${id}`,
    setting: (name: string, version: string) => `Setting ${name}, version ${version}`,
    assignments: "Assignments of settings",
    fields: {
      package: "Package",
      action: "Action",
      command: "Command line",
      run: "Named command",
      target: "Devices",
      start: "Start",
      localStart: "Start by the clock of each device",
      deadline: "Deadline",
      expires: "Nothing begins from",
      attempts: "Attempts",
      notWhile: "Not while these programs run",
      setting: "Setting",
      after: "After task",
      downgrade: "Also below a higher version",
      parent: "Inherits from",
      values: "Values of its own",
      assigned: "Assigned, the first match counts",
    },
    yes: "yes",
    none: "none",
    all: "all devices",
  },
  trust: {
    change: "Change the keys",
    list: "List a key",
    end: "End a key",
    endHint: "Name or public key, as the table shows it.",
    key: "Public key",
    role: "What the key may sign",
    draft: "Sign a draft",
    draftFile: "Draft",
    draftHint: "A file that another root holder made here, or trust add-key --draft.",
    openRoot: "Open the recovery file with your root key. The key is used for this signature only.",
    words: (version: string) =>
      `Version ${version} of the trust file changes the following, computed from the text that is signed:`,
    sign: "Sign this version",
    stored: (version: string) => `Version ${version} of the trust file counts from now on.`,
    missing: (count: string) =>
      `Signatures of further root keys that are needed: ${count}. Save the draft, and give it to another root holder.`,
    saveDraft: "Save the draft",
    takes: "Removed",
    adds: "Added",
    root: (key: string) => `root key ${key}`,
    publisher: (key: string, packages: string) => `publisher key ${key}, for ${packages}`,
    operator: (key: string, scope: string) => `operator key ${key}, for ${scope}`,
    allPackages: "all packages",
    allActions: "all actions",
    on: (actions: string, target: string) => `${actions} on ${target}`,
    until: (scope: string, end: string) => `${scope}, until ${end}`,
    roots: (count: string) => `roots that have to sign: ${count}`,
    operators: (count: string) => `operators that have to sign an order: ${count}`,
    deployment: (number: string) => `deployment ${number}`,
    held: "the source holds the keys",
    away: "the source holds no keys",
    nothing: "nothing but the version",
  },
};
export type SigningWords = typeof signingEnglish;
