/*
 * The replicas: processes of the binary on the same servers, each behind links of its own.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../../scripts/services/process.ts";
import { type Launched, launch } from "../served.ts";
import { type Disk, openDisk } from "./disk.ts";
import type { LinkName } from "./plan.ts";
import { type Link, openLink } from "./proxy.ts";
import type { Servers } from "./servers.ts";

export type Role = "all" | "web" | "worker";

export interface Replica {
  /** From 1. */
  readonly number: number;
  readonly role: Role;
  readonly url: string;
  readonly links: Readonly<Record<LinkName, Link>>;
  readonly disk: Disk;
  start(): void;
  kill(): Promise<void>;
  stall(): void;
  resume(): void;
  /** SIGTERM, and the exit code. */
  stop(): Promise<number>;
  /** Whether a process was started and neither killed nor stopped since. */
  isUp(): boolean;
  /** How often it ended by itself, each time with its last word. */
  deaths(): readonly Death[];
  /** What each of its lives logged. */
  lives(): readonly Launched[];
  close(): Promise<void>;
}

export interface Death {
  /** Whether it had never come to serve: a server was away, and a supervisor tries again. */
  readonly isStart: boolean;
  readonly reason: string;
}

export interface ReplicaOptions {
  readonly number: number;
  readonly role: Role;
  readonly folder: string;
  readonly hasDisk: boolean;
  readonly servers: Servers;
  readonly exchangePort: number;
  readonly models: string;
}

/** As a supervisor has it: `restart: always`. */
const RESTART_MS = 1_000;

/** Opens the links of a replica; `start` starts it, and again whenever it ends by itself. */
export async function openReplica(options: ReplicaOptions): Promise<Replica> {
  const { number, role, servers } = options;
  const home = join(options.folder, `replica-${number}`);
  const disk = openDisk(home, options.hasDisk);
  const { postgres, redis, s3 } = servers.each;
  const links: Record<LinkName, Link> = {
    postgres: await openLink({ to: postgres.port }),
    redis: await openLink({ to: redis.port }),
    s3: await openLink({ to: s3.port }),
    exchange: await openLink({ to: options.exchangePort }),
  };
  const port = freePort();
  const env = {
    ...servers.env({
      postgres: links.postgres.port,
      redis: links.redis.port,
      s3: links.s3.port,
    }),
    UPBIT_URL: `http://127.0.0.1:${links.exchange.port}`,
    SLUICE_DATA: join(home, "data"),
    SLUICE_MODELS: options.models,
    SLUICE_CLOCK: "exchange",
    SLUICE_PORT: String(port),
    SLUICE_ROLE: role,
    // Nothing is to go away while it is counted.
    SLUICE_RETAIN_VERSIONS: "0",
  };
  const lives: Launched[] = [];
  const deaths: Death[] = [];
  let up: Launched | null = null;
  const signal = (name: NodeJS.Signals) => {
    if (up !== null) process.kill(up.pid, name);
  };
  const down = async (end: (launched: Launched) => Promise<number>): Promise<number> => {
    const running = up;
    up = null;
    return running === null ? 0 : end(running);
  };
  const kill = async () => {
    await down(async (running) => {
      await running.kill();
      return 0;
    });
  };
  function start(): void {
    const life = stamped(launch({ cwd: options.folder, env }));
    up = life;
    lives.push(life);
    void life.exited.then(async (code) => {
      if (up !== life) return;
      const failed = life.log.find(({ event }) => event === "start_failed");
      const last = failed ?? life.log.find(({ event }) => event === "fatal") ?? life.log.at(-1);
      const reason = `exit code ${code}: ${last?.["event"]} ${last?.["reason"] ?? ""}`;
      deaths.push({ isStart: failed !== undefined, reason });
      await Bun.sleep(RESTART_MS);
      if (up === life) start();
    });
  }
  return {
    ...{ number, role, links, disk, kill },
    url: `http://127.0.0.1:${port}`,
    start,
    stall: () => signal("SIGSTOP"),
    resume: () => signal("SIGCONT"),
    stop: () => down((running) => running.stop()),
    isUp: () => up !== null,
    deaths: () => deaths,
    lives: () => lives,
    close: async () => {
      await kill();
      await Promise.all(Object.values(links).map((link) => link.close()));
      disk.close();
    },
  };
}

/** Its log with the real time of each line: the program's own is that of the replay. */
function stamped(launched: Launched): Launched {
  const { log } = launched;
  const push = log.push.bind(log);
  log.push = (...lines) => push(...lines.map((line) => ({ at: Date.now(), ...line })));
  return launched;
}

/** Writes what the replicas logged to files below the folder. */
export function keepLogs(replicas: readonly Replica[], folder: string): void {
  mkdirSync(folder, { recursive: true });
  for (const { number, lives } of replicas) {
    lives().forEach((life, i) => {
      const lines = life.log.map((entry) => JSON.stringify(entry)).join("\n");
      writeFileSync(join(folder, `replica-${number}.${i + 1}.log`), `${lines}\n${life.errors()}`);
    });
  }
}
