"""Asks a pipeline of scikit-learn that a server serves, by the client of the protocol's inventors.

usage: v2_ask.py HOST:PORT MODEL VERSION < {"age": [...], "town": [...]}  ->  JSON of the answer

Numbers are sent as FP32 and texts as BYTES, each column [N, 1]; as bytes, and then as JSON.
"""
import json
import sys

import numpy as np
import tritonclient.http as http

address, model, version = sys.argv[1:]
columns = json.load(sys.stdin)


def tensor(name, values, binary):
    text = isinstance(values[0], str)
    data = np.array(values, dtype=np.object_ if text else np.float32).reshape(-1, 1)
    made = http.InferInput(name, list(data.shape), "BYTES" if text else "FP32")
    made.set_data_from_numpy(data, binary_data=binary)
    return made


def ask(client, binary):
    inputs = [tensor(name, values, binary) for name, values in columns.items()]
    outputs = [
        http.InferRequestedOutput(name, binary_data=binary) for name in ("label", "probabilities")
    ]
    answer = client.infer(model, inputs, model_version=version, outputs=outputs)
    labels = answer.as_numpy("label")
    told = answer.get_response()
    return {
        "model": told["model_name"],
        "version": told["model_version"],
        "labels": [one.decode() if isinstance(one, bytes) else one for one in labels.tolist()],
        "probabilities": answer.as_numpy("probabilities").ravel().tolist(),
    }


client = http.InferenceServerClient(url=address)
metadata = client.get_model_metadata(model, version)
print(
    json.dumps(
        {
            "ready": client.is_model_ready(model, version),
            "inputs": [[one["name"], one["datatype"], one["shape"]] for one in metadata["inputs"]],
            "answers": [ask(client, binary) for binary in (True, False)],
        }
    )
)
client.close()
