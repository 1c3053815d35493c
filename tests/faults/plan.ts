/*
 * Which fault happens when: a schedule that a seed determines.
 */
import { makeRandom, type Random } from "../../src/learn/random.ts";
import type { LinkMode } from "./proxy.ts";

export const SERVERS = ["postgres", "redis", "s3"] as const;
export type ServerName = (typeof SERVERS)[number];
/** What a replica is linked to. */
export const LINKS = [...SERVERS, "exchange"] as const;
export type LinkName = (typeof LINKS)[number];
/** `fast` and `immediate` are Postgres's words; others know the difference of TERM and KILL. */
export type Ending = "fast" | "immediate" | "killed";

/** `ms` is how long it lasts; a replica is a number from 0. */
export type Fault =
  | { readonly kind: "replica-killed"; readonly replica: number; readonly ms: number }
  | { readonly kind: "replica-stalled"; readonly replica: number; readonly ms: number }
  | {
      readonly kind: "server-stopped";
      readonly server: ServerName;
      readonly how: Ending;
      readonly ms: number;
    }
  | { readonly kind: "server-stalled"; readonly server: ServerName; readonly ms: number }
  | {
      readonly kind: "link";
      readonly replica: number;
      readonly link: LinkName;
      readonly mode: Exclude<LinkMode, "open">;
      readonly ms: number;
    }
  | { readonly kind: "disk-full"; readonly disk: number | "s3"; readonly ms: number }
  /** The exchange's time is so many slots further than it should be, for good. */
  | { readonly kind: "clock-forward"; readonly slots: number; readonly ms: 0 }
  /** It goes back so far, over the slot's begin, and after `ms` it is right again. */
  | { readonly kind: "clock-back"; readonly backMs: number; readonly ms: number };
export type FaultKind = Fault["kind"];

export interface Planned {
  /** In which step of the replay, from 0; each lets the clock go one slot further. */
  readonly step: number;
  /** How long after the step's begin. */
  readonly afterMs: number;
  readonly fault: Fault;
}

export interface PlanOptions {
  readonly seed: number;
  readonly steps: number;
  readonly replicas: number;
  /** Only faults of these kinds; all where it is absent. */
  readonly kinds?: readonly FaultKind[];
}

/** Longer than a lease: another takes over what the one that is stalled still believes to hold. */
export const LONG_STALL_MS = 68_000;
/** Steps without a fault at the beginning and at the end. */
export const QUIET_STEPS = 2;
const AFTER_MS = 2_500;

/** Faults in order of time, about four in five steps, each kind in its turn. */
export function planOf({ seed, steps, replicas, kinds }: PlanOptions): readonly Planned[] {
  const random = makeRandom(seed);
  const room = steps - 2 * QUIET_STEPS;
  const wanted = Math.max(0, Math.floor(room * 0.85));
  const faults: Fault[] = [];
  while (faults.length < wanted) {
    const deck = deckOf(random, replicas).filter(({ kind }) => kinds?.includes(kind) ?? true);
    if (deck.length === 0) break;
    faults.push(...shuffled(deck, random));
  }
  return faults
    .slice(0, wanted)
    .map((fault, i) => ({
      step: QUIET_STEPS + Math.floor(((i + random.next()) * room) / wanted),
      afterMs: fault.kind === "clock-forward" ? 0 : random.integer(AFTER_MS),
      fault,
    }))
    .sort((a, b) => a.step - b.step || a.afterMs - b.afterMs);
}

/** One of everything, and more of what is worth more than one try. */
function deckOf(random: Random, replicas: number): Fault[] {
  const some = (least: number, most: number) => least + random.integer(most - least);
  const anyone = () => random.integer(replicas);
  const stopped = (server: ServerName, how: Ending): Fault => ({
    ...({ kind: "server-stopped", server, how } as const),
    ms: some(1_000, 6_000),
  });
  const stalled = (server: ServerName): Fault => ({
    ...({ kind: "server-stalled", server } as const),
    ms: some(2_000, 8_000),
  });
  const modes = ["cut", "refused", "slow", "hole"] as const;
  return [
    ...Array.from({ length: 7 }, (): Fault => {
      return { kind: "replica-killed", replica: anyone(), ms: some(200, 3_000) };
    }),
    { kind: "replica-stalled", replica: anyone(), ms: some(3_000, 8_000) },
    { kind: "replica-stalled", replica: anyone(), ms: LONG_STALL_MS },
    ...(["fast", "immediate", "immediate", "killed"] as const).map((h) => stopped("postgres", h)),
    ...(["fast", "killed"] as const).flatMap((h) => [stopped("redis", h), stopped("s3", h)]),
    ...[...SERVERS, "postgres" as const, "s3" as const].map(stalled),
    ...LINKS.flatMap((link) =>
      modes.map((mode): Fault => {
        const ms = mode === "hole" ? some(6_000, 14_000) : some(2_000, 8_000);
        return { kind: "link", replica: anyone(), link, mode, ms };
      }),
    ),
    { kind: "disk-full", disk: "s3", ms: some(4_000, 9_000) },
    { kind: "disk-full", disk: anyone(), ms: some(4_000, 9_000) },
    { kind: "disk-full", disk: anyone(), ms: some(4_000, 9_000) },
    { kind: "clock-forward", slots: some(2, 5), ms: 0 },
    { kind: "clock-forward", slots: some(5, 9), ms: 0 },
    { kind: "clock-back", backMs: some(20_000, 90_000), ms: some(1_500, 4_000) },
    { kind: "clock-back", backMs: some(20_000, 90_000), ms: some(1_500, 4_000) },
  ];
}

function shuffled<Item>(items: readonly Item[], random: Random): Item[] {
  const out = [...items];
  for (let i = out.length - 1; i > 0; i--) {
    const j = random.integer(i + 1);
    [out[i], out[j]] = [out[j]!, out[i]!];
  }
  return out;
}

/** A fault in a few words. */
export function described(fault: Fault): string {
  const during = `for ${(fault.ms / 1_000).toFixed(1)} s`;
  switch (fault.kind) {
    case "replica-killed":
      return `kill -9 of replica ${fault.replica + 1}, started anew after ${fault.ms} ms`;
    case "replica-stalled":
      return `replica ${fault.replica + 1} stalled ${during}`;
    case "server-stopped":
      if (fault.how === "killed") return `${fault.server} killed ${during}`;
      return `${fault.server} stopped (${fault.how}) ${during}`;
    case "server-stalled":
      return `${fault.server} stalled ${during}`;
    case "link":
      return `link of replica ${fault.replica + 1} to ${fault.link}: ${fault.mode} ${during}`;
    case "disk-full": {
      const whose = fault.disk === "s3" ? "the S3 server" : `replica ${fault.disk + 1}`;
      return `disk of ${whose} full ${during}`;
    }
    case "clock-forward":
      return `clock jumps ${fault.slots} slots forward`;
    case "clock-back":
      return `clock ${fault.backMs / 1_000} s back ${during}`;
  }
}
