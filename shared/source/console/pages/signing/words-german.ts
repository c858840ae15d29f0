/** German texts about the signing key of a browser, its recovery file, and approvals. */
import type { SigningWords } from "./words-english.ts";

export const signingGerman: SigningWords = {
  refusals: {
    "other-subject": ([about]) => `Die Quelle antwortet zu ${about}: Nichts wurde signiert.`,
    unreadable: ([why]) => `Die Quelle nennt einen Auftrag, der nicht lesbar ist: ${why}`,
    "no-order-before": ([subject]) =>
      `Zu ${subject} gibt es keinen signierten Auftrag zum Vergleich. Lesen Sie den Auftrag auf der Seite Vertrauen, und signieren Sie ihn dort.`,
    differs: ([fields]) =>
      `Die Quelle nennt ein anderes ${fields}, als Sie verlangt haben: Nichts wurde signiert.`,
    attempts: ([stated, allowed]) =>
      `Die Quelle nennt ${stated} Versuche statt ${allowed}: Nichts wurde signiert.`,
    start: () => "Die Quelle nennt einen anderen Beginn als jetzt. Prüfen Sie die Uhr dieses Rechners.",
    expiry: () => "Die Quelle nennt ein späteres Ende als 90 Tage nach dem Beginn: Nichts wurde signiert.",
    package: ([id, found, stated]) => `Paket ${id} ist ${found}, nicht ${stated}: Nichts wurde signiert.`,
    "other-package": ([stated, asked]) =>
      `Die Quelle nennt Paket ${stated} statt ${asked}: Nichts wurde signiert.`,
  },
  refused: (why) => `Nichts wurde signiert: ${why}`,
  refusedHint:
    "Die Änderung ist bei der Quelle gespeichert, und Geräte beachten sie nicht. Sehen Sie sie noch einmal an. Wenn Sie dies nicht erwartet haben, ist die Quelle vielleicht in fremden Händen.",
  publishing: {
    notInScope: (name) => `Der Schlüssel dieses Browsers darf keine Pakete namens „${name}“ signieren.`,
    notInScopeHint:
      "Einen anderen Namen wählen, oder den Schlüssel von einem Wurzelinhaber dafür eintragen lassen.",
    differsHint:
      "Die Dateien noch einmal wählen. Geschieht es wieder, kann die Quelle in fremden Händen sein.",
  },
  problems: {
    older: (shown, seen) =>
      `Die Quelle zeigt Version ${shown} der Vertrauensdatei, und dieser Browser hat Version ${seen} gesehen.`,
    olderHint:
      "Eine wiederhergestellte Quelle bekommt die neuere Version von ihren Geräten zurück. Sonst enthält sie Ihnen etwas vor.",
    notBelieved: (why) => `Die Vertrauensdatei dieser Quelle zählt nicht: ${why}`,
    notBelievedHint:
      "Der Schlüssel dieses Browsers kennt andere Wurzeln. Verwenden Sie eine Wiederherstellungsdatei dieser Installation.",
    ahead:
      "Der letzte Auftrag der Quelle liegt mehr als einen Tag voraus. Prüfen Sie die Uhr dieses Rechners.",
    insecure:
      "Der Browser bietet hier keine Schlüssel an, weil andere die Verbindung lesen können. Öffnen Sie die Konsole mit https://.",
    "no-ed25519":
      "Dieser Browser kann keine Ed25519-Signaturen. Verwenden Sie einen neueren: Chrome oder Edge 137, Firefox 130, Safari 17.",
    "no-storage":
      "Dieser Browser speichert keinen Schlüssel. Verlassen Sie das private Fenster, oder erlauben Sie dieser Seite, Daten zu speichern.",
    storage:
      "Der Browser hat den Schlüssel nicht gespeichert. Schaffen Sie Platz auf der Platte, oder verlassen Sie das private Fenster.",
    notEmbedded: "Die Quelle hat die Signaturschlüssel nicht mehr.",
    notDraft: "Diese Datei ist kein Entwurf der Vertrauensdatei.",
    notNext: (version) =>
      `Der Entwurf folgt nicht auf Version ${version} der Vertrauensdatei, oder hat Teile, die diese Version nicht lesen kann. Erstellen Sie ihn neu.`,
    signedBefore: (version) =>
      `Dieser Wurzelschlüssel hat Version ${version} der Vertrauensdatei schon signiert. Die Quelle zeigt eine ältere: Sie wurde wiederhergestellt, oder enthält Ihnen etwas vor.`,
    notRoot: "Die Wiederherstellungsdatei hat keinen Wurzelschlüssel, den die Vertrauensdatei nennt.",
    lastRoot: "Der letzte Wurzelschlüssel bleibt. Nehmen Sie vorher einen anderen auf.",
    notListed: "Die Vertrauensdatei nennt diesen Schlüssel nicht.",
    listed:
      "Die Vertrauensdatei nennt diesen Schlüssel schon. Beenden Sie ihn zuerst, um seine Rechte zu ändern.",
    tooFew: "Es blieben weniger Schlüssel, als signieren müssen. Nehmen Sie vorher einen anderen auf.",
    notKey: "Ein öffentlicher Schlüssel hat 64 Hex-Ziffern.",
  },
  recovery: {
    "other-file": "Diese Datei ist keine Wiederherstellungsdatei.",
    "later-version":
      "Die Wiederherstellungsdatei hat eine spätere Version. Verwenden Sie eine neuere Quelle.",
    damaged: "Die Wiederherstellungsdatei ist beschädigt. Verwenden Sie eine andere Kopie.",
    "wrong-password": "Das Passwort öffnet diese Wiederherstellungsdatei nicht.",
    unproven:
      "Die Wiederherstellungsdatei enthält einen Schlüssel, der nicht zu seinem öffentlichen Schlüssel gehört. Verwenden Sie eine andere Kopie.",
    none: "Wählen Sie die Wiederherstellungsdatei.",
    noSigning: "Diese Wiederherstellungsdatei enthält keinen Signaturschlüssel.",
    otherKeys: "Dies ist eine andere Wiederherstellungsdatei. Wählen Sie die eben erstellte.",
    weak: "Wählen Sie ein Passwort mit mindestens 12 Zeichen, davon fünf verschiedenen.",
    differs: "Die beiden Passwörter sind verschieden.",
    file: "Wiederherstellungsdatei",
    password: "Passwort der Wiederherstellungsdatei",
    newHint: "Mindestens 12 Zeichen. Niemand kann es zurücksetzen.",
    again: "Passwort noch einmal",
    make: "Schlüssel erstellen",
    madeTitle: "Wiederherstellungsdatei speichern",
    made: "Speichern Sie die Datei, und bewahren Sie Kopien an zwei sicheren Orten auf. Sie ist die einzige Kopie der Schlüssel.",
    download: "Wiederherstellungsdatei speichern",
    check:
      "Zeigen Sie dann, dass Datei und Passwort stimmen: Wählen Sie die gespeicherte Datei, und geben Sie das Passwort ein.",
    confirm: "Datei prüfen und Schlüssel verwenden",
    open: "Öffnen",
  },
  place: {
    name: "In diesem Browser, mit einer Wiederherstellungsdatei",
    broken:
      "Wer die Platte oder eine Sicherung der Quelle kopiert, bekommt keine Schlüssel. Wer die laufende Quelle beherrscht, kann diese Seite ändern und beim Öffnen signieren lassen: Für mehr Schutz verwenden Sie Schlüsseldateien der Kommandozeile.",
    lost: "Geht dieser Browser verloren, bringen Wiederherstellungsdatei und Passwort die Schlüssel zurück. Ohne beides kann kein Gerät mehr Aufträge bekommen, und jedes muss neu aufgenommen werden.",
    work: "Aufgaben und Einstellungen aus diesem Browser werden hier signiert. Der Wurzelschlüssel bleibt in der Wiederherstellungsdatei und wird gebraucht, wenn sich Schlüssel ändern. Das Wort der Quelle gilt 14 Tage: Jede Signatur erneuert es.",
    begin: "Schlüssel in diesen Browser verlegen",
    done: "Von jetzt an signiert dieser Browser. Vernichten Sie ältere Sicherungen der Quelle: Sie enthalten die alten Schlüssel.",
  },
  key: {
    title: "Signaturschlüssel dieses Browsers",
    none: "Dieser Browser hat keinen Signaturschlüssel.",
    held: (name) => `Dieser Browser hat den Schlüssel ${name}.`,
    operator: "Er signiert Aufgaben, Einstellungen und Aktualität.",
    publisher: "Er darf Pakete signieren.",
    unlisted:
      "Die Vertrauensdatei nennt ihn nicht als Schlüssel eines Bedieners: Wer einen Wurzelschlüssel hat, muss ihn aufnehmen. Bis dahin signiert er nichts.",
    publicKey: "Öffentlicher Schlüssel",
    waitsFor: (needed, names) => `Nötige Signaturen: ${needed}, von den Schlüsseln ${names}.`,
    use: "Wiederherstellungsdatei verwenden",
    useHint:
      "Der Signaturschlüssel der Datei wird in diesem Browser gespeichert, anstelle eines vorhandenen.",
    make: "Signaturschlüssel erstellen",
    makeHint:
      "Ein eigener Schlüssel für diesen Browser. Wer einen Wurzelschlüssel hat, nimmt ihn danach als Schlüssel eines Bedieners auf.",
    forget: "Schlüssel vergessen",
    askForget:
      "Den Schlüssel aus diesem Browser entfernen? Nur die Wiederherstellungsdatei kann ihn zurückbringen. Die Vertrauensdatei nennt ihn weiter: Ein gestohlener muss beendet werden.",
    fresh: "Das Wort erneuern, dass nichts zurückgehalten wird",
    renewed: (until) => `Das Wort gilt bis ${until}.`,
  },
  drafts: {
    read: "Lesen und signieren",
    readHint:
      "Dies sind die Aufträge, wie dieser Browser sie signiert, berechnet aus dem signierten Text. Signieren Sie nur, was Sie kennen.",
    sign: (count) => `${count} Aufträge signieren`,
    signOne: "Diesen Auftrag signieren",
    nothing: "Kein Auftrag wartet auf eine Signatur.",
    signed: "Signiert: Geräte bekommen diese Aufträge.",
    begun: "Signiert. Die Aufträge brauchen noch die Signatur eines anderen Bedieners.",
    waiting: "Dieser Browser hat keinen Schlüssel, der signieren darf.",
    byBrowser:
      "Die Quelle hat keine Signaturschlüssel. Der Schlüssel dieses Browsers signiert Ihre Änderungen.",
    toTrust: "Wartendes lesen und signieren",
    task: (id) => `Aufgabe ${id}`,
    setting: (name, version) => `Einstellung ${name}, Version ${version}`,
    assignments: "Zuweisungen von Einstellungen",
    fields: {
      package: "Paket",
      action: "Aktion",
      command: "Kommandozeile",
      run: "Benanntes Kommando",
      target: "Geräte",
      start: "Beginn",
      localStart: "Beginn nach der Uhr jedes Geräts",
      deadline: "Frist",
      expires: "Nichts beginnt ab",
      attempts: "Versuche",
      notWhile: "Nicht, während diese Programme laufen",
      setting: "Einstellung",
      after: "Nach Aufgabe",
      downgrade: "Auch unter einer höheren Version",
      parent: "Erbt von",
      values: "Eigene Werte",
      assigned: "Zugewiesen, der erste Treffer zählt",
    },
    yes: "ja",
    none: "keine",
    all: "alle Geräte",
  },
  trust: {
    change: "Schlüssel ändern",
    list: "Schlüssel aufnehmen",
    end: "Schlüssel beenden",
    endHint: "Name oder öffentlicher Schlüssel, wie in der Tabelle.",
    key: "Öffentlicher Schlüssel",
    role: "Was der Schlüssel signieren darf",
    draft: "Entwurf signieren",
    draftFile: "Entwurf",
    draftHint:
      "Eine Datei, die jemand mit einem Wurzelschlüssel hier oder mit trust add-key --draft erstellt hat.",
    openRoot:
      "Öffnen Sie die Wiederherstellungsdatei mit Ihrem Wurzelschlüssel. Er wird nur für diese Signatur verwendet.",
    words: (version) =>
      `Version ${version} der Vertrauensdatei ändert Folgendes, berechnet aus dem signierten Text:`,
    sign: "Diese Version signieren",
    stored: (version) => `Version ${version} der Vertrauensdatei gilt ab jetzt.`,
    missing: (count) =>
      `Nötige Signaturen weiterer Wurzelschlüssel: ${count}. Speichern Sie den Entwurf, und geben Sie ihn weiter.`,
    saveDraft: "Entwurf speichern",
    takes: "Entfernt",
    adds: "Hinzugefügt",
    root: (key) => `Wurzelschlüssel ${key}`,
    publisher: (key, packages) => `Schlüssel eines Herausgebers ${key}, für ${packages}`,
    operator: (key, scope) => `Schlüssel eines Bedieners ${key}, für ${scope}`,
    allPackages: "alle Pakete",
    allActions: "alle Aktionen",
    on: (actions, target) => `${actions} auf ${target}`,
    until: (scope, end) => `${scope}, bis ${end}`,
    roots: (count) => `Wurzelschlüssel, die signieren müssen: ${count}`,
    operators: (count) => `Bediener, die einen Auftrag signieren müssen: ${count}`,
    deployment: (number) => `Installation ${number}`,
    held: "die Quelle hat die Schlüssel",
    away: "die Quelle hat keine Schlüssel",
    nothing: "nichts außer der Version",
  },
};
