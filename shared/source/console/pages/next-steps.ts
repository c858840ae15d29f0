/**
 * Next steps for the statuses of refusals, in the languages of the console: the source names its
 * own ones in English.
 */
import type { ApiStatus } from "../../api-error.ts";

type Steps = Readonly<Record<ApiStatus | 500, string>>;

export const englishSteps: Steps = {
  400: "Correct what the message names, and send it again.",
  401: "Sign in again.",
  403: "Ask an administrator for another role or scope.",
  404: "Go back to the list: it may have been removed or renamed.",
  409: "Reload the page: somebody may have changed it. Then try again.",
  413: "Send less at once, or use the command line.",
  416: "Reload the page, and try again.",
  422: "Correct what the message names, and send it again.",
  429: "Wait a minute, then try again.",
  503: "Wait until the source has started or has caught up, then try again.",
  507: "Make room on the disk of the source, then try again.",
  500: "Try again. If it happens again, look at the log of the source.",
};

export const germanSteps: Steps = {
  400: "Berichtigen Sie, was die Meldung nennt, und senden Sie es noch einmal.",
  401: "Melden Sie sich noch einmal an.",
  403: "Bitten Sie einen Administrator um eine andere Rolle oder einen anderen Bereich.",
  404: "Gehen Sie zur Liste zurück: vielleicht wurde es entfernt oder umbenannt.",
  409: "Laden Sie die Seite neu: vielleicht hat es jemand geändert. Versuchen Sie es dann noch einmal.",
  413: "Senden Sie weniger auf einmal, oder benutzen Sie die Kommandozeile.",
  416: "Laden Sie die Seite neu, und versuchen Sie es noch einmal.",
  422: "Berichtigen Sie, was die Meldung nennt, und senden Sie es noch einmal.",
  429: "Warten Sie eine Minute, und versuchen Sie es dann noch einmal.",
  503: "Warten Sie, bis die Quelle gestartet ist oder nachgekommen ist, und versuchen Sie es dann noch einmal.",
  507: "Schaffen Sie Platz auf der Platte der Quelle, und versuchen Sie es dann noch einmal.",
  500: "Versuchen Sie es noch einmal. Wenn es wieder geschieht, sehen Sie in das Protokoll der Quelle.",
};
