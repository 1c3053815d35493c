/*
 * The calls of the protocol in the OpenAPI document, told from what each takes. Answers are told by
 * their media type alone: their members are those of MLflow's own documentation.
 */
import type { OpenGroup } from "../../config.ts";
import type { Field, Fields } from "./message.ts";
import { addressesOf, type Rpc } from "./route.ts";

type Json = Readonly<Record<string, unknown>>;

const TAG = "MLflow";
const ERROR = "MlflowError";

/** Members of errors, by the name under which answers refer to it. */
export const mlflowSchemas: Readonly<Record<string, Json>> = {
  [ERROR]: {
    type: "object",
    required: ["error_code", "message"],
    properties: { error_code: { type: "string" }, message: { type: "string" } },
  },
};

const ERRORS: Readonly<Record<number, string>> = {
  400: "Something in the request is not accepted.",
  401: "No token, or one that is not live.",
  403: "The token lacks the scope.",
  404: "There is none of that name.",
  408: "The body came too slowly.",
  409: "The state is another than was expected.",
  413: "The body is over the limit.",
  415: "Bodies are not compressed.",
  429: "Too much at once; Retry-After tells when.",
  500: "A fault of the server.",
  501: "Not with this store of files.",
  503: "Not now; Retry-After tells when.",
};

/** Each call at its first address; the twins for browsers are the same. */
export function mlflowPaths(
  rpcs: readonly Rpc[],
  open: readonly OpenGroup[],
): Record<string, Record<string, Json>> {
  const paths: Record<string, Record<string, Json>> = {};
  for (const rpc of rpcs) {
    const [address = ""] = addressesOf(rpc);
    const path = address.replace(/\+\}/g, "}");
    paths[path] = { ...paths[path], [rpc.method.toLowerCase()]: operationOf(rpc, path, open) };
  }
  return paths;
}

function operationOf(rpc: Rpc, path: string, open: readonly OpenGroup[]): Json {
  const { method, role } = rpc;
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]!);
  const asked = Object.entries(rpc.takes ?? rpc.query ?? {}).filter(
    ([name]) => !inPath.includes(name),
  );
  const inQuery = method === "GET" || rpc.takes === null ? asked : [];
  const body = bodyOf(rpc, Object.fromEntries(asked));
  const isOpen = role === "open" || (role !== "admin" && open.includes(role));
  return {
    tags: [TAG],
    summary: `${method} ${path.split("/").slice(-2).join("/")}`,
    description: "MLflow's protocol; docs/mlflow.md tells of it.",
    operationId: `mlflow${nameOf(method.toLowerCase())}${nameOf(path)}`,
    security: role === "open" ? [] : isOpen ? [{ token: [] }, {}] : [{ token: [] }],
    parameters: [
      ...inPath.map((name) => ({ in: "path", name, required: true, schema: { type: "string" } })),
      ...inQuery.map(([name, field]) => ({
        ...{ in: "query", name, required: field.isNeeded === true },
        schema: schemaOf(field, true),
      })),
    ],
    ...(body === null ? {} : { requestBody: body }),
    responses: {
      200: { description: "The answer.", content: { [rpc.gives ?? "application/json"]: {} } },
      ...(rpc.gives === "*/*" ? PARTLY : {}),
      ...Object.fromEntries(
        Object.entries(ERRORS).map(([status, description]) => [
          status,
          { description, content: { "application/json": { schema: REFERENCE } } },
        ]),
      ),
    },
  };
}

const REFERENCE = { $ref: `#/components/schemas/${ERROR}` };
const PARTLY = {
  206: { description: "The range that was asked for.", content: { "*/*": {} } },
  416: { description: "The range begins behind the end." },
};

function bodyOf({ method, takes }: Rpc, fields: Fields): Json | null {
  if (method === "GET") return null;
  if (takes !== null) {
    return { required: true, content: { "application/json": { schema: objectOf(fields) } } };
  }
  if (method === "DELETE") return null;
  return { required: true, content: { "application/octet-stream": { schema: {} } } };
}

const nameOf = (text: string): string =>
  text
    .split(/[^A-Za-z0-9]+/)
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join("");

function objectOf(fields: Fields): Json {
  const all = Object.entries(fields);
  const needed = all.filter(([, field]) => field.isNeeded).map(([name]) => name);
  return {
    type: "object",
    properties: Object.fromEntries(all.map(([name, field]) => [name, schemaOf(field, false)])),
    ...(needed.length === 0 ? {} : { required: needed }),
  };
}

/** The last number within 64 bits that JSON can have as a double. */
const LAST = 2 ** 63 - 1_024;

/** What a field accepts. Texts of numbers are accepted wherever numbers are. */
function schemaOf(field: Field<unknown>, inAddress: boolean): Json {
  const { kind, names = [], fields = {}, item } = field;
  switch (kind) {
    case "text":
      return { type: "string", ...(field.isNeeded ? { minLength: 1 } : {}) };
    case "int64":
      return { type: "integer", format: "int64", minimum: -LAST, maximum: LAST };
    case "double":
      return { oneOf: [{ type: "number" }, { enum: ["NaN", "Infinity", "-Infinity"] }] };
    case "bool":
      return { type: "boolean" };
    case "choice":
      return { type: "string", enum: names };
    case "message":
      return objectOf(fields);
    case "list":
      return { type: "array", items: item === undefined ? {} : schemaOf(item, inAddress) };
  }
}
