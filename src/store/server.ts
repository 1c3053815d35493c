/*
 * What a database server and a Redis say of themselves.
 */
import { sql } from "drizzle-orm";
import { Redis } from "ioredis";
import type { Database } from "./database.ts";

export interface ServerFacts {
  /** Such as 160004 for 16.4. */
  readonly version: number;
  /** Its clock minus this machine's, milliseconds, give or take half of `tookMs`. */
  readonly skewMs: number;
  readonly tookMs: number;
}

/** Version and clock of the database's server. */
export async function serverFacts({ rows }: Pick<Database, "rows">): Promise<ServerFacts> {
  // The first statement may have to connect, which would look like a clock that is late.
  const [version] = await rows<{ number: string }>(
    sql`select current_setting('server_version_num') as number`,
  );
  const from = Date.now();
  const [clock] = await rows<{ ms: string }>(
    sql`select (extract(epoch from clock_timestamp()) * 1000)::text as ms`,
  );
  const tookMs = Date.now() - from;
  return {
    version: Number(version?.number),
    skewMs: Math.round(Number(clock?.ms) - (from + tookMs / 2)),
    tookMs,
  };
}

/** How long a Redis takes to answer, milliseconds, once connected; rejects when it does not. */
export async function pingRedis(url: string, deadlineMs: number): Promise<number> {
  const redis = new Redis(url, {
    lazyConnect: true,
    connectTimeout: deadlineMs,
    commandTimeout: deadlineMs,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  });
  let reason: Error | null = null;
  redis.on("error", (thrown) => {
    reason = thrown;
  });
  try {
    await redis.connect();
    const from = performance.now();
    await redis.ping();
    return performance.now() - from;
  } catch (thrown) {
    // "Connection is closed." is what the call says; why it closed came as an event before.
    throw reason ?? thrown;
  } finally {
    redis.disconnect();
  }
}
