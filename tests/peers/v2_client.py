"""Asks a server of the Open Inference Protocol by the client of its inventors.

usage: v2_client.py HOST:PORT  ->  JSON of what was answered

Model "echo": the champion (1) gives back a tensor of every datatype, version 2 one of FP32 and one
of BYTES.
"""
import json
import sys

import numpy as np
import tritonclient.http as http
from tritonclient.utils import InferenceServerException

TYPES = {
    "BOOL": np.bool_, "UINT8": np.uint8, "UINT16": np.uint16, "UINT32": np.uint32,
    "UINT64": np.uint64, "INT8": np.int8, "INT16": np.int16, "INT32": np.int32,
    "INT64": np.int64, "FP16": np.float16, "FP32": np.float32, "FP64": np.float64,
    "BYTES": np.object_,
}


def values(datatype):
    if datatype == "BOOL":
        return np.array([[True, False], [False, True]])
    if datatype == "BYTES":
        return np.array([["a", "한글"], ["", "x" * 300]], dtype=np.object_)
    kind = TYPES[datatype]
    if datatype.startswith("FP"):
        return np.array([[1.5, -2.25], [0.0, 1000.0]], dtype=kind)
    limits = np.iinfo(kind)
    return np.array([[limits.min, limits.max], [0, 7]], dtype=kind)


def tensor(datatype, binary):
    data = values(datatype)
    made = http.InferInput(f"x_{datatype}", list(data.shape), datatype)
    made.set_data_from_numpy(data, binary_data=binary)
    return made


def text(cells):
    return [cell.decode() if isinstance(cell, bytes) else cell for cell in cells.ravel().tolist()]


def same(datatype, found):
    wanted = values(datatype)
    if datatype == "BYTES":
        return found.shape == wanted.shape and text(found) == text(wanted)
    return found.dtype == wanted.dtype and bool(np.array_equal(found, wanted))


def failure(work):
    try:
        work()
        return None
    except InferenceServerException as thrown:
        return [thrown.status(), thrown.message()]


def main(address):
    client = http.InferenceServerClient(url=address)
    told = {
        "live": client.is_server_live(),
        "ready": client.is_server_ready(),
        "model_ready": client.is_model_ready("echo"),
        "version_ready": client.is_model_ready("echo", "2"),
        "other_ready": client.is_model_ready("nobody"),
        "server": client.get_server_metadata(),
        "model": client.get_model_metadata("echo"),
        "version": client.get_model_metadata("echo", "2"),
    }
    # FP16 goes as bytes only: the client refuses to write it as JSON.
    forms = {}
    for binary_in in (True, False):
        for binary_out in (True, False):
            inputs = [tensor(name, binary_in or name == "FP16") for name in TYPES]
            outputs = [
                http.InferRequestedOutput(f"y_{name}", binary_data=binary_out or name == "FP16")
                for name in TYPES
            ]
            answer = client.infer("echo", inputs, outputs=outputs, request_id="r1")
            right = [name for name in TYPES if same(name, answer.as_numpy(f"y_{name}"))]
            forms[f"{binary_in} {binary_out}"] = [right, answer.get_response()["id"]]
    told["forms"] = forms

    inputs = [tensor(name, True) for name in TYPES]
    whole = client.infer("echo", inputs)
    told["all"] = [name for name in TYPES if same(name, whole.as_numpy(f"y_{name}"))]
    told["whole"] = {
        key: whole.get_response()[key] for key in ("model_name", "model_version")
    }
    wanted = [http.InferRequestedOutput("y_INT64")]
    some = client.infer("echo", inputs, outputs=wanted, timeout=10, priority=1)
    told["selected"] = [output["name"] for output in some.get_response()["outputs"]]

    odd = np.array([[np.nan, np.inf], [-np.inf, 1]], dtype=np.float32)
    odd_input = http.InferInput("x_FP32", [2, 2], "FP32")
    odd_input.set_data_from_numpy(odd)
    rest = [tensor(name, True) for name in TYPES if name != "FP32"]
    odd_answer = client.infer("echo", [odd_input, *rest]).as_numpy("y_FP32")
    told["odd"] = bool(np.array_equal(odd_answer, odd, equal_nan=True))

    pending = [client.async_infer("echo", inputs) for _ in range(4)]
    told["async"] = [same("BYTES", one.get_result().as_numpy("y_BYTES")) for one in pending]

    short = http.InferInput("x_FP32", [1, 1], "FP32")
    short.set_data_from_numpy(np.array([[1]], dtype=np.float32))
    told["failures"] = {
        "model": failure(lambda: client.infer("nobody", inputs)),
        "version": failure(lambda: client.infer("echo", inputs, model_version="9")),
        "missing": failure(lambda: client.infer("echo", inputs[1:])),
        "shape": failure(lambda: client.infer("echo", [short, *rest])),
        "output": failure(
            lambda: client.infer("echo", inputs, outputs=[http.InferRequestedOutput("z")])
        ),
        "classes": failure(
            lambda: client.infer(
                "echo", inputs, outputs=[http.InferRequestedOutput("y_FP32", class_count=2)]
            )
        ),
    }
    client.close()
    print(json.dumps(told))


main(sys.argv[1])
