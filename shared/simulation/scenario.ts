/**
 * What a seed stands for: a world, and what goes wrong in it. Small worlds of every shape, so that a hundred thousand of
 * them can be run; what the caller fixes (devices, subnets, faults …) is not drawn.
 */
import { worldDefaults, World } from "./world.ts";
import type { Mutation, WorldOptions } from "./env.ts";
import { faultNames, faults, strikingFaults, traits, type FaultName } from "./faults.ts";
import { Random } from "./random.ts";

export type Choice = {
  readonly seed: number;
  readonly devices?: number | undefined;
  readonly subnets?: number | undefined;
  /** Of these the seed draws some; undefined: of all. */
  readonly faults?: readonly FaultName[] | undefined;
  readonly mutation?: Mutation | undefined;
  readonly log?: boolean | undefined;
};

export type Scenario = {
  readonly world: World;
  readonly faults: readonly FaultName[];
  /** The last fault is over. */
  readonly quietAtMs: number;
};

const activeMs = 20_000;
/** Together at most: with more, little is left that could be wrong. */
const strikesMax = 6;

/** The world of a seed, with its faults planned and its devices waiting for their start. */
export function createScenario(choice: Choice): Scenario {
  const random = new Random(choice.seed, "scenario");
  // From a stream of its own, as the deputy: what other seeds showed stays what it was.
  const setting = new Random(choice.seed, "setting");
  const drawn = drawFaults({ random, setting }, choice.faults ?? faultNames);
  const options = drawWorld(random, choice, new Set(drawn));
  const world = new World(options);
  let quietAtMs = 0;
  const at = (atMs: number, run: (world: World) => void): void => {
    quietAtMs = Math.max(quietAtMs, atMs);
    world.at(atMs, () => run(world));
  };
  const devices = world.machines.map(({ name }) => name);
  const isLate = drawn.includes("late");
  for (const machine of world.machines) {
    if (drawn.includes("mixed-ranks")) machine.character = drawCharacter(random);
    const startAtMs = isLate && random.chance(0.4) ? random.between(500, 40_000) : random.between(0, 300);
    at(startAtMs, () => world.start(machine.name));
  }
  for (const [index, name] of drawn.entries()) {
    if (!isStriking(name)) continue;
    const own = new Random(choice.seed, `fault ${index} ${name}`);
    const { subnets, symbolBytes } = options;
    faults[name]({ random: own, devices, subnets, activeMs, symbolBytes, at });
  }
  if (drawn.includes("setting")) {
    const { useMulticast } = options;
    const fromMs = setting.between(0, activeMs);
    at(fromMs, () => world.setMulticast(!useMulticast));
    at(fromMs + setting.between(1_000, 60_000), () => world.setMulticast(useMulticast));
  }
  return { world, faults: drawn, quietAtMs };
}

const isStriking = (name: FaultName): name is keyof typeof faults =>
  strikingFaults.includes(name as keyof typeof faults);

/** A few of them, some twice; one world in eight is calm. */
function drawFaults(
  { random, setting }: { random: Random; setting: Random },
  from: readonly FaultName[],
): FaultName[] {
  const striking = from.filter(isStriking);
  const drawn: FaultName[] = traits.filter(
    (trait) => from.includes(trait) && (trait === "setting" ? setting : random).chance(0.2),
  );
  if (striking.length === 0 || random.chance(0.12)) return drawn;
  for (let count = random.whole(1, strikesMax); count > 0; count--) drawn.push(random.pick(striking));
  return drawn;
}

function drawWorld(random: Random, choice: Choice, drawn: ReadonlySet<FaultName>): WorldOptions {
  const subnets = choice.subnets ?? random.pick([1, 1, 1, 2, 3]);
  const chunkBytes = random.pick([512, 1_024, 1_024, 2_048]);
  // Two blocks and more in a chunk, at times.
  const symbolBytes = random.chance(0.1) ? 16 : random.pick([64, 128, 128, 256]);
  const chunks = random.whole(4, 24);
  const packageBits = chunks * chunkBytes * 8;
  return {
    ...worldDefaults,
    seed: choice.seed,
    devices: choice.devices ?? random.whole(2, 4 * subnets + 2),
    subnets,
    chunks,
    chunkBytes,
    symbolBytes,
    startDelayMs: random.pick([0, 500, 2_000, 5_000]),
    useMulticast: !drawn.has("no-multicast"),
    // Some seconds each, so that much can come between.
    lanRateBps: Math.round(packageBits / random.between(0.5, 6)),
    wanRateBps: Math.round(packageBits / random.between(0.5, 8)),
    wanFallback: random.chance(0.8) ? "last-resort" : "never",
    // From a stream of its own: what other seeds showed stays what it was.
    useDeputy: new Random(choice.seed, "deputy").chance(0.8),
    skewPermille: drawn.has("skew") ? 50 : 0,
    log: choice.log ?? false,
    mutation: choice.mutation ?? null,
  };
}

const drawCharacter = (random: Random) => ({
  deviceClass: random.pick(["server", "desktop", "laptop", "unknown"] as const),
  medium: random.pick(["wired", "wired", "wireless", "other"] as const),
  onBattery: random.chance(0.15),
  load: random.next(),
  diskShare: random.next(),
  weight: random.pick([50, 50, 50, 0, 100, 80]),
  volunteer: random.chance(0.05),
});
