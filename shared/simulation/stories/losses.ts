/** Stories of devices that fall silent: by a crash, a stall, an outage, or a word of farewell. */
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
  name: "representative-dies",
  title: "The representative dies midway",
  about: `A leads, and dies in the middle of its multicast. It cannot say so: the peers miss three announcements. The
    first of them to doubt claims term 2. By then A has missed a renewal and a half of its lease, and the source gives
    it to the device of the later term. That one goes on with what it and the others hold; only what died with A crosses
    the WAN again. What A had before it could multicast did not: it had entrusted that to D.`,
  world: { seed: 21, chunks: 64 },
  run(world, { comment, show }) {
    setProfile(world, "A", server);
    world.start();
    world.run(4_500);
    const before = wanChunks(world);
    world.crash("A");
    const unheld = unheldCount(world);
    comment("Nobody has been told. The peers wait for A's next announcement.");
    world.run(20_000, () => leaders(world) !== "");
    show("The successor leads term 2.", world.representatives()[0]!.process!.session!.member.term === 2);
    comment("A successor goes on where A stopped.");
    world.run(120_000, () => world.isAtRest);
    show("Everybody that lives is complete.", world.allComplete);
    const again = wanChunks(world) - before;
    show("Since then only chunks crossed the WAN that nobody alive held.", again === unheld);
  },
};

export const powerCut: Story = {
  name: "power-cut",
  title: "A power cut: all restart with what their ledgers know",
  about: `The power fails in the whole building in the middle of the multicast. What a disk had not yet synced is lost,
    and no ledger lists it: bytes are synced first, then listed. When the power is back, each device begins with the
    chunks in its ledger. They elect again, in a session that knows nothing of the one before, ask one another who
    holds what, and only the rest crosses the WAN.`,
  world: { seed: 22, chunks: 64 },
  run(world, { comment, show }) {
    setProfile(world, "A", server);
    world.start();
    world.run(5_200);
    const heldBefore = world.machines.map(({ name }) => heldCount(world, name));
    for (const { name } of world.machines) world.crash(name, "power");
    comment("Dark. Half a minute later the power is back.");
    world.run(30_000);
    const before = wanChunks(world);
    world.start();
    const after = world.machines.map(({ name }) => heldCount(world, name));
    const unheld = unheldCount(world);
    show(
      "Every device kept most of its chunks, and lost only the last that were not listed yet.",
      after.every((held, at) => held > 0 && held <= heldBefore[at]!) &&
        after.some((held, at) => held < heldBefore[at]!),
    );
    world.run(120_000, () => world.isAtRest);
    show("Everybody is complete.", world.allComplete);
    const again = wanChunks(world) - before;
    show("Only what no ledger listed crossed the WAN again.", again === unheld);
  },
};

export const slowNode: Story = {
  name: "slow-node",
  title: "A slow node doubts itself first",
  about: `D stands still for five seconds, longer than the silence after which a peer gives its representative up for
    dead. It wakes with timers that are far too late, and so knows that it was itself who did not listen. It grants A
    the time, hears it again, and takes what it missed from the others when all has been sent. It does not campaign.`,
  world: { seed: 25, chunks: 96 },
  run(world, { comment, show }) {
    setProfile(world, "A", server);
    world.start();
    world.run(4_000);
    world.stall("D", 5_000);
    world.run(5_000);
    comment("D runs again.");
    world.run(120_000, () => world.isAtRest);
    show("D did doubt itself.", countLines(world, / D .* stalled /) > 0);
    const campaigns = countLines(world, / D .* role +peer → candidate/) + countLines(world, / D .* CLAIM /);
    show("D never became a candidate after it had joined.", campaigns === 0);
    show("A led from the beginning to the end.", countLines(world, /candidate → representative/) === 1);
    show("Everybody is complete.", world.allComplete);
    show("The package crossed the WAN once.", wanChunks(world) === 96);
  },
};

export const frozenRepresentative: Story = {
  name: "frozen-representative-wakes",
  title: "A frozen representative wakes up deposed",
  about: `A leads, and its machine freezes for twelve seconds. The others elect a successor and get the lease for term
    2. When A wakes it takes itself for the representative still, until it hears an announcement of a later term, or
    the source refuses to renew its lease: then it steps down, keeps its chunks, and follows.`,
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
    show(`While A sleeps, ${successor} leads term 2.`, successor !== "nobody");
    const held = heldCount(world, "A");
    comment("A wakes.");
    world.run(2_000);
    show(
      `${successor} leads alone, A follows.`,
      leaders(world) === successor && roleOf(world, "A") === "peer",
    );
    show("A keeps what it had.", heldCount(world, "A") >= held);
    skip(() => world.run(30_000, () => world.representatives()[0]?.process!.held.isFull === true));
    world.run(120_000, () => world.isAtRest);
    show("Everybody is complete.", world.allComplete);
  },
};

export const resignation: Story = {
  name: "farewell",
  title: "The representative is shut down and says so",
  about: `A is shut down in good order: it says RESIGN and gives the lease back. Nobody has to wait for silence: the
    peers become candidates at once, and the next representative goes on with what they hold.`,
  world: { seed: 25, chunks: 64 },
  run(world, { comment, show }) {
    setProfile(world, "A", server);
    world.start();
    world.run(4_500);
    const before = wanChunks(world);
    const atMs = world.nowMs;
    world.stop("A");
    const unheld = unheldCount(world);
    comment("Everybody has heard it.");
    world.run(20_000, () => leaders(world) !== "");
    show("The next one leads within two seconds.", world.nowMs - atMs < 2_000);
    world.run(120_000, () => world.isAtRest);
    show("Everybody that runs is complete.", world.allComplete);
    const again = wanChunks(world) - before;
    show("Since then only chunks crossed the WAN that nobody else held.", again === unheld);
  },
};

export const badWebSite: Story = {
  name: "bad-web-site",
  title: "The web site fails, and all representatives alike",
  about: `The web site answers with errors. The representative gives up after eight attempts without progress, resigns
    with the reason, and another tries, for it may be its own fault. When several have failed alike the source
    answers a request for the lease with "failed": everybody rests until the time it names, and asks the web site no
    more. Then it is whole again, and the task goes on.`,
  world: { seed: 26 },
  run(world, { comment, skip, show }) {
    setProfile(world, "A", server);
    world.setWeb("errors");
    world.start();
    const resigned = (): number => countLines(world, / RESIGN +gave up/);
    world.run(200_000, () => resigned() === 1);
    world.run(3_000);
    comment("The others try, one after another.");
    skip(() => world.run(600_000, () => resigned() === 4));
    world.run(2_000_000, () => countLines(world, / lease +failed/) > 0);
    show("Three devices led in vain.", new Set(failures(world)).size === 3);
    const atMs = world.nowMs;
    world.run(2_000);
    comment("The web site is mended, but nobody asks it before the time is over.");
    world.setWeb("up");
    world.run(2_000_000, () => world.isAtRest);
    show("Everybody is complete.", world.allComplete);
    show("They rested for minutes.", world.nowMs - atMs > 120_000);
    show("The package crossed the WAN once.", wanChunks(world) === 16);
  },
};

const failures = (world: World): string[] =>
  world.log.map((line) => / ([A-Z]) .* RESIGN +gave up/.exec(line)?.[1]).filter((name) => name !== undefined);

export const lastResort: Story = {
  name: "last-resort",
  title: "No way to the bytes: the last resort",
  about: `Nothing that the others send reaches D any more, though they hear D, and D can still ask the source: a broken
    switch. The source says again and again that A leads, and where; D asks A and the others for chunks, and gets no
    answer. The line is slow, A will be busy for minutes. D's own download is the last resort: the setting allows it
    after one to two minutes without a byte, and the source gives the word to one device of a subnet at a time.`,
  world: { seed: 28, wanRateBps: 700 },
  run(world, { comment, skip, show }) {
    setProfile(world, "A", server);
    world.start();
    world.run(1_000);
    for (const name of ["A", "B", "C"]) world.oneWay(name, "D");
    comment("D has joined the session, and hears nothing of it.");
    world.run(18_000);
    const usesWan = (): boolean => countLines(world, / D .* WAN begins/) > 0;
    skip(() => world.run(200_000, usesWan));
    comment("D has waited long enough.");
    world.run(15_000);
    skip(() => world.run(400_000, () => world.allComplete));
    show("D never led.", countLines(world, / D +representative/) === 0);
    show("D fetched the package over the WAN.", usesWan() && receivedFrom(world, "D", "wan") === 16);
    show("Everybody is complete.", world.allComplete);
  },
};
