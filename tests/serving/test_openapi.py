from __future__ import annotations

import pytest


@pytest.fixture
def document(room):
    return room.client.get("/openapi.json").json()


def test_the_docs_show_the_models_own_features(document, spec):
    features = document["components"]["schemas"]["PredictRequest"]["properties"]["features"]
    assert features["required"] == list(spec.features)
    assert {name: schema["type"][0] for name, schema in features["properties"].items()} == {
        "transaction_amount": "number",
        "merchant_category": "string",
        "hour_of_day": "number",
    }
    assert features["additionalProperties"] is False


def test_the_example_is_a_request_that_the_server_accepts(document, room):
    schemas = document["components"]["schemas"]
    assert room.client.post("/predict", json=schemas["PredictRequest"]["example"]).status_code == 200
    assert room.client.post("/feedback", json=schemas["Label"]["example"]).status_code == 202


def test_every_route_is_described_and_every_reference_leads_somewhere(document):
    assert set(document["paths"]) == {"/predict", "/feedback", "/healthz", "/readyz", "/metrics"}
    assert set(document["paths"]["/predict"]["post"]["responses"]) == {"200", "422", "500", "503"}

    def references(part):
        if isinstance(part, dict):
            yield from ([part["$ref"]] if "$ref" in part else [])
            part = list(part.values())
        if isinstance(part, list):
            for item in part:
                yield from references(item)

    found = {reference.removeprefix("#/components/schemas/") for reference in references(document["paths"])}
    assert found <= set(document["components"]["schemas"])
    assert {"PredictRequest", "Prediction", "Problem", "Label", "Readiness"} <= found


def test_an_answer_and_a_refusal_have_the_described_members(document, room):
    schemas = document["components"]["schemas"]
    assert list(room.predict().json()) == schemas["Prediction"]["required"]
    problem = room.predict(features={}).json()
    assert set(schemas["Problem"]["required"]) <= set(problem) <= set(schemas["Problem"]["properties"])


def test_unknown_paths_and_methods_are_problems_too(room):
    for answer, status in ((room.client.get("/nothing"), 404), (room.client.get("/predict"), 405)):
        assert answer.status_code == answer.json()["status"] == status
        assert answer.headers["content-type"] == "application/problem+json"
    assert room.client.get("/predict").headers["allow"] == "POST"


def test_the_window_of_time_in_the_docs_is_that_of_the_spec(document, spec):
    window = spec.serving
    described = document["components"]["schemas"]["PredictRequest"]["properties"]["event_time"]["description"]
    assert f"{window.max_age_s:g} s back" in described
    assert f"{window.max_ahead_s:g} s ahead" in described
