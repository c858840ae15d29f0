/**
 * The administrator of the year: publishes, creates, repeats and cancels tasks, gives tags, sites
 * and settings, makes backups, restores one, and renews certificates.
 */
import type { TaskCreate } from "../../shared/api/schema/admin.ts";
import { siteOf, type Fleet } from "./fleet.ts";
import { deviceIdOf, taskName, type Machine } from "./machine.ts";
import * as plan from "./plan.ts";
import type { ReportBook } from "./reports.ts";
import type { FleetSource } from "./source.ts";
import { WanWatch } from "./wan-watch.ts";

export type KnownTask = {
  readonly id: number;
  readonly name: string;
  readonly target: string;
  readonly action: string;
  readonly createdDay: number;
  readonly matches: (machine: Machine) => boolean;
};
type Wanted = Omit<TaskCreate, "setting" | "startAtMs"> &
  Pick<KnownTask, "matches"> & { readonly days: number };

const isAny = (): boolean => true;
const isIn =
  (...sites: readonly string[]) =>
  (machine: Machine): boolean =>
    sites.includes(siteOf(machine));
const isLab = (machine: Machine): boolean => machine.tags.has("lab") && siteOf(machine) !== "Bonn";

export class Administrator {
  readonly source: FleetSource;
  readonly book: ReportBook;
  readonly wan = new WanWatch();
  /** Every task by its name, also those that a restore has lost. */
  readonly tasks = new Map<string, KnownTask>();
  readonly counted = { restores: 0, backups: 0, certificates: 0, approvals: 0 };
  readonly #fleet: Fleet;
  readonly #startMs: number;
  #day = 0;

  constructor(source: FleetSource, book: ReportBook, fleet: Fleet) {
    this.source = source;
    this.book = book;
    this.#fleet = fleet;
    this.#startMs = source.clock.nowMs;
  }

  /** Does the work of a day. */
  async work(day: number): Promise<void> {
    this.#day = day;
    const { source } = this;
    if (day === 0) await this.#setUp();
    if (plan.backupDays.includes(day)) await this.#backUp();
    if (day === plan.restoreDay) await this.#restore();
    await this.#removeRetired();
    if (plan.certificateDays.includes(day)) {
      await source.certificateInUse();
      await source.renewCertificate();
      this.counted.certificates++;
    }
    if (day % 60 === 20) await source.admin.editSetting("careful", { set: { wanRateBps: 1_000_000 + day } });
    for (const [month, begin] of plan.versionDays.entries())
      await this.#workOnVersion(`${month + 1}.0`, month, day - begin);
  }

  async #setUp(): Promise<void> {
    const { admin } = this.source;
    for (const site of plan.sites) await admin.createSite(site);
    await admin.createSetting({ name: "careful", differences: { wanRateBps: 1_000_000 } });
    for (const tag of plan.tagNames) await admin.createGroup(tag);
    await admin.assignSetting({ setting: "careful", target: "tag=lab" });
    await admin.editSetting("default", { set: { deviceExpiryMs: 60 * plan.dayMs } });
  }

  async #backUp(): Promise<void> {
    // The account in the backup is the one of this moment.
    await this.wan.problems(this.source.admin);
    await this.source.backUp();
    this.book.backUp();
    this.wan.backUp();
    this.counted.backups++;
  }

  async #restore(): Promise<void> {
    await this.source.restore();
    this.book.restore();
    this.wan.restore();
    for (const machine of this.#fleet.machines) machine.checkIns = [];
    this.counted.restores++;
    // The bytes of later versions are not in the backup.
    for (const [month, day] of plan.versionDays.entries())
      if (day < this.#day)
        for (const name of plan.packageNames) await this.source.publish(name, `${month + 1}.0`);
    await this.tidy();
  }

  /** Removes the devices of retired machines, and again those that a restore brought back. */
  async #removeRetired(): Promise<void> {
    const retired = this.#fleet.machines.filter(
      ({ service }) => service === "retired" || service === "removed",
    );
    if (retired.length === 0) return;
    const ids = new Set(retired.map(deviceIdOf));
    const { admin } = this.source;
    for (const { id } of await admin.devices()) if (ids.has(id)) await admin.removeDevice(id);
  }

  /** Creates, repeats and cancels the tasks of a version. @param day since its publication */
  async #workOnVersion(version: string, month: number, day: number): Promise<void> {
    const tool = { package: `tool@${version}`, action: "run", command: "install" } as const;
    const driver = { ...tool, package: `driver@${version}` };
    if (day === 0) {
      for (const name of plan.packageNames) await this.source.publish(name, version);
      await this.#create({
        ...tool,
        target: "tag=pilot",
        days: 25,
        matches: ({ tags }) => tags.has("pilot"),
      });
    }
    if (day === 1)
      await this.#create({
        ...driver,
        action: "pre-cache",
        command: null,
        target: "all",
        days: 20,
        matches: isAny,
      });
    if (day === 4)
      await this.#create({
        ...tool,
        target: "site=Kiel or site=Ulm",
        days: 40,
        matches: isIn("Kiel", "Ulm"),
      });
    if (day === 5) {
      const lab = { target: "tag=lab and not site=Bonn", matches: isLab };
      await this.#create({ ...driver, ...lab, days: month % 2 === 0 ? 30 : 3 });
    }
    if (day === 6 && month % 3 === 0) await this.#cancelLast();
    if (day === 7) await this.#create({ ...tool, target: "all", days: 45, matches: isAny });
    if (day === 14 || day === 21) await this.#retryFailed();
  }

  async #create({ matches, days: lifeDays, ...wanted }: Wanted): Promise<void> {
    const { clock, admin } = this.source;
    const lastMs = this.#startMs + (plan.days - 2) * plan.dayMs;
    const expiresAtMs = Math.min(clock.nowMs + lifeDays * plan.dayMs, lastMs);
    clock.nowMs += 1_000;
    const { taskId } = await admin.createTask({ ...wanted, setting: null, startAtMs: null, expiresAtMs });
    const name = taskName({ id: taskId, createdAtMs: clock.nowMs });
    const { target, action } = wanted;
    this.tasks.set(name, { id: taskId, name, target, action, createdDay: this.#day, matches });
  }

  async #cancelLast(): Promise<void> {
    const open = (await this.source.admin.tasks()).filter(({ state }) => state === "running");
    const last = open.find(({ id }) => id === Math.max(...open.map((task) => task.id)));
    if (last !== undefined) await this.source.admin.changeTask(last.id, "cancel");
  }

  async #retryFailed(): Promise<void> {
    const { admin } = this.source;
    for (const task of await admin.tasks()) {
      if (task.state !== "running" || task.devices.failed === 0) continue;
      await admin.retryTask(task.id);
      this.book.retry(taskName(task));
    }
  }

  /** Gives devices the tags of their machines, and subnets their sites. */
  async tidy(): Promise<void> {
    const { admin } = this.source;
    const devices = new Map((await admin.devices()).map((device) => [device.id, device]));
    for (const machine of this.#fleet.inService) {
      const device = devices.get(deviceIdOf(machine) ?? "");
      if (device === undefined) continue;
      if (device.state === "suspended") {
        await admin.approveDevice(device.id);
        machine.checkIns = [];
        this.counted.approvals++;
      }
      const add = [...machine.tags].filter((tag) => !device.tags.includes(tag));
      const remove = device.tags.filter((tag) => !machine.tags.has(tag));
      if (add.length + remove.length === 0) continue;
      await admin.changeTags({ devices: `device=${device.id}`, add, remove });
      machine.checkIns = [];
    }
    for (const { id, cidr, site } of await admin.subnets()) {
      const wanted = siteOf({ subnet: Number(cidr.split(".")[1]) });
      if (site !== wanted) await admin.labelSubnet(id, { site: wanted });
    }
  }
}
