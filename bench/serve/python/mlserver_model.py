"""A runtime of MLServer for ONNX files, written as its documentation says custom ones are."""

from columns import open_session
from mlserver import MLModel
from mlserver.codecs import NumpyCodec, StringCodec
from mlserver.types import InferenceRequest, InferenceResponse
import numpy as np


class OnnxModel(MLModel):
    async def load(self) -> bool:
        self.session = open_session()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        feeds = {}
        for given in payload.inputs:
            if given.datatype == "BYTES":
                texts = StringCodec.decode_input(given)
                feeds[given.name] = np.array(texts, dtype=object).reshape(given.shape)
            else:
                feeds[given.name] = NumpyCodec.decode_input(given).astype(np.float32, copy=False)
        (probabilities,) = self.session.run(["probability"], feeds)
        return InferenceResponse(
            model_name=self.name,
            outputs=[NumpyCodec.encode_output("probability", probabilities)],
        )
