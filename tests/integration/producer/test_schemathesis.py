"""The running producer answers every request that can be made of its document as the document says."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import CheckFunction
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from eventstreams.core.apikey import ApiKey
from integration.producer.producer_process import ProducerProcess
from integration.producer.topics import records
from local.kafka import LocalKafka
from unit.producer.certificates import Certificate

pytestmark = pytest.mark.integration

EXAMPLES = 20
"""Of each operation and mode; all of them together take some 10 s."""

Operation = APIOperation[Any, Any, Any, Any]

BEYOND_THE_DOCUMENT: list[CheckFunction] = [negative_data_rejection, positive_data_acceptance]
"""Checks that presume a schema can say all: that any bytes are text, that keyType=binary makes `key` hexadecimal."""


def operations(producer: ProducerProcess, document: dict[str, object]) -> Iterator[Operation]:
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=producer.url)
    for result in schema.get_all_operations():
        assert isinstance(result, Ok)
        yield result.ok()


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: str(mode.value))
async def test_every_answer_is_one_that_the_document_knows(
    producer: ProducerProcess,
    kafka: LocalKafka,
    certificate: Certificate,
    key: ApiKey,
    topic: str,
    mode: GenerationMode,
) -> None:
    document = (await producer.get("/openapi.json")).body

    def probe(operation: Operation) -> None:
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: schemathesis.Case[Any]) -> None:
            if "topic" in case.path_parameters:
                case.path_parameters["topic"] = topic  # any other is 403
            case.call_and_validate(
                headers={"Authorization": f"Bearer {key.reveal()}"},
                verify=str(certificate.file),
                timeout=20,
                excluded_checks=BEYOND_THE_DOCUMENT,
            )

        ask()

    for operation in operations(producer, document):
        if mode is GenerationMode.NEGATIVE and not operation.path_parameters:
            continue  # nothing in it can be wrong
        await asyncio.to_thread(probe, operation)
    assert "Traceback" not in producer.log
    assert mode is GenerationMode.NEGATIVE or records(kafka, topic)
