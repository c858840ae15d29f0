/** Commands `webhook add|list|remove|test`. */
import { Command, Option } from "@commander-js/extra-typings";
import { webhookEvents, type WebhookEvent } from "../../model/webhook.ts";
import { CommandError } from "./command-error.ts";
import { connect, type JsonOptions, type ListOptions } from "./connect.ts";
import { csvOption, jsonOption, sourceOption, tokenOption } from "./options.ts";
import { formatTime, print, printedAs, printJson, printTable } from "./print.ts";

type AddOptions = JsonOptions & { readonly event: readonly WebhookEvent[] };

async function addWebhook(name: string, url: string, options: AddOptions): Promise<void> {
  const events = options.event.length === 0 ? {} : { events: [...options.event] };
  const created = await (await connect(options)).addWebhook({ name, url, ...events });
  if (options.json) printJson(created);
  else print(created.secret);
}

async function listWebhooks(options: ListOptions): Promise<void> {
  const webhooks = await (await connect(options)).webhooks();
  if (printedAs(options, webhooks)) return;
  printTable(
    ["NAME", "URL", "EVENTS", "WAITING", "DROPPED", "LAST SUCCESS", "LAST FAILURE"],
    webhooks.map((one) => [
      one.name,
      one.url,
      one.events.join(","),
      String(one.queued),
      String(one.dropped),
      one.lastSuccessAtMs === null ? "never" : formatTime(one.lastSuccessAtMs),
      one.lastFailureAtMs === null ? "never" : `${formatTime(one.lastFailureAtMs)}: ${one.lastFailure}`,
    ]),
  );
}

async function removeWebhook(words: string, options: JsonOptions): Promise<void> {
  const removed = await (await connect(options)).removeWebhook(words);
  if (options.json) return printJson(removed);
  print(`removed ${removed.name}`);
}

async function testWebhook(words: string, options: JsonOptions): Promise<void> {
  const tested = await (await connect(options)).testWebhook(words);
  if (options.json) printJson(tested);
  else if (tested.ok) print(`${words}: the receiver answered ${tested.status}`);
  if (!tested.ok) throw new CommandError(`The test of "${words}" failed: ${tested.problem}`);
}

const add = (webhook: Command, name: string, description: string) =>
  webhook
    .command(name)
    .description(description)
    .addOption(jsonOption())
    .addOption(sourceOption())
    .addOption(tokenOption());

/** Adds `webhook`. */
export function addWebhooks(program: Command): void {
  const webhook = program
    .command("webhook")
    .description("web addresses that get the results of tasks") as Command;
  add(webhook, "add", "add a webhook; prints the secret of its signatures, which is shown this once")
    .argument("<name>", "1 to 64 letters, digits, _ . -")
    .argument("<url>", "https address; others need serve --webhook-network")
    .addOption(
      new Option("--event <event>", "event to send; may be repeated (default: all)")
        .choices(webhookEvents)
        .argParser((word: string, all: readonly WebhookEvent[]) => [...all, parseEvent(word)])
        .default([] as readonly WebhookEvent[]),
    )
    .action(addWebhook);
  add(webhook, "list", "all webhooks, with what waits and the last results")
    .addOption(csvOption())
    .action(listWebhooks);
  add(webhook, "remove", "remove a webhook with what waits for it")
    .argument("<webhook>", "name or id")
    .action(removeWebhook);
  add(webhook, "test", "send a test now; exit status 1 if the receiver does not take it")
    .argument("<webhook>", "name or id")
    .action(testWebhook);
}

function parseEvent(word: string): WebhookEvent {
  const event = webhookEvents.find((one) => one === word);
  if (event !== undefined) return event;
  throw new CommandError(`"${word}" is not an event: write ${webhookEvents.join(", ")}`, 2);
}
