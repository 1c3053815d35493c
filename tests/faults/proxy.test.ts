import { afterEach, describe, expect, test } from "bun:test";
import { connect, createServer, type Server, type Socket } from "node:net";
import { until, WAIT_MS } from "../../src/testing.ts";
import { type Link, openLink } from "./proxy.ts";

const open: { close(): unknown }[] = [];

afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
});

/** A server that answers with what it is sent, and a link to it. */
async function echo(delayMs = 60): Promise<Link> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {}).pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  open.push({
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  });
  const { port } = server.address() as { port: number };
  const link = await openLink({ to: port, delayMs });
  open.push(link);
  return link;
}

/** A client of the link: what it received, and whether it was closed. */
function client(link: Link) {
  const socket = connect({ host: "127.0.0.1", port: link.port });
  const seen = { text: "", closed: false, errors: [] as string[] };
  socket.on("data", (piece) => {
    seen.text += piece;
  });
  socket.on("error", (thrown: NodeJS.ErrnoException) => seen.errors.push(String(thrown.code)));
  socket.on("close", () => {
    seen.closed = true;
  });
  open.push({ close: () => socket.destroy() });
  return { seen, say: (text: string) => socket.write(text), end: () => socket.end() };
}

const heard = (seen: { text: string }, text: string) =>
  until(() => seen.text === text, WAIT_MS, `heard ${text}, not ${seen.text}`, 5);

describe("openLink", () => {
  test("open: what is said comes through, and an end too", async () => {
    const link = await echo();
    const { seen, say, end } = client(link);
    const long = "x".repeat(3_000_000);
    say(long);
    await heard(seen, long);
    end();
    await until(() => seen.closed && link.connections() === 0, WAIT_MS, "closed", 5);
    expect(seen.errors).toEqual([]);
  });

  test("slow: later, in order, also what is said after it has ended", async () => {
    const link = await echo(100);
    const { seen, say } = client(link);
    say("a");
    await heard(seen, "a");
    link.set("slow");
    const from = performance.now();
    say("b");
    await Bun.sleep(10);
    say("c");
    await Bun.sleep(10);
    link.set("open");
    say("d");
    await heard(seen, "abcd");
    expect(performance.now() - from).toBeGreaterThan(90);
  });

  test("refused: those that are there go on, new ones do not come in", async () => {
    const link = await echo();
    const there = client(link);
    there.say("a");
    await heard(there.seen, "a");
    link.set("refused");
    const late = client(link);
    await until(() => late.seen.closed, WAIT_MS, "refused", 5);
    there.say("b");
    await heard(there.seen, "ab");
  });

  test("cut: all are reset, and after it new ones come in", async () => {
    const link = await echo();
    const there = client(link);
    there.say("a");
    await heard(there.seen, "a");
    link.set("cut");
    await until(() => there.seen.closed, WAIT_MS, "cut", 5);
    const late = client(link);
    await until(() => late.seen.closed, WAIT_MS, "refused", 5);
    link.set("open");
    const again = client(link);
    again.say("b");
    await heard(again.seen, "b");
  });

  test("hole: nothing comes and nobody is told until it ends", async () => {
    const link = await echo();
    const there = client(link);
    there.say("a");
    await heard(there.seen, "a");
    link.set("hole");
    there.say("b");
    const late = client(link);
    late.say("c");
    await Bun.sleep(150);
    expect([there.seen, late.seen].map(({ text, closed }) => [text, closed])).toEqual([
      ["a", false],
      ["", false],
    ]);
    link.set("open");
    await until(() => there.seen.closed && late.seen.closed, WAIT_MS, "reset", 5);
    const again = client(link);
    again.say("d");
    await heard(again.seen, "d");
  });
});
