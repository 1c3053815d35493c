/*
 * The Open Inference Protocol (KServe V2) over REST, with the binary tensor data extension. Every
 * version of a registered model can be asked, not the champion alone.
 */
import { version as sluice } from "../../../package.json";
import { headersFor } from "../arrival.ts";
import { mediaType, unsupportedMedia } from "../body.ts";
import { readiness } from "../health.ts";
import { noteRows } from "../observe.ts";
import { type Answer, type Call, type OpenRoute, type Route, route } from "../route.ts";
import { specOf, type TensorSpec } from "./datatypes.ts";
import { inferenceOf, inferResponse } from "./infer.ts";
import { readInfer } from "./request.ts";
import * as schema from "./schemas.ts";

const NAME = "sluice";
const PLATFORM = "onnxruntime_onnx";
const HEADER = "inference-header-content-length";
/** Clients of the protocol say nothing of the type; the length of the header tells what it is. */
const TYPES = ["", "application/json", "application/octet-stream"];
/** How many of a model's versions its metadata lists: the newest. */
const VERSIONS = 100;

const described = { tag: "inference" } as const;
const guarded = { ...described, group: "predict" } as const;

const server: OpenRoute = {
  ...described,
  method: "GET",
  path: "/v2",
  group: "open",
  summary: "The server's name, version and extensions",
  gives: schema.serverAnswer,
  handle: () => ({ name: NAME, version: sluice, extensions: ["binary_tensor_data"] }),
};

const live: OpenRoute = {
  ...described,
  method: "GET",
  path: "/v2/health/live",
  group: "open",
  early: true,
  summary: "Whether the process lives, in the inference protocol",
  gives: schema.liveAnswer,
  handle: () => ({ live: true }),
};

const ready: OpenRoute = {
  ...described,
  method: "GET",
  path: "/v2/health/ready",
  group: "open",
  early: true,
  summary: "Whether every configured model can answer, in the inference protocol",
  gives: schema.serverReadyAnswer,
  handle: async ({ services, unavailable, leaving, tell }) => {
    const away = unavailable ?? leaving;
    if (services === null || away !== null) return tell(away!);
    const { trouble } = await readiness(services);
    return trouble === null ? { ready: true } : tell(trouble);
  },
};

export const protocolRoutes: readonly Route[] = [
  server,
  live,
  ready,
  route({
    ...guarded,
    method: "GET",
    path: "/v2/models/:model",
    summary: "The champion's inputs and outputs, and the model's versions",
    gives: schema.metadataAnswer,
    handle: (call) => metadata(call, null),
  }),
  route({
    ...guarded,
    method: "GET",
    path: "/v2/models/:model/versions/:version",
    summary: "A version's inputs and outputs; by number or alias",
    gives: schema.metadataAnswer,
    handle: (call) => metadata(call, call.params.version),
  }),
  route({
    ...guarded,
    method: "GET",
    path: "/v2/models/:model/ready",
    summary: "Whether the champion can answer",
    gives: schema.modelReadyAnswer,
    handle: (call) => modelReady(call, null),
  }),
  route({
    ...guarded,
    method: "GET",
    path: "/v2/models/:model/versions/:version/ready",
    summary: "Whether a version can answer; by number or alias",
    gives: schema.modelReadyAnswer,
    handle: (call) => modelReady(call, call.params.version),
  }),
  route({
    ...guarded,
    method: "POST",
    path: "/v2/models/:model/infer",
    hot: true,
    summary: "Ask the champion with tensors",
    takes: { "application/json": schema.inferBody, "application/octet-stream": schema.inferBytes },
    gives: schema.inferAnswer,
    givesAlso: ["application/octet-stream"],
    handle: (call) => infer(call, null),
  }),
  route({
    ...guarded,
    method: "POST",
    path: "/v2/models/:model/versions/:version/infer",
    hot: true,
    summary: "Ask a version with tensors; by number or alias",
    takes: { "application/json": schema.inferBody, "application/octet-stream": schema.inferBytes },
    gives: schema.inferAnswer,
    givesAlso: ["application/octet-stream"],
    handle: (call) => infer(call, call.params.version),
  }),
];

type ModelCall = Call<"model">;

async function metadata({ services, params }: ModelCall, version: string | null): Promise<Answer> {
  return services.served.use(params.model, version, async ({ plain: { signature } }) => {
    const { items } = await services.versions.versions(params.model, { limit: VERSIONS });
    return {
      name: params.model,
      versions: items.map((item) => String(item.version)).reverse(),
      platform: PLATFORM,
      inputs: signature.inputs.map((value) => specView(specOf(value))),
      outputs: signature.outputs.map((value) => specView(specOf(value))),
    };
  });
}

const specView = ({ name, datatype, shape }: TensorSpec) => ({
  ...{ name, datatype },
  shape: shape ?? [-1],
});

/** Ready once it is loaded: what keeps it from that is the answer. */
async function modelReady(
  { services, params }: ModelCall,
  version: string | null,
): Promise<Answer> {
  return services.served.use(params.model, version, async () => ({
    ...{ name: params.model, ready: true },
  }));
}

async function infer(call: ModelCall, version: string | null): Promise<Response> {
  const { services, params, request, metrics, arrival } = call;
  const type = mediaType(request);
  if (!TYPES.includes(type)) throw unsupportedMedia(type, TYPES.slice(1));
  const sent = readInfer(await call.bytes(), request.headers.get(HEADER));
  return services.served.use(params.model, version, async (served) => {
    arrival.served = served;
    const { plain, version: number } = served;
    const { inputs, outputs, rows } = inferenceOf(sent, plain.signature);
    const began = performance.now();
    const answers = await plain.run(
      inputs,
      outputs.map(({ spec }) => spec.name),
    );
    metrics.serving(served.model, number).run(rows, (performance.now() - began) / 1000);
    const head = {
      model_name: params.model,
      model_version: String(number),
      ...(sent.id === null ? {} : { id: sent.id }),
      ...(services.config.simulated ? { simulated: true as const } : {}),
    };
    const response = inferResponse(head, outputs, answers, headersFor(arrival));
    arrival.isWhole = true;
    noteRows(arrival, metrics, rows);
    return response;
  });
}
