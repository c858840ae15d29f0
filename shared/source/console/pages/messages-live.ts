/** Texts of the console in English about the course of a task, and about what a device did. */
import { englishEvents } from "../../../model/device-event.ts";

type RateTexts = {
  readonly wan: string;
  readonly wanMost: string;
  readonly lan: string;
  readonly lanMost: string;
};

export const englishLive = {
  course: {
    title: "Course",
    none: "No device has reported this task yet.",
    rates: "Rates",
    wan: "WAN rate",
    lan: "LAN rate",
    complete: "Complete devices",
    table: "The values as a table",
    at: "Time",
    wanBytes: "Over the WAN",
    lanBytes: "Sent in the LAN",
    ratesText: ({ wan, wanMost, lan, lanMost }: RateTexts) =>
      `${wan} crossed the WAN, at ${wanMost} at most; ${lan} were sent in the LAN, at ${lanMost} at most.`,
    completeText: (text: string, count: number) =>
      count === 1 ? "1 device is complete." : `${text} devices are complete.`,
  },
  wakes: {
    title: "Woken devices (Wake-on-LAN)",
    none: "No device had to be woken yet.",
    attempts: "Attempts",
    result: "Result",
  },
  deviceDetails: {
    cache: "Packages in the cache",
    stated: "By its last reports, and the check-in of",
    noCache: "The device has stated no package in its cache.",
    complete: "complete",
    partial: "partial",
    stored: "Stored",
    lastUsed: "Last used",
    cacheTotal: (text: string, count: number, size: string) =>
      count === 1 ? `1 package with ${size}.` : `${text} packages with ${size}.`,
    history: "History",
    noHistory: "Nothing is known of the device yet.",
    at: "Time",
    event: "Event",
    log: "Log",
    logHint:
      "The last lines of the agent's log. The audit records who asks for it, and the source removes it after an hour.",
    showLog: "Show log",
    logWaits: "The device is asked, and sends its log within seconds.",
    logWaitsOffline: "The device is not connected. It sends its log at its next contact within two days.",
    logRefused: "The setting of the device does not allow its log to be read (shareLog=false).",
    logTaken: "Taken",
    logRemoved: "The source removes it",
    logEmpty: "The log has no lines.",
    events: englishEvents,
  },
};

export type LiveMessages = typeof englishLive;
