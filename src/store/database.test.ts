import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "drizzle-orm";
import { SluiceError } from "../errors.ts";
import { stopwatch } from "../testing.ts";
import { type Database, openEmbedded, openPostgres } from "./database.ts";
import { openScratch, testDatabases } from "./testing.ts";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "sluice-database-"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

let count = 0;
/** A path for a database in a folder of its own that does not exist yet. */
const newPath = () => join(root, `${++count}`, "db");

const answers = async (database: Database): Promise<boolean> =>
  (await database.rows<{ one: number }>(sql`select 1 as one`))[0]?.one === 1;

const DATABASE_MODULE = join(import.meta.dir, "database.ts");

/** Another process that opens the database at the path and then runs the code. */
function inChild(path: string, code: string) {
  const script = `
    const { openEmbedded } = await import(${JSON.stringify(DATABASE_MODULE)});
    const { sql } = await import("drizzle-orm");
    const say = (text) => process.stdout.write(text + "\\n");
    say("opening");
    const database = await openEmbedded(${JSON.stringify(path)});
    ${code}`;
  return Bun.spawn([process.execPath, "-e", script], {
    cwd: import.meta.dir,
    stdout: "pipe",
    stderr: "inherit",
  });
}

/** Lines that a child says, as they come. */
async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let rest = "";
  const decoder = new TextDecoder();
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}

describe("the embedded database", () => {
  test("is made in a folder that is not there, and found again with what was written", async () => {
    const path = newPath();
    const made = await openEmbedded(path);
    expect(made.kind).toBe("embedded");
    await made.orm.execute(sql`create table kept (x integer)`);
    await made.orm.execute(sql`insert into kept values (7)`);
    await made.close();
    expect(await readdir(join(path, ".."))).toEqual(["db"]);
    const again = await openEmbedded(path);
    expect(await again.rows(sql`select x from kept`)).toEqual([{ x: 7 }]);
    await again.close();
  });

  test("what is no database is moved aside, not deleted; leftovers of a kill are removed", async () => {
    const path = newPath();
    await mkdir(path, { recursive: true });
    await writeFile(join(path, "precious.txt"), "mine");
    await mkdir(`${path}.tmp/base`, { recursive: true });
    await writeFile(`${path}.tmp/PG_VERSION`, "17");
    const database = await openEmbedded(path);
    expect(await answers(database)).toBe(true);
    await database.close();
    const names = (await readdir(join(path, ".."))).sort();
    expect(names).toEqual(["db", expect.stringMatching(/^db\.broken-\d+$/)]);
    expect(await readFile(join(path, "..", names[1]!, "precious.txt"), "utf8")).toBe("mine");
  });

  test("acknowledged rows are there after the writer was killed", async () => {
    const path = newPath();
    const child = inChild(
      path,
      `await database.orm.execute(sql\`create table kept (x integer)\`);
       for (let x = 0; ; x++) {
         await database.orm.execute(sql\`insert into kept values (\${x})\`);
         say(String(x));
       }`,
    );
    let last = -1;
    for await (const line of linesOf(child.stdout)) {
      if (/^\d+$/.test(line)) last = Number(line);
      if (last >= 120) child.kill("SIGKILL");
    }
    await child.exited;
    const database = await openEmbedded(path);
    const rows = await database.rows<{ x: number }>(sql`select x from kept order by x`);
    // One more than was said may have been written when the kill came.
    expect(rows.length).toBeGreaterThanOrEqual(last + 1);
    expect(rows.map(({ x }) => x)).toEqual(rows.map((_, i) => i));
    await database.orm.execute(sql`insert into kept values (-1)`);
    await database.close();
  });

  // While parts are read, or files are made: the machine decides.
  test.each([250])("a kill %p ms into the first open leaves none or a whole one", async (ms) => {
    const path = newPath();
    const child = inChild(path, `say("open"); await Bun.sleep(60_000);`);
    let begun = false;
    for await (const line of linesOf(child.stdout)) {
      if (line === "opening") {
        begun = true;
        void Bun.sleep(ms).then(() => child.kill("SIGKILL"));
      }
      if (line === "open") child.kill("SIGKILL");
    }
    await child.exited;
    expect(begun).toBe(true);
    if (existsSync(path)) expect(existsSync(join(path, "PG_VERSION"))).toBe(true);
    const database = await openEmbedded(path);
    expect(await answers(database)).toBe(true);
    await database.close();
    expect(await readdir(join(path, ".."))).toEqual(["db"]);
  });

  test("a kill as soon as the half-made folder appears", async () => {
    let path = "";
    // Until it is seen in time: a busy machine may look when the folder is whole already.
    do {
      path = newPath();
      const child = inChild(path, `say("open"); await Bun.sleep(60_000);`);
      while (!existsSync(`${path}.tmp`) && !existsSync(path)) await Bun.sleep(1);
      child.kill("SIGKILL");
      await child.exited;
    } while (existsSync(path));
    expect(existsSync(`${path}.tmp`)).toBe(true);
    const database = await openEmbedded(path);
    expect(await answers(database)).toBe(true);
    await database.close();
    expect(await readdir(join(path, ".."))).toEqual(["db"]);
  });
});

describe.each(testDatabases())("any database ($name)", ({ open }) => {
  let database: Database;
  beforeAll(async () => {
    database = await open();
  });
  afterAll(() => database.close());

  test("gives rows as plain objects, within a transaction too", async () => {
    const statement = sql`select 1 as a, 'x' as b, null as c`;
    const wanted = [{ a: 1, b: "x", c: null }];
    expect(await database.rows(statement)).toEqual(wanted);
    expect(await database.orm.transaction((tx) => database.rows(statement, tx))).toEqual(wanted);
    expect(await database.rows(sql`select 1 where false`)).toEqual([]);
  });

  test("undoes a transaction that throws", async () => {
    await database.orm.execute(sql`create table undone (x integer)`);
    const work = database.orm.transaction(async (tx) => {
      await tx.execute(sql`insert into undone values (1)`);
      throw new Error("no");
    });
    await expect(work).rejects.toThrow("no");
    expect(await database.rows(sql`select * from undone`)).toEqual([]);
  });

  test("reads times in UTC", async () => {
    const rows = await database.rows<{ zone: string }>(
      sql`select current_setting('TimeZone') zone`,
    );
    expect(rows[0]?.zone).toMatch(/^(UTC|GMT|Etc\/UTC)$/);
  });

  test("answers a ping in time", async () => {
    await database.ping();
    await database.ping(5_000);
  });
});

describe("a database that does not answer", () => {
  const refusal = async (work: Promise<unknown>): Promise<SluiceError> => {
    const thrown = await work.then(
      () => new Error("it answered"),
      (reason: unknown) => reason,
    );
    if (thrown instanceof SluiceError) return thrown;
    throw thrown;
  };

  test("because it was closed", async () => {
    const database = await openScratch();
    await database.close();
    const error = await refusal(database.ping());
    expect(error).toMatchObject({ code: "database_unreachable", status: 503, retryAfter: 5 });
  });

  test("because it accepts and says nothing: the ping ends by its deadline", async () => {
    const silent = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    const database = openPostgres(`postgres://u:hunter2@127.0.0.1:${silent.port}/d`);
    const watch = stopwatch();
    const error = await refusal(database.ping(150));
    expect(watch.ms()).toBeLessThan(watch.promised(2_000));
    expect(error.code).toBe("database_unreachable");
    expect(error.message).toContain("150 ms");
    expect(error.message + error.fix).not.toContain("hunter2");
    silent.stop(true);
    // Closing waits some seconds for an answer that does not come.
    void database.close();
  });

  test("because nobody listens", async () => {
    const gone = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    const { port } = gone;
    gone.stop(true);
    const database = openPostgres(`postgres://u:hunter2@127.0.0.1:${port}/d`);
    const error = await refusal(database.ping(2_000));
    expect(error.code).toBe("database_unreachable");
    expect(error.message).not.toContain("hunter2");
    await database.close();
  });
});
