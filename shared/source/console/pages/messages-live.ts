/** Texts of the console in English about the course of a task, and about what a device did. */

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
};

export type LiveMessages = typeof englishLive;
