import { join } from "node:path";
import { RedisClient } from "bun";
import { findProgram, freePort, launch, untilReady } from "./process.ts";
import type { Service } from "./service.ts";

/** A Redis of our own: loopback, a password, nothing kept on disk. */
export const redisService: Service = {
  name: "redis",
  variables: ["SLUICE_TEST_REDIS_URL"],
  packages: ["redis-server"],
  find: () => findProgram("redis-server", ["/usr/bin", "/usr/local/bin"]),
  missing: "no redis-server on PATH",
  async start(program, folder) {
    const port = freePort();
    const password = crypto.randomUUID();
    const arrangement = ["--bind", "127.0.0.1", "--port", `${port}`, "--requirepass", password];
    const launchOptions = {
      name: "redis",
      command: [program, ...arrangement, "--save", "", "--appendonly", "no", "--dir", folder],
      log: join(folder, "log"),
    };
    const server = launch(launchOptions);
    const url = `redis://:${password}@127.0.0.1:${port}`;
    try {
      await untilReady(launchOptions, server, () => ping(url));
    } catch (thrown) {
      await server.stop();
      throw thrown;
    }
    return { env: { SLUICE_TEST_REDIS_URL: url }, launched: launchOptions, ...server };
  },
};

async function ping(url: string): Promise<void> {
  const client = new RedisClient(url, { autoReconnect: false, connectionTimeout: 2_000 });
  try {
    await client.connect();
    await client.ping();
  } finally {
    client.close();
  }
}
