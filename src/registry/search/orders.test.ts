import { describe, expect, test } from "bun:test";
import { orderOf } from "./orders.ts";

describe("an order", () => {
  test.each([
    ["metrics.m", "metrics", "m", false],
    ["metrics.a.b desc", "metrics", "a.b", true],
    ["metrics.`a b` ASC", "metrics", "a b", false],
    ["  start_time   DESC ", null, "start_time", true],
    ["`Run Name` Desc", null, "Run Name", true],
    ["params.desc", "params", "desc", false],
  ] as const)("%j", (text, entity, key, descending) => {
    expect(orderOf(text)).toEqual({ name: { entity, key }, descending });
  });

  test.each([
    "",
    "DESC DESC DESC",
    "metrics.m DESC, metrics.n",
    "metrics.m up",
    "'m' DESC",
    "1",
    "m;",
  ])("%j is none", (text) => {
    expect(() => orderOf(text)).toThrow(/^Invalid (order_by clause|clause\(s\) in order_by)/);
  });
});
