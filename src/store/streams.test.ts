import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "minio";
import { SluiceError } from "../errors.ts";
import { removeAsides } from "./asides.ts";
import { sha256 } from "./object.ts";
import { folderObjects, type Objects, s3Objects } from "./objects.ts";
import type { Direct } from "./s3-files.ts";

const MIB = 1024 * 1024;
/** Of a prime length, so that no two pieces of it are alike. */
const bytesOf = (size: number, seed = 1): Uint8Array<ArrayBuffer> =>
  Buffer.alloc(
    size,
    new Uint8Array(997).map((_, i) => i * 31 + (i >> 3) * seed),
  );

async function* inPieces(bytes: Uint8Array, size = 65_536): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const whole = async (pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> =>
  Buffer.concat(await Array.fromAsync(pieces));

async function codeOf(work: Promise<unknown>): Promise<string> {
  const thrown = await work.then(
    () => "none",
    (reason: unknown) => reason,
  );
  return thrown instanceof SluiceError ? thrown.code : String(thrown);
}

interface Store {
  readonly objects: Objects;
  /** What lies in the folder that pieces are gathered in. */
  aside(): Promise<string[]>;
  damage(digest: string, bytes: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

const asideIn = (folder: string) => readdir(join(folder, "incoming")).catch(() => []);

async function folderStore(): Promise<Store> {
  const folder = await mkdtemp(join(tmpdir(), "sluice-streams-"));
  return {
    objects: folderObjects(folder),
    aside: () => asideIn(folder),
    damage: (digest, bytes) => writeFile(join(folder, digest.slice(0, 2), digest), bytes),
    close: () => rm(folder, { recursive: true, force: true }),
  };
}

const env = process.env;
const endpoint = env["SLUICE_TEST_S3_ENDPOINT"];

async function s3Store(): Promise<Store> {
  const folder = await mkdtemp(join(tmpdir(), "sluice-streams-"));
  const bucket = `sluice-${crypto.randomUUID().slice(0, 8)}`;
  const accessKey = env["SLUICE_TEST_S3_KEY"] ?? "";
  const secretKey = env["SLUICE_TEST_S3_SECRET"] ?? "";
  const region = "us-east-1";
  const objects = s3Objects(
    { endpoint: endpoint!, bucket, accessKey, secretKey, region, publicEndpoint: endpoint! },
    folder,
  );
  const { hostname: endPoint, port } = new URL(endpoint!);
  const client = new Client({
    ...{ endPoint, port: Number(port), useSSL: false, accessKey, secretKey, region },
  });
  return {
    objects,
    aside: () => asideIn(folder),
    damage: async (digest, bytes) => {
      await client.putObject(bucket, `${digest.slice(0, 2)}/${digest}`, Buffer.from(bytes));
    },
    close: async () => {
      await objects.direct?.removeOlder(0);
      for await (const digest of objects.list()) await objects.remove(digest);
      await client.removeBucket(bucket);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

const stores = [{ name: "folder", open: folderStore }];
if (endpoint !== undefined) stores.push({ name: "s3", open: s3Store });

describe.each(stores)("objects that come in pieces, in a $name", ({ open }) => {
  let store: Store;
  let objects: Objects;
  beforeAll(async () => {
    store = await open();
    objects = store.objects;
  });
  afterAll(() => store.close());

  async function stored(bytes: Uint8Array): Promise<string> {
    const staged = await objects.stage(inPieces(bytes));
    await staged.keep();
    await staged.drop();
    return staged.digest;
  }

  // 0 bytes, one piece, and more than one part and one range of an S3 server.
  test.each([0, 1, 100_000, 17 * MIB + 5])("%d bytes come back as they were", async (size) => {
    const bytes = bytesOf(size);
    const staged = await objects.stage(inPieces(bytes));
    expect(staged).toMatchObject({ digest: sha256(bytes), size });
    expect(await objects.has(staged.digest)).toBe(false);
    await staged.keep();
    await staged.drop();
    expect(await store.aside()).toEqual([]);
    expect(await objects.size(staged.digest)).toBe(size);
    expect(sha256(await whole(objects.read(staged.digest)))).toBe(staged.digest);
    // Both ways in lead to the same object.
    expect(sha256(await objects.get(staged.digest))).toBe(staged.digest);
    await objects.remove(staged.digest);
  });

  test("what breaks off has no name and leaves nothing", async () => {
    const before = await Array.fromAsync(objects.list());
    async function* broken() {
      yield bytesOf(500_000);
      throw new Error("the line went dead");
    }
    expect(await codeOf(objects.stage(broken()))).toBe("object_store_unreachable");
    expect(await store.aside()).toEqual([]);
    expect(await Array.fromAsync(objects.list())).toEqual(before);
  });

  test("what is dropped without a name leaves nothing", async () => {
    const staged = await objects.stage(inPieces(bytesOf(1_000, 9)));
    await staged.drop();
    await staged.drop();
    expect(await store.aside()).toEqual([]);
    expect(await objects.has(staged.digest)).toBe(false);
  });

  test("it can be named again after it went, until it is dropped", async () => {
    const staged = await objects.stage(inPieces(bytesOf(1_000, 2)));
    await staged.keep();
    await objects.remove(staged.digest);
    await staged.keep();
    expect(await objects.has(staged.digest)).toBe(true);
    await staged.drop();
    expect(await objects.has(staged.digest)).toBe(true);
  });

  test("ranges are the bytes between two places", async () => {
    const bytes = bytesOf(9 * MIB, 3);
    const digest = await stored(bytes);
    for (const [from, to] of [
      [0, 1],
      [5, 5],
      [1_000, 1_000_000],
      [8 * MIB - 1, 8 * MIB + 1],
      [9 * MIB - 1, 9 * MIB],
    ] as const) {
      const got = await whole(objects.read(digest, { from, to }));
      expect([from, to, sha256(got)]).toEqual([from, to, sha256(bytes.subarray(from, to))]);
    }
  });

  test("what was damaged never comes whole", async () => {
    const bytes = bytesOf(3 * MIB, 4);
    const digest = await stored(bytes);
    const flipped = Uint8Array.from(bytes);
    flipped[10]! ^= 1;
    for (const damaged of [flipped, bytes.subarray(0, 2 * MIB)]) {
      await store.damage(digest, damaged);
      let came = 0;
      const reading = (async () => {
        for await (const piece of objects.read(digest)) came += piece.length;
      })();
      expect(await codeOf(reading)).toBe("object_corrupt");
      expect(came).toBeLessThan(damaged.length);
    }
    // Storing it again mends it.
    await stored(bytes);
    expect(sha256(await whole(objects.read(digest)))).toBe(digest);
  });

  test("what is not there is missing by name", async () => {
    const digest = sha256("never");
    expect(await codeOf(objects.size(digest))).toBe("object_missing");
    expect(await codeOf(whole(objects.read(digest)))).toBe("object_missing");
    expect(await codeOf(whole(objects.read("../../etc/passwd")))).toBe("object_missing");
    expect(await objects.aside(digest)).toBeNull();
  });

  test("what is put aside comes back after it was removed", async () => {
    const digest = await stored(bytesOf(70_000, 5));
    const aside = (await objects.aside(digest))!;
    expect(aside.size).toBe(70_000);
    await objects.remove(digest);
    await aside.keep();
    await aside.drop();
    expect(sha256(await whole(objects.read(digest)))).toBe(digest);
    expect(await store.aside()).toEqual([]);
  });

  test("no more is read of a source than is stored", async () => {
    let given = 0;
    async function* source() {
      for (let i = 0; i < 200; i++) {
        given += 65_536;
        yield bytesOf(65_536, i);
        // Whoever gathered pieces would have asked for the next before it wrote this one.
        expect(given).toBe((i + 1) * 65_536);
      }
    }
    const staged = await objects.stage(source());
    expect(staged.size).toBe(200 * 65_536);
    await staged.drop();
  });

  test("twenty at once of the same bytes are one object", async () => {
    const bytes = bytesOf(200_000, 6);
    const digests = await Promise.all(Array.from({ length: 20 }, () => stored(bytes)));
    expect(new Set(digests)).toEqual(new Set([sha256(bytes)]));
    expect(sha256(await whole(objects.read(digests[0]!)))).toBe(digests[0]!);
    expect(await store.aside()).toEqual([]);
  });
});

test("a disk that cannot be written to is told as a store that does not answer", async () => {
  const folder = await mkdtemp(join(tmpdir(), "sluice-streams-"));
  await writeFile(join(folder, "file"), "");
  const objects = folderObjects(join(folder, "file"));
  expect(await codeOf(objects.stage(inPieces(bytesOf(10))))).toBe("object_store_unreachable");
  await rm(folder, { recursive: true });
});

test("what a kill left half-written is removed with all that was written aside", async () => {
  const folder = await mkdtemp(join(tmpdir(), "sluice-streams-"));
  const objects = folderObjects(folder);
  const left = await objects.stage(inPieces(bytesOf(10)));
  expect(await Array.fromAsync(objects.list())).toEqual([]);
  expect(await removeAsides(folder, 60_000)).toEqual({ removed: 0, bytes: 0 });
  expect(await removeAsides(folder, 0)).toEqual({ removed: 1, bytes: 10 });
  expect(await asideIn(folder)).toEqual([]);
  await left.drop();
  await rm(folder, { recursive: true });
});

describe.skipIf(endpoint === undefined)("uploads past this server", () => {
  let store: Store;
  let direct: Direct;
  beforeAll(async () => {
    store = await s3Store();
    direct = store.objects.direct!;
  });
  afterAll(() => store.close());

  const PART = 5 * MIB;
  async function sent(url: string, bytes: Uint8Array): Promise<string> {
    const response = await fetch(url, { method: "PUT", body: bytes });
    expect(response.status).toBe(200);
    return response.headers.get("etag")!.replaceAll('"', "");
  }

  test("parts that a client sent become one object, and can be fetched from there", async () => {
    const bytes = bytesOf(PART + 1_000, 7);
    const upload = await direct.begin();
    const parts = [];
    for (const part of [1, 2]) {
      const url = await direct.partUrl(upload, part);
      parts.push({ part, etag: await sent(url, bytes.slice((part - 1) * PART, part * PART)) });
    }
    const staged = await direct.finish(upload, parts);
    expect(staged).toMatchObject({ digest: sha256(bytes), size: bytes.length });
    await staged.keep();
    // As after an answer that was lost.
    expect((await direct.finish(upload, parts)).digest).toBe(staged.digest);
    await staged.drop();
    expect(await codeOf(direct.finish(upload, parts))).toBe("does_not_exist");
    const url = await direct.url(staged.digest);
    const some = await fetch(url, { headers: { range: "bytes=10-19" } });
    expect(sha256(await some.bytes())).toBe(sha256(bytes.subarray(10, 20)));
    expect(sha256(await store.objects.get(staged.digest))).toBe(staged.digest);
  });

  test("parts that were not sent are the client's fault", async () => {
    const upload = await direct.begin();
    const parts = [{ part: 1, etag: "d41d8cd98f00b204e9800998ecf8427e" }];
    expect(await codeOf(direct.finish(upload, parts))).toBe("invalid_parameter");
    await direct.abort(upload);
    await direct.abort(upload);
    expect(await codeOf(direct.finish(upload, parts))).toBe("does_not_exist");
  });

  test("what nobody ended is given up after a while", async () => {
    const upload = await direct.begin();
    const etag = await sent(await direct.partUrl(upload, 1), bytesOf(100));
    expect((await direct.removeOlder(60_000)).removed).toBe(0);
    expect((await direct.removeOlder(0)).removed).toBe(1);
    expect(await codeOf(direct.finish(upload, [{ part: 1, etag }]))).toBe("does_not_exist");
  });
});
