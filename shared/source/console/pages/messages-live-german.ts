/** Texts of the console in German about the course of a task, and about what a device did. */
import type { DeviceTaskState } from "../../../api/schema/common.ts";
import type { DeviceEventTexts } from "../../../model/device-event.ts";
import type { LiveMessages } from "./messages-live.ts";

export const germanStates: Record<DeviceTaskState, string> = {
  pending: "nicht gemeldet",
  waiting: "wartet",
  seeking: "sucht eine Sitzung",
  downloading: "lädt herunter",
  receiving: "empfängt",
  repairing: "holt Fehlendes nach",
  verifying: "prüft",
  ready: "bereit",
  running: "führt den Befehl aus",
  "reboot-pending": "Neustart nötig",
  complete: "vollständig",
  failed: "fehlgeschlagen",
  cancelled: "abgebrochen",
  superseded: "ersetzt",
  expired: "abgelaufen",
};

const taskText = ({ taskId, package: name }: { taskId: number; package: string | null }): string =>
  `Auftrag ${taskId}${name === null ? "" : ` (${name})`}`;
const changeText = (what: string, { before, after }: { before: string; after: string | null }): string =>
  `${what} ${after ?? "keine"} (vorher: ${before})`;
const stateText = (state: string): string =>
  Object.hasOwn(germanStates, state) ? germanStates[state as keyof typeof germanStates] : state;

const germanEvents: DeviceEventTexts = {
  enrolled: () => "angemeldet",
  "installed-again": () => "auf derselben Maschine neu installiert",
  removed: ({ why }) => `entfernt${why === null || why === "removed" ? "" : ` (${why})`}`,
  "agent-changed": (event) => changeText("Agent", event),
  "hostname-changed": (event) => changeText("Rechnername", event),
  "address-changed": (event) => changeText("Adresse", event),
  "subnet-changed": (event) => changeText("Subnetz", event),
  "setting-applied": ({ setting, version }) => `verwendet Version ${version} der Einstellung ${setting}`,
  "task-received": (event) => `${taskText(event)} erhalten`,
  "task-retried": ({ attempt, ...of }) => `Versuch ${attempt} von ${taskText(of)}`,
  "task-ended": ({ state, attempt, ...of }) =>
    `${taskText(of)}: ${stateText(state)}${attempt > 1 ? `, Versuch ${attempt}` : ""}`,
  "role-changed": ({ role, term, ...of }) =>
    role === "representative"
      ? `Vertreter der Amtszeit ${term} für ${taskText(of)}`
      : role === "peer"
        ? `Teilnehmer für ${taskText(of)}`
        : `nicht mehr Vertreter für ${taskText(of)}`,
  "order-refused": ({ why, ...of }) => `gehorcht nicht: ${taskText(of)} (${why})`,
};

export const germanLive: LiveMessages = {
  course: {
    title: "Verlauf",
    none: "Noch kein Gerät hat zu diesem Auftrag berichtet.",
    rates: "Raten",
    wan: "WAN-Rate",
    lan: "LAN-Rate",
    complete: "Fertige Geräte",
    table: "Die Werte als Tabelle",
    at: "Zeit",
    wanBytes: "Über das WAN",
    lanBytes: "Im LAN gesendet",
    ratesText: ({ wan, wanMost, lan, lanMost }) =>
      `${wan} kamen über das WAN, mit höchstens ${wanMost}; ${lan} wurden im LAN gesendet, mit höchstens ${lanMost}.`,
    completeText: (text, count) => (count === 1 ? "1 Gerät ist fertig." : `${text} Geräte sind fertig.`),
  },
  wakes: {
    title: "Geweckte Geräte (Wake-on-LAN)",
    none: "Noch musste kein Gerät geweckt werden.",
    attempts: "Versuche",
    result: "Ergebnis",
  },
  deviceDetails: {
    cache: "Pakete im Cache",
    stated: "Nach den letzten Berichten und der Meldung vom",
    noCache: "Das Gerät hat kein Paket in seinem Cache gemeldet.",
    complete: "vollständig",
    partial: "unvollständig",
    stored: "Gespeichert",
    lastUsed: "Zuletzt verwendet",
    cacheTotal: (text, count, size) => (count === 1 ? `1 Paket mit ${size}.` : `${text} Pakete mit ${size}.`),
    history: "Verlauf",
    noHistory: "Von diesem Gerät ist noch nichts bekannt.",
    at: "Zeit",
    event: "Ereignis",
    log: "Log des Agenten",
    logHint:
      "Die letzten Zeilen aus dem Log des Agenten. Wer es anfordert, steht auf der Seite „Protokoll“, und die Quelle entfernt es nach einer Stunde.",
    showLog: "Log anzeigen",
    logWaits: "Das Gerät ist gefragt und sendet sein Log in wenigen Sekunden.",
    logWaitsOffline:
      "Das Gerät ist nicht verbunden. Es sendet sein Log beim nächsten Kontakt innerhalb von zwei Tagen.",
    logRefused: "Die Einstellung des Geräts erlaubt nicht, sein Log zu lesen (shareLog=false).",
    logTaken: "Gesendet",
    logRemoved: "Die Quelle entfernt es",
    logEmpty: "Das Log hat keine Zeilen.",
    events: germanEvents,
  },
};
