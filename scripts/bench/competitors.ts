/**
 * Other programs that send one file to many hosts by multicast, with the options that suit each
 * best on a switched LAN of known rate. All request 4 MiB of receive buffer, as this project does;
 * the kernel may grant less.
 */
import { mkdir, readFile, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { inside } from "../lab/namespace.ts";
import type { WorldDevice } from "../lab/world.ts";
import { launch, logTail, type RunningProgram } from "../rig/process.ts";
import { differenceFrom } from "../rig/verify.ts";
import type { BenchLan } from "./lan-world.ts";
import { sentBytesOf, type Host, type Prepared } from "./transfer.ts";

export const competitorNames = ["uftp", "udpcast"] as const;
export type CompetitorName = (typeof competitorNames)[number];
type CompetitorOptions = {
  /** Mbit/s. */
  readonly rate: number;
  readonly lossPercent: number;
  readonly isEncrypted: boolean;
  readonly signal: AbortSignal;
};
/** Competitor → its programs, which have the names of Debian's packages. */
export const programsOf = { uftp: ["uftp", "uftpd"], udpcast: ["udp-sender", "udp-receiver"] } as const;

/** Command lines of a competitor; `folder` is the receiver's own. */
type Recipe = {
  readonly receive: (folder: string, file: string) => string[];
  readonly send: (file: string, receivers: readonly WorldDevice[]) => string[];
  /** File, and the text in it once the receiver has the whole package. */
  readonly done: (folder: string) => { readonly file: string; readonly text: string };
};

const words = (text: string): string[] => text.split(" ");

const bufferBytes = 4 * 1_048_576;
const startMs = 1_000;
const beginLimitMs = 45_000;
const endLimitMs = 15_000;
/** Sent bytes that show that data flows: above a handshake, below a millisecond at 1 Gbit/s. */
const dataBytesMin = 100_000;

/**
 * uftp: fixed rate without congestion control (`-C none`) and blocks of 1,400 bytes. The receivers
 * are listed so that uftp begins when all have answered. Encrypted: AES-128-GCM, ECDH signed with
 * ECDSA.
 */
const uftp = ({ rate, isEncrypted }: CompetitorOptions): Recipe => ({
  receive: (folder) => [
    ...words(`uftpd -d -q -I eth0 -B ${bufferBytes}`),
    ...(isEncrypted ? words("-E -K ec:prime256v1") : []),
    "-D",
    folder,
    "-F",
    join(folder, "status.txt"),
  ],
  send: (file, receivers) => [
    ...words(`uftp -R ${Math.round(rate * 1_000)} -C none -b 1400 -I eth0 -B ${bufferBytes}`),
    ...(isEncrypted ? words("-Y aes128-gcm -h sha256 -e ecdh_ecdsa:prime256v1 -K prime256v1") : []),
    "-H",
    receivers.map(({ place }) => place.address).join(","),
    file,
  ],
  done: (folder) => ({ file: join(folder, "status.txt"), text: "RESULT;" }),
});

/**
 * udpcast: full duplex, so that the sender sends while receivers acknowledge; with losses 8 repair
 * packets per 128. The sender repeats the HELLO, and receivers have no start time-out. Without
 * these two options some runs at 1 % loss failed for one receiver or all (docs/BENCHMARKS.md).
 */
const udpcast = ({ rate, lossPercent }: CompetitorOptions): Recipe => ({
  receive: (folder, file) => [
    ...words("udp-receiver --interface eth0 --nokbd --no-progress --rcvbuf 4m --receive-timeout 30"),
    "--file",
    join(folder, file),
  ],
  send: (file, receivers) => [
    ...words("udp-sender --interface eth0 --nokbd --no-progress --full-duplex --max-wait 20"),
    ...words(`--start-timeout 60 --rexmit-hello-interval 100 --min-receivers ${receivers.length}`),
    ...words(`--max-bitrate ${Math.round(rate * 1_000)}k`),
    ...(lossPercent > 0 ? words("--fec 8x8/128") : []),
    "--file",
    file,
  ],
  done: (folder) => ({ file: `${folder}.log`, text: "Transfer complete" }),
});

const recipes = { uftp, udpcast } as const;

async function untilData(sender: RunningProgram, signal: AbortSignal): Promise<number> {
  const before = await sentBytesOf(sender.pid);
  const giveUpAtMs = performance.now() + beginLimitMs;
  while (performance.now() < giveUpAtMs && !signal.aborted && sender.exitStatus() === null) {
    if ((await sentBytesOf(sender.pid)) - before > dataBytesMin) return Date.now();
    await Bun.sleep(2);
  }
  throw new Error(`${sender.name} sent no data:\n${await logTail(sender)}`);
}

/** Starts the receivers. `begin` of the result starts the sender. */
export async function prepareCompetitor(
  name: CompetitorName,
  lan: BenchLan,
  options: CompetitorOptions,
): Promise<Prepared> {
  const { world, receivers, sender } = lan;
  const recipe = recipes[name](options);
  const root = join(world.folder, name);
  const file = basename(world.sent.path);
  const folderOf = (device: WorldDevice) => join(root, device.place.name);
  await rm(root, { recursive: true, force: true });
  const start = (device: WorldDevice, call: readonly string[]) =>
    launch({
      name: `${name} of ${device.place.name}`,
      command: [...inside(device.place.namespace), ...call],
      logFile: `${folderOf(device)}.log`,
    });
  const programs = new Map<WorldDevice, RunningProgram>();
  for (const device of receivers) {
    await mkdir(folderOf(device), { recursive: true });
    programs.set(device, start(device, recipe.receive(folderOf(device), file)));
  }
  await Bun.sleep(startMs);
  const hostOf = (device: WorldDevice): Host => ({ device, program: () => programs.get(device) ?? null });
  return {
    sender: hostOf(sender),
    receivers: receivers.map(hostOf),
    begin: () => {
      const program = start(sender, recipe.send(world.sent.path, receivers));
      programs.set(sender, program);
      return untilData(program, options.signal);
    },
    completeAtMs: async ({ device }) => {
      const done = recipe.done(folderOf(device));
      const text = await readFile(done.file, "utf8").catch(() => "");
      return text.includes(done.text) ? Date.now() : null;
    },
    difference: ({ device }) => differenceOf(lan, join(folderOf(device), file)),
    settle: async () => {
      await Promise.race([programs.get(sender)?.exited, Bun.sleep(endLimitMs)]);
    },
    end: async () => {},
  };
}

const differenceOf = ({ world }: BenchLan, copy: string): Promise<string | null> =>
  differenceFrom(world.sent.digests, copy);

/** Stops the programs that still run, and removes their files. */
export async function endCompetitor(
  name: CompetitorName,
  { world }: BenchLan,
  prepared: Prepared,
): Promise<void> {
  for (const host of [prepared.sender, ...prepared.receivers]) await host.program()?.stop("SIGTERM", 2_000);
  await rm(join(world.folder, name), { recursive: true, force: true });
}
