/** Stories of elections, leases and partitions. */
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

export const election: Story = {
  name: "election",
  title: "An election on a quiet subnet",
  about: `Five devices get a task at the same time, and no device leads yet. Each candidate waits for a back-off that
    depends on its rank. B, a server that volunteers, has the best rank. Its claim is the first, and the others yield
    to it. E runs on battery: it would claim only after eight seconds without another claim. B downloads during the
    start delay, then multicasts, and stays for latecomers. A and D are on a radio, where multicast is off by default:
    they fetch chunks by unicast.`,
  world: { seed: 11, devices: 5 },
  run(world, { comment, show }) {
    setProfile(world, "A", laptop);
    setProfile(world, "B", server);
    setProfile(world, "C", { load: 0.9 });
    setProfile(world, "D", laptop);
    setProfile(world, "E", { onBattery: true });
    world.start();
    world.run(1_500);
    show(
      "B, which has the best rank, leads. No other device claimed.",
      leaders(world) === "B" && claims(world) === 1,
    );
    comment("Every device follows B. The start delay began with the election, and B downloads meanwhile.");
    world.run(60_000, () => world.isAtRest);
    show("Every device is complete, and every session is over.", world.allComplete && world.isAtRest);
    show("The package crossed the WAN once.", wanChunks(world) === 16);
  },
};

const claims = (world: World): number => countLines(world, / CLAIM /);

export const twoCandidates: Story = {
  name: "two-candidates",
  title: "Two candidates claim at once",
  about: `A and B have the same rank, and frames take 90 ms. The source fails after it has assigned the task, so the
    local election decides alone. Both devices claim term 1 before they receive each other's claim. A claim has a
    random ticket, and the lower ticket wins. The winner repeats its claim, and the loser yields.`,
  world: { seed: 5, devices: 3 },
  run(world, { comment, show }) {
    setProfile(world, "A", { weight: 100 });
    setProfile(world, "B", { weight: 100 });
    setProfile(world, "C", laptop);
    world.conditions(1, { delayMs: 90 });
    world.start();
    world.at(200, () => world.setSource("down"));
    world.run(20_000, () => claims(world) >= 2);
    comment("Both have claimed. Neither has received the claim of the other.");
    const [first, second] = tickets(world);
    const winner = first!.ticket < second!.ticket ? first! : second!;
    world.run(2_000);
    show("Two devices claimed the same term.", first!.device !== second!.device);
    show(`${winner.device} has the lower ticket, and leads alone.`, leaders(world) === winner.device);
    world.run(60_000, () => world.isAtRest);
    show("Every device is complete.", world.allComplete);
    show("The package crossed the WAN once, without a lease.", wanChunks(world) === 16);
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
  title: "The source is down: the local election decides alone",
  about: `The source fails after it has assigned the task. The web site with the package works. The candidate's request
    for the lease fails. Its claim meets no better one, so it leads and downloads without a lease. It repeats the
    request, and gets the lease when the source works again.`,
  world: { seed: 5, chunks: 48 },
  run(world, { comment, show }) {
    setProfile(world, "A", server);
    world.start();
    world.at(200, () => world.setSource("down"));
    world.run(20_000, () => leaders(world) !== "");
    show("A leads without a lease.", world.source.holderOn(1) === null && leaders(world) === "A");
    world.run(4_000);
    comment("The source works again.");
    world.setSource("up");
    world.run(60_000, () => world.source.holderOn(1) !== null);
    show("The source names A as holder of the lease.", world.source.holderOn(1) === world.device("A").id);
    world.run(60_000, () => world.isAtRest);
    show("Every device is complete.", world.allComplete);
    show("The package crossed the WAN once.", wanChunks(world) === 48);
  },
};

export const leaseRefused: Story = {
  name: "lease-refused",
  title: "The lease is refused to a device that receives no multicast",
  about: `The switch forwards no multicast to D's port. D receives no other device, and claims. The source grants one
    lease per subnet: it refuses D's request, and names A as the holder, with A's address. D follows A, receives no
    announcement within 1.5 s, and so fetches the chunks from A and its peers by unicast.`,
  world: { seed: 7 },
  run(world, { comment, show }) {
    setProfile(world, "A", server);
    world.prune("D", "all");
    world.start("A", "B", "C");
    world.run(1_500);
    comment("D starts. It sends frames to the others, and receives none.");
    world.start("D");
    world.run(60_000, () => world.isAtRest);
    show("The source refused the lease to D.", countLines(world, / D .* lease +refused: A holds it/) > 0);
    show("D never led.", countLines(world, / D +representative/) === 0);
    show("D fetched every chunk by unicast.", receivedFrom(world, "D", "peers") === 16);
    show("The package crossed the WAN once.", wanChunks(world) === 16);
    show("Every device is complete.", world.allComplete);
  },
};

export const partitionEnds: Story = {
  name: "partition-ends",
  title: "A partition ends: of two representatives, one steps down",
  about: `The cable between two switches fails while A leads, and so does the source. No lease prevents the other part of
    the subnet from electing its own representative, of term 2. Both parts continue. After the repair of the cable the
    two representatives receive each other's announcements. The one of the lower term steps down and becomes a peer.
    Its SEEK states which chunks it is missing. The chunks that it holds do not cross the WAN again.`,
  world: { seed: 4, devices: 5, chunks: 160 },
  run(world, { comment, show }) {
    setProfile(world, "A", server);
    world.start();
    world.run(4_000);
    comment("The cable between A, B and the others fails, and so does the source.");
    world.setSource("down");
    world.partition(1, "A", "B");
    world.run(20_000, () => world.representatives().length === 2);
    world.run(1_500);
    comment("Each part has its representative. The cable is repaired.");
    const [a, other] = world.representatives();
    show(
      "Two devices lead: A in term 1, and a device of the other part in term 2.",
      a?.name === "A" && other !== undefined,
    );
    const name = other?.name ?? "nobody";
    const heldBefore = heldCount(world, "A");
    world.repairNetwork();
    world.run(2_000, () => countLines(world, / A +peer .* SEEK /) === 1);
    const unheld = unheldCount(world);
    const before = wanChunks(world);
    world.run(500);
    show(
      `Then ${name} leads alone, and A follows it.`,
      leaders(world) === name && roleOf(world, "A") === "peer",
    );
    show("A keeps its chunks.", heldCount(world, "A") >= heldBefore);
    world.run(120_000, () => world.isAtRest);
    show("Every device is complete.", world.allComplete);
    const after = wanChunks(world) - before;
    show(
      "After A's SEEK only chunks that no device held crossed the WAN, and the one in flight.",
      after <= unheld + 1,
    );
  },
};

export const lastChoice: Story = {
  name: "last-choice",
  title: "Only a laptop on battery may lead",
  about: `A runs on battery, so it claims only after eight seconds without another claim. B has weight 0 and never leads:
    it asks the source which device does, and waits.`,
  world: { seed: 9, devices: 2 },
  run(world, { show }) {
    setProfile(world, "A", { ...laptop, onBattery: true });
    setProfile(world, "B", { weight: 0 });
    world.start();
    world.run(8_000);
    show("For eight seconds no device leads.", leaders(world) === "" && claims(world) === 0);
    world.run(4_000);
    show("Then A leads.", leaders(world) === "A");
    world.run(60_000, () => world.isAtRest);
    show("Every device is complete.", world.allComplete);
    show("B downloaded nothing over the WAN.", receivedFrom(world, "B", "wan") === 0);
  },
};
