"""Whatever is sent, the answer is never 500: requests made out of the OpenAPI document, right and wrong ones.

By hand: RENAISSANCE_FUZZ=200 python -m pytest -m slow -s tests/serving/test_fuzz.py
"""

from __future__ import annotations

import os
from collections import Counter
from contextlib import suppress

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

from renaissance.serving.app import create_app

EXAMPLES = int(os.environ.get("RENAISSANCE_FUZZ", "3"))  # of each address, right and wrong ones each


@pytest.mark.slow
def test_nothing_answers_500(models):
    chosen = {name: models[name] for name in ("pair", "clip", "caption")}
    document = schemathesis.openapi.from_asgi("/openapi.json", create_app(chosen), headers={"Host": "localhost"})
    seen: Counter[int] = Counter()
    for found in document.get_all_operations():
        operation = found.ok()
        for mode in GenerationMode:

            @given(case=operation.as_strategy(generation_mode=mode))
            @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
            def ask(case):
                case.headers = {**(case.headers or {}), "Host": "localhost"}
                response = case.call()
                seen[response.status_code] += 1
                assert response.status_code < 500, (case.as_curl_command(), response.text)

            with suppress(Unsatisfiable):  # nothing that is sent there could be wrong
                ask()
    print(f"{seen.total()} requests: {dict(seen)}")
    assert {200, 422} <= set(seen)
