/*
 * A call of the MLflow protocol as data: its address, who may call, the message that it takes and
 * what answers. Its twin for the browser, `/ajax-api` for `/api`, comes by itself.
 */
import type { Mlflow } from "../../registry/mlflow.ts";
import type { Arrival } from "../arrival.ts";
import type { Answer } from "../route.ts";
import type { HttpServices } from "../services.ts";
import type { Fields, Message } from "./message.ts";

/**
 * Who may call: everybody; who may read (or log); who may log; administrators. SLUICE_OPEN names
 * those groups that need no token.
 */
export type Role = "open" | "read" | "track" | "admin";

type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

/** What an answer is made from, beside the message. */
export interface RpcCall {
  readonly services: HttpServices;
  readonly mlflow: Mlflow;
  /** The parts of the address that `{name}` and `{name+}` stand for, decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly request: Request;
  readonly arrival: Arrival;
  /** Who asks, for histories: `admin`, `token:<name>`; `anyone` where all may. */
  readonly actor: string;
  /** Throws as the guard would where the caller is not of that role too. */
  readonly admit: (role: Exclude<Role, "open">) => Promise<void>;
}

interface Described {
  readonly method: Method;
  /**
   * `runs/create` for `/api/2.0/mlflow/runs/create`. One that begins with a slash is a whole
   * address. `{name}` is one segment, `{name+}` (at the end) all that follow.
   */
  readonly path: string;
  /** The version of the protocol in the address, 2.0 where nothing is said. */
  readonly api?: "2.0" | "3.0";
  readonly role: Role;
  /** What its body may have at most, in bytes; 8 MiB where nothing is said. */
  readonly bodyLimit?: number;
  /** How long it may take, where that is longer than what requests have. */
  readonly deadlineMs?: number;
  /** The media type of its answer, where that is no JSON. */
  readonly gives?: string;
  /** What one that reads its request itself takes in its address. */
  readonly query?: Fields;
}

export interface Rpc extends Described {
  /** Null: it reads what it needs from the request itself. */
  readonly takes: Fields | null;
  answer(message: never, call: RpcCall): Promise<Answer> | Answer;
}

/**
 * A call that takes a message: from the query of a GET, from the JSON body of all others; parts of
 * the address are members of it too. What it gives is the JSON answer: a member that is undefined
 * is left out.
 */
export const rpc = <const F extends Fields>(
  spec: Described & {
    readonly takes: F;
    answer(message: Message<F>, call: RpcCall): Promise<Answer> | Answer;
  },
): Rpc => spec as unknown as Rpc;

/** A call that reads its request itself: files. */
export const rawRpc = (
  spec: Described & { answer(call: RpcCall): Promise<Answer> | Answer },
): Rpc => ({ ...spec, takes: null, answer: (_, call) => spec.answer(call) });

/** Every address that a call answers at. */
export function addressesOf({ path, api = "2.0" }: Pick<Rpc, "path" | "api">): string[] {
  const whole = path.startsWith("/") ? path : `/api/${api}/mlflow/${path}`;
  return whole.startsWith("/api/") ? [whole, `/ajax-api/${whole.slice("/api/".length)}`] : [whole];
}
