/*
 * What stands beside the database: objects, Redis, the exchange, and the artifacts that serve.
 */
import type { Config } from "../../config.ts";
import type { Pointer } from "../../registry/promotion.ts";
import type { Objects } from "../../store/objects.ts";
import { pingRedis } from "../../store/server.ts";
import type { Instant } from "../../types.ts";
import { skewFinding } from "./database.ts";
import { bytesText, type Finding, failed, failedBy, found, ok, warning } from "./finding.ts";

const REDIS_MS = 3_000;
const SLOW_MS = 50;
const CLOCK_MS = 2_000;
const ARTIFACTS_MS = 60_000;

/** Writes a small object, reads it back, and removes it. */
export const objectsFinding = (objects: Objects, config: Config): Promise<readonly Finding[]> => {
  const where = config.s3 === null ? "the folder objects/" : `the S3 bucket ${config.s3.bucket}`;
  const fix =
    config.s3 === null
      ? "Check the permissions and the free space of SLUICE_DATA."
      : "Check S3_ENDPOINT, S3_BUCKET and that the keys may put, get and delete.";
  return found("object store", fix, async () => {
    const bytes = crypto.getRandomValues(new Uint8Array(32));
    const from = performance.now();
    const digest = await objects.put(bytes);
    await objects.get(digest);
    await objects.remove(digest);
    if (await objects.has(digest)) {
      return failed("object store", `${where} does not remove objects`, fix);
    }
    const took = Math.round(performance.now() - from);
    return ok("object store", `${where} put, gave and removed an object in ${took} ms`);
  });
};

/** Whether Redis answers; without it replicas look once a second. */
export const redisFinding = (url: string): Promise<readonly Finding[]> => {
  const fix = "Check REDIS_URL and that Redis runs; until then replicas look once a second.";
  return found("redis", fix, async () => {
    const took = await pingRedis(url, REDIS_MS);
    const told = `answers in ${took.toFixed(1)} ms`;
    if (took <= SLOW_MS) return ok("redis", told);
    return warning("redis", `${told}; after ${SLOW_MS} ms it is done without`, fix);
  });
};

/** Whether the exchange answers, and how its clock stands; replays have a clock of their own. */
export const exchangeFindings = (
  { upbitUrl, clock }: Config,
  serverTime: () => Promise<Instant>,
): Promise<readonly Finding[]> =>
  found("exchange", "Check UPBIT_URL, the network and a proxy in between.", async () => {
    const from = Date.now();
    const time = await serverTime();
    const tookMs = Date.now() - from;
    const answers = ok("exchange", `${new URL(upbitUrl).host} answers in ${tookMs} ms`);
    if (clock === "exchange") return answers;
    // It tells whole seconds, cut off: half a second more is the best guess.
    const skewMs = time + 500 - (from + tookMs / 2);
    return [answers, skewFinding("exchange clock", skewMs, CLOCK_MS + tookMs / 2, 60_000)];
  });

/** Every version under an alias: its object is there and has its sha256. */
export const artifactFindings = (
  pointers: () => Promise<readonly Pointer[]>,
  objects: Pick<Objects, "get">,
): Promise<readonly Finding[]> =>
  found(
    "artifacts",
    "See what is said of the database and the object store.",
    async () => {
      const live = await pointers();
      const bad: Finding[] = [];
      const seen = new Map<string, Finding | number>();
      let bytes = 0;
      for (const { name, alias, version, digest } of live) {
        const check = `artifact ${name}@${version}`;
        const known = seen.get(digest);
        try {
          if (known === undefined) {
            const { length } = await objects.get(digest);
            seen.set(digest, length);
            bytes += length;
          } else if (typeof known !== "number") bad.push({ ...known, check });
        } catch (thrown) {
          const finding = failedBy(check, thrown, "Restore it from a backup, or promote another.");
          const told = { ...finding, found: `${alias}: ${finding.found}` };
          seen.set(digest, told);
          bad.push(told);
        }
      }
      if (bad.length > 0) return bad;
      if (live.length === 0) return ok("artifacts", "no version serves yet");
      const told = `${seen.size} files of versions under an alias are whole, ${bytesText(bytes)}`;
      return ok("artifacts", told);
    },
    ARTIFACTS_MS,
  );
