/** Stories of how the bytes get to everybody. */
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
  title: "A lossy subnet: one repair mends many losses",
  about: `Three datagrams of a hundred are lost, at each device others. After every END a device says how many symbols
    it lacks of which block, unless it overheard another who lacks as much. A sends so many repair symbols once: one
    of them mends a different loss at each device.`,
  world: { seed: 31, devices: 6, chunks: 32 },
  run(world, { show }) {
    setProfile(world, "A", server);
    world.conditions(1, { loss: 0.03 });
    world.start();
    world.run(120_000, () => world.isAtRest);
    show("Everybody is complete.", world.allComplete);
    show("Somebody asked for symbols.", countLines(world, / NEED .* symbols of /) > 0);
    const mostly = ["B", "C", "D", "E", "F"].filter((name) => receivedFrom(world, name, "multicast") >= 28);
    show("Nearly everything came by multicast, except to the deputy.", mostly.length === 4);
    show("The package crossed the WAN once.", wanChunks(world) === 32);
  },
};

export const lateJoiner: Story = {
  name: "late-joiner",
  title: "A late joiner",
  about: `E gets the task when the multicast is half over. It does not rewind the stream: it caches what it hears from
    then on. When everything has been sent it asks who holds the rest, and takes that from the others by unicast.`,
  world: { seed: 32, devices: 5, chunks: 64 },
  run(world, { comment, show }) {
    setProfile(world, "A", server);
    world.start("A", "B", "C", "D");
    world.run(5_000);
    comment("E comes to its desk.");
    world.start("E");
    world.run(120_000, () => world.isAtRest);
    show("Everybody is complete.", world.allComplete);
    const [heard, fetched] = [receivedFrom(world, "E", "multicast"), receivedFrom(world, "E", "peers")];
    show("E heard the second half by multicast.", heard > 20);
    show("E took the first half from its peers.", fetched > 20 && heard + fetched === 64);
    show("The package crossed the WAN once.", wanChunks(world) === 64);
  },
};

export const afterAWeek: Story = {
  name: "a-week-later",
  title: "The last device comes a week later",
  about: `Three devices have been complete for a week, and no session is left. D comes back from its owner's holiday
    and gets the task. It asks the subnet who holds the chunks and hears three answers. It is elected, for nobody else
    wants to lead; but it takes the whole package from its neighbours' caches.`,
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
    show("All of it came from its peers.", receivedFrom(world, "D", "peers") === 16);
    show("Nothing crossed the WAN.", wanChunks(world) === before);
  },
};

export const multicastSwitchedOff: Story = {
  name: "multicast-switched-off",
  title: "Multicast is switched off in the middle of a session",
  about: `An administrator sets useMulticast=false while A multicasts. A sends no more symbols; the peers take the rest
    from A and from one another by unicast. The download goes on, and what has come stays.`,
  world: { seed: 34, chunks: 64 },
  run(world, { comment, show }) {
    setProfile(world, "A", server);
    world.start();
    world.run(5_000);
    world.changeSetting({ useMulticast: false });
    comment("The new setting has reached everybody.");
    const before = receivedFrom(world, "B", "multicast");
    world.run(120_000, () => world.isAtRest);
    show("Everybody is complete.", world.allComplete);
    const [heard, fetched] = [receivedFrom(world, "B", "multicast"), receivedFrom(world, "B", "peers")];
    show("B kept what it had heard.", heard >= before && before > 20);
    show("B took the rest from its peers.", fetched > 20 && heard + fetched === 64);
    show("Nobody was elected anew.", countLines(world, /candidate → representative/) === 1);
    show("The package crossed the WAN once.", wanChunks(world) === 64);
  },
};

export const symbolsMissing: Story = {
  name: "symbols-do-not-arrive",
  title: "Announcements come through, symbols do not",
  about: `The switch forgets the group of the data behind D's port. D hears A's announcements, and that A multicasts,
    but for three seconds no symbol: so it takes what A holds, and what the others hold, by unicast, and goes back to
    multicast with the first symbol that arrives.`,
  world: { seed: 35, chunks: 128 },
  run(world, { comment, show }) {
    setProfile(world, "A", server);
    world.prune("D", "symbols");
    world.start();
    world.run(9_000);
    show("D takes chunks by unicast.", countLines(world, / D .* delivery +by unicast/) === 1);
    comment("The switch learns the group again.");
    world.prune("D", "nothing");
    world.run(120_000, () => world.isAtRest);
    show("Then it hears symbols again.", countLines(world, / D .* delivery +by multicast/) === 1);
    show(
      "D got chunks both ways.",
      receivedFrom(world, "D", "peers") > 0 && receivedFrom(world, "D", "multicast") > 0,
    );
    show("Everybody is complete.", world.allComplete);
    show("The package crossed the WAN once.", wanChunks(world) === 128);
  },
};

export const roaming: Story = {
  name: "roaming",
  title: "A laptop roams to another subnet",
  about: `D takes half of the package on its subnet, leaves with its cable pulled, and comes to another where its task's
    session is under way. It joins that session with what it has, and says so in its SEEK: the representative there
    takes from it what it has not downloaded yet.`,
  world: { seed: 36, devices: 6, subnets: 2, chunks: 64 },
  run(world, { comment, show }) {
    setProfile(world, "A", server);
    setProfile(world, "B", server);
    world.start("A", "C", "E");
    world.run(4_000);
    comment("On subnet 2 the task begins now.");
    world.start("B", "D", "F");
    world.run(1_000);
    const held = heldCount(world, "E");
    world.leave("E");
    world.run(1_500);
    world.join("E", 2);
    world.run(120_000, () => world.isAtRest);
    show("E was at work when it left.", held > 10 && held < 64);
    show("Everybody is complete.", world.allComplete);
    show("E took nothing over the WAN.", receivedFrom(world, "E", "wan") === 0);
    show(
      "E accepted each chunk once.",
      receivedFrom(world, "E", "multicast") + receivedFrom(world, "E", "peers") === 64,
    );
    const [, first, second] = world.checks.wan.accounts;
    const brought = receivedFrom(world, "B", "peers");
    show("The package crossed the WAN line of subnet 1 once.", first!.chunks === 64);
    show(
      "What E brought along, and B had not begun to download, did not cross the line of subnet 2.",
      brought > 0 && second!.chunks <= 64 - brought + 1,
    );
  },
};
