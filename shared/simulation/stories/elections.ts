/** Stories of who leads. */
import {
  receivedFrom,
  wanChunks,
  heldCount,
  laptop,
  leaders,
  setProfile,
  unheldCount,
  roleOf,
  server,
  countLines,
  type Story,
} from "./story.ts";
import type { World } from "../world.ts";

export const campaign: Story = {
  name: "campaign",
  title: "A campaign on a quiet subnet",
  about: `Five devices get a task at the same time. Nobody leads yet. Each waits as long as its own rank says, so B, a
    server that volunteers, speaks first, and its claim stands before anybody else wanted to speak. E runs on battery: it would lead
    only if nobody else did. B downloads while the start delay passes, then multicasts behind the front of its
    download, and stays a little for latecomers.`,
  world: { seed: 11, devices: 5 },
  run(world, { comment, show }) {
    setProfile(world, "A", laptop);
    setProfile(world, "B", server);
    setProfile(world, "C", { load: 0.9 });
    setProfile(world, "D", laptop);
    setProfile(world, "E", { onBattery: true });
    world.start();
    world.run(1_500);
    show("The best rank leads: B, and nobody else claimed.", leaders(world) === "B" && claims(world) === 1);
    comment("Everybody knows B. Its start delay runs from the election on, while it downloads.");
    world.run(60_000, () => world.isAtRest);
    show("Everybody is complete, and every session is over.", world.allComplete && world.isAtRest);
    show("The package crossed the WAN once.", wanChunks(world) === 16);
  },
};

const claims = (world: World): number => countLines(world, / CLAIM /);

export const twoCandidates: Story = {
  name: "two-candidates",
  title: "Two candidates claim at once",
  about: `A and B are of the same rank, the network is slow, and the source went down after it gave the task out: only
    the local election decides. Both claim term 1 before they hear each other. Each claim carries a random ticket, and
    the lower one stands: it is said again to the loser, who follows.`,
  world: { seed: 5, devices: 3 },
  run(world, { comment, show }) {
    setProfile(world, "A", { weight: 100 });
    setProfile(world, "B", { weight: 100 });
    setProfile(world, "C", laptop);
    world.conditions(1, { delayMs: 90 });
    world.start();
    world.at(200, () => world.setSource("down"));
    world.run(20_000, () => claims(world) >= 2);
    comment("Both have claimed, and have not heard each other yet.");
    const [first, second] = tickets(world);
    const winner = first!.ticket < second!.ticket ? first! : second!;
    world.run(2_000);
    show("Both claimed the same term, under different names.", first!.device !== second!.device);
    show(`${winner.device} has the lower ticket, and leads alone.`, leaders(world) === winner.device);
    world.run(60_000, () => world.isAtRest);
    show("Everybody is complete.", world.allComplete);
    show("The package crossed the WAN once, without any lease.", wanChunks(world) === 16);
  },
};

function tickets(world: World): { device: string; ticket: string }[] {
  return world.log
    .map((line) => /^ *\S+ +\d +(\w+) .* CLAIM .*ticket (\w+)/.exec(line))
    .filter((match) => match !== null)
    .map((match) => ({ device: match[1]!, ticket: match[2]! }));
}

export const sourceDown: Story = {
  name: "source-down",
  title: "The source is down: the local election alone decides",
  about: `The task was given out, then the source went down; the web site with the package is up. The candidate asks for
    the lease, and gets no answer. Its claim has settled meanwhile: it leads, and downloads, by the word of the
    subnet alone. When the source is back, the lease is asked for again, and granted.`,
  world: { seed: 5, chunks: 48 },
  run(world, { comment, show }) {
    setProfile(world, "A", server);
    world.start();
    world.at(200, () => world.setSource("down"));
    world.run(20_000, () => leaders(world) !== "");
    show(
      "A leads although nobody granted a lease.",
      world.source.holderOn(1) === null && leaders(world) === "A",
    );
    world.run(4_000);
    comment("The source comes back in the middle of the session.");
    world.setSource("up");
    world.run(60_000, () => world.source.holderOn(1) !== null);
    show("The source names A as the lease's holder.", world.source.holderOn(1) === world.device("A").id);
    world.run(60_000, () => world.isAtRest);
    show("Everybody is complete.", world.allComplete);
    show("The package crossed the WAN once.", wanChunks(world) === 48);
  },
};

export const leaseRefused: Story = {
  name: "lease-refused",
  title: "The lease is refused: a representative that cannot be heard",
  about: `The switch sends no multicast to D's port. D hears nobody, takes itself for alone and claims. But the source
    grants one lease for a subnet: it refuses, and says that A leads, and where. D does not download; it takes the
    chunks from A and from the others by unicast.`,
  world: { seed: 7 },
  run(world, { comment, show }) {
    setProfile(world, "A", server);
    world.prune("D", "all");
    world.start("A", "B", "C");
    world.run(1_500);
    comment("D comes to its desk. It hears nothing of what the others say.");
    world.start("D");
    world.run(60_000, () => world.isAtRest);
    show("The lease was refused to D.", countLines(world, / D .* lease +refused: A holds it/) > 0);
    show("D never led.", countLines(world, / D +representative/) === 0);
    show("D got every chunk from its peers by unicast.", receivedFrom(world, "D", "peers") === 16);
    show("The package crossed the WAN once.", wanChunks(world) === 16);
    show("Everybody is complete.", world.allComplete);
  },
};

export const partitionHeals: Story = {
  name: "partition-heals",
  title: "A partition heals: two representatives, one steps down",
  about: `The cable between two switches breaks while A leads, and the source is down: no lease can prevent that the
    other half elects a representative of its own, of term 2. Both halves go on. When the cable is whole again the two
    hear each other's announcements. The lower term steps down, keeps its chunks, and is a peer like the others: it
    says what it lacks, and so what it holds, and that does not cross the WAN again.`,
  world: { seed: 4, devices: 5, chunks: 160 },
  run(world, { comment, show }) {
    setProfile(world, "A", server);
    world.start();
    world.run(4_000);
    comment("The cable breaks between A, B and the others.");
    world.setSource("down");
    world.partition(1, "A", "B");
    world.run(20_000, () => world.representatives().length === 2);
    world.run(1_500);
    comment("A and B on this side, C, D and E on that: each side has its representative.");
    const [a, other] = world.representatives();
    show("Two lead: A in term 1, and one of the others in term 2.", a?.name === "A" && other !== undefined);
    const name = other?.name ?? "nobody";
    const heldBefore = heldCount(world, "A");
    world.repairNetwork();
    world.run(2_000, () => countLines(world, / A +peer .* SEEK /) === 1);
    const unheld = unheldCount(world);
    const before = wanChunks(world);
    world.run(500);
    show(`${name} leads alone, A follows.`, leaders(world) === name && roleOf(world, "A") === "peer");
    show("A keeps what it had.", heldCount(world, "A") >= heldBefore);
    world.run(120_000, () => world.isAtRest);
    show("Everybody is complete.", world.allComplete);
    const after = wanChunks(world) - before;
    show(
      "From A's word on (SEEK) only what neither side held crossed the WAN, and the chunk under way.",
      after <= unheld + 1,
    );
  },
};

export const lastChoice: Story = {
  name: "last-choice",
  title: "Only a laptop on battery is there",
  about: `A runs on battery: it stands only when nobody else did for eight seconds. B has the weight 0 and never leads;
    it asks the source who does, and waits.`,
  world: { seed: 9, devices: 2 },
  run(world, { show }) {
    setProfile(world, "A", { ...laptop, onBattery: true });
    setProfile(world, "B", { weight: 0 });
    world.start();
    world.run(8_000);
    show("For eight seconds nobody leads.", leaders(world) === "" && claims(world) === 0);
    world.run(4_000);
    show("Then A does.", leaders(world) === "A");
    world.run(60_000, () => world.isAtRest);
    show("Everybody is complete.", world.allComplete);
    show("B took nothing over the WAN.", receivedFrom(world, "B", "wan") === 0);
  },
};
