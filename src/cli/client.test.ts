import { afterEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { SluiceError } from "../errors.ts";
import { isRefused, send } from "./client.ts";
import { fakeServer, problemAnswer } from "./fixtures.ts";

const servers: ReturnType<typeof fakeServer>[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

function serve(answers: Parameters<typeof fakeServer>[0]) {
  const server = fakeServer(answers);
  servers.push(server);
  return { ...server, route: { url: server.url, token: "a-token-of-sixteen" } };
}

const failureOf = async (work: Promise<unknown>): Promise<SluiceError> => {
  const thrown = await work.then(
    () => null,
    (t) => t,
  );
  expect(thrown).toBeInstanceOf(SluiceError);
  return thrown as SluiceError;
};

describe("send", () => {
  test("sends JSON with the token and gives the parsed answer", async () => {
    const { route, asked } = serve({ "POST /admin/backfill": { id: "1" } });
    const answer = await send<{ id: string }>(route, "POST", "/admin/backfill", { market: "M" });
    expect(answer).toEqual({ id: "1" });
    expect(asked).toEqual([
      {
        method: "POST",
        path: "/admin/backfill",
        token: "Bearer a-token-of-sixteen",
        type: "application/json",
        body: '{"market":"M"}',
      },
    ]);
  });

  test("without a body it names no content type: such routes take only an empty one", async () => {
    const { route, asked } = serve({ "POST /x": {} });
    await send(route, "POST", "/x");
    expect(asked[0]).toMatchObject({ type: null, body: "" });
  });

  test("sends another text as it is", async () => {
    const { route, asked } = serve({ "POST /x": {} });
    await send(route, "POST", "/x", "a,b\n1,2\n", { contentType: "text/csv" });
    expect(asked[0]).toMatchObject({ type: "text/csv", body: "a,b\n1,2\n" });
  });

  test("an empty success is no fault", async () => {
    const { route } = serve({ "DELETE /x": new Response(null, { status: 204 }) });
    expect(await send<unknown>(route, "DELETE", "/x")).toBeUndefined();
  });

  test("a problem answer becomes the error that it was", async () => {
    const faults = [{ path: "version", message: "expected a number" }];
    const members = { code: "gate_failed", detail: "Version 3 fails.", fix: "Train.", faults };
    const { route } = serve({ "GET /x": problemAnswer(422, members, { "retry-after": "5" }) });
    const failure = await failureOf(send(route, "GET", "/x"));
    expect(failure).toMatchObject({
      code: "gate_failed",
      status: 422,
      message: "Version 3 fails.",
      fix: "Train.",
      faults,
      retryAfter: 5,
    });
  });

  test("an error of something else is told as it can be", async () => {
    const page = new Response("<h1>no</h1>", { status: 502, statusText: "Bad Gateway" });
    const { route } = serve({ "GET /x": page });
    const failure = await failureOf(send(route, "GET", "/x"));
    expect(failure.code).toBe("http_502");
    expect(failure.message).toContain("GET /x was answered with 502");
  });

  test("faults of a form that nobody knows are left out", async () => {
    const members = { code: "x", detail: "d", faults: [null, 7, { path: "a" }, "s"] };
    const { route } = serve({ "GET /x": problemAnswer(422, members) });
    expect((await failureOf(send(route, "GET", "/x"))).faults).toEqual([]);
  });

  test("a page that is no JSON is said to be none", async () => {
    const { route } = serve({ "GET /x": new Response("<html>hello") });
    const failure = await failureOf(send(route, "GET", "/x"));
    expect(failure.code).toBe("unexpected_answer");
    expect(failure.message).toContain("<html>hello");
  });

  test("the token does not follow a redirect", async () => {
    const other = serve({ "GET /y": {} });
    const moved = new Response(null, { status: 302, headers: { location: `${other.url}/y` } });
    const { route } = serve({ "GET /x": moved });
    await expect(send(route, "GET", "/x")).rejects.toThrow();
    expect(other.asked).toEqual([]);
  });

  test("nobody listening is told apart, since then nothing was done", async () => {
    const { route, stop } = serve({});
    await stop();
    const thrown = await send(route, "GET", "/x").catch((t) => t);
    expect(isRefused(thrown)).toBe(true);
    expect(isRefused(new Error("x"))).toBe(false);
  });

  test("the token does not travel through the proxy of the environment", async () => {
    const { route, asked } = serve({ "GET /x": { direct: true } });
    const proxy = serve({ "GET /x": { direct: false } });
    const code = `
      import { send } from ${JSON.stringify(join(import.meta.dir, "client.ts"))};
      console.log(JSON.stringify(await send(${JSON.stringify(route)}, "GET", "/x")));`;
    const child = Bun.spawn([process.execPath, "-e", code], {
      env: {
        PATH: process.env["PATH"] ?? "",
        HTTP_PROXY: proxy.url,
        http_proxy: proxy.url,
        NO_PROXY: "example.com",
      },
      stdout: "pipe",
      stderr: "inherit",
    });
    expect(JSON.parse(await new Response(child.stdout).text())).toEqual({ direct: true });
    expect(asked).toHaveLength(1);
    expect(proxy.asked).toHaveLength(0);
  });
});
