/** Texts of the console in German about the course of a task, and about what a device did. */
import type { LiveMessages } from "./messages-live.ts";

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
};
