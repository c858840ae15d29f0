/**
 * The words of reasons in German. The type names every code of the table, so that a missing row, or
 * a parameter that a code does not have, is an error of the compiler. Texts of the operating
 * system, of web sites and of commands are parameters, and stay as they are.
 */
import type { GuardName } from "../../../model/guard.ts";
import { guardsText } from "../../../model/guard-reasons.ts";
import type { Quantities } from "../../../model/quantities.ts";
import type { ReasonTexts } from "../../../model/reason.ts";
import { wholeSecondsMs } from "../../../model/reason-table.ts";

type Audience = { readonly peers: number; readonly unicast: number };
const peersText = (peers: number, { number }: Quantities): string => `${number(peers)} Teilnehmer`;
const audienceText = ({ peers, unicast }: Audience, quantities: Quantities): string =>
  peersText(peers, quantities) + (unicast > 0 ? ` (${quantities.number(unicast)} weitere über Unicast)` : "");

const codeText = (code: number | null): string =>
  code === null ? "der Befehl wurde beendet (kein Exit-Code)" : `der Befehl endete mit Exit-Code ${code}`;
const outputText = (line: string, taskId: number): string =>
  line === "" ? ": er hat nichts geschrieben" : `: „${line}“ (Ausgabe: tasks/${taskId}.log)`;
/** @param programs names with commas; empty: a user keeps the command from beginning */
const obstacleText = (programs: string): string => {
  if (programs === "") return "ein Benutzer aktiv ist";
  return `${programs} ${programs.includes(",") ? "laufen" : "läuft"}`;
};

const origins = [
  ["multicast", "über Multicast"],
  ["peers", "von Nachbarn"],
  ["wan", "über das WAN"],
  ["cache", "ohne das Netz"],
] as const;

const causes = {
  "no-group": () => "dieses Gerät konnte der Gruppe nicht beitreten",
  "multicast-off": () => "die Einstellung ist useMulticast=false",
  wireless: () => "an einer Funkschnittstelle, wo Multicast langsam und verlustreich ist",
  "data-not-received": ({ group, packetBytes }, { number }) =>
    `auf ${group} kommen Ankündigungen an, Multicast-Daten in Paketen von ${number(packetBytes)} Bytes aber nicht: nach einer Ratenbegrenzung, einem Filter für Multicast oder einer kleineren MTU auf dem Weg suchen`,
  oversized: ({ group, packetBytes, passBytes }, { number }) =>
    `der Vertreter sendet auf ${group} Pakete von ${number(packetBytes)} Bytes, und die MTU dieser Schnittstelle lässt ${number(passBytes)} Bytes durch`,
  "not-heard": ({ group }) =>
    `der Vertreter empfängt dieses Gerät auf ${group} nicht: seine Firewall oder sein Switch-Port scheint Multicast zu verwerfen`,
  stuck: ({ group }) =>
    `alles wurde auf ${group} gesendet, und die Reparaturen vervollständigen hier kein Stück: dieses Gerät kommt nicht mit, oder ein Gerät sendet falsche Symbole`,
  "own-frames-lost": ({ group }) =>
    `auf ${group} kommt nichts an, nicht einmal die eigenen Frames: die Firewall dieses Geräts scheint eingehendes UDP zu sperren`,
  "representative-pruned": ({ group }) =>
    `der Vertreter ist auf ${group} nicht mehr zu empfangen, andere Geräte schon: der Switch scheint die Gruppe zu entfernen, einen IGMP-Querier einschalten`,
  "representative-dropped": ({ group }) =>
    `auf ${group} sind andere Geräte zu empfangen, der Vertreter nicht: sein Switch-Port oder seine Firewall scheint Multicast zu verwerfen`,
  "group-pruned": ({ group }) =>
    `auf ${group} kommt nichts mehr an: der Switch scheint die Gruppe zu entfernen, einen IGMP-Querier einschalten`,
  "group-silent": ({ group }) =>
    `auf ${group} kommt nichts an: der Switch scheint Multicast zu verwerfen, oder die Gruppe zu entfernen, weil es keinen IGMP-Querier gibt`,
  "was-representative": () => "Vertreter",
  "held-by-others": () => "andere Geräte hatten es schon",
  "subnet-unreachable": () => "kein Gerät seines Subnetzes war zu erreichen",
  "joined-after-multicast": () => "kam nach dem Multicast hinzu",
  "joined-late": ({ share: given }, { share }) =>
    `kam spät hinzu, ${share(given)} waren schon über Multicast gesendet`,
  "was-standby": () => "hatte vor dem Multicast eine zweite Kopie",
  "disk-slow": () => "hat Teile des Multicast verpasst: sein Datenträger war zu langsam",
  "buffer-full": () => "hat Teile des Multicast verpasst: sein Empfangspuffer war voll",
  "symbols-lost": () => "hat Teile des Multicast verpasst",
  "fetched-by-other-task": () => "von einem anderen Auftrag geholt",
  "was-cached": () => "schon im Cache",
} satisfies Partial<ReasonTexts>;

const beforeDownload = {
  "not-reported": () => "das Gerät hat noch nicht berichtet",
  "not-retried": () => "das Gerät hat den nächsten Versuch noch nicht begonnen",
  "wake-asked": ({ by }) => `zum Wecken aufgefordert: ${by}`,
  "wake-sent": ({ by, atMs }, { time }) => `${by} hat ihm ein Weckpaket gesendet: ${time(atMs)}`,
  woken: ({ by, atMs }, { time }) => `geweckt von ${by}: ${time(atMs)}`,
  awake: ({ atMs }, { time }) => `meldete sich ${time(atMs)}, ein Weckpaket ist nicht bekannt`,
  "did-not-wake": ({ by, attempts, atMs }, { number, time }) =>
    `nicht aufgewacht, Versuche: ${number(attempts)}, zuletzt durch ${by}: ${time(atMs)}`,
  "wake-not-sent": ({ by, attempts }, { number }) =>
    `nicht geweckt: kein Paket gesendet, Versuche: ${number(attempts)}, zuletzt aufgefordert: ${by}`,
  "no-waker": () => "nicht geweckt: kein Gerät seines Subnetzes ist wach und darf wecken",
  "no-wake-address": () =>
    "nicht geweckt: seine letzte Inventur nennt keine Adresse einer Netzwerkkarte in einem Subnetz",
  "wake-forbidden": () => "nicht geweckt: seine Einstellung sagt wakeOnLan=never",
  "starts-at": ({ atMs }, { time }) => `beginnt ${time(atMs)}`,
  "order-refused": ({ detail }) => `das Gerät gehorcht nicht: ${detail}`,
  paused: () => "vom Administrator angehalten",
  "gets-manifest": () => "holt das Manifest",
  "waits-for-fetch": ({ taskId }) => `wartet auf Auftrag ${taskId}, der dasselbe Paket holt`,
  "changes-subnet": ({ detail }) => detail,
} satisfies Partial<ReasonTexts>;

/** Conditions of a device, with the setting that turns their guard off. */
const guardWords: Readonly<Record<GuardName, string>> = {
  battery: "läuft mit Akku (guardBattery)",
  metered: "das Netz ist getaktet (guardMetered)",
  user: "ein Benutzer ist aktiv (guardUser)",
  cpu: "die Prozessoren sind ausgelastet (guardCpu)",
  io: "die Datenträger sind ausgelastet (guardIo)",
  disk: "wenig freier Platz auf dem Datenträger (guardDisk)",
  memory: "wenig freier Arbeitsspeicher (guardMemory)",
  wireless: "im WLAN (guardWireless)",
};

const guards = {
  "guard-not-representative": ({ guards: names }) =>
    `wird nicht zum Vertreter gewählt: ${guardsText(names, guardWords)}`,
  "guard-pause-wan": ({ guards: names }) => `lädt nichts über das WAN: ${guardsText(names, guardWords)}`,
  "guard-pause": ({ guards: names }) => `auf diesem Gerät angehalten: ${guardsText(names, guardWords)}`,
} satisfies Partial<ReasonTexts>;

const session = {
  "no-session": ({ why }) => why,
  seeks: () => "sucht eine Sitzung in diesem Subnetz",
  represents: ({ term }) => `Vertreter der Amtszeit ${term}`,
  "still-represents": ({ term }) => `noch Vertreter der Amtszeit ${term}`,
  "serves-by-setting": ({ peers }, quantities) =>
    `versorgt ${peersText(peers, quantities)} über LAN-Unicast (useMulticast=false)`,
  "serves-by-unicast": ({ peers }, quantities) =>
    `versorgt ${peersText(peers, quantities)} über LAN-Unicast, da keiner davon am Multicast teilnimmt`,
  "multicast-starts": ({ inMs, downloads, ...to }, quantities) =>
    `${downloads ? "lädt herunter, " : ""}Multicast an ${audienceText(to, quantities)} beginnt in ` +
    quantities.duration(wholeSecondsMs(inMs)),
  multicasts: ({ percent, rateBps, lossPermille, queuedMs, ...to }, quantities) => {
    const { number, rate } = quantities;
    return (
      `Multicast ${percent} % an ${audienceText(to, quantities)} mit ${rate(rateBps)}` +
      (lossPermille === null || lossPermille === 0
        ? ""
        : `, mittlerer Verlust ${number(lossPermille / 10)} %`) +
      (queuedMs === null ? "" : `, weicht anderem Verkehr: Wartezeit ${number(queuedMs)} ms`)
    );
  },
  "multicast-stands": ({ percent }) =>
    `Multicast steht bei ${percent} %, da keinem Gerät dieses Subnetzes Stücke fehlen`,
  "serves-repairs": (to, quantities) => `Multicast ist vorbei, repariert für ${audienceText(to, quantities)}`,
  "downloads-alone": () => "kein Gerät dieses Subnetzes ist zu erreichen: lädt selbst herunter",
  "download-note": ({ detail }) => `Download: ${detail}`,
  "download-waits-for-lease": () =>
    "Download angehalten: die Quelle schweigt, und ein anderes Gerät kann das Recht dazu haben",
  "awaits-claimant": ({ device }) => `wartet auf Vertreter ${device}, der die Sitzung beansprucht hat`,
  "awaits-lease-holder": ({ device }) =>
    `wartet auf eine Ankündigung des Vertreters ${device}, der das Recht zum Download hat`,
  "awaits-multicast": ({ device, inMs }, { duration }) =>
    `wartet auf Vertreter ${device}: Multicast beginnt in ${duration(wholeSecondsMs(inMs))}`,
  "awaits-multicast-asks": ({ device }) =>
    `wartet, bis Vertreter ${device} mit dem Multicast beginnt, und fragt ihn solange über LAN-Unicast`,
  receives: ({ device }) => `empfängt Multicast von Vertreter ${device}`,
  "too-slow": ({ device, lossPercent }) =>
    `ist zu langsam für den Multicast des Vertreters ${device} (verliert ${lossPercent} %): wird danach von Nachbarn vollständig`,
  "takes-unicast": ({ device }) => `nimmt Stücke von Vertreter ${device} und anderen über LAN-Unicast`,
  repairs: () => "fragt andere Geräte nach den Teilen, die fehlen",
} satisfies Partial<ReasonTexts>;

const command = {
  verifies: () => "liest das Paket vom Datenträger zurück",
  "files-wrong": ({ paths, pathCount, package: title, times, timesMax }) =>
    `${paths || "Teile"} von ${title} ${pathCount === 1 ? "war" : "waren"} falsch, als vom Datenträger zurückgelesen wurde` +
    (times < timesMax
      ? ": wird neu geholt (den Datenträger prüfen, und was dort sonst Dateien ändert)"
      : `, ${timesMax}-mal: ein Virenscanner oder ein Aufräumprogramm scheint es zu ändern oder zu entfernen. ` +
        "Den Ordner des Caches davon ausnehmen, dann den Auftrag neu anlegen"),
  "awaits-window": ({ schedule, untilMs, isDeadline }, { time }) =>
    isDeadline
      ? `wartet auf sein Zeitfenster: ${schedule}; beginnt zu seinem Termin ${time(untilMs)}`
      : `wartet auf sein Zeitfenster: ${schedule}; das nächste beginnt ${time(untilMs)}`,
  "awaits-absence": ({ programs, deadlineAtMs }, { time }) =>
    `wartet, solange ${obstacleText(programs)}` +
    (deadlineAtMs === null ? "" : `; beginnt spätestens zu seinem Termin ${time(deadlineAtMs)}`),
  deferred: ({ deferral, of, untilMs, programs }, { time }) =>
    `Aufschub ${deferral} von ${of}, fragt wieder ${time(untilMs)}, weil ${obstacleText(programs)}`,
  "awaits-command": ({ taskId }) => `wartet auf den Befehl von Auftrag ${taskId}`,
  "awaits-success": ({ taskId }) => `wartet auf Auftrag ${taskId}, der zuerst gelingen muss`,
  "predecessor-failed": ({ taskId }) =>
    `wartet auf Auftrag ${taskId}, der zuerst gelingen muss und auf diesem Gerät fehlgeschlagen ist: ihn wiederholen, oder beide abbrechen`,
  "awaits-reboot-of": ({ taskId }) =>
    `wartet auf Auftrag ${taskId}, der nach einem Neustart der Maschine vollständig ist`,
  detects: () => "prüft, ob das Paket schon da ist",
  "awaits-installer": ({ exitCode, run, runsMax, inMs }, { duration }) =>
    `eine andere Installation läuft (Exit-Code ${exitCode ?? "–"}): Lauf ${run} von ${runsMax} in ${duration(wholeSecondsMs(inMs))}`,
  "awaits-check-in": () => "wartet, bis diese neue Version des Agenten sich bei der Quelle gemeldet hat",
  "awaits-peers": () => "wartet, bis andere Geräte das Paket haben",
  "checks-agent": () => "prüft die neue Version des Agenten",
  "restarts-agent": () => "startet den Agenten in seiner neuen Version",
  runs: ({ run }) => (run > 1 ? `führt den Befehl aus, Lauf ${run}` : "führt den Befehl aus"),
} satisfies Partial<ReasonTexts>;

const ends = {
  complete: ({ totalBytes, ...from }, { share }) => {
    const parts = origins
      .filter(([origin]) => from[origin] > 0)
      .map(([origin, name]) => `${share(from[origin] / Math.max(1, totalBytes))} ${name}`);
    return parts.length === 0 ? "vollständig" : `vollständig: ${parts.join(", ")}`;
  },
  "reboot-needed": ({ exitCode }) => `Neustart nötig: ${codeText(exitCode)}`,
  rebooted: () => "die Maschine wurde nach dem Befehl neu gestartet",
  "already-there": () => "schon da: der Befehl detect endete mit Exit-Code 0",
  "timed-out": ({ limitMs, line, taskId }, { duration }) =>
    `der Befehl lief länger als ${duration(limitMs)} und wurde beendet${outputText(line, taskId)}`,
  "busy-to-the-end": ({ exitCode, runs, line, taskId }) =>
    `${codeText(exitCode)}, das heißt beschäftigt, bei jedem von ${runs} Läufen${outputText(line, taskId)}`,
  "command-failed": ({ exitCode, line, taskId }) => `${codeText(exitCode)}${outputText(line, taskId)}`,
  "outcome-unknown": () =>
    "das Ergebnis des Befehls ist unbekannt: die Maschine wurde neu gestartet oder der Befehl beendet, während er lief",
  "row-lost": () =>
    "dieses Gerät kann nicht lesen, was es über den Auftrag notiert hat, und führt den Befehl nicht noch einmal aus: „Fehlgeschlagene wiederholen“ führt ihn aus",
  "no-command": ({ name, os }) =>
    `das Paket hat keinen Befehl „${name}“ für ${os}: eine Version veröffentlichen, die ihn hat, oder andere Geräte wählen`,
  expired: () => "der Auftrag lief ab, bevor dieses Gerät ihn begann",
  withdrawn: () =>
    "die Quelle hat den Auftrag zurückgezogen: er wurde abgebrochen, ist abgelaufen, eine höhere Version läuft statt seiner, oder sein Ziel hat sich geändert",
  killed: () => "vom Administrator abgebrochen, der den Befehl beenden ließ",
  problem: ({ detail }) => detail,
} satisfies Partial<ReasonTexts>;

const images = {
  "looks-at-disk": ({ disk }) => `betrachtet die Platte ${disk}`,
  "compares-disk": ({ disk }) => `vergleicht die Platte ${disk} mit dem Abbild`,
  "image-written": ({ disk }) => `das Abbild ist auf der Platte ${disk} und wurde zurückgelesen`,
  "not-imaging": () =>
    "dieser Agent läuft auf einem installierten System, nicht in einer Umgebung für Abbilder: er schreibt auf keine Platte; das Gerät vom Boot-Abbild starten, oder den Agenten mit --imaging",
  "other-task-only": ({ taskId }) =>
    `das Gerät wurde nur für den Auftrag ${taskId} gestartet (flockcast.task, --only-task)`,
  "not-one-file": ({ fileCount }, { number }) =>
    `das Paket hat ${number(fileCount)} Dateien oder Links: ein Abbild ist ein Paket aus einer Datei`,
  "no-disk": ({ wanted, found }) =>
    `keine Platte dieses Geräts ist ${wanted}: es hat ${found === "" ? "keine" : found}`,
  "several-disks": ({ wanted, found }) =>
    `mehrere Platten sind ${wanted}: ${found}; eine nach Modell, Seriennummer, Größe oder Pfad benennen`,
  "disk-too-small": ({ disk, neededBytes }, { size }) =>
    `die Platte ${disk} ist zu klein: das Abbild hat ${size(neededBytes)}`,
  "disk-in-use": ({ disk, uses }) =>
    `die Platte ${disk} wird benutzt${uses === "" ? "" : ` (${uses})`}: aushängen oder eine andere Platte benennen`,
  "disk-holds-data": ({ disk, found }) =>
    `die Platte ${disk} enthält ${found}, und der Auftrag sagt nicht, dass sie überschrieben werden darf: „Auch eine Platte mit Daten“ wählen (task create --overwrite)`,
} satisfies Partial<ReasonTexts>;

const upgrades = {
  "not-executable": () =>
    "der Agent wird von bun ausgeführt und nicht als eigenes Programm: nur ein solches kann aktualisiert werden, eines installieren",
  "no-fitting-file": ({ fileName }) =>
    `das Paket hat keine Datei ${fileName}, die dieses Gerät braucht: eine Version veröffentlichen, die sie hat, oder andere Geräte wählen`,
  "not-copied": ({ fileName, folder, problem }) =>
    `${fileName} kann nicht nach ${folder} kopiert werden, den Ordner des laufenden Programms: ${problem}`,
  "not-started": ({ fileName, problem }) => `${fileName} --version startet nicht: ${problem}`,
  "no-version": ({ fileName, status, output }) =>
    `${fileName} --version hat keine Version ausgegeben (${status}): ${output === "" ? "es hat nichts geschrieben" : `„${output}“`}`,
  "same-agent": ({ version }) => `schon da: der Agent hat Version ${version}`,
  "higher-agent": ({ version, found }) =>
    `der Agent hat Version ${version}, die höher ist als ${found}: --allow-downgrade installiert die niedrigere`,
  upgraded: ({ version, before }) => `Version ${version} läuft (vorher: ${before})`,
  "rolled-back": ({ version, problem, before }) =>
    `Version ${version} ${problem}: Version ${before} läuft wieder`,
  "upgrade-unknown": ({ version }) =>
    `das Ergebnis ist unbekannt: der Agent wurde beendet, bevor die neue Version erprobt war; Version ${version} läuft`,
  "higher-version-ran": ({ version, taskId }) =>
    `auf diesem Gerät lief Version ${version} (Auftrag ${taskId}), die höher ist: --allow-downgrade führt die niedrigere aus`,
  "newer-order-ran": ({ version, taskId }) =>
    `auf diesem Gerät lief eine neuere Anweisung (Auftrag ${taskId}, Version ${version}): task edit unterschreibt diese neu`,
  "higher-version-runs": ({ version, taskId }) =>
    `Auftrag ${taskId} führt denselben Befehl von Version ${version} aus`,
} satisfies Partial<ReasonTexts>;

export const germanTexts: ReasonTexts = {
  ...beforeDownload,
  ...guards,
  ...session,
  ...causes,
  ...command,
  ...ends,
  ...images,
  ...upgrades,
};
