import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { Client } from "minio";
import { findProgram, freePort, guarded, launch, untilReady } from "./process.ts";
import type { Service } from "./service.ts";

// docs/testing.md says why it is this server; a new version is a new name in the cache.
const module = "github.com/versity/versitygw/cmd/versitygw";
const version = "v1.8.0";
const buildSeconds = 600;
const bucket = "sluice-test";
const region = "us-east-1";

const cache = join(
  process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"),
  "sluice-test",
  `versitygw-${version}`,
);

/** An S3 server of our own, in a folder: real signatures, real error codes. */
export const s3Service: Service = {
  name: "s3",
  variables: [
    "SLUICE_TEST_S3_ENDPOINT",
    "SLUICE_TEST_S3_BUCKET",
    "SLUICE_TEST_S3_KEY",
    "SLUICE_TEST_S3_SECRET",
  ],
  packages: [],
  find: () => findProgram("versitygw", [cache]),
  build: buildGateway,
  missing: "no versitygw on PATH, and no go to build it with",
  async start(program, folder) {
    const port = freePort();
    const key = "sluice-test";
    const secret = crypto.randomUUID();
    const root = join(folder, "root");
    const sidecar = join(folder, "sidecar");
    await Promise.all([root, sidecar].map((path) => mkdir(path)));
    // The sidecar keeps metadata in files: extended attributes are not on every file system.
    const backend = ["posix", "--sidecar", sidecar, root];
    const launchOptions = {
      name: "s3",
      command: [program, "--quiet", "--port", `127.0.0.1:${port}`, ...backend],
      env: { ROOT_ACCESS_KEY: key, ROOT_SECRET_KEY: secret, VGW_REGION: region },
      log: join(folder, "log"),
    };
    const server = launch(launchOptions);
    const address = { endPoint: "127.0.0.1", port, useSSL: false, region };
    const client = new Client({ ...address, accessKey: key, secretKey: secret });
    try {
      await untilReady(launchOptions, server, () => client.makeBucket(bucket));
    } catch (thrown) {
      await server.stop();
      throw thrown;
    }
    const env = {
      SLUICE_TEST_S3_ENDPOINT: `http://127.0.0.1:${port}`,
      SLUICE_TEST_S3_BUCKET: bucket,
      SLUICE_TEST_S3_KEY: key,
      SLUICE_TEST_S3_SECRET: secret,
    };
    return { env, launched: launchOptions, ...server };
  },
};

/** Builds the gateway into the cache folder, once a version; null where there is no Go. */
async function buildGateway(): Promise<string | null> {
  const go = findProgram("go", ["/usr/local/go/bin"]);
  if (go === null) return null;
  console.log(`building versitygw ${version} once, about a minute on two cores`);
  const install = [go, "install", "-trimpath", "-ldflags=-s -w", `${module}@${version}`];
  const child = Bun.spawn(guarded(install, "SIGTERM"), {
    env: { ...process.env, GOBIN: cache, CGO_ENABLED: "0" },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
    timeout: buildSeconds * 1000,
  });
  const [said, code] = await Promise.all([new Response(child.stderr).text(), child.exited]);
  const program = join(cache, "versitygw");
  if (code === 0 && existsSync(program)) return program;
  const tail = said.trim().split("\n").slice(-2).join(" | ");
  throw new Error(`go install ${module}@${version} ended with ${code}: ${tail}`);
}
