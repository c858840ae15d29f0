/** Stories of how the bytes get to everybody. */
import { cameFrom, crossed, heldBy, makeIt, roleOf, server, timesTold, type Story } from "./story.ts";

export const repairs: Story = {
  name: "repairs",
  title: "A lossy subnet: one repair mends many losses",
  about: `Three datagrams of a hundred are lost, at each device others. After every END a device says how many symbols
    it lacks of which block, unless it overheard another who lacks as much. A sends so many repair symbols once: one
    of them mends a different loss at each device.`,
  world: { seed: 31, devices: 6, chunks: 32 },
  tell(world, { shows }) {
    makeIt(world, "A", server);
    world.conditions(1, { loss: 0.03 });
    world.start();
    world.run(120_000, () => world.isAtRest);
    shows("Everybody is complete.", world.allComplete);
    shows("Somebody asked for symbols.", timesTold(world, / NEED .* symbols of /) > 0);
    const mostly = ["B", "C", "D", "E", "F"].filter((name) => cameFrom(world, name, "multicast") >= 28);
    shows("Nearly everything came by multicast, except to the deputy.", mostly.length === 4);
    shows("The package crossed the WAN once.", crossed(world) === 32);
  },
};

export const lateJoiner: Story = {
  name: "late-joiner",
  title: "A late joiner",
  about: `E gets the task when the multicast is half over. It does not rewind the stream: it caches what it hears from
    then on. When everything has been sent it asks who holds the rest, and takes that from the others by unicast.`,
  world: { seed: 32, devices: 5, chunks: 64 },
  tell(world, { says, shows }) {
    makeIt(world, "A", server);
    world.start("A", "B", "C", "D");
    world.run(5_000);
    says("E comes to its desk.");
    world.start("E");
    world.run(120_000, () => world.isAtRest);
    shows("Everybody is complete.", world.allComplete);
    const [heard, fetched] = [cameFrom(world, "E", "multicast"), cameFrom(world, "E", "peers")];
    shows("E heard the second half by multicast.", heard > 20);
    shows("E took the first half from its peers.", fetched > 20 && heard + fetched === 64);
    shows("The package crossed the WAN once.", crossed(world) === 64);
  },
};

export const afterAWeek: Story = {
  name: "a-week-later",
  title: "The last device comes a week later",
  about: `Three devices have been complete for a week, and no session is left. D comes back from its owner's holiday
    and gets the task. It asks the subnet who holds the chunks and hears three answers. It is elected, for nobody else
    wants to lead; but it takes the whole package from its neighbours' caches.`,
  world: { seed: 33 },
  tell(world, { says, shows }) {
    makeIt(world, "A", server);
    world.start("A", "B", "C");
    world.run(60_000, () => world.isAtRest);
    const before = crossed(world);
    world.run(7 * 24 * 3_600_000 - world.nowMs);
    says("A week later.");
    world.start("D");
    world.run(60_000, () => world.isAtRest);
    shows("D is complete.", roleOf(world, "D") === "done" && heldBy(world, "D") === 16);
    shows("All of it came from its peers.", cameFrom(world, "D", "peers") === 16);
    shows("Nothing crossed the WAN.", crossed(world) === before);
  },
};

export const multicastSwitchedOff: Story = {
  name: "multicast-switched-off",
  title: "Multicast is switched off in the middle of a session",
  about: `An administrator sets useMulticast=false while A multicasts. A sends no more symbols; the peers take the rest
    from A and from one another by unicast. The download goes on, and what has come stays.`,
  world: { seed: 34, chunks: 64 },
  tell(world, { says, shows }) {
    makeIt(world, "A", server);
    world.start();
    world.run(5_000);
    world.changeSetting({ useMulticast: false });
    says("The new setting has reached everybody.");
    const before = cameFrom(world, "B", "multicast");
    world.run(120_000, () => world.isAtRest);
    shows("Everybody is complete.", world.allComplete);
    const [heard, fetched] = [cameFrom(world, "B", "multicast"), cameFrom(world, "B", "peers")];
    shows("B kept what it had heard.", heard >= before && before > 20);
    shows("B took the rest from its peers.", fetched > 20 && heard + fetched === 64);
    shows("Nobody was elected anew.", timesTold(world, /candidate → representative/) === 1);
    shows("The package crossed the WAN once.", crossed(world) === 64);
  },
};

export const symbolsMissing: Story = {
  name: "symbols-do-not-arrive",
  title: "Announcements come through, symbols do not",
  about: `The switch forgets the group of the data behind D's port. D hears A's announcements, and that A multicasts,
    but for three seconds no symbol: so it takes what A holds, and what the others hold, by unicast, and goes back to
    multicast with the first symbol that arrives.`,
  world: { seed: 35, chunks: 128 },
  tell(world, { says, shows }) {
    makeIt(world, "A", server);
    world.prune("D", "symbols");
    world.start();
    world.run(9_000);
    shows("D takes chunks by unicast.", timesTold(world, / D .* delivery +by unicast/) === 1);
    says("The switch learns the group again.");
    world.prune("D", "nothing");
    world.run(120_000, () => world.isAtRest);
    shows("Then it hears symbols again.", timesTold(world, / D .* delivery +by multicast/) === 1);
    shows(
      "D got chunks both ways.",
      cameFrom(world, "D", "peers") > 0 && cameFrom(world, "D", "multicast") > 0,
    );
    shows("Everybody is complete.", world.allComplete);
    shows("The package crossed the WAN once.", crossed(world) === 128);
  },
};

export const roaming: Story = {
  name: "roaming",
  title: "A laptop roams to another subnet",
  about: `D takes half of the package on its subnet, leaves with its cable pulled, and comes to another where its task's
    session is under way. It joins that session with what it has, and says so in its SEEK: the representative there
    takes from it what it has not downloaded yet.`,
  world: { seed: 36, devices: 6, subnets: 2, chunks: 64 },
  tell(world, { says, shows }) {
    makeIt(world, "A", server);
    makeIt(world, "B", server);
    world.start("A", "C", "E");
    world.run(4_000);
    says("On subnet 2 the task begins now.");
    world.start("B", "D", "F");
    world.run(1_000);
    const held = heldBy(world, "E");
    world.leave("E");
    world.run(1_500);
    world.join("E", 2);
    world.run(120_000, () => world.isAtRest);
    shows("E was at work when it left.", held > 10 && held < 64);
    shows("Everybody is complete.", world.allComplete);
    shows("E took nothing over the WAN.", cameFrom(world, "E", "wan") === 0);
    shows(
      "E accepted each chunk once.",
      cameFrom(world, "E", "multicast") + cameFrom(world, "E", "peers") === 64,
    );
    const [, first, second] = world.checks.wan.accounts;
    const brought = cameFrom(world, "B", "peers");
    shows("The package crossed the WAN line of subnet 1 once.", first!.chunks === 64);
    shows(
      "What E brought along, and B had not begun to download, did not cross the line of subnet 2.",
      brought > 0 && second!.chunks <= 64 - brought + 1,
    );
  },
};
