/**
 * Draws a world and its faults from a seed. Worlds are small, so that a sweep of a hundred thousand
 * takes minutes, and vary in shape. Values that the caller fixes (devices, subnets, faults) are not
 * drawn.
 */
import type { SecondSetting, WorldOptions } from "./context.ts";
import { faultNames, faults, injectedFaults, traits, type FaultName } from "./faults.ts";
import type { DeviceProfile } from "./machine.ts";
import { Random } from "./random.ts";
import { drawRunConditions, type RunConditions } from "./run-conditions.ts";
import { worldDefaults, World } from "./world.ts";

export type Choice = {
  readonly seed: number;
  readonly devices?: number | undefined;
  readonly subnets?: number | undefined;
  /** Faults that the seed draws from; undefined: all. */
  readonly faults?: readonly FaultName[] | undefined;
  readonly log?: boolean | undefined;
};

type Scenario = {
  readonly world: World;
  readonly faults: readonly FaultName[];
  /** World time at which the last fault ends. */
  readonly quietAtMs: number;
};

type Setting = Parameters<World["changeSetting"]>[0];

/** World time before which faults begin. The downloads of these worlds take 0.5 to 8 s. */
const activeMs = 20_000;
/**
 * Upper bound on faults of a world. The bounds of the checkers require undisturbed devices, and
 * rarely apply with more faults.
 */
const injectedMax = 6;
/** Share of worlds that have a trait, for each trait. */
const traitShare = 0.15;
/** Share of worlds whose command waits for windows, programs or users. */
const conditionsShare = 0.2;
/** Share of worlds in which every second device of a subnet has another setting. */
const secondSettingShare = 0.15;
/** Lowest `lanRate` that a setting accepts. */
const lanRateBpsMin = 64_000;

/** Use of a sender id: short, so that sessions see several of a device. */
const shortSenderMs = 20_000;

/** Creates the world of a seed, with its faults and the starts of its devices planned. */
export function createScenario(choice: Choice): Scenario {
  const random = new Random(choice.seed, "scenario");
  const drawn = drawFaults(random, choice.faults ?? faultNames);
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
    if (drawn.includes("mixed-ranks")) machine.profile = drawProfile(random);
    const startAtMs = isLate && random.chance(0.4) ? random.between(500, 40_000) : random.between(0, 300);
    at(startAtMs, () => world.start(machine.name));
  }
  for (const [index, name] of drawn.entries()) {
    if (!isInjected(name)) continue;
    const own = new Random(choice.seed, `fault ${index} ${name}`);
    const { subnets, symbolBytes } = options;
    faults[name]({ random: own, devices, subnets, activeMs, symbolBytes, at });
  }
  planSettings(drawn, new Random(choice.seed, "setting"), options, at);
  return { world, faults: drawn, quietAtMs };
}

/** Plans changes of the setting while sessions run; each is reverted within a minute. */
function planSettings(
  drawn: readonly FaultName[],
  random: Random,
  { useMulticast }: WorldOptions,
  at: (atMs: number, run: (world: World) => void) => void,
): void {
  const plan = (to: Setting, back: Setting): void => {
    const fromMs = random.between(0, activeMs);
    at(fromMs, (world) => world.changeSetting(to));
    at(fromMs + random.between(1_000, 60_000), (world) => world.changeSetting(back));
  };
  if (drawn.includes("setting")) plan({ useMulticast: !useMulticast }, { useMulticast });
  if (drawn.includes("wan-pause")) plan({ pausesDownloads: true }, { pausesDownloads: false });
}

const isInjected = (name: FaultName): name is keyof typeof faults =>
  injectedFaults.includes(name as keyof typeof faults);

/** Draws traits and up to six faults, some of them twice. One world in eight has only traits. */
function drawFaults(random: Random, from: readonly FaultName[]): FaultName[] {
  const injected = from.filter(isInjected);
  const drawn: FaultName[] = traits.filter((trait) => random.chance(traitShare) && from.includes(trait));
  if (injected.length === 0 || random.chance(0.12)) return drawn;
  for (let count = random.whole(1, injectedMax); count > 0; count--) drawn.push(random.pick(injected));
  return drawn;
}

function drawWorld(random: Random, choice: Choice, drawn: ReadonlySet<FaultName>): WorldOptions {
  const subnets = choice.subnets ?? random.pick([1, 1, 1, 2, 3]);
  // 4 % of the worlds have chunks of two blocks, with many more symbols per chunk.
  const hasBlocks = random.chance(0.04);
  const chunkBytes = hasBlocks ? 4_096 : random.pick([1_024, 1_024, 2_048]);
  const symbolBytes = hasBlocks ? 16 : random.pick([128, 128, 256]);
  const chunks = random.whole(4, hasBlocks ? 8 : 24);
  const packageBits = chunks * chunkBytes * 8;
  const options: WorldOptions = {
    ...worldDefaults,
    seed: choice.seed,
    devices: choice.devices ?? random.whole(2, 4 * subnets + 2),
    subnets,
    chunks,
    chunkBytes,
    symbolBytes,
    startDelayMs: random.pick([0, 500, 2_000, 5_000]),
    useMulticast: !drawn.has("no-multicast"),
    // Multicast and download take seconds each, so that faults happen during both.
    lanRateBps: Math.max(lanRateBpsMin, Math.round(packageBits / random.between(0.5, 6))),
    wanRateBps: Math.round(packageBits / random.between(0.5, 8)),
    wanFallback: random.chance(0.8) ? "last-resort" : "never",
    useDeputy: random.chance(0.8),
    startsWhenPresent: drawn.has("all-present"),
    drawsExitCodes: true,
    runConditions: drawConditions(new Random(choice.seed, "run conditions")),
    webIgnoresRange: drawn.has("no-ranges"),
    hasGoneUrl: new Random(choice.seed, "sites").chance(traitShare),
    hasLittleMemory: drawn.has("little-memory"),
    sharesManifest: drawn.has("shared-manifest"),
    skewPermille: drawn.has("skew") ? 50 : 0,
    senderMs: shortSenderMs,
    log: choice.log ?? false,
  };
  return { ...options, secondSetting: drawSecondSetting(options) };
}

const drawConditions = (random: Random): RunConditions | null =>
  random.chance(conditionsShare) ? drawRunConditions(random) : null;

/** Draws the differences of the other setting: taking part in the multicast, delay or rate. */
function drawSecondSetting({ seed, lanRateBps }: WorldOptions): SecondSetting | null {
  const random = new Random(seed, "second setting");
  if (!random.chance(secondSettingShare)) return null;
  return {
    ...(random.chance(0.5) ? { useMulticast: false } : {}),
    ...(random.chance(0.5) ? { startDelayMs: random.pick([0, 500, 5_000]) } : {}),
    ...(random.chance(0.5) ? { lanRateBps: Math.max(lanRateBpsMin, Math.round(lanRateBps / 2)) } : {}),
  };
}

const drawProfile = (random: Random): DeviceProfile => ({
  deviceClass: random.pick(["server", "desktop", "laptop", "unknown"] as const),
  medium: random.pick(["wired", "wired", "wireless", "other"] as const),
  onBattery: random.chance(0.15),
  load: random.next(),
  diskShare: random.next(),
  weight: random.pick([50, 50, 50, 0, 100, 80]),
  volunteer: random.chance(0.05),
});
