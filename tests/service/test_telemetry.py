import pytest
import structlog
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from service.app import create_app
from service.settings import ServiceSettings
from tests.service.requests import problem, send


def test_a_sane_request_id_is_taken_over(client: TestClient) -> None:
    answer = client.get("/health/live", headers={"X-Request-ID": "abc-123"})
    assert answer.headers["x-request-id"] == "abc-123"


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "<script>"])
def test_other_request_ids_are_replaced(client: TestClient, given: str) -> None:
    answer = client.get("/health/live", headers={"X-Request-ID": given})
    assert len(answer.headers["x-request-id"]) == 32


def test_every_answer_has_a_request_id(client: TestClient) -> None:
    for path in ("/", "/nowhere", "/jobs/none", "/openapi.json", "/web/none"):
        assert client.get(path).headers["x-request-id"]


def test_a_fault_of_ours_is_a_problem_that_tells_nothing_but_the_id(
    settings: ServiceSettings,
) -> None:
    class FaultyQueue:
        def submit(self, job_id: str) -> None:
            raise ZeroDivisionError("a secret")

    with capture_logs() as lines, TestClient(create_app(settings, queue=FaultyQueue())) as client:
        answer = send(client, headers={"X-Request-ID": "r1"})
    document = problem(answer)
    assert (document["kind"], document["status"]) == ("internal", 500)
    assert "r1" in document["detail"]
    assert "secret" not in answer.text
    assert [line["event"] for line in lines] == ["request failed", "request"]


def test_a_request_is_a_line_in_the_log(client: TestClient) -> None:
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        client.get("/models", headers={"X-Request-ID": "r1"})
    (line,) = lines
    assert (line["request"], line["path"], line["status"]) == ("r1", "/models", 200)


def test_the_line_of_a_request_that_makes_a_job_names_it(client: TestClient) -> None:
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        job = send(client).json()["job"]
        client.get("/models")
    assert [line.get("job") for line in lines] == [job, None]
