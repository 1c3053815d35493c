"""Writes the ONNX file as a model of MLflow's onnx flavour: mlflow_save.py MODEL FOLDER.

The signature is the file's own. The flavour would give a DataFrame's columns to the model as flat
arrays, where it takes [N, 1]; named tensors ({"inputs": {column: [[value]]}}) fit.
"""

import sys

import mlflow.onnx
import numpy as np
import onnx
from mlflow.models import ModelSignature
from mlflow.types import Schema, TensorSpec

path, folder = sys.argv[1:]
model = onnx.load(path)


def schema_of(values):
    texts = onnx.TensorProto.STRING
    types = [(v.name, v.type.tensor_type.elem_type) for v in values]
    return Schema(
        [
            TensorSpec(np.dtype(str if t == texts else np.float32), (-1, 1), name)
            for name, t in types
        ]
    )


mlflow.onnx.save_model(
    model,
    folder,
    signature=ModelSignature(schema_of(model.graph.input), schema_of(model.graph.output)),
    onnx_session_options={"intra_op_num_threads": 1, "inter_op_num_threads": 1},
)
