"""What a request may say: decoders built from a model's spec, and the time window both logs share.

The decoder is the whole contract: feature names and kinds, no unknown key, numbers that fit the graph's
float32, times with a zone. Anything else is `Invalid`, which names the field and the fix.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any

import msgspec

from ct_assets.spec import ModelSpec
from serving.faults import Explainer, Fault, Invalid

__all__ = ["MAX_LABELS", "Contract", "Label", "PredictRequest"]

MAX_LABELS = 10_000
FLOAT32_MAX = 3.4028234663852886e38  # a larger float64 becomes infinity in the graph

RequestId = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
Text = Annotated[str, msgspec.Meta(max_length=1_000)]
Time = Annotated[datetime, msgspec.Meta(tz=True)]
Number = Annotated[float, msgspec.Meta(ge=-FLOAT32_MAX, le=FLOAT32_MAX)]


class _Head(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    request_id: RequestId | None = None
    event_time: Time | None = None
    entity: Text | None = None


class PredictRequest(_Head, kw_only=True, forbid_unknown_fields=True):
    """One row to score. `features`: a struct with the spec's features as fields, in the spec's order."""

    features: Any


class Label(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What became of one answered request; `label` is 0 or 1 (or false, true)."""

    request_id: RequestId
    label: bool | Annotated[float, msgspec.Meta(ge=0, le=1, multiple_of=1)]
    label_time: Time | None = None


class Contract:
    """The requests that one model accepts."""

    def __init__(self, spec: ModelSpec) -> None:
        kinds: dict[str, Any] = {"numerical": Number | None, "categorical": Text | None}
        features = msgspec.defstruct(
            "Features",
            [(name, kinds[kind]) for name, kind in spec.features.items()],
            forbid_unknown_fields=True,
        )
        request = msgspec.defstruct(
            "Request",
            [("features", features)],
            bases=(PredictRequest,),
            kw_only=True,
            forbid_unknown_fields=True,
        )
        labels = Label | Annotated[list[Label], msgspec.Meta(min_length=1, max_length=MAX_LABELS)]
        self._requests: msgspec.json.Decoder[PredictRequest] = msgspec.json.Decoder(request)
        self._labels: msgspec.json.Decoder[Label | list[Label]] = msgspec.json.Decoder(labels)
        self._oldest = timedelta(seconds=spec.serving.max_age_s)
        self._newest = timedelta(seconds=spec.serving.max_ahead_s)
        self._explainer = Explainer(spec)

    def request(self, body: bytes, now: datetime) -> PredictRequest:
        """The request in `body`; raises Invalid. `now`: aware, the time it was received."""
        request: PredictRequest = self._decode(self._requests, body)
        if request.event_time is not None:
            self._in_window(request.event_time, now, "#/event_time")
        return request

    def labels(self, body: bytes, now: datetime) -> list[Label]:
        """One label or a list of up to 10,000, as a list; raises Invalid (then none of them counts)."""
        decoded: Label | list[Label] = self._decode(self._labels, body)
        if isinstance(decoded, Label):
            if decoded.label_time is not None:
                self._in_window(decoded.label_time, now, "#/label_time")
            return [decoded]
        for index, label in enumerate(decoded):
            if label.label_time is not None:
                self._in_window(label.label_time, now, f"#/{index}/label_time")
        return decoded

    def _decode(self, decoder: msgspec.json.Decoder[Any], body: bytes) -> Any:
        try:
            return decoder.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:  # the second for a string that is no UTF-8
            raise Invalid(self._explainer.fault(error)) from None

    def _in_window(self, at: datetime, now: datetime, pointer: str) -> None:
        # Compared before any conversion: 0001-01-01T00:00+14:00 has no UTC time, but an order.
        if now - self._oldest <= at <= now + self._newest:
            return
        raise Invalid(
            Fault(
                pointer,
                f"{at.isoformat()} lies outside the accepted window of {self._oldest.total_seconds():g} s back "
                f"to {self._newest.total_seconds():g} s ahead of {now:%Y-%m-%dT%H:%M:%SZ}",
                "correct the sender's clock, leave the field out for now, or raise serving.max_age_s in the model's defs.yaml",
            )
        )
