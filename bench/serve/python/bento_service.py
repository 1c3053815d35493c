"""BentoML with adaptive batching: requests that come together are one call of the model."""

from typing import Annotated

import bentoml
from bentoml.validators import ContentType
from columns import feeds_of, open_session
from person import Person, Prediction, predictions_of

# Without a type told it works out the schema of the answer at each request.
Predictions = Annotated[list[Prediction], ContentType("application/json")]


@bentoml.service(workers=1, metrics={"enabled": False}, logging={"access": {"enabled": False}})
class Income:
    def __init__(self):
        self.session = open_session()

    # The model takes some microseconds: on the loop it is faster than in a pool of threads.
    @bentoml.api(batchable=True, batch_dim=0, max_batch_size=1024, max_latency_ms=1000)
    async def predict(self, instances: list[Person]) -> Predictions:
        (probabilities,) = self.session.run(["probability"], feeds_of(instances))
        return predictions_of(probabilities)
