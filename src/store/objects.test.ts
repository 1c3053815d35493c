import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "minio";
import type { S3Config } from "../config.ts";
import { SluiceError } from "../errors.ts";
import { folderObjects, type Objects, s3Objects, sha256 } from "./objects.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);

async function failureOf(work: Promise<unknown>): Promise<SluiceError> {
  const thrown = await work.then(
    () => new Error("it succeeded"),
    (reason: unknown) => reason,
  );
  if (thrown instanceof SluiceError) return thrown;
  throw thrown;
}

async function listed(objects: Objects): Promise<string[]> {
  const digests: string[] = [];
  for await (const digest of objects.list()) digests.push(digest);
  return digests.sort();
}

/** A store, and a way to its bytes behind its back. */
interface Store {
  readonly objects: Objects;
  overwrite(digest: string, bytes: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

async function folderStore(): Promise<Store> {
  const folder = await mkdtemp(join(tmpdir(), "sluice-objects-"));
  return {
    objects: folderObjects(folder),
    overwrite: (digest, bytes) => writeFile(join(folder, digest.slice(0, 2), digest), bytes),
    close: () => rm(folder, { recursive: true, force: true }),
  };
}

const env = process.env;
const s3Given: Omit<S3Config, "bucket"> | null = env["SLUICE_TEST_S3_ENDPOINT"]
  ? {
      endpoint: env["SLUICE_TEST_S3_ENDPOINT"],
      accessKey: env["SLUICE_TEST_S3_KEY"] ?? "",
      secretKey: env["SLUICE_TEST_S3_SECRET"] ?? "",
      region: "us-east-1",
    }
  : null;

/** A bucket of its own that is not there yet: the store has to make it. */
async function s3Store(given: Omit<S3Config, "bucket">): Promise<Store> {
  const bucket = `sluice-${crypto.randomUUID().slice(0, 8)}`;
  const url = new URL(given.endpoint);
  const client = new Client({
    endPoint: url.hostname,
    port: Number(url.port),
    useSSL: false,
    accessKey: given.accessKey,
    secretKey: given.secretKey,
  });
  const objects = s3Objects({ ...given, bucket });
  return {
    objects,
    overwrite: async (digest, bytes) => {
      const buffer = Buffer.from(bytes);
      await client.putObject(bucket, `${digest.slice(0, 2)}/${digest}`, buffer, buffer.length);
    },
    close: async () => {
      for await (const digest of objects.list()) await objects.remove(digest);
      await client.removeBucket(bucket);
    },
  };
}

const stores: { name: string; open: () => Promise<Store> }[] = [
  { name: "folder", open: folderStore },
];
if (s3Given !== null) stores.push({ name: "s3", open: () => s3Store(s3Given) });

describe.each(stores)("objects in a $name", ({ open }) => {
  let store: Store;
  let objects: Objects;
  beforeAll(async () => {
    store = await open();
    objects = store.objects;
  });
  afterAll(() => store.close());

  test("what was put comes back under its sha256", async () => {
    const all = new Uint8Array(70_000).map((_, i) => i * 31);
    for (const bytes of [bytesOf("one"), new Uint8Array(), all, all.subarray(5, 99)]) {
      const digest = await objects.put(bytes);
      expect(digest).toBe(sha256(bytes));
      expect(Buffer.from(await objects.get(digest)).equals(bytes)).toBe(true);
      expect(await objects.has(digest)).toBe(true);
    }
  });

  test("putting again changes nothing; removing twice is no error", async () => {
    const digest = await objects.put(bytesOf("again"));
    expect(await objects.put(bytesOf("again"))).toBe(digest);
    await objects.remove(digest);
    expect(await objects.has(digest)).toBe(false);
    await objects.remove(digest);
    expect((await failureOf(objects.get(digest))).code).toBe("object_missing");
  });

  test("the list has each object once and nothing else", async () => {
    const before = await listed(objects);
    const made = await Promise.all(["a", "b", "c"].map((text) => objects.put(bytesOf(text))));
    expect(await listed(objects)).toEqual([...new Set([...before, ...made])].sort());
    for (const digest of made) await objects.remove(digest);
    expect(await listed(objects)).toEqual(before);
  });

  test("twenty at once of the same bytes are one whole object", async () => {
    const bytes = new Uint8Array(300_000).map((_, i) => i * 7);
    const digests = await Promise.all(Array.from({ length: 20 }, () => objects.put(bytes)));
    expect(new Set(digests)).toEqual(new Set([sha256(bytes)]));
    expect(sha256(await objects.get(digests[0]!))).toBe(digests[0]!);
    expect((await listed(objects)).filter((digest) => digest === digests[0])).toHaveLength(1);
  });

  test("an object that was truncated, or of which one bit was flipped, is corrupt", async () => {
    const bytes = new Uint8Array(1_000).map((_, i) => i);
    const digest = await objects.put(bytes);
    const flipped = bytes.slice();
    flipped[500]! ^= 1;
    for (const damaged of [bytes.subarray(0, 300), new Uint8Array(), flipped]) {
      await store.overwrite(digest, damaged);
      const error = await failureOf(objects.get(digest));
      expect(error.code).toBe("object_corrupt");
      expect(error.message).toContain(digest);
      expect(error.message).toContain(`${damaged.length} bytes`);
      expect(error.fix).not.toBe("");
    }
    // Putting the bytes again mends it.
    await objects.put(bytes);
    expect(sha256(await objects.get(digest))).toBe(digest);
  });

  test("an object that was never there is missing, by name", async () => {
    const digest = sha256("never");
    const error = await failureOf(objects.get(digest));
    expect(error.code).toBe("object_missing");
    expect(error.message).toContain(digest);
    expect(await objects.has(digest)).toBe(false);
  });

  const bad = ["", "abc", "../../etc/passwd", `${sha256("x")}\n`, sha256("x").toUpperCase()];
  test.each(bad)("%p is no digest: missing, and nothing to remove", async (text) => {
    expect((await failureOf(objects.get(text))).code).toBe("object_missing");
    // Not even a throw at the call: whoever asks handles a promise.
    const asked = (() => {
      try {
        return objects.has(text);
      } catch {
        return "thrown at the call";
      }
    })();
    expect(await asked).toBe(false);
    await objects.remove(text);
  });
});

describe("a folder", () => {
  test("keeps objects for its owner only, with nothing left beside them", async () => {
    const folder = await mkdtemp(join(tmpdir(), "sluice-objects-"));
    const objects = folderObjects(join(folder, "objects"));
    expect(await listed(objects)).toEqual([]);
    const digest = await objects.put(bytesOf("mine"));
    const path = join(folder, "objects", digest.slice(0, 2), digest);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await stat(join(path, ".."))).mode & 0o777).toBe(0o700);
    expect(await readdir(join(path, ".."))).toEqual([digest]);
    expect(await readFile(path, "utf8")).toBe("mine");
    await rm(folder, { recursive: true });
  });

  test("does not list what a kill left half-written", async () => {
    const folder = await mkdtemp(join(tmpdir(), "sluice-objects-"));
    const objects = folderObjects(folder);
    const digest = await objects.put(bytesOf("whole"));
    const half = `${digest}.4711.${crypto.randomUUID()}`;
    await writeFile(join(folder, digest.slice(0, 2), half), "who");
    expect(await listed(objects)).toEqual([digest]);
    await rm(folder, { recursive: true });
  });

  test("that cannot be written to is told as a store that does not answer", async () => {
    const folder = await mkdtemp(join(tmpdir(), "sluice-objects-"));
    await writeFile(join(folder, "file"), "a file where the folder should be");
    const error = await failureOf(folderObjects(join(folder, "file")).put(bytesOf("x")));
    expect(error).toMatchObject({ code: "object_store_unreachable", status: 503, retryAfter: 5 });
    expect(error.fix).toContain("SLUICE_DATA");
    await rm(folder, { recursive: true });
  });

  test("an object that cannot be read is not said to be missing", async () => {
    const folder = await mkdtemp(join(tmpdir(), "sluice-objects-"));
    const objects = folderObjects(folder);
    const digest = sha256("x");
    await mkdir(join(folder, digest.slice(0, 2), digest), { recursive: true });
    expect((await failureOf(objects.get(digest))).code).toBe("object_store_unreachable");
    expect((await failureOf(objects.put(bytesOf("x")))).code).toBe("object_store_unreachable");
    // A put that failed leaves nothing beside it.
    expect(await readdir(join(folder, digest.slice(0, 2)))).toEqual([digest]);
    await rm(folder, { recursive: true });
  });
});

describe("an S3 server that is not there", () => {
  const objects = (() => {
    const gone = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    const { port } = gone;
    gone.stop(true);
    return s3Objects({
      endpoint: `http://127.0.0.1:${port}`,
      bucket: "sluice",
      accessKey: "key",
      secretKey: "hunter2-hunter2",
      region: "us-east-1",
    });
  })();

  const digest = sha256("x");
  const calls: [string, () => Promise<unknown>][] = [
    ["put", () => objects.put(bytesOf("x"))],
    ["get", () => objects.get(digest)],
    ["has", () => objects.has(digest)],
    ["remove", () => objects.remove(digest)],
    ["list", () => listed(objects)],
  ];
  test.each(calls)("%s says so", async (_name, call) => {
    const error = await failureOf(call());
    expect(error).toMatchObject({ code: "object_store_unreachable", status: 503, retryAfter: 5 });
    expect(error.fix).toContain("S3_ENDPOINT");
    expect(error.message).not.toContain("hunter2");
  });
});

describe.skipIf(s3Given === null)("an S3 server that fails in the middle", () => {
  const given = s3Given as Omit<S3Config, "bucket">;

  test("a wrong key is refused by name, and asked again next time", async () => {
    const objects = s3Objects({ ...given, bucket: "sluice-wrong", secretKey: "wrong-wrong" });
    expect((await failureOf(objects.put(bytesOf("x")))).code).toBe("object_store_unreachable");
    expect((await failureOf(objects.has(sha256("x")))).code).toBe("object_store_unreachable");
  });

  test("a bucket that is removed meanwhile fails what is under way; the next work makes it", async () => {
    const { objects, close } = await s3Store(given);
    const digest = await objects.put(bytesOf("first"));
    await objects.remove(digest);
    await close();
    expect((await failureOf(objects.put(bytesOf("second")))).code).toBe("object_store_unreachable");
    await objects.put(bytesOf("third"));
    await objects.remove(sha256("third"));
    await close();
  });

  test("a connection that is cut in the middle of an upload ends it with an error", async () => {
    const target = new URL(given.endpoint);
    let cutting = false;
    // Passes bytes both ways; once told to cut, it does after some of an upload went through.
    const proxy = createServer((from) => {
      const to = connect(Number(target.port), target.hostname);
      const end = () => {
        from.destroy();
        to.destroy();
      };
      let seen = 0;
      from.on("error", end).on("close", end);
      to.on("error", end).on("close", end);
      from.on("data", (bytes) => {
        seen += bytes.length;
        if (cutting && seen > 20_000) end();
      });
      from.pipe(to).pipe(from);
    });
    await once(proxy.listen(0, "127.0.0.1"), "listening");
    const { port } = proxy.address() as AddressInfo;
    const bucket = `sluice-${crypto.randomUUID().slice(0, 8)}`;
    const through = s3Objects({ ...given, bucket, endpoint: `http://127.0.0.1:${port}` });
    const direct = s3Objects({ ...given, bucket });
    const small = await through.put(bytesOf("small"));
    cutting = true;
    const big = new Uint8Array(400_000).map((_, i) => i * 13);
    expect((await failureOf(through.put(big))).code).toBe("object_store_unreachable");
    // Nothing of it stands under its name.
    expect(await direct.has(sha256(big))).toBe(false);
    cutting = false;
    expect(await through.has(small)).toBe(true);
    await new Promise((closed) => proxy.close(closed));
    // A server that was there and is gone is told the same way, whatever is asked of it.
    for (const name of ["get", "has", "remove"] as const) {
      const error = await failureOf(through[name](small));
      expect([name, error.code]).toEqual([name, "object_store_unreachable"]);
    }
    expect((await failureOf(listed(through))).code).toBe("object_store_unreachable");
    for await (const digest of direct.list()) await direct.remove(digest);
  });
});
