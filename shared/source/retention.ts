/**
 * End of the source's records: once a day, removes what no device and no administrator needs any
 * more. A large removal is done in parts, because requests wait meanwhile.
 *
 * Open tasks stay, with their reports: a device would run the command again of a task that it
 * completed.
 */
import type { SourceContext } from "./context.ts";
import { removeUnseenDevices } from "./device-removal.ts";
import { keepNewest } from "./package-removal.ts";
import { lifeSince } from "./sign-in/session-life.ts";

/** Tasks that ended or were cancelled, with their reports. */
const endedMs = 90 * 86_400_000;
/** Packages whose bytes never arrived. */
const unfinishedMs = 7 * 86_400_000;
/** Hours of the WAN account. */
const wanMs = 3 * 366 * 86_400_000;
/** Tokens that were revoked or have expired. */
const endedTokensMs = 90 * 86_400_000;
/** Users of the provider who do not sign in any more. */
const providerUsersMs = 400 * 86_400_000;
const everyMs = 86_400_000;

/** Rows of removed devices; one with a report of a task stays for the counts of that task. */
const removedDevicesMs = 90 * 86_400_000;

type RetentionContext = Pick<
  SourceContext,
  "catalog" | "changeHub" | "content" | "noted" | "metrics" | "log" | "keepVersions" | "auditAgeMs" | "nowMs"
>;

/** Removes now and once a day. Returns the function that ends this. */
export function startRetention(context: RetentionContext): () => void {
  const run = (): void => {
    removeExpired(context).catch((error: unknown) =>
      context.log.error({ err: error }, "cannot remove old records"),
    );
  };
  run();
  const timer = setInterval(run, everyMs);
  timer.unref();
  return () => clearInterval(timer);
}

/** Removes what has expired. A package or task that cannot be removed hinders no other. */
export async function removeExpired(context: RetentionContext): Promise<void> {
  const { catalog, content, log, keepVersions, auditAgeMs, nowMs } = context;
  const each = async <T>(
    what: string,
    ids: readonly T[],
    remove: (id: T) => Promise<void>,
  ): Promise<void> => {
    for (const id of ids) {
      try {
        await remove(id);
        log.info({ id }, `removed ${what}`);
      } catch (error) {
        log.error({ id, err: error }, `cannot remove ${what}`);
      }
    }
  };
  await each("an ended task", await catalog.tasks.endedBefore(nowMs() - endedMs), async (id) => {
    while (!(await catalog.tasks.removePart(id))) await Bun.sleep(0);
  });
  await removeUnseenDevices(context);
  await catalog.lanKeys.beginEpochs(nowMs());
  while (!(await catalog.life.deletePart(nowMs() - removedDevicesMs))) await Bun.sleep(0);
  await removePeople(context);
  const unfinished = await catalog.packages.unfinishedBefore(nowMs() - unfinishedMs);
  await each("an unfinished package", unfinished, async (id) => {
    if (content.isReceiving(id)) return;
    // The upload may have ended since it was listed.
    if (await catalog.packages.removeUnfinished(id)) await content.remove(id);
  });
  if (keepVersions !== null) await keepNewest(context, keepVersions);
  await catalog.leases.removeWithoutTask();
  await catalog.wan.removeBefore(nowMs() - wanMs);
  await catalog.tokens.removeEndedBefore(nowMs() - endedTokensMs);
  await catalog.audit.removeBefore(nowMs() - auditAgeMs);
}

async function removePeople({ catalog, nowMs }: RetentionContext): Promise<void> {
  const { usedSinceMs, begunSinceMs } = lifeSince(nowMs());
  await catalog.sessions.removeEnded(usedSinceMs, begunSinceMs);
  await catalog.users.removeProviderUsers(nowMs() - providerUsersMs);
}
