/*
 * Who may import whom (docs/architecture.md). `bun run check` runs it, and so does
 * scripts/imports.test.ts, which breaks every rule once to see that it bites.
 *
 * TypeScript 7 has no API yet that dependency-cruiser could parse with, so SWC does. It sees
 * type-only, re-exported and dynamic imports; it does not see `import("x").T` in a type.
 */

/** Rooms from the bottom up. A room may import rooms of its own level and of those before it. */
const levels = [
  ["feature", "learn", "onnx"],
  ["report"],
  ["store"],
  ["market", "table"],
  ["registry"],
  ["flow", "serve"],
  ["http", "web"],
];

/** Libraries that belong to certain rooms, so that one room alone knows how it is done. */
const owned = [
  // The registry is little else than SQL over its own tables; drivers stay in the store.
  { rooms: ["store", "registry"], libraries: ["drizzle-orm"] },
  { rooms: ["store"], libraries: ["postgres", "ioredis", "minio"] },
  { rooms: ["store"], libraries: ["@electric-sql/pglite"] },
  { rooms: ["store", "flow"], libraries: ["pg-boss"] },
  { rooms: ["table"], libraries: ["csv-parse"] },
  { rooms: ["serve"], libraries: ["onnxruntime-node"] },
  { rooms: ["http", "web"], libraries: ["hono", "hono-openapi", "@hono/standard-validator"] },
  { rooms: ["http"], libraries: ["prom-client", "@opentelemetry", "rate-limiter-flexible"] },
];

/** Rooms that take arrays and give arrays, or text. */
const pure = [...levels[0], ...levels[1]];
const pureLibraries = ["trading-signals", "protobufjs"];

const rooms = levels.flat();
const anyOf = (names) => `(?:${names.map((name) => name.replace(/[/.]/g, "\\$&")).join("|")})`;
const inRooms = (names) => `^src/${anyOf(names)}/`;
const packages = (names) => `(?:^|node_modules/)${anyOf(names)}(?:/|$)`;
// fixtures.ts and testing.ts beside the tests of a room are theirs, whatever they need.
const tests = "(?:\\.test|/fixtures?|/testing)\\.ts$";
// The files that know the whole house: app.ts wires it, with services.ts; the rest is the command
// line. No room may lean on them.
const wiring = "^src/(?:(?:app|services|demo|main)\\.ts$|cli/)";

const upward = levels.slice(0, -1).map((level, at) => ({
  name: `${level[0]}-imports-upward`,
  comment: `${level.join(", ")} may not import a room above: ${levels.slice(at + 1).flat()}.`,
  severity: "error",
  from: { path: inRooms(level), pathNot: tests },
  to: { path: inRooms(levels.slice(at + 1).flat()) },
}));

const ownership = owned.map(({ rooms: owners, libraries }) => ({
  name: `${libraries[0].replace(/^@/, "")}-has-a-room`,
  comment: `Only src/${owners.join(" and src/")} may import ${libraries.join(", ")}.`,
  severity: "error",
  from: { path: "^src/", pathNot: [inRooms(owners), tests] },
  to: { path: packages(libraries) },
}));

export default {
  forbidden: [
    {
      name: "no-cycle",
      comment: "Files that import each other cannot be read, or tested, one at a time.",
      severity: "error",
      from: { path: "^src/" },
      to: { circular: true },
    },
    {
      name: "pure-rooms",
      comment: `${pure.join(", ")}: arrays in, arrays out. No clock, disk, network, database.`,
      severity: "error",
      from: { path: inRooms(pure), pathNot: tests },
      to: {
        pathNot: [
          inRooms(pure),
          "^src/(?:types|errors)\\.ts$",
          packages(pureLibraries),
          "^(?:node:)?(?:crypto|zlib)$",
        ],
      },
    },
    ...upward,
    {
      name: "shared-files-know-no-room",
      comment:
        "A file directly in src, or of src/models, may import the pure rooms only, unless it wires.",
      severity: "error",
      from: { path: "^src/(?:models/)?[^/]+\\.ts$", pathNot: [wiring, tests] },
      to: { path: inRooms(rooms.filter((room) => !levels[0].includes(room))) },
    },
    {
      name: "only-app-wires",
      comment: "What a room needs is given to it; it does not fetch it from app.ts.",
      severity: "error",
      from: { path: "^src/", pathNot: [wiring, tests] },
      to: { path: wiring },
    },
    ...ownership,
    {
      name: "no-tests-in-source",
      comment: "What the program needs must not live in a test.",
      severity: "error",
      from: { path: "^src/", pathNot: tests },
      to: { path: [tests, "^tests/", "^bun:test$", packages(["fast-check"])] },
    },
  ],
  options: {
    parser: "swc",
    tsPreCompilationDeps: true,
    doNotFollow: { path: "node_modules" },
    enhancedResolveOptions: { extensions: [".ts", ".js", ".json"] },
  },
};
