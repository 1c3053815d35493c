import { expect, test } from "bun:test";
import { diskFull } from "./disk.ts";

test("a disk without room is told as such, from an error and from what a child printed", () => {
  const error = Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
  for (const told of [error, "Error: EDQUOT: disk quota exceeded, write\n    at x (y.ts:1:2)"]) {
    expect(diskFull(told, "/data/work/1")).toMatchObject({
      ...{ code: "disk_full", status: 503, retryAfter: 10 },
      message: "There is no room left for /data/work/1.",
    });
  }
});

test("anything else is not", () => {
  for (const told of [new Error("ENOSPC"), "", "training_error", null, { code: "ENOENT" }]) {
    expect(diskFull(told, "/data")).toBeNull();
  }
});
