/** Stories of failures: crash, shutdown, stall, sleep, power cut, and a broken site or switch. */
import {
  receivedFrom,
  wanChunks,
  heldCount,
  leaders,
  setProfile,
  unheldCount,
  roleOf,
  server,
  countLines,
  type Story,
} from "./story.ts";
import type { World } from "../world.ts";

export const representativeCrashes: Story = {
  name: "representative-crashes",
  title: "The representative crashes during its multicast",
  about: `A leads, and its agent is killed during the multicast, without a RESIGN. The peers miss three announcements
    and suspect A. One of them claims term 2. The source has received no renewal of A's lease for 4.5 s by then, and
    grants the lease to the device of the later term. The successor continues with the chunks that the running devices
    hold. Only chunks that A alone held cross the WAN again. Those that A could not multicast yet do not: A had
    entrusted them to D, its standby.`,
  world: { seed: 21, chunks: 64 },
  run(world, { comment, show }) {
    setProfile(world, "A", server);
    world.start();
    world.run(4_500);
    const before = wanChunks(world);
    world.crash("A");
    const unheld = unheldCount(world);
    comment("No frame reports the crash. The peers wait for A's next announcement.");
    world.run(20_000, () => leaders(world) !== "");
    show("The successor leads term 2.", world.representatives()[0]!.process!.session!.member.term === 2);
    comment("The successor continues where A stopped.");
    world.run(120_000, () => world.isAtRest);
    show("Every running device is complete.", world.allComplete);
    const again = wanChunks(world) - before;
    show("After the crash only chunks that no running device held crossed the WAN.", again === unheld);
  },
};

export const powerCut: Story = {
  name: "power-cut",
  title: "A power cut: devices restart with the chunks in their ledgers",
  about: `The power of every device fails during the multicast. Bytes that a disk has not synced are lost. No ledger
    lists them, because a chunk is listed after its bytes are synced. After the power cut each device starts with the
    chunks in its ledger. The devices elect a representative again, in a new session without any state of the old one.
    They ask each other which chunks they hold, and only the rest crosses the WAN.`,
  world: { seed: 47, chunks: 64 },
  run(world, { comment, show }) {
    setProfile(world, "A", server);
    world.start();
    world.run(4_700);
    const heldBefore = world.machines.map(({ name }) => heldCount(world, name));
    for (const { name } of world.machines) world.crash(name, "power");
    comment("Thirty seconds later the power is back.");
    world.run(30_000);
    const before = wanChunks(world);
    world.start();
    const after = world.machines.map(({ name }) => heldCount(world, name));
    const unheld = unheldCount(world);
    show(
      "Every device kept chunks, and lost only the last ones, which were not listed durably.",
      after.every((held, at) => held > 0 && held <= heldBefore[at]!) &&
        after.some((held, at) => held < heldBefore[at]!),
    );
    world.run(120_000, () => world.isAtRest);
    show("Every device is complete.", world.allComplete);
    const again = wanChunks(world) - before;
    show("After the restart only chunks that no ledger listed crossed the WAN.", again === unheld);
  },
};

export const stalledPeer: Story = {
  name: "stalled-peer",
  title: "A stalled peer does not suspect its representative",
  about: `D stalls for five seconds. A peer suspects its representative after 3 to 3.6 s without an announcement. When D
    runs again, its timer is late, so D knows that the stall was its own. It extends the time-out for A by that time,
    and receives A again. It does not start an election. After the end of the multicast it fetches what it missed.`,
  world: { seed: 25, chunks: 96 },
  run(world, { comment, show }) {
    setProfile(world, "A", server);
    world.start();
    world.run(4_000);
    world.stall("D", 5_000);
    world.run(5_000);
    comment("D runs again.");
    world.run(120_000, () => world.isAtRest);
    show("D detected its own stall.", countLines(world, / D .* stalled /) > 0);
    const candidacies = countLines(world, / D .* role +peer → candidate/) + countLines(world, / D .* CLAIM /);
    show("D never became a candidate after it had joined.", candidacies === 0);
    show("A was the only representative.", countLines(world, /candidate → representative/) === 1);
    show("Every device is complete.", world.allComplete);
    show("The package crossed the WAN once.", wanChunks(world) === 96);
  },
};

export const representativeSleeps: Story = {
  name: "representative-sleeps",
  title: "A representative sleeps and is replaced",
  about: `A leads, and its machine sleeps for twelve seconds. The others elect a successor, which gets the lease for term
    2. When A wakes, it still acts as representative, until it receives a frame of the later term or the source refuses
    to renew its lease. Then A steps down, keeps its chunks and follows the successor.`,
  world: { seed: 24, chunks: 160 },
  run(world, { comment, skip, show }) {
    setProfile(world, "A", server);
    world.start();
    world.run(4_000);
    world.sleep("A", 12_000);
    world.run(11_000, () => world.representatives().length === 2);
    const successor = world.representatives().find(({ name }) => name !== "A")?.name ?? "nobody";
    world.run(1_000);
    skip(() => world.run(15_900 - world.nowMs));
    show(`While A sleeps, ${successor} leads in term 2.`, successor !== "nobody");
    const held = heldCount(world, "A");
    comment("A wakes.");
    world.run(2_000);
    show(
      `Then ${successor} leads alone, and A follows it.`,
      leaders(world) === successor && roleOf(world, "A") === "peer",
    );
    show("A keeps its chunks.", heldCount(world, "A") >= held);
    skip(() => world.run(30_000, () => world.representatives()[0]?.process!.held.isFull === true));
    world.run(120_000, () => world.isAtRest);
    show("Every device is complete.", world.allComplete);
  },
};

export const resignation: Story = {
  name: "resignation",
  title: "The representative is shut down and resigns",
  about: `The agent of A is shut down. A sends RESIGN and releases its lease. The peers become candidates at once,
    without waiting for missed announcements. The next representative continues with the chunks that they hold.`,
  world: { seed: 25, chunks: 64 },
  run(world, { comment, show }) {
    setProfile(world, "A", server);
    world.start();
    world.run(4_500);
    const before = wanChunks(world);
    const atMs = world.nowMs;
    world.stop("A");
    const unheld = unheldCount(world);
    comment("Every peer has received the RESIGN.");
    world.run(20_000, () => leaders(world) !== "");
    show("The next representative leads within two seconds.", world.nowMs - atMs < 2_000);
    world.run(120_000, () => world.isAtRest);
    show("Every running device is complete.", world.allComplete);
    const again = wanChunks(world) - before;
    show("After the shutdown only chunks that no running device held crossed the WAN.", again === unheld);
  },
};

export const badWebSite: Story = {
  name: "bad-web-site",
  title: "The web site fails for every representative",
  about: `The web site answers with errors. The representative gives up after eight attempts without progress, and
    resigns with the reason. The fault may be its own, so another device tries. After three devices have failed, the
    source answers requests for the lease with "failed" and a time. No device sends further requests to the web site
    before that time. Then the web site works again, and the task continues.`,
  world: { seed: 26 },
  run(world, { comment, skip, show }) {
    setProfile(world, "A", server);
    world.setWeb("errors");
    world.start();
    const resigned = (): number => countLines(world, / RESIGN +gave up/);
    world.run(200_000, () => resigned() === 1);
    world.run(3_000);
    comment("Other devices try, one after another.");
    skip(() => world.run(600_000, () => resigned() === 4));
    world.run(2_000_000, () => countLines(world, / lease +failed/) > 0);
    show("Three devices failed as representative.", new Set(failures(world)).size === 3);
    const atMs = world.nowMs;
    world.run(2_000);
    comment("The web site works again. No device sends a request to it before the time is over.");
    world.setWeb("up");
    world.run(2_000_000, () => world.isAtRest);
    show("Every device is complete.", world.allComplete);
    show("The devices waited for more than two minutes.", world.nowMs - atMs > 120_000);
    show("The package crossed the WAN once.", wanChunks(world) === 16);
  },
};

const failures = (world: World): string[] =>
  world.log.map((line) => / ([A-Z]) .* RESIGN +gave up/.exec(line)?.[1]).filter((name) => name !== undefined);

export const wanFallback: Story = {
  name: "wan-fallback",
  title: "A device that the subnet cannot reach downloads for itself",
  about: `A broken switch drops every frame from the other devices to D. They still receive D, and D still reaches the
    source. The source names A as the holder of the lease, each time that D asks. D requests chunks from A and the
    others, and gets no answer. The WAN line is slow, so A downloads for minutes. With wanFallback=last-resort D may
    download for itself after one to two minutes without a byte. It needs a fallback token of the source, which grants
    one per subnet at a time.`,
  world: { seed: 28, wanRateBps: 700 },
  run(world, { comment, skip, show }) {
    setProfile(world, "A", server);
    world.start();
    world.run(1_000);
    for (const name of ["A", "B", "C"]) world.oneWay(name, "D");
    comment("D has joined the session. From now on it receives no frame.");
    world.run(18_000);
    const usesWan = (): boolean => countLines(world, / D .* WAN begins/) > 0;
    skip(() => world.run(200_000, usesWan));
    comment("D has got a fallback token, and downloads.");
    world.run(15_000);
    skip(() => world.run(400_000, () => world.allComplete));
    show("D never led.", countLines(world, / D +representative/) === 0);
    show("D downloaded the package over the WAN.", usesWan() && receivedFrom(world, "D", "wan") === 16);
    show("Every device is complete.", world.allComplete);
  },
};
