/**
 * A Linux system that a test may change: systemd runs as its first process, in namespaces of its
 * own. Without further words it is a copy of this machine, whose files are an overlay in memory and
 * whose only network is loopback. Needs root, systemd and util-linux; nothing of it is left when it
 * is closed, except what it wrote into an image of its own.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { launch, logTail, runToEnd, type Output, type RunningProgram } from "./process.ts";

/** Program → Debian package. */
export const systemPrograms: Readonly<Record<string, string>> = {
  "/lib/systemd/systemd": "systemd",
  unshare: "util-linux",
  nsenter: "util-linux",
};

/** Target that starts the journal and the named units, and nothing else. */
const target = (units: readonly string[]): string => `[Unit]
Description=system of a test
Wants=${["systemd-journald.service", ...units].join(" ")}
AllowIsolate=yes
`;

type Shape = {
  /** Folder with the files of a system. Default: those of this machine. */
  readonly image?: string;
  /** Whether the system writes into the image; otherwise its changes stay in memory. */
  readonly writesImage?: boolean;
  /** Network namespace that it runs in. Default: one of its own, with loopback alone. */
  readonly network?: string;
  /** Units that it starts. */
  readonly units?: readonly string[];
};

/** Units of the machine that would wait for hardware or a network that the copy does not have. */
const masked = [
  "systemd-networkd-wait-online.service",
  "NetworkManager-wait-online.service",
  "systemd-udevd.service",
  "systemd-udev-trigger.service",
  "systemd-resolved.service",
  "systemd-timesyncd.service",
  "systemd-firstboot.service",
  "modprobe@.service",
];

/** Mounts the copy in $1 and starts systemd in it. */
const boot = `set -e
root=$1/root
mount --make-rprivate /
mount -t tmpfs tmpfs "$1"
mkdir -p "$1/changes" "$1/work" "$root"
if [ "$WRITES" = yes ]; then
  mount --bind "$IMAGE" "$root"
else
  mount -t overlay overlay -o "lowerdir=$IMAGE,upperdir=$1/changes,workdir=$1/work" "$root"
fi
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
mount --bind /dev "$root/dev"
mount -t sysfs sysfs "$root/sys"
mount -t cgroup2 none "$root/sys/fs/cgroup"
units="$root/run/systemd/system"
mkdir -p "$units"
printf '%s' "$TARGET" > "$units/copy.target"
for unit in $MASKED; do ln -sf /dev/null "$units/$unit"; done
rm -f "$root/usr/sbin/policy-rc.d"
ip link set lo up
exec env -i container=copy "PATH=$PATH" chroot "$root" /lib/systemd/systemd --unit=copy.target --show-status=0
`;

/** Puts this process into a control group of its own ($2), and the rest into namespaces. */
const enter = `set -e
mount --make-rprivate /
mount -t cgroup2 none "$1"
mkdir "$1/$2"
echo $$ > "$1/$2/cgroup.procs"
umount "$1"
set -- /bin/sh -c "$BOOT" boot "$1"
if [ -n "$NETWORK" ]; then
  set -- nsenter "--net=/run/netns/$NETWORK" unshare $NAMESPACES "$@"
else
  set -- unshare --net $NAMESPACES "$@"
fi
exec "$@"
`;

/** Words of unshare. The first process of the system is a child of it. */
const namespaces = "--cgroup --pid --fork --kill-child --mount --uts --ipc";

/** Removes the control groups, which are empty after the end of the copy. */
const leave = `mount -t cgroup2 none "$1" && find "$1/$2" -depth -type d -exec rmdir {} \\;`;

export type System = {
  /** Runs a command in the system. */
  readonly run: (...command: readonly string[]) => Promise<Output>;
  /** Runs a command that has to succeed. @throws Error with its output */
  readonly outputOf: (...command: readonly string[]) => Promise<string>;
  /** Path by which this process reaches a file of the system. */
  readonly pathOf: (path: string) => string;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
};

const startMsMax = 60_000;

/** @throws Error with the log when the system does not start */
export async function openSystem(shape: Shape = {}): Promise<System> {
  const folder = await mkdtemp(join(tmpdir(), "flockcast-system-"));
  const mountPoint = join(folder, "mount");
  const group = folder.split("/").at(-1)!;
  await runToEnd(["mkdir", mountPoint]);
  const program = launch({
    name: "system",
    command: ["unshare", "--mount", "/bin/sh", "-c", enter, "enter", mountPoint, group],
    logFile: join(folder, "log"),
    env: {
      BOOT: boot,
      NAMESPACES: namespaces,
      TARGET: target(shape.units ?? []),
      MASKED: masked.join(" "),
      IMAGE: shape.image ?? "/",
      WRITES: shape.writesImage === true ? "yes" : "no",
      NETWORK: shape.network ?? "",
    },
  });
  const dispose = async (): Promise<void> => {
    // The first process of the system ends with the program that made its namespace.
    await program.stop("SIGKILL");
    await runToEnd(["unshare", "--mount", "/bin/sh", "-c", leave, "leave", mountPoint, group]);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const init = await untilBooted(program);
    const words = ["nsenter", "-t", init, "-m", "-p", "-n", "-C", "-u", "-i", "-r", "-w"];
    const run = (...command: readonly string[]) =>
      runToEnd([...words, "env", "-i", `PATH=${systemPath}`, "LANG=C.UTF-8", ...command]);
    return {
      run,
      outputOf: async (...command) => {
        const { status, stdout, stderr } = await run(...command);
        if (status === 0) return stdout;
        throw new Error(`"${command.join(" ")}" ended with status ${status}: ${stdout}${stderr}`);
      },
      pathOf: (path) => join("/proc", init, "root", path),
      [Symbol.asyncDispose]: dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

const systemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Returns the id of the system's first process. */
async function untilBooted(program: RunningProgram): Promise<string> {
  for (const untilMs = performance.now() + startMsMax; performance.now() < untilMs; await Bun.sleep(50)) {
    if (program.exitStatus() !== null) break;
    const children = await readFile(`/proc/${program.pid}/task/${program.pid}/children`, "utf8");
    const init = children.trim().split(" ")[0]!;
    if (init === "") continue;
    const words = ["nsenter", "-t", init, "-m", "-p", "-r", "-w", "systemctl", "is-system-running"];
    const { stdout } = await runToEnd(words);
    if (/^(running|degraded)/.test(stdout)) return init;
  }
  throw new Error(`The copy of the system does not start:\n${await logTail(program, 30)}`);
}
