/*
 * Requests of the protocol made up from what each call declares that it takes: right ones, and such
 * with a member missing, of another type, huge, negative, nested, said twice; bodies that are cut
 * off or no JSON; addresses with dots, escapes and doubled slashes; other methods and media types.
 * A seed decides all of it.
 */
import { makeRandom } from "../../learn/random.ts";
import { rpcs } from "./index.ts";
import type { Field, Fields } from "./message.ts";
import { addressesOf, type Rpc } from "./route.ts";

export interface MadeUp {
  /** `POST runs/create`. */
  readonly call: string;
  /** What was spoilt of it. */
  readonly spoilt: (typeof SPOILS)[number];
  readonly method: string;
  /** As it is sent: ASCII without spaces, not normalised. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array<ArrayBuffer> | null;
}

/** What is there just now, for requests to be about. */
export interface Known {
  experiment: string;
  run: string;
  logged: string;
}

const SPOILS = ["nothing", "members", "body", "path", "method", "type"] as const;
/** Of fifty requests, so many are spoilt in each of these ways. */
const ODDS = [14, 22, 5, 5, 2, 2];
const DRAWN = SPOILS.flatMap((spoil, i) => Array.from({ length: ODDS[i]! }, () => spoil));

const MODEL = "fuzzed";
const ODD_TEXTS = [
  ...["", " ", "0", "1", "-1", "x", "a b", "a/b", "../x", "..", ".", "%2e%2e", "\0", "\ud800"],
  ...["é", "日本", "'", '"', "`", "\\", "a\nb", "\u202e", "NaN", "Infinity", "-Infinity", "1e400"],
  ...["9".repeat(25), "x".repeat(300), "x".repeat(9_000), "é".repeat(70_000), "READY", "latest"],
  ...["v1", "champion", "name = 'x'", "metrics.m > 1", "tags.a LIKE '%'", "mlflow.runName"],
  ...["__proto__", "constructor", "toString", "mlflow-artifacts:/../x", "file:///etc/passwd"],
  ...["http://127.0.0.1:1/x", "runs:/x", "models:/fuzzed/1", "models:/fuzzed@champion", "{}", "[]"],
  ...["'; drop table runs; --", "x' OR '1'='1", "(", "x =", "= 1", "metrics.`a", '{"a":1}'],
];
const ODD_VALUES: readonly unknown[] = [
  ...[null, true, false, 0, -0, -1, 1.5, 2 ** 31, -(2 ** 31), 2 ** 53, 1e300, -1e300, 1e-320],
  ...[[], {}, [null], ["a"], [[]], [[[[]]]], { a: 1 }, { key: "a" }, [1, "a", null, {}], [{}, {}]],
];
/** Numbers and texts that JSON can say and `JSON.stringify` cannot. */
const ODD_JSON = [
  ...["1e999", "-1e999", "9223372036854775807", "-9223372036854775808", "9.0", "1E+2", "1e18"],
  ...["9223372036854775808", "-9223372036854775809", "9007199254740993", "1e25"],
];

/** What members of these names rightly are. */
const RIGHT: Readonly<Record<string, readonly string[]>> = {
  ...{ experiment_id: ["@experiment"], experiment_ids: ["@experiment"], run_id: ["@run"] },
  ...{ run_ids: ["@run"], run_uuid: ["@run"], source_run_id: ["@run"], model_id: ["@logged"] },
  ...{ name: [MODEL], new_name: ["fuzzed too"], experiment_name: ["fuzzed 1"], version: ["1"] },
  ...{ metric_key: ["m"], key: ["m", "a", "b"], tag_key: ["a"], value: ["1", "2"] },
  source: ["mlflow-artifacts:/@experiment/@run/artifacts/model", "models:/@logged", "s3://b/k"],
  ...{ page_token: [""], stage: ["Production", "Staging", "none"], stages: ["Production"] },
  ...{ alias: ["blue", "champion"], digest: ["d1"], source_type: ["local"] },
  filter: ["", "name = 'x'", "metrics.m > 0", "tags.a = '1'", "params.a LIKE '1%'", "x ="],
  order_by: ["metrics.m DESC", "name", "start_time ASC", "x y z"],
  field_name: ["name", "metrics.m", "creation_timestamp"],
  ...{ path: ["a.txt", "model/model.onnx"], folder: ["@experiment/@run/artifacts"] },
  ...{ artifact_file_path: ["a.txt"], artifact_directory_path: ["", "model"], upload_id: ["u"] },
  artifact_location: ["", "s3://bucket/x"],
  model_json: ['{"artifact_path":"m","flavors":{},"utc_time_created":"x","run_id":"@run"}'],
};
const NUMBERS = [0, 1, 2, 3, 100, 1_700_000_000_000];
const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
const TYPES = [
  ...["", "text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16"],
  ...["multipart/form-data; boundary=x", "APPLICATION/JSON", "/", "application/json,text/html"],
];
const ODD_PATHS = [
  ...["%2e%2e/%2e%2e/x", "../../x", "%252e%252e%252fx", "a%2fb", "%", "%zz", "%00", "a%00b", "%ff"],
  ...["%e2%80%ae", "//", "a//b", "./", "a/.", "a;b", "a%5cb", "C:%5cx", "%23", "?", "???a=b", "~"],
];

/** Gives one request after another; `known` may change between them. */
export function makeMadeUp(seed: number, known: Readonly<Known>): () => MadeUp {
  const { next, integer } = makeRandom(seed);
  const one = <T>(of: readonly T[]): T => of[integer(of.length)]!;
  const happens = (odds: number): boolean => next() < odds;

  const meant = (text: string): string =>
    text.replace(/@(experiment|run|logged)\b/g, (_, id: keyof Known) => known[id]);

  function rightText(name: string, depth: number): string {
    const given = RIGHT[name];
    // A path of the proxy begins at its root.
    if (name === "path" && depth === 0 && happens(0.5))
      return meant("@experiment/@run/artifacts/a");
    return given === undefined ? one(["a", "1", `${MODEL} ${integer(5)}`]) : meant(one(given));
  }

  function right(name: string, field: Field<unknown>, depth = 0): unknown {
    const { kind, names = [], fields = {}, item } = field;
    switch (kind) {
      case "text":
        return rightText(name, depth);
      case "int64":
        if (happens(0.05)) return { [RAW]: "1795735428379123457" };
        return happens(0.2) ? String(one(NUMBERS)) : one(NUMBERS);
      case "double":
        return one([0, 1, -2.5, 1e9, "3.5", "NaN", "-Infinity"]);
      case "bool":
        return happens(0.5);
      case "choice":
        return happens(0.3) ? integer(5) : one(names);
      case "message":
        return members(fields, depth + 1);
      case "list":
        return Array.from({ length: 1 + integer(3) }, () => right(name, item!, depth + 1));
    }
  }

  /** Those that are needed, and others as it comes. */
  function members(fields: Fields, depth = 0): Record<string, unknown> {
    const made: Record<string, unknown> = {};
    const share = one([0, 0.3, 0.7, 1]);
    for (const [name, field] of Object.entries(fields)) {
      if (field.isNeeded || happens(share)) made[name] = right(name, field, depth);
    }
    return made;
  }

  const odd = (): unknown =>
    one<() => unknown>([
      () => one(ODD_TEXTS),
      () => one(ODD_VALUES),
      () => ({ [RAW]: one(ODD_JSON) }),
      () => one(ODD_TEXTS.map(meant)),
    ])();

  /** The same with one thing in it changed, or gone. */
  function changed(value: unknown): unknown {
    if (Array.isArray(value) && value.length > 0 && happens(0.75)) {
      const at = integer(value.length);
      if (happens(0.1)) return Array.from({ length: 1_200 }, () => value[at]);
      return value.map((each, i) => (i === at ? changed(each) : each));
    }
    if (typeof value === "object" && value !== null && happens(0.85)) {
      const names = Object.keys(value);
      if (names.length > 0) {
        const name = one(names);
        const { [name]: old, ...others } = value as Record<string, unknown>;
        if (happens(0.15)) return others;
        if (happens(0.05)) return { ...others, [one(ODD_TEXTS)]: old };
        return { ...others, [name]: changed(old) };
      }
    }
    return odd();
  }

  function spoiltBody(json: string): Uint8Array<ArrayBuffer> {
    const bytes = Buffer.from(json);
    const made = one<() => string | Uint8Array>([
      () => bytes.subarray(0, integer(bytes.length + 1)),
      () => json.replace("{", '{"run_id":"x","name":5,'),
      () => json.replace("{", '{"__proto__":{"name":"x"},"constructor":1,'),
      () => JSON.stringify(json),
      () => JSON.stringify(JSON.stringify(json)),
      () => `[${json}]`,
      () => "[".repeat(50_000),
      () => `${'{"a":'.repeat(5_000)}1${"}".repeat(5_000)}`,
      () => one(["", " ", "null", "5", "true", '"x"', "{}", "{", "[]", "{]", "\u{feff}{}", "NaN"]),
      () => Buffer.concat([bytes.subarray(0, 5), Buffer.from([0xff, 0xfe, 0]), bytes.subarray(5)]),
      () => new Uint8Array(512).map((_, i) => i),
      () => json.replace(/"[^"]*"/, `"${"\\ud83d".repeat(1 + integer(3))}"`),
    ])();
    return Uint8Array.from(Buffer.from(made as string));
  }

  function addressOf(rpc: Rpc, isSpoilt: boolean): string {
    let address = one(addressesOf(rpc));
    const names = [...address.matchAll(/\{(\w+)\+?\}/g)].map(([part, name]) => ({ part, name }));
    const at = isSpoilt && names.length > 0 ? integer(names.length) : -1;
    for (const [i, { part, name }] of names.entries()) {
      const text = i === at ? one(ODD_TEXTS) : rightText(name!, 0);
      const escaped = text.toWellFormed().split("/").map(encodeURIComponent).join("/");
      address = address.replace(part, () => (i === at && happens(0.6) ? one(ODD_PATHS) : escaped));
    }
    if (!isSpoilt || (names.length > 0 && happens(0.7))) return address;
    return one<() => string>([
      () => `/${address}`,
      () => `${address}/`,
      () => `${address}/${one(ODD_PATHS)}`,
      () => address.replace("/api/", "/api//"),
      () => address.replace(/\/(?=[^/]*$)/, "/../"),
      () => address.slice(0, integer(address.length) + 1),
      () => address.toUpperCase(),
      () => `${address}/${"x".repeat(6_000)}`,
      () => address.replace("2.0", "9.9"),
      () => address.replace(/[aeiou]/, (char) => `%${char.charCodeAt(0).toString(16)}`),
    ])();
  }

  /** Members as an address has them: what is no text is written as JSON. */
  function queryOf(made: unknown, isSpoilt: boolean): string {
    if (isSpoilt && happens(0.3)) {
      return one(["%", "a=%zz", "&&=&", "=".repeat(300), `run_id=${"x".repeat(8_000)}`, "a[]=1"]);
    }
    const pairs = typeof made === "object" && made !== null ? Object.entries(made) : [];
    return pairs
      .flatMap(([name, value]) =>
        (Array.isArray(value) ? value : [value]).map((each) => {
          const text = typeof each === "string" ? each : jsonOf(each);
          return `${escaped(name)}=${escaped(text)}`;
        }),
      )
      .join("&")
      .slice(0, 9_000);
  }

  return () => {
    const rpc = one(rpcs);
    const spoilt = one(DRAWN);
    const isOther = spoilt === "method";
    const method = isOther ? one(METHODS) : rpc.method;
    let made: unknown = members(rpc.takes ?? rpc.query ?? {});
    if (spoilt === "members") for (let i = integer(3); i >= 0; i--) made = changed(made);
    const path = addressOf(rpc, spoilt === "path");
    const hasQuery = method === "GET" || rpc.takes === null;
    const query = hasQuery ? queryOf(made, spoilt === "path" || spoilt === "body") : "";
    const json = jsonOf(made);
    const isFile = rpc.takes === null;
    const bodyOf = (): Uint8Array<ArrayBuffer> | null => {
      if (method === "GET" || method === "HEAD") return null;
      if (spoilt === "body") return spoiltBody(json);
      return Uint8Array.from(Buffer.from(isFile ? "x".repeat(integer(2_000)) : json));
    };
    const type = isFile ? "application/octet-stream" : "application/json";
    return {
      ...{ call: `${rpc.method} ${rpc.path}`, spoilt, method, body: bodyOf() },
      path: query === "" ? path : `${path}?${query}`,
      headers: { "content-type": spoilt === "type" ? one(TYPES) : type },
    };
  };
}

const escaped = (text: string): string => encodeURIComponent(text.toWellFormed());

/** JSON that is put in as it is. */
const RAW = Symbol("raw");

function jsonOf(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(jsonOf).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  if (RAW in value) return value[RAW] as string;
  const pairs = Object.entries(value).map(([name, of]) => `${JSON.stringify(name)}:${jsonOf(of)}`);
  return `{${pairs.join(",")}}`;
}

/** Why an answer to such a request is wrong; null where it may be so. */
export function faultIn({ spoilt }: MadeUp, status: number, text: string): string | null {
  // What this store of files cannot do is said so.
  if (status >= 500 && status !== 501) return "a fault of the server";
  // A spoilt address may be none of the protocol, whose errors look otherwise.
  const isOurs = spoilt !== "path" && text !== "";
  if (status >= 400 && isOurs && !/"error_code":"[A-Z_]+"/.test(text)) return "no error";
  if (/failed query|syntax error|duplicate key|at .*\.ts:\d/i.test(text)) return "inside told";
  return null;
}

type Post = (path: string, body: object) => Promise<unknown>;

/** Something for the next requests to be about; refusals of what is there already are passed over. */
export async function prepare(post: Post, round: number, known: Known): Promise<void> {
  // biome-ignore lint/suspicious/noExplicitAny: the answers of the protocol.
  const ask = post as (path: string, body: object) => Promise<any>;
  const { experiment_id } = await ask("experiments/create", { name: `fuzzed ${round}` });
  const { run } = await ask("runs/create", { experiment_id });
  const run_id: string = run.info.run_id;
  await ask("runs/log-metric", { run_id, key: "m", value: 1, timestamp: 1 });
  const { model } = await ask("logged-models", { experiment_id, name: MODEL });
  await ask("registered-models/create", { name: MODEL }).catch(() => null);
  Object.assign(known, { experiment: experiment_id, run: run_id, logged: model.info.model_id });
}
