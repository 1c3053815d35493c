import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "drizzle-orm";
import { makeTracking } from "../../registry/tracking.ts";
import { sha256 } from "../../store/object.ts";
import { folderObjects, type Objects, s3Objects } from "../../store/objects.ts";
import { testDatabases } from "../../store/testing.ts";
import { type Server, startServer } from "../server.ts";
import { ADMIN, config } from "../testing.ts";
import { rangeOf, typeOf } from "./download.ts";
import { openTracked, type Tracked } from "./testing.ts";

const PROXY = "/api/2.0/mlflow-artifacts/artifacts";
const BAD = "INVALID_PARAMETER_VALUE";
const NONE = "RESOURCE_DOES_NOT_EXIST";
const MIB = 1024 * 1024;
const log = { info: () => {}, warn: () => {}, error: () => {} };
/** A prime length, so that no two pieces of it are alike. */
const PATTERN = new Uint8Array(997).map((_, i) => (i * 31) ^ (i >> 3));
const bytesOf = (size: number): Uint8Array<ArrayBuffer> => Buffer.alloc(size, PATTERN);

type Body = string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>;

interface Call {
  readonly body?: Body;
  readonly headers?: Readonly<Record<string, string>>;
  readonly token?: string | null;
}

/** A real server over a database and a store of objects. */
async function openFiles(on: ReturnType<typeof testDatabases>[number], objects?: Objects) {
  const folder = await mkdtemp(join(tmpdir(), "sluice-files-"));
  const tracked: Tracked = await openTracked(on, {
    objects: objects ?? folderObjects(folder),
  });
  const { services } = tracked;
  const tracking = makeTracking(tracked);
  const server: Server = startServer({
    ...{ config: { ...config, port: 0 }, log, services: () => services, starting: () => "" },
  });
  const call = (method: string, path: string, { body, headers, token = ADMIN }: Call = {}) =>
    fetch(`${server.url}${path}`, {
      method,
      headers: { ...headers, ...(token === null ? {} : { authorization: `Bearer ${token}` }) },
      ...(body === undefined ? {} : { body }),
    });
  /** The status and the JSON of an answer. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers freely.
  const told = async (answer: Promise<Response>): Promise<[number, any]> => {
    const response = await answer;
    return [response.status, await response.json()];
  };
  const put = (path: string, body: Body, more: Call = {}) =>
    told(call("PUT", `${PROXY}/${path}`, { ...more, body }));
  const textAt = async (path: string): Promise<[number, string]> => {
    const response = await call("GET", path);
    return [response.status, await response.text()];
  };
  const list = async (path: string) =>
    (await told(call("GET", `${PROXY}?path=${encodeURIComponent(path)}`)))[1].files;
  const newRun = async (experiment_id = "0"): Promise<{ id: string; root: string }> => {
    const { run } = await tracked.post("runs/create", { experiment_id });
    const root = run.info.artifact_uri.slice("mlflow-artifacts:/".length);
    return { id: run.info.run_id, root };
  };
  return {
    ...{ ...tracked, tracking, server, folder, call, told, put, textAt, list, newRun },
    aside: () => readdir(join(folder, "incoming")).catch(() => []),
    close: async () => {
      await server.stop(0);
      await tracked.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

type Open = Awaited<ReturnType<typeof openFiles>>;

describe.each(testDatabases())("files over the MLflow protocol on $name", (on) => {
  let open: Open;
  beforeAll(async () => {
    open = await openFiles(on);
  });
  afterAll(() => open.close());

  test("a file of a run is the same for the client and for what is trained here", async () => {
    const { id, root } = await open.newRun();
    expect(await open.put(`${root}/a/b.txt`, "from the client")).toEqual([200, {}]);
    const { tracking } = open;
    expect(Buffer.from(await tracking.readArtifact(id, "a/b.txt")).toString()).toBe(
      "from the client",
    );
    await tracking.logArtifact(id, "model.onnx", new TextEncoder().encode("trained"));
    expect(await open.textAt(`${PROXY}/${root}/model.onnx`)).toEqual([200, "trained"]);
    expect(await open.list(root)).toEqual([
      { path: "a", is_dir: true },
      { path: "model.onnx", is_dir: false, file_size: 7 },
    ]);
    const listed = await open.get("artifacts/list", { run_id: id, path: "a" });
    expect(listed).toEqual({
      root_uri: `mlflow-artifacts:/${root}`,
      files: [{ path: "a/b.txt", is_dir: false, file_size: 15 }],
    });
    expect(await open.textAt(`/get-artifact?run_id=${id}&path=a/b.txt`)).toEqual([
      200,
      "from the client",
    ]);
    const own = await open.textAt(`/v1/runs/${id}/artifacts/a/b.txt`);
    expect(own).toEqual([200, "from the client"]);
    expect(await open.textAt(`/get-artifact?run_uuid=${id}&path=a%2Fb.txt`)).toEqual([
      200,
      "from the client",
    ]);
  });

  test("an experiment with a place of its own has its runs' files below that", async () => {
    const { experiment_id } = await open.post("experiments/create", {
      name: `own ${Math.random()}`,
      artifact_location: "mlflow-artifacts:/teams/a b",
    });
    const { id, root } = await open.newRun(experiment_id);
    expect(root).toBe(`teams/a b/${id}/artifacts`);
    await open.put(`${encodeURI(root)}/x`, "1");
    expect(await open.tracking.artifacts(id)).toMatchObject([{ path: "x", size: 1 }]);
    expect(await open.list("teams/a b")).toEqual([{ path: id, is_dir: true }]);
    expect(await open.list(`teams/a b/${id}`)).toEqual([{ path: "artifacts", is_dir: true }]);
  });

  test("folders are what paths have in common; a file and what is nowhere have no list", async () => {
    for (const path of ["l/z.txt", "l/sub/deep/1", "l/sub/2", "l0/no", "l-no", "l/é%20x.txt"]) {
      expect(await open.put(path, path)).toEqual([200, {}]);
    }
    expect(await open.list("l")).toEqual([
      { path: "sub", is_dir: true },
      { path: "z.txt", is_dir: false, file_size: 7 },
      { path: "é x.txt", is_dir: false, file_size: 12 },
    ]);
    expect(await open.list("l/sub/")).toEqual([
      { path: "2", is_dir: false, file_size: 7 },
      { path: "deep", is_dir: true },
    ]);
    for (const path of ["l/z.txt", "l/none", "nowhere"])
      expect(await open.list(path)).toBeUndefined();
    const names = (await open.list("")).map((one: { path: string }) => one.path);
    expect(names).toContain("l");
    expect(await open.textAt(`${PROXY}/l/é x.txt`)).toEqual([200, "l/é%20x.txt"]);
  });

  test("the last of two of one path stays; many at once all arrive", async () => {
    const { root } = await open.newRun();
    await open.put(`${root}/same`, "first");
    await open.put(`${root}/same`, "second");
    expect(await open.textAt(`${PROXY}/${root}/same`)).toEqual([200, "second"]);
    const bodies = Array.from({ length: 24 }, (_, i) => `body ${i % 3} `.repeat(5_000));
    const put = await Promise.all(
      bodies.map((body, i) => open.put(`${root}/${i < 12 ? "race" : `own-${i}`}`, body)),
    );
    expect(new Set(put.map(([status]) => status))).toEqual(new Set([200]));
    const [, raced] = await open.textAt(`${PROXY}/${root}/race`);
    expect(bodies).toContain(raced);
    for (let i = 12; i < 24; i++) {
      expect((await open.textAt(`${PROXY}/${root}/own-${i}`))[1]).toBe(bodies[i]!);
    }
    expect(await open.aside()).toEqual([]);
  });

  test("files and folders are removed, again without a word, and nothing beside them", async () => {
    const { id, root } = await open.newRun();
    for (const at of [root, "gone"]) {
      for (const path of ["d/1", "d/s/2", "d0", "d-"]) await open.put(`${at}/${path}`, "x");
      for (const path of ["d", "d", "none/at/all"]) {
        expect(await open.told(open.call("DELETE", `${PROXY}/${at}/${path}`))).toEqual([200, {}]);
      }
      expect((await open.list(at)).map((one: { path: string }) => one.path)).toEqual(["d-", "d0"]);
      await open.call("DELETE", `${PROXY}/${at}/d0`);
      expect((await open.list(at)).length).toBe(1);
    }
    // A folder above a run's keeps them, the run's own folder does not.
    await open.call("DELETE", `${PROXY}/0`);
    expect(await open.list(root)).toHaveLength(1);
    await open.call("DELETE", `${PROXY}/0/${id}`);
    expect(await open.list(root)).toBeUndefined();
  });

  test("a deleted run takes no file and loses none, but is read", async () => {
    const { id, root } = await open.newRun();
    await open.put(`${root}/kept`, "kept");
    await open.post("runs/delete", { run_id: id });
    const refusal = {
      error_code: BAD,
      message: expect.stringContaining(
        `The run ${id} must be in the 'active' state. Current state is deleted.`,
      ),
    };
    expect(await open.put(`${root}/late`, "late")).toMatchObject([400, refusal]);
    const removing = open.call("DELETE", `${PROXY}/${root}/kept`);
    expect(await open.told(removing)).toMatchObject([400, refusal]);
    expect(await open.textAt(`${PROXY}/${root}/kept`)).toEqual([200, "kept"]);
    await open.post("runs/restore", { run_id: id });
    expect(await open.put(`${root}/late`, "late")).toEqual([200, {}]);
  });

  test("a run that is deleted while its file comes does not get it", async () => {
    const { id, root } = await open.newRun();
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const putting = open.put(`${root}/late`, readable);
    const writer = writable.getWriter();
    await writer.write(bytesOf(100_000));
    while ((await open.aside()).length === 0) await Bun.sleep(5);
    await open.post("runs/delete", { run_id: id });
    await writer.close();
    expect((await putting)[0]).toBe(400);
    expect(await open.tracking.artifacts(id)).toEqual([]);
    expect(await open.aside()).toEqual([]);
  });

  test("an upload that breaks off leaves nothing, and the file that was there stays", async () => {
    const { root } = await open.newRun();
    await open.put(`${root}/big`, "before");
    const { hostname, port } = new URL(open.server.url);
    const socket = connect(Number(port), hostname);
    socket.write(
      `PUT ${PROXY}/${root}/big HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${ADMIN}\r\n` +
        "content-length: 9000000\r\n\r\n",
    );
    socket.write(bytesOf(3_000_000));
    while ((await open.aside()).length === 0) await Bun.sleep(5);
    socket.destroy();
    while ((await open.aside()).length > 0) await Bun.sleep(5);
    expect(await open.textAt(`${PROXY}/${root}/big`)).toEqual([200, "before"]);
  });

  test("some MB pass in both directions in pieces, the empty file too", async () => {
    const { root } = await open.newRun();
    const bytes = bytesOf(6 * MIB + 3);
    let at = 0;
    const source = new ReadableStream<Uint8Array>({
      pull: (body) => {
        if (at >= bytes.length) body.close();
        else body.enqueue(bytes.subarray(at, at + 300_000));
        at += 300_000;
      },
    });
    expect(await open.put(`${root}/large.bin`, source)).toEqual([200, {}]);
    const response = await open.call("GET", `${PROXY}/${root}/large.bin`);
    expect(sha256(await response.bytes())).toBe(sha256(bytes));
    expect(await open.put(`${root}/empty`, "")).toEqual([200, {}]);
    const empty = await open.call("GET", `${PROXY}/${root}/empty`);
    expect([empty.status, await empty.text()]).toEqual([200, ""]);
    expect(await open.list(root)).toContainEqual({ path: "empty", is_dir: false, file_size: 0 });
  });

  test("a file comes as an attachment of its type; ranges of it where they are asked for", async () => {
    const { root } = await open.newRun();
    await open.put(`${root}/MLmodel`, "0123456789");
    const path = `${PROXY}/${root}/MLmodel`;
    const { headers } = await open.call("GET", path);
    expect(headers.get("content-type")).toBe("text/plain");
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("content-disposition")).toBe("attachment; filename=MLmodel");
    expect(headers.get("etag")).toBe(`"${sha256("0123456789")}"`);
    const head = await open.call("HEAD", path);
    expect([head.status, head.headers.get("content-length")]).toEqual([200, "10"]);
    const rows = [
      ["bytes=2-4", 206, "234", "bytes 2-4/10"],
      ["bytes=7-", 206, "789", "bytes 7-9/10"],
      ["bytes=-2", 206, "89", "bytes 8-9/10"],
      ["bytes=4-400", 206, "456789", "bytes 4-9/10"],
      ["bytes=10-", 416, "", "bytes */10"],
      ["bytes=1-2,4-5", 200, "0123456789", null],
      ["lines=1-2", 200, "0123456789", null],
    ] as const;
    for (const [range, status, text, told] of rows) {
      const response = await open.call("GET", path, { headers: { range } });
      const got = [response.status, await response.text(), response.headers.get("content-range")];
      expect([range, ...got]).toEqual([range, status, text, told]);
    }
    await open.put(`${root}/dog%2Bstep%2B1.webp`, "x");
    const plus = await open.call("GET", `${PROXY}/${root}/dog%2Bstep%2B1.webp`);
    expect(plus.headers.get("content-disposition")).toBe("attachment; filename=dog+step+1.webp");
    await open.put(`${root}/${encodeURIComponent('a "é".html')}`, "<script>");
    const odd = await open.call("GET", `${PROXY}/${root}/${encodeURIComponent('a "é".html')}`);
    expect(odd.headers.get("content-disposition")).toBe(
      `attachment; filename="a __.html"; filename*=UTF-8''a%20%22%C3%A9%22.html`.replace(
        "a __.html",
        "a ___.html",
      ),
    );
  });

  test("what is not there is 404, never 500, also where the bytes are lost", async () => {
    const { id, root } = await open.newRun();
    const rows: [string, string][] = [
      ["GET", `${PROXY}/${root}/none`],
      ["GET", `${PROXY}/nowhere/at/all`],
      ["GET", `/get-artifact?run_id=${id}&path=none`],
      ["GET", "/get-artifact?run_id=none&path=none"],
      ["GET", "/model-versions/get-artifact?name=none&version=1&path=a"],
      ["GET", "/ajax-api/2.0/mlflow/logged-models/m-none/artifacts/files?artifact_file_path=a"],
      ["GET", "/api/2.0/mlflow/artifacts/list?run_id=none"],
    ];
    for (const [method, path] of rows) {
      const [status, body] = await open.told(open.call(method, path));
      expect([path, status, body.error_code]).toEqual([path, 404, NONE]);
    }
    await open.put(`${root}/lost`, "lost");
    await open.objects.remove(sha256("lost"));
    const [status, body] = await open.told(open.call("GET", `${PROXY}/${root}/lost`));
    expect([status, body.error_code]).toEqual([404, NONE]);
    expect(body.message).toContain(sha256("lost"));
  });

  test("an image of an older client has the name that newer ones give, and is found by both", async () => {
    const { id, root } = await open.newRun();
    const uuid = "g3dd1e20-8c1e-4c39-a2f6-0f5b1c2d3e4f";
    // 20 to 25 and others of these are escapes to who reads such a name: of a space, a `#` ….
    const steps = [0, 2, 20, 21, 22, 23, 24, 25, 26, 27, 230, 235, 239, 2_300, -23];
    const names = steps.flatMap((step) =>
      ["", "%compressed"].map(
        (more) => `my grey.a-b_${step}%step%${step}%timestamp%1795%${uuid}${more}`,
      ),
    );
    const kept = names.map((name) => `${name.replaceAll("%", "+")}.png`).sort();
    for (const name of names) {
      const at = `${root}/images/${encodeURIComponent(`${name}.png`)}`;
      expect([name, await open.put(at, name)]).toEqual([name, [200, {}]]);
    }
    const listed = await open.told(
      open.call("GET", `/api/2.0/mlflow/artifacts/list?run_id=${id}&path=images`),
    );
    const pathsOf = (files: { path: string }[]) => files.map(({ path }) => path).sort();
    expect(pathsOf(listed[1].files)).toEqual(kept.map((name) => `images/${name}`));
    expect(pathsOf(await open.list(`${root}/images`))).toEqual(kept);
    for (const name of names) {
      for (const asked of [name, name.replaceAll("%", "+")]) {
        const at = `${root}/images/${encodeURIComponent(`${asked}.png`)}`;
        expect(await open.textAt(`${PROXY}/${at}`)).toEqual([200, name]);
      }
    }
  });

  test("a name with escapes is kept as clients read it", async () => {
    const { root } = await open.newRun();
    for (const [sent, kept] of [
      ["50% of a%20b.txt", "50% of a b.txt"],
      ["100%.txt", "100%.txt"],
      ["a%2520b%zz.txt", "a b%zz.txt"],
      ["a%17b.txt", "a%17b.txt"],
      ["%ff.txt", "%ff.txt"],
    ] as const) {
      expect(await open.put(`${root}/${encodeURIComponent(sent)}`, sent)).toEqual([200, {}]);
      expect((await open.list(root)).map(({ path }: { path: string }) => path)).toContain(kept);
      for (const asked of [sent, kept]) {
        const at = `${PROXY}/${root}/${encodeURIComponent(asked)}`;
        expect([asked, ...(await open.textAt(at))]).toEqual([asked, 200, sent]);
      }
    }
  });

  const HOSTILE = [
    ...["..%2f..%2fetc/passwd", "a/..%2f..%2fb", "%252e%252e%252fx", "%25252e%25252e/x"],
    ...["a%23b", "a%2523b", "%2fetc/passwd", "%252fetc", "a%5cb", "..%5cb", "c:%2fx", "C:%5Cx"],
    ...["file:%2f%2f%2fetc/passwd", "http:%2f%2fhost/x", "x%2500y", "a%0ab"],
    `%${"25".repeat(14)}2e%${"25".repeat(14)}2e/x`,
    // As the names of images, but for one thing.
    ...["a%2523step%252523%25timestamp%25179%25g.png", "a%25step%2523x%25timestamp%25179%25g.png"],
    ...[
      "a%25step%2523%25timestamp%25%2523%25g.png",
      "a%25step%2523%25timestamp%25179%25g%2523.png",
    ],
    ...[
      "a%25step%2523%25timestamp%25179%25g.p%2523g",
      "a%2523b%25step%252%25timestamp%25179%25g.png",
    ],
    ...[
      "a%25step%2523%25timestamp%25179%25g.png/x",
      "..%2f..%25step%2523%25timestamp%25179%25g.png",
    ],
    ...[
      "..%252fa%25step%2523%25timestamp%25179%25g.png",
      "%252e%252e/a%25step%2523%25timestamp%251%25g.p",
    ],
    ...[
      "a%25step%2523%25timestamp%25179%25g.png%2500",
      "a%5cb%25step%2523%25timestamp%25179%25g.png",
    ],
  ];
  test.each(HOSTILE)("%s is no path", async (path) => {
    for (const [method, at] of [
      ["PUT", `${PROXY}/${path}`],
      ["GET", `${PROXY}/${path}`],
      ["DELETE", `${PROXY}/${path}`],
      ["GET", `${PROXY}?path=${path}`],
      ["GET", `/get-artifact?run_id=x&path=${path}`],
      ["POST", `/ajax-api/2.0/mlflow/upload-artifact?run_uuid=x&path=${path}`],
    ] as const) {
      const body = method === "PUT" || method === "POST" ? { body: "x" } : {};
      const [status, told] = await open.told(open.call(method, at, body));
      expect([at, status, told]).toMatchObject([
        ...[at, 400, { error_code: BAD, message: "Invalid path" }],
      ]);
    }
  });

  test("a run's own folder is no file, and a folder is no file either", async () => {
    const { root } = await open.newRun();
    expect(await open.put(root, "x")).toMatchObject([400, { message: "Invalid path" }]);
    await open.put(`${root}/folder/a`, "x");
    expect((await open.textAt(`${PROXY}/${root}/folder`))[0]).toBe(404);
    expect((await open.textAt(`${PROXY}/${root}`))[0]).toBe(404);
  });

  test("a path that is too long for an index is refused", async () => {
    const [status, body] = await open.put("x".repeat(1_501), "x");
    expect([status, body.error_code]).toEqual([400, BAD]);
    expect((await open.put("é".repeat(750), "x"))[0]).toBe(200);
  });

  test("the page's upload has a limit and says what it misses", async () => {
    const { id } = await open.newRun();
    const at = "/ajax-api/2.0/mlflow/upload-artifact";
    const ask = (query: string, body: Body) =>
      open.told(open.call("POST", `${at}?${query}`, { body }));
    expect(await ask(`run_uuid=${id}&path=img/a.png`, bytesOf(1_000))).toEqual([200, {}]);
    expect(await open.tracking.artifacts(id)).toMatchObject([{ path: "img/a.png" }]);
    const rows: [string, Body, string][] = [
      ["path=a", "x", "Request must specify run_uuid."],
      [`run_uuid=${id}`, "x", "Request must specify path."],
      [`run_uuid=${id}&path=a`, "", "Request must specify data."],
      [`run_uuid=${id}&path=../a`, "", "Invalid path"],
      [
        `run_uuid=${id}&path=a`,
        bytesOf(10 * MIB + 1),
        "Artifact size is too large. Max size is 10MB.",
      ],
    ];
    for (const [query, body, message] of rows) {
      expect([query, await ask(query, body)]).toMatchObject([
        ...[query, [400, { error_code: BAD, message }]],
      ]);
    }
    expect((await ask("run_uuid=none&path=a", "x"))[0]).toBe(404);
  });

  test("files of versions and logged models are found by their place", async () => {
    const at = `files-${on.name}`;
    await open.put(`${at}/model/MLmodel`, "flavors");
    await open.post("registered-models/create", { name: at });
    const source = `mlflow-artifacts:/${at}/model`;
    await open.post("model-versions/create", { name: at, source });
    const ask = (version: string, path: string) =>
      open.textAt(`/model-versions/get-artifact?name=${at}&version=${version}&path=${path}`);
    expect(await ask("1", "MLmodel")).toEqual([200, "flavors"]);
    expect((await ask("x", "MLmodel"))[0]).toBe(400);
    // The whole root.
    await open.post("model-versions/create", { name: at, source: "mlflow-artifacts:" });
    expect(await ask("2", `${at}/model/MLmodel`)).toEqual([200, "flavors"]);
    const { model } = await open.post("logged-models", { experiment_id: "0", name: "m" });
    const root = model.info.artifact_uri.slice("mlflow-artifacts:/".length);
    await open.put(`${root}/model.onnx`, "onnx");
    const id = model.info.model_id;
    const files = `/ajax-api/2.0/mlflow/logged-models/${id}/artifacts`;
    expect(await open.textAt(`${files}/files?artifact_file_path=model.onnx`)).toEqual([
      200,
      "onnx",
    ]);
  });

  test("a stranger may neither put nor remove", async () => {
    const at = `${PROXY}/x`;
    for (const [method, path, body] of [
      ["PUT", at, { body: "x" }],
      ["DELETE", at, {}],
      ["POST", "/ajax-api/2.0/mlflow/upload-artifact?run_uuid=a&path=b", { body: "x" }],
      ["POST", "/api/2.0/mlflow-artifacts/mpu/create/a", {}],
    ] as const) {
      const response = await open.call(method, path, { ...body, token: null });
      expect([method, path, response.status]).toEqual([method, path, 401]);
    }
  });

  test("nothing goes past this server where there is no S3 server", async () => {
    const upload = "Multipart upload is not supported for the current artifact repository";
    for (const name of ["create", "complete", "abort"]) {
      const path = `/api/2.0/mlflow-artifacts/mpu/${name}/0/models`;
      const body = JSON.stringify({ path: "a", num_parts: 2, upload_id: "u", parts: [] });
      const headers = { "content-type": "application/json" };
      const [status, told] = await open.told(open.call("POST", path, { body, headers }));
      expect([status, told]).toMatchObject([
        ...[501, { error_code: "NOT_IMPLEMENTED", message: upload }],
      ]);
    }
    const presigned = open.call("GET", "/api/2.0/mlflow-artifacts/presigned/x");
    expect((await open.told(presigned))[0]).toBe(501);
    const { id } = await open.newRun();
    const download = await open.refused("artifacts/presigned-download-url", {
      ...{ run_id: id, path: "a" },
    });
    expect(download.slice(0, 2)).toEqual([501, "NOT_IMPLEMENTED"]);
    const info = await open.told(open.call("GET", "/api/3.0/mlflow/server-info"));
    expect(info[1]).toMatchObject({
      ...{ multipart_uploads_enabled: false, multipart_downloads_enabled: false },
    });
  });

  test("a folder among many files is a range of an index", async () => {
    const { orm, rows } = open.database;
    await orm.execute(sql`insert into files (path, digest, size, created_at)
      select 'many/' || i % 500 || '/' || i, 'x', 1, now() from generate_series(1, 5000) i`);
    await orm.execute(sql`analyze files`);
    const plan = await rows<Record<string, string>>(sql`explain select path from files
      where path ~>=~ ('many/77' || '/') and path ~<~ ('many/77' || '0')`);
    expect(JSON.stringify(plan)).toContain("files_below");
    expect(await open.list("many/77")).toHaveLength(10);
    await orm.execute(sql`delete from files where digest = 'x'`);
  });
});

const env = process.env;
const endpoint = env["SLUICE_TEST_S3_ENDPOINT"];
const [database] = testDatabases();

describe.skipIf(endpoint === undefined)("files on an S3 server", () => {
  let open: Open;
  let objects: Objects;
  beforeAll(async () => {
    objects = s3Objects(
      {
        ...{ endpoint: endpoint!, publicEndpoint: endpoint!, region: "us-east-1" },
        bucket: `sluice-${crypto.randomUUID().slice(0, 8)}`,
        accessKey: env["SLUICE_TEST_S3_KEY"] ?? "",
        secretKey: env["SLUICE_TEST_S3_SECRET"] ?? "",
      },
      await mkdtemp(join(tmpdir(), "sluice-files-")),
    );
    open = await openFiles(database!, objects);
  });
  afterAll(async () => {
    await objects.direct?.removeOlder(0);
    for await (const digest of objects.list()) await objects.remove(digest);
    await open.close();
  });

  const asked = (path: string, message: object) =>
    open.told(
      open.call("POST", `/api/2.0/mlflow-artifacts/mpu/${path}`, {
        body: JSON.stringify(message),
        headers: { "content-type": "application/json" },
      }),
    );

  test("what goes through the proxy comes back, ranges too", async () => {
    const { root } = await open.newRun();
    const bytes = bytesOf(9 * MIB);
    expect(await open.put(`${root}/a.bin`, bytes)).toEqual([200, {}]);
    const whole = await open.call("GET", `${PROXY}/${root}/a.bin`);
    expect(sha256(await whole.bytes())).toBe(sha256(bytes));
    const headers = { range: "bytes=8388600-8388620" };
    const part = await open.call("GET", `${PROXY}/${root}/a.bin`, { headers });
    expect(sha256(await part.bytes())).toBe(sha256(bytes.subarray(8_388_600, 8_388_621)));
  });

  test("a client puts parts there itself, and fetches it there", async () => {
    const { id, root } = await open.newRun();
    const bytes = bytesOf(5 * MIB + 77);
    const path = "/home/somebody/big.bin";
    const [, begun] = await asked(`create/${root}/sub`, { path, num_parts: 2 });
    expect(begun.credentials).toHaveLength(2);
    const parts = [];
    for (const { url, part_number, headers } of begun.credentials) {
      const body = bytes.slice((part_number - 1) * 5 * MIB, part_number * 5 * MIB);
      const sent = await fetch(url, { method: "PUT", body, headers });
      parts.push({ part_number, url, etag: sent.headers.get("etag") });
    }
    const { upload_id } = begun;
    const ending = { path, upload_id, parts };
    const wrong = { path, upload_id: "other", parts };
    expect((await asked(`complete/${root}/sub`, wrong))[0]).toBe(404);
    // Asked twice at once, and once more after: as a client does whose answer was lost.
    const complete = () => asked(`complete/${root}/sub`, ending);
    expect(await Promise.all([complete(), complete()])).toEqual([
      [200, {}],
      [200, {}],
    ]);
    expect(await complete()).toEqual([200, {}]);
    expect(await open.tracking.artifacts(id)).toMatchObject([
      { path: "sub/big.bin", digest: sha256(bytes), size: bytes.length },
    ]);
    const address = open.call("GET", `/api/2.0/mlflow-artifacts/presigned/${root}/sub/big.bin`);
    const [, { url, file_size }] = await open.told(address);
    expect(file_size).toBe(bytes.length);
    expect(sha256(await (await fetch(url)).bytes())).toBe(sha256(bytes));
    const none = open.call("GET", `/api/2.0/mlflow-artifacts/presigned/${root}/none`);
    expect((await open.told(none))[0]).toBe(404);
  });

  test("a file of a run has an address for as long as is asked for, and takes none", async () => {
    const { id, root } = await open.newRun();
    await open.put(`${root}/a.bin`, bytesOf(70));
    const order = { run_id: id, path: "a.bin" };
    const told = await open.post("artifacts/presigned-download-url", { ...order, expiration: 60 });
    expect(told).toMatchObject({ headers: {}, file_size: 70 });
    expect(new URL(told.presigned_url).searchParams.get("X-Amz-Expires")).toBe("60");
    expect(sha256(await (await fetch(told.presigned_url)).bytes())).toBe(sha256(bytesOf(70)));
    for (const expiration of [-5, 0, 604_801]) {
      for (const which of ["upload", "download"]) {
        const path = `artifacts/presigned-${which}-url`;
        const [status, , why] = await open.refused(path, { ...order, expiration });
        expect([status, why]).toMatchObject([400, expect.stringContaining("1 and 604800 seconds")]);
      }
    }
    // Nothing would tell when the bytes are there; MLflow's own server says the same of a proxy.
    const upload = (more: object) =>
      open.refused("artifacts/presigned-upload-url", { ...order, ...more });
    expect(await upload({})).toMatchObject([400, BAD, expect.stringContaining("proxied")]);
    expect(await upload({ path: "a/../../b" })).toEqual([400, BAD, "Invalid path"]);
    expect((await upload({ run_id: "none" }))[0]).toBe(404);
  });

  test("an upload that is given up, or refused, leaves no file", async () => {
    const { id, root } = await open.newRun();
    const [, begun] = await asked(`create/${root}`, { path: "a", num_parts: 1 });
    const parts = [{ part_number: 1, etag: "d41d8cd98f00b204e9800998ecf8427e" }];
    const ending = { path: "a", upload_id: begun.upload_id, parts };
    expect((await asked(`complete/${root}`, ending))[0]).toBe(400);
    for (let i = 0; i < 2; i++) {
      const given = { path: "a", upload_id: begun.upload_id };
      expect(await asked(`abort/${root}`, given)).toEqual([200, {}]);
    }
    expect((await asked(`complete/${root}`, ending))[0]).toBe(404);
    for (const num_parts of [0, -1, 10_001]) {
      expect((await asked(`create/${root}`, { path: "a", num_parts }))[0]).toBe(400);
    }
    expect((await asked("create/..%2f..", { path: "a", num_parts: 1 }))[0]).toBe(400);
    expect(await open.tracking.artifacts(id)).toEqual([]);
    await open.post("runs/delete", { run_id: id });
    expect((await asked(`create/${root}`, { path: "a", num_parts: 1 }))[0]).toBe(400);
  });

  test("an upload that nobody ends for a day is given up", async () => {
    const { uploads } = open.services.mlflow;
    const { root } = await open.newRun();
    const [, begun] = await asked(`create/${root}`, { path: "a", num_parts: 1 });
    await uploads.removeAbandoned();
    const count = async () =>
      (await open.database.rows(sql`select 1 from uploads where upload_id = ${begun.upload_id}`))
        .length;
    expect(await count()).toBe(1);
    await open.database.orm.execute(sql`update uploads set created_at = now() - interval '2 days'`);
    await uploads.removeAbandoned();
    expect(await count()).toBe(0);
  });

  test("clients are told to go there, where it is known that they can", async () => {
    const info = await open.told(open.call("GET", "/api/3.0/mlflow/server-info"));
    expect(info[1]).toMatchObject({
      ...{ multipart_uploads_enabled: true, multipart_downloads_enabled: true },
    });
  });
});

describe("what a download is", () => {
  test("types by name", () => {
    expect(
      ["a.txt", "b.pkl", "c.png", "d.pdf", "MLproject", "x.tar.gz", "conda.yaml"].map(typeOf),
    ).toEqual([
      ...["text/plain", "application/octet-stream", "image/png", "application/pdf"],
      ...["text/plain", "application/gzip", "text/plain"],
    ]);
  });

  test("a range of nothing is none", () => {
    expect(rangeOf("bytes=0-", 0)).toBeNull();
    expect(rangeOf("bytes=-5", 0)).toBeNull();
    expect(rangeOf("bytes=5-2", 10)).toBeUndefined();
    expect(rangeOf(null, 10)).toBeUndefined();
    expect(rangeOf("bytes=-99", 10)).toEqual({ from: 0, to: 10 });
  });
});
