/** Stories of delivery: repair, late joiners, delivery modes, roaming and caches. */
import {
  receivedFrom,
  wanChunks,
  heldCount,
  setProfile,
  roleOf,
  server,
  countLines,
  type Story,
} from "./story.ts";

export const repairs: Story = {
  name: "repairs",
  title: "A lossy subnet: one repair symbol replaces many losses",
  about: `Each device loses three percent of the datagrams, each device different ones. After every END a device states
    for each block how many symbols it is missing (NEED), unless the NEED of another device states at least as many.
    For each block A sends the largest of these numbers of repair symbols, once. One repair symbol replaces a
    different loss at each device.`,
  world: { seed: 31, devices: 6, chunks: 32 },
  run(world, { show }) {
    setProfile(world, "A", server);
    world.conditions(1, { loss: 0.03 });
    world.start();
    world.run(120_000, () => world.isAtRest);
    show("Every device is complete.", world.allComplete);
    show("Devices sent NEEDs for symbols.", countLines(world, / NEED .* symbols of /) > 0);
    const mostly = ["B", "C", "D", "E", "F"].filter((name) => receivedFrom(world, name, "multicast") >= 28);
    show(
      "Every peer except the standby received at least 28 of 32 chunks by multicast.",
      mostly.length === 4,
    );
    show("The package crossed the WAN once.", wanChunks(world) === 32);
  },
};

export const lateJoiner: Story = {
  name: "late-joiner",
  title: "A device joins during the multicast",
  about: `E starts when half of the package has been multicast. The multicast does not begin again for it: E keeps the
    chunks that it receives from then on. After the end it asks which devices hold the rest, and fetches it by unicast.`,
  world: { seed: 32, devices: 5, chunks: 64 },
  run(world, { comment, show }) {
    setProfile(world, "A", server);
    world.start("A", "B", "C", "D");
    world.run(5_000);
    comment("E starts.");
    world.start("E");
    world.run(120_000, () => world.isAtRest);
    show("Every device is complete.", world.allComplete);
    const [received, fetched] = [receivedFrom(world, "E", "multicast"), receivedFrom(world, "E", "peers")];
    show("E received one part by multicast.", received > 20);
    show("E fetched the other part from holders.", fetched > 20 && received + fetched === 64);
    show("The package crossed the WAN once.", wanChunks(world) === 64);
  },
};

export const afterAWeek: Story = {
  name: "a-week-later",
  title: "A device joins a week later",
  about: `Three devices have been complete for a week, and no session runs. D starts and gets the task. It asks which
    devices hold the chunks (WANT), and three answer (HAVE). D becomes representative, because no other device is a
    candidate. It fetches the whole package from the caches of the others, and downloads nothing.`,
  world: { seed: 33 },
  run(world, { comment, show }) {
    setProfile(world, "A", server);
    world.start("A", "B", "C");
    world.run(60_000, () => world.isAtRest);
    const before = wanChunks(world);
    world.run(7 * 24 * 3_600_000 - world.nowMs);
    comment("A week later.");
    world.start("D");
    world.run(60_000, () => world.isAtRest);
    show("D is complete.", roleOf(world, "D") === "done" && heldCount(world, "D") === 16);
    show("D fetched every chunk from the other devices.", receivedFrom(world, "D", "peers") === 16);
    show("Nothing crossed the WAN.", wanChunks(world) === before);
  },
};

export const multicastSwitchedOff: Story = {
  name: "multicast-switched-off",
  title: "Multicast is switched off during a session",
  about: `An administrator sets useMulticast=false while A multicasts. A stops sending symbols, and continues its
    download. The peers keep what they have received, and fetch the rest from A and from each other by unicast.`,
  world: { seed: 34, chunks: 64 },
  run(world, { comment, show }) {
    setProfile(world, "A", server);
    world.start();
    world.run(5_000);
    world.changeSetting({ useMulticast: false });
    comment("Every device has the new setting.");
    const before = receivedFrom(world, "B", "multicast");
    world.run(120_000, () => world.isAtRest);
    show("Every device is complete.", world.allComplete);
    const [received, fetched] = [receivedFrom(world, "B", "multicast"), receivedFrom(world, "B", "peers")];
    show("B kept the chunks that it had received.", received >= before && before > 20);
    show("B fetched the rest from holders.", fetched > 20 && received + fetched === 64);
    show("There was no second election.", countLines(world, /candidate → representative/) === 1);
    show("The package crossed the WAN once.", wanChunks(world) === 64);
  },
};

export const symbolsMissing: Story = {
  name: "symbols-do-not-arrive",
  title: "Announcements arrive, symbols do not",
  about: `The switch forwards control frames to D's port, but no symbols. D receives A's announcements and ENDs. After
    three seconds of the multicast without a symbol it fetches chunks from A and the others by unicast. It returns to
    multicast with the first symbol that arrives.`,
  world: { seed: 35, chunks: 128 },
  run(world, { comment, show }) {
    setProfile(world, "A", server);
    world.prune("D", "symbols");
    world.start();
    world.run(9_000);
    show("D switched to unicast.", countLines(world, / D .* delivery +by unicast/) === 1);
    comment("The switch forwards symbols again.");
    world.prune("D", "nothing");
    world.run(120_000, () => world.isAtRest);
    show("D switched back to multicast.", countLines(world, / D .* delivery +by multicast/) === 1);
    show(
      "D received chunks by both.",
      receivedFrom(world, "D", "peers") > 0 && receivedFrom(world, "D", "multicast") > 0,
    );
    show("Every device is complete.", world.allComplete);
    show("The package crossed the WAN once.", wanChunks(world) === 128);
  },
};

export const roaming: Story = {
  name: "roaming",
  title: "A device moves to another subnet",
  about: `E receives half of the package on subnet 1. Its cable is pulled there and plugged into subnet 2, where a session
    of the same task runs. E joins that session with its chunks, and states them in its SEEK. The representative of
    subnet 2 fetches from E the chunks that it has not downloaded yet.`,
  world: { seed: 36, devices: 6, subnets: 2, chunks: 64 },
  run(world, { comment, show }) {
    setProfile(world, "A", server);
    setProfile(world, "B", server);
    world.start("A", "C", "E");
    world.run(4_000);
    comment("The devices of subnet 2 start.");
    world.start("B", "D", "F");
    world.run(1_000);
    const held = heldCount(world, "E");
    world.leave("E");
    world.run(1_500);
    world.join("E", 2);
    world.run(120_000, () => world.isAtRest);
    show("E held a part of the package when it left.", held > 10 && held < 64);
    show("Every device is complete.", world.allComplete);
    show("E downloaded nothing over the WAN.", receivedFrom(world, "E", "wan") === 0);
    show(
      "E stored each chunk once.",
      receivedFrom(world, "E", "multicast") + receivedFrom(world, "E", "peers") === 64,
    );
    const [, first, second] = world.checks.wan.accounts;
    const brought = receivedFrom(world, "B", "peers");
    show("The package crossed the WAN line of subnet 1 once.", first!.chunks === 64);
    show(
      "Chunks that B fetched from E did not cross the WAN line of subnet 2, except for one in flight.",
      brought > 0 && second!.chunks <= 64 - brought + 1,
    );
  },
};
