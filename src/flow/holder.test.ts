import { afterEach, describe, expect, test } from "bun:test";
import { hostname } from "node:os";
import { join } from "node:path";
import { holderOf, isDead } from "./holder.ts";

/** Whether this machine lets us have a pid namespace of our own, as a container has. */
const canUnshare =
  Bun.which("unshare") !== null &&
  Bun.spawnSync(["unshare", "--pid", "--fork", "--mount-proc", "true"]).success;

const children: Bun.Subprocess[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) {
    child.kill("SIGKILL");
    await child.exited;
  }
});
function spawn(...command: string[]) {
  const child = Bun.spawn(command, { stdout: "pipe", stderr: "ignore", stdin: "ignore" });
  children.push(child);
  return child;
}

describe("the name of a holder", () => {
  test("is the same each time, and names host and pid", () => {
    expect(holderOf()).toBe(holderOf(process.pid));
    const parts = holderOf().split("/");
    expect(parts).toHaveLength(5);
    expect(parts[0]).toBe(hostname());
    expect(parts[3]).toBe(String(process.pid));
  });

  test("is another for another process", () => {
    expect(holderOf(process.ppid)).not.toBe(holderOf());
  });
});

describe("a holder", () => {
  test("of this process, of its parent and of a child that runs is alive", () => {
    expect(isDead(holderOf())).toBe(false);
    expect(isDead(holderOf(process.ppid))).toBe(false);
    expect(isDead(holderOf(spawn("sleep", "30").pid))).toBe(false);
  });

  test("that was killed is dead", async () => {
    const child = spawn("sleep", "30");
    const name = holderOf(child.pid);
    child.kill("SIGKILL");
    await child.exited;
    expect(isDead(name)).toBe(true);
  });

  test("whose pid was given to another process since is dead", () => {
    const [host, boot, namespace, , start] = holderOf().split("/");
    const other = spawn("sleep", "30");
    expect(isDead([host, boot, namespace, other.pid, start].join("/"))).toBe(true);
  });

  test("that was killed and that nobody has buried yet is dead", async () => {
    // The shell becomes a sleep that never asks how its child ended.
    const parent = spawn("sh", "-c", "sleep 30 & echo $!; exec sleep 30");
    const { value } = await parent.stdout.getReader().read();
    const zombie = Number(new TextDecoder().decode(value));
    const name = holderOf(zombie);
    expect(isDead(name)).toBe(false);
    process.kill(zombie, "SIGKILL");
    const stateOf = async () => (await Bun.file(`/proc/${zombie}/stat`).text()).split(") ")[1]?.[0];
    while ((await stateOf()) !== "Z") await Bun.sleep(5);
    expect(isDead(name)).toBe(true);
  });

  test("of before this machine's start is dead", () => {
    const [host, , ...rest] = holderOf().split("/");
    expect(isDead([host, "another-boot", ...rest].join("/"))).toBe(true);
  });

  test("of another machine, or of no known form, is for its lease to judge", () => {
    const [, ...rest] = holderOf().split("/");
    const elsewhere = ["elsewhere", ...rest].join("/");
    for (const name of ["", "worker", hostname(), elsewhere, "elsewhere/x/y/1/1"]) {
      expect(isDead(name)).toBe(false);
    }
  });

  test.skipIf(!canUnshare)(
    "of another container under the same host name is not judged",
    async () => {
      const script = `
      const { holderOf } = await import(${JSON.stringify(join(import.meta.dir, "holder.ts"))});
      process.stdout.write(holderOf() + "\\n");
      await Bun.sleep(30_000);`;
      const inside = spawn(
        ...["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"],
        ...[process.execPath, "-e", script],
      );
      const { value } = await inside.stdout.getReader().read();
      // Its pid there is that of another process here, or of none.
      expect(isDead(new TextDecoder().decode(value).trim())).toBe(false);
    },
  );
});
