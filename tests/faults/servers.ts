/*
 * A Postgres, a Redis and an S3 server of this run's own, which it stops, kills and stalls.
 */
import { chmodSync, mkdirSync, readFileSync } from "node:fs";
import { createConnection } from "node:net";
import { join } from "node:path";
import { postgresService } from "../../scripts/services/postgres.ts";
import { type Launch, launch, untilReady } from "../../scripts/services/process.ts";
import { redisService } from "../../scripts/services/redis.ts";
import { s3Service } from "../../scripts/services/s3.ts";
import type { Service } from "../../scripts/services/service.ts";
import { type Database, openDatabase } from "./database.ts";
import type { Ending, ServerName } from "./plan.ts";

export interface Server {
  readonly name: ServerName;
  readonly port: number;
  /** Ends it; its data stay. */
  stop(how: Ending): Promise<void>;
  /** Starts it again on the same port and data; resolves when it takes connections. */
  start(): Promise<void>;
  /** SIGSTOP to it and all its children, or SIGCONT. */
  stall(): void;
  resume(): void;
  close(): Promise<void>;
}

export interface Servers {
  readonly each: Readonly<Record<ServerName, Server>>;
  /** A straight line to Postgres, which no fault of a link touches. */
  readonly database: Database;
  /** Where each is for a replica, given the port of its link. */
  readonly env: (ports: Readonly<Record<ServerName, number>>) => Readonly<Record<string, string>>;
  readonly s3: S3;
  close(): Promise<void>;
}

export interface S3 {
  readonly endpoint: string;
  readonly bucket: string;
  readonly accessKey: string;
  readonly secretKey: string;
  readonly region: string;
}

const REGION = "us-east-1";
const SIGNALS = { fast: "SIGINT", immediate: "SIGQUIT", killed: "SIGKILL" } as const;

/** Starts all three below `folder`; the S3 server keeps its objects in `s3Folder`. */
export async function openServers(folder: string, s3Folder: string): Promise<Servers> {
  // Postgres runs as another user, who must be able to walk through.
  chmodSync(folder, 0o711);
  const open: { close(): Promise<void> }[] = [];
  const close = async () => {
    for (const each of open.splice(0).reverse()) await each.close();
  };
  try {
    const begin = async (service: Service, home: string) => {
      const begun = await openServer(service, home);
      open.push(begun.server);
      return begun;
    };
    mkdirSync(join(folder, "postgres"));
    mkdirSync(join(folder, "redis"));
    const postgres = await begin(postgresService, join(folder, "postgres"));
    const redis = await begin(redisService, join(folder, "redis"));
    const s3 = await begin(s3Service, s3Folder);
    const url = postgres.env["SLUICE_TEST_DATABASE_URL"] ?? "";
    const database = openDatabase(url);
    // What is acknowledged must outlive a crash of the server; the tests' servers need not.
    await database.rows(`alter database ${new URL(url).pathname.slice(1)}
      set synchronous_commit = on`);
    const at = (address: string | undefined, port: number) => {
      const own = new URL(address ?? "");
      own.port = String(port);
      return own.href.replace(/\/$/, "");
    };
    const access: S3 = {
      endpoint: s3.env["SLUICE_TEST_S3_ENDPOINT"] ?? "",
      bucket: s3.env["SLUICE_TEST_S3_BUCKET"] ?? "",
      accessKey: s3.env["SLUICE_TEST_S3_KEY"] ?? "",
      secretKey: s3.env["SLUICE_TEST_S3_SECRET"] ?? "",
      region: REGION,
    };
    return {
      each: { postgres: postgres.server, redis: redis.server, s3: s3.server },
      database,
      env: (ports) => ({
        DATABASE_URL: at(url, ports.postgres),
        REDIS_URL: at(redis.env["SLUICE_TEST_REDIS_URL"], ports.redis),
        S3_ENDPOINT: at(access.endpoint, ports.s3),
        S3_BUCKET: access.bucket,
        S3_ACCESS_KEY_ID: access.accessKey,
        S3_SECRET_ACCESS_KEY: access.secretKey,
        S3_REGION: access.region,
      }),
      s3: access,
      close,
    };
  } catch (thrown) {
    await close();
    throw thrown;
  }
}

async function openServer(
  service: Service,
  home: string,
): Promise<{ server: Server; env: Readonly<Record<string, string>> }> {
  const program = service.find() ?? (await service.build?.()) ?? null;
  if (program === null) throw new Error(`No ${service.name}: ${service.missing}.`);
  const { env, pid, launched, stop } = await service.start(program, home);
  if (launched === undefined) throw new Error(`${service.name} does not tell how it was launched.`);
  const port = Number(new URL(env[service.variables[0] ?? ""] ?? "").port);
  let running = { pid, stop, ended: () => !isAlive(pid) };
  const signal = (name: NodeJS.Signals) => {
    for (const each of [running.pid, ...childrenOf(running.pid)]) {
      try {
        process.kill(each, name);
      } catch {
        // It has ended meanwhile.
      }
    }
  };
  const server: Server = {
    name: service.name,
    port,
    stop: async (how) => {
      if (how === "fast") return running.stop();
      const polite = service.name === "postgres" ? SIGNALS[how] : "SIGKILL";
      process.kill(running.pid, polite);
      while (!running.ended()) await Bun.sleep(20);
    },
    start: async () => {
      running = await relaunched(launched, port);
    },
    stall: () => signal("SIGSTOP"),
    resume: () => signal("SIGCONT"),
    close: async () => {
      signal("SIGCONT");
      await running.stop();
    },
  };
  return { server, env };
}

/** A killed Postgres leaves children that hold its memory for a moment: then it is tried again. */
async function relaunched(launched: Launch, port: number) {
  for (let tries = 1; ; tries++) {
    const running = launch(launched);
    try {
      await untilReady(launched, running, () => connected(port));
      return running;
    } catch (thrown) {
      await running.stop();
      if (tries === 20) throw thrown;
      await Bun.sleep(200);
    }
  }
}

function connected(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host: "127.0.0.1", port });
    socket.once("connect", () => {
      socket.destroy();
      resolve();
    });
    socket.once("error", reject);
  });
}

/** Gone, or a zombie whose parent has not asked yet. */
function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(")") + 2));
  } catch {
    return false;
  }
}

/** The processes that it has started. */
function childrenOf(pid: number): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
    return text.trim().split(/\s+/).filter(Boolean).map(Number);
  } catch {
    return [];
  }
}
