import { afterAll, beforeEach, expect, test } from "bun:test";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { SluiceError } from "../../errors.ts";
import { makeMlflowClient } from "./client.ts";
import { makeRestFiles } from "./rest/files.ts";

type Answers = (request: Request) => Response | Promise<Response>;
let answers: Answers;
const asked: [host: string, path: string, authorization: string | null][] = [];
const serve = () =>
  Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request) => {
      const { host, pathname, search } = new URL(request.url);
      asked.push([host, pathname + search, request.headers.get("authorization")]);
      return answers(request);
    },
  });
const [here, elsewhere] = [serve(), serve()];
const [url, other] = [here, elsewhere].map(({ port }) => `http://127.0.0.1:${port}`) as [
  string,
  string,
];
afterAll(() => Promise.all([here.stop(true), elsewhere.stop(true)]));
beforeEach(() => {
  asked.length = 0;
});

const client = (authorization: string | null = "Bearer secret") =>
  makeMlflowClient({ url: `${url}/`, authorization, waitMs: 1 });
const fault = async (work: Promise<unknown>): Promise<[string, string]> => {
  const thrown = await work.then(
    () => null,
    (thrown) => thrown,
  );
  if (!(thrown instanceof SluiceError)) throw new Error(`no refusal: ${thrown}`);
  return [thrown.code, thrown.message];
};
const whole = async (path: string): Promise<string> => {
  const chunks = await Array.fromAsync(client().bytes(path));
  return Buffer.concat(chunks).toString();
};

test("a redirect within the host is followed, one to another never", async () => {
  answers = ({ url }) =>
    new URL(url).pathname === "/moved"
      ? new Response("here it is")
      : new Response(null, { status: 302, headers: { location: "/moved" } });
  expect(await whole("/file")).toBe("here it is");
  expect(asked.map(([, path, token]) => [path, token])).toEqual([
    ["/file", "Bearer secret"],
    ["/moved", "Bearer secret"],
  ]);
  asked.length = 0;
  for (const location of [`${other}/steal`, `//${new URL(other).host}/steal`]) {
    answers = () => new Response(null, { status: 307, headers: { location } });
    expect(await fault(whole("/file"))).toEqual([
      "import_skipped",
      expect.stringContaining("only 127.0.0.1"),
    ]);
    expect((await fault(client().json("POST", "/api", {})))[0]).toBe("import_skipped");
  }
  answers = () => new Response(null, { status: 302, headers: { location: "/file" } });
  expect((await fault(whole("/file")))[0]).toBe("import_skipped");
  expect(asked.every(([host]) => host === new URL(url).host)).toBe(true);
});

test("what may pass is asked again, what cannot is told at once", async () => {
  for (const status of [408, 429, 500, 502, 503, 504]) {
    let turn = 0;
    answers = () => (++turn < 4 ? new Response("busy", { status }) : Response.json({ ok: true }));
    expect(await client().json("GET", "/call")).toEqual({ ok: true });
    expect(turn).toBe(4);
  }
  for (const status of [400, 401, 403, 409]) {
    let turn = 0;
    answers = () => {
      turn++;
      return Response.json({ error_code: "NO", message: "because" }, { status });
    };
    const [code, message] = await fault(client().json("GET", "/call"));
    expect([code, turn]).toEqual(["import_unreachable", 1]);
    expect(message).toContain(`answered with ${status}`);
    expect(message.includes("MLFLOW_TRACKING_TOKEN")).toBe(status === 401 || status === 403);
    expect(message).toContain("because");
    expect(message).not.toContain("secret");
  }
});

test("a call or a thing that is not there is null, whatever says so", async () => {
  for (const answer of [
    Response.json({ error_code: "RESOURCE_DOES_NOT_EXIST" }, { status: 404 }),
    Response.json({ error_code: "ENDPOINT_NOT_FOUND" }, { status: 404 }),
    new Response("<html>", { status: 404 }),
    new Response("", { status: 405 }),
  ]) {
    answers = () => answer;
    expect(await client().json("GET", "/call")).toBeNull();
  }
  answers = () => new Response("<html>a page</html>", { headers: { "content-type": "text/html" } });
  expect((await fault(client().json("GET", "/call")))[1]).toContain("no JSON");
});

test("numbers that JSON does not have are read as Python writes them", async () => {
  answers = () => new Response('{"metrics": [{"value": NaN}, {"value": -Infinity, "key": "a"}]}');
  expect(await client().json("GET", "/call")).toEqual({
    metrics: [{ value: "NaN" }, { value: "-Infinity", key: "a" }],
  });
});

test("bytes that do not come whole are no file; a file that is gone is left out", async () => {
  // Announces more than it sends, and is gone.
  const cut = createServer((socket) => {
    socket.once("data", () =>
      socket.end("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nten bytes."),
    );
  }).listen(0, "127.0.0.1");
  await once(cut, "listening");
  const { port } = cut.address() as AddressInfo;
  const cutting = makeMlflowClient({
    ...{ url: `http://127.0.0.1:${port}`, authorization: null, waitMs: 1 },
  });
  expect((await fault(Array.fromAsync(cutting.bytes("/file"))))[0]).toBe("import_broken_off");
  cut.close();
  answers = () => Response.json({ error_code: "RESOURCE_DOES_NOT_EXIST" }, { status: 404 });
  expect((await fault(whole("/file")))[0]).toBe("import_skipped");
});

test("names of a listing stay within its folder, and folders in circles end", async () => {
  const { files } = makeRestFiles(client());
  const holder = { of: "run", id: "r", uri: "mlflow-artifacts:/0/r/artifacts" } as const;
  answers = ({ url }) =>
    Response.json(
      new URL(url).searchParams.get("path") === "0"
        ? { files: [{ path: "r", is_dir: true }] }
        : new URL(url).searchParams.get("path") === "0/r/artifacts"
          ? {
              files: [
                { path: "../../../etc/passwd", is_dir: false, file_size: 1 },
                { path: "..", is_dir: true },
                { path: "", is_dir: true },
                { path: "plain", is_dir: false, file_size: "7" },
              ],
            }
          : { files: [] },
    );
  expect(await Array.fromAsync(files(holder))).toEqual([
    { path: "passwd", size: 1 },
    { path: "plain", size: 7 },
  ]);
  answers = () => Response.json({ files: [{ path: "again", is_dir: true }] });
  expect((await fault(Array.fromAsync(files(holder))))[0]).toBe("import_skipped");
});

test("a run without a folder is not looked into, unless it may have one by now", async () => {
  const { files, forget } = makeRestFiles(client());
  const looked: (string | null)[] = [];
  let runs = ["a"];
  answers = ({ url }) => {
    const path = new URL(url).searchParams.get("path");
    looked.push(path);
    const there = path === "7" ? runs.map((path) => ({ path, is_dir: true })) : [];
    return Response.json({ files: path?.endsWith("artifacts") ? [{ path: "x" }] : there });
  };
  const filesOf = (id: string) =>
    Array.fromAsync(files({ of: "run", id, uri: `mlflow-artifacts:/7/${id}/artifacts` }));
  expect(await filesOf("a")).toHaveLength(1);
  for (const id of ["b", "c"]) expect(await filesOf(id)).toEqual([]);
  expect(looked).toEqual(["7", "7/a/artifacts"]);
  runs = ["a", "b"];
  forget();
  expect(await filesOf("b")).toHaveLength(1);
  // Where that is not told, each is asked for.
  answers = ({ url }) =>
    url.endsWith("path=8")
      ? new Response("", { status: 403 })
      : Response.json({ files: [{ path: "x" }] });
  const uri = "mlflow-artifacts:/8/d/artifacts";
  expect(await Array.fromAsync(files({ of: "run", id: "d", uri }))).toHaveLength(1);
});

test("files behind another server's proxy are asked of this one", async () => {
  const { files, read } = makeRestFiles(client());
  answers = () => Response.json({});
  for (const uri of [`mlflow-artifacts://${new URL(other).host}/0/r`, `${other}/0/r`, "s3://b/r"]) {
    const holder = { of: "run", id: "r", uri } as const;
    expect(await Array.fromAsync(files(holder))).toEqual([]);
    await Array.fromAsync(read(holder, "a/b c"));
  }
  const paths = asked.map(([host, path]) => [host, path.split("?")[0]]);
  const { host } = new URL(url);
  expect(paths).toEqual(
    Array.from({ length: 3 }).flatMap(() => [
      [host, "/api/2.0/mlflow/artifacts/list"],
      [host, "/get-artifact"],
    ]),
  );
});
