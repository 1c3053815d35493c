/*
 * Makes faults happen and undoes them, one at a time at each place, and remembers when that was.
 */
import { reasonOf } from "../../src/errors.ts";
import type { SimulatedExchange } from "../../src/market/simulated.ts";
import { described, type Fault } from "./plan.ts";
import type { Replica } from "./replicas.ts";
import type { Servers } from "./servers.ts";

export interface FaultEntry {
  readonly step: number;
  readonly fault: Fault;
  /** As `Date.now()` tells it; infinite while it lasts. */
  readonly from: number;
  to: number;
  /** Why it could not be made, or null. */
  skipped: string | null;
}

export interface Injector {
  readonly entries: readonly FaultEntry[];
  /** Lets a fault happen after so long; one at the same place that lasts is waited for. */
  begin(step: number, afterMs: number, fault: Fault): void;
  /** Whether a fault, or what it needs to heal, overlaps with the time between. */
  disturbed(from: number, to: number, healMs: number): boolean;
  /** Resolves when every fault that was begun has been undone; rejects when one could not be. */
  settled(): Promise<void>;
}

export interface InjectorDeps {
  readonly replicas: readonly Replica[];
  readonly servers: Servers;
  readonly exchange: SimulatedExchange;
  /** The S3 server's disk. */
  readonly disk: { fill(): boolean; free(): void };
  readonly say: (line: string) => void;
}

export function makeInjector(deps: InjectorDeps): Injector {
  const entries: FaultEntry[] = [];
  const places = new Map<string, Promise<void>>();
  const all: Promise<void>[] = [];

  async function happen(step: number, fault: Fault): Promise<void> {
    const entry: FaultEntry = {
      step,
      fault,
      from: Date.now(),
      to: Number.POSITIVE_INFINITY,
      skipped: null,
    };
    entries.push(entry);
    deps.say(described(fault));
    try {
      entry.skipped = await perform(fault, deps);
      if (entry.skipped !== null) deps.say(`  skipped: ${entry.skipped}`);
    } finally {
      entry.to = Date.now();
    }
  }

  return {
    entries,
    begin: (step, afterMs, fault) => {
      const place = placeOf(fault);
      const before = places.get(place) ?? Promise.resolve();
      const work = (async () => {
        await Bun.sleep(afterMs);
        // A fault that failed is told once, by `settled`.
        await before.catch(() => {});
        await happen(step, fault).catch((thrown) => {
          throw new Error(`${described(fault)}: ${reasonOf(thrown)}`);
        });
      })();
      work.catch(() => {});
      places.set(place, work);
      all.push(work);
    },
    disturbed: (from, to, healMs) =>
      entries.some((entry) => entry.from <= to && from <= entry.to + healMs),
    settled: async () => void (await Promise.all(all)),
  };
}

/** Faults of one place exclude each other. */
function placeOf(fault: Fault): string {
  if (fault.kind === "link") return `${fault.replica} ${fault.link}`;
  if (fault.kind === "disk-full") return `disk ${fault.disk}`;
  if ("replica" in fault) return `${fault.replica}`;
  return "server" in fault ? fault.server : "clock";
}

/** Does it and undoes it; a reason where it cannot be done here. */
async function perform(fault: Fault, deps: InjectorDeps): Promise<string | null> {
  const { replicas, servers, exchange } = deps;
  const wait = () => Bun.sleep(fault.ms);
  switch (fault.kind) {
    case "replica-killed": {
      const replica = replicas[fault.replica]!;
      await replica.kill();
      await wait();
      replica.start();
      return null;
    }
    case "replica-stalled":
      return between(wait, replicas[fault.replica]!.stall, replicas[fault.replica]!.resume);
    case "server-stopped": {
      const server = servers.each[fault.server];
      await server.stop(fault.how);
      await wait();
      await server.start();
      return null;
    }
    case "server-stalled":
      return between(wait, servers.each[fault.server].stall, servers.each[fault.server].resume);
    case "link": {
      const link = replicas[fault.replica]!.links[fault.link];
      return between(
        wait,
        () => link.set(fault.mode),
        () => link.set("open"),
      );
    }
    case "disk-full": {
      const disk = fault.disk === "s3" ? deps.disk : replicas[fault.disk]!.disk;
      if (!disk.fill()) return "the disk is not ours to fill";
      return between(
        wait,
        () => {},
        () => disk.free(),
      );
    }
    case "clock-forward":
      // The replay's loop moves the clock: it must know of the slots that are left out.
      return null;
    case "clock-back":
      return between(
        wait,
        () => exchange.advance(-fault.backMs),
        () => exchange.advance(fault.backMs),
      );
  }
}

async function between(wait: () => Promise<void>, make: () => void, undo: () => void) {
  make();
  await wait();
  undo();
  return null;
}
