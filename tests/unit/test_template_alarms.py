"""Compare template.yaml's alarms and dashboard with the code's metrics and operations.md."""

import json
import re
from pathlib import Path
from typing import Any, Final

import pytest

from leads.observability import NAMESPACE
from local.state import PROJECT
from tests.support.deployed import FUNCTIONS, PARAMETERS, deployed, functions, of_type

TOPIC: Final = "arn:aws:sns:eu-west-3:123456789012:alarms"
TEMPLATE: Final = deployed({**PARAMETERS, "AlarmTopic": TOPIC})
WITH_EVENTS: Final = sorted(
    name
    for name, logical_id in functions(TEMPLATE).items()
    if TEMPLATE["Resources"][logical_id]["Properties"].get("Events")
)
"""The functions that events invoke."""

ALARMS: Final = of_type(TEMPLATE, "AWS::CloudWatch::Alarm")


def alarms_on(namespace: str, metric: str, **dimensions: str) -> list[dict[str, Any]]:
    return [
        alarm
        for alarm in ALARMS.values()
        if (alarm.get("Namespace"), alarm.get("MetricName")) == (namespace, metric)
        and {one["Name"]: one["Value"] for one in alarm["Dimensions"]} == dimensions
    ]


def test_every_dead_letter_queue_has_an_alarm() -> None:
    for queue in of_type(TEMPLATE, "AWS::SQS::Queue"):
        (alarm,) = alarms_on(
            "AWS/SQS", "ApproximateNumberOfMessagesVisible", QueueName=f"<{queue}.QueueName>"
        )
        assert alarm["Threshold"] == 0


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_has_an_errors_alarm(name: str) -> None:
    (alarm,) = alarms_on("AWS/Lambda", "Errors", FunctionName=FUNCTIONS[name].name)
    assert (alarm["Statistic"], alarm["Threshold"]) == ("Sum", 0)


@pytest.mark.parametrize("name", WITH_EVENTS)
def test_every_event_function_has_a_duration_alarm(name: str) -> None:
    (alarm,) = alarms_on("AWS/Lambda", "Duration", FunctionName=FUNCTIONS[name].name)
    assert alarm["Statistic"] == "Maximum"
    share = alarm["Threshold"] / (FUNCTIONS[name].timeout * 1000)
    assert 0.75 <= share < 1


@pytest.mark.parametrize("parameters", [{}, PARAMETERS], ids=["alone", "into"])
def test_dashboard_has_every_function_and_counted_metrics(parameters: dict[str, str]) -> None:
    template = deployed(parameters)
    (dashboard,) = of_type(template, "AWS::CloudWatch::Dashboard").values()
    widgets = json.loads(dashboard["DashboardBody"])["widgets"]
    places = [(one["x"], one["y"]) for one in widgets]
    assert len(set(places)) == len(places)
    lines = [line for one in widgets for line in one["properties"]["metrics"]]
    functions_with_lines = {line[3] for line in lines if line[0] == "AWS/Lambda"}
    assert functions_with_lines == {FUNCTIONS[name].name for name in WITH_EVENTS}
    counted = {(line[1], line[3]) for line in lines if line[0] == NAMESPACE}
    assert counted
    for metric, service in counted:
        assert f'"{metric}"' in counting_code(service)
    clusters = {line[3] for line in lines if line[0] == "AWS/RDS"}
    assert clusters == ({"<Database>"} if not parameters else set())


def test_alarms_on_own_metrics_match_the_code() -> None:
    own = [one for one in ALARMS.values() if not one.get("Namespace", "AWS/").startswith("AWS/")]
    assert len(own) >= sum(bool(function.triggers) for function in FUNCTIONS.values())
    for alarm in own:
        assert alarm["Namespace"] == NAMESPACE
        (dimension,) = alarm["Dimensions"]
        assert dimension["Name"] == "service", "which Powertools adds"
        assert f'"{alarm["MetricName"]}"' in counting_code(dimension["Value"])


def counting_code(function: str) -> str:
    """Return the code of a function that counts metrics: its handler, its use case, and what jobs share."""
    leads = PROJECT / "layers/shared/leads"
    paths = [PROJECT / "functions" / function / "app.py", leads / "use_cases" / f"{function}.py"]
    if function in ("process_import", "process_export", "expire_jobs"):
        paths += (leads / "jobs" / f"{name}.py" for name in ("drop_result", "outcome"))
    return "".join(map(Path.read_text, paths))


def test_operations_explains_exactly_these_alarms() -> None:
    """The table names each alarm, or a family such as `…ErrorsAlarm`."""
    text = (PROJECT / "docs/operations.md").read_text()
    table = text.partition("\n| alarm |")[2].partition("\n\n")[0]
    explained = {
        name for row in table.splitlines() for name in re.findall(r"`(\S+Alarm)`", row.split("|")[1])
    }
    families = {name.removeprefix("…") for name in explained if name.startswith("…")}
    assert families == {"ErrorsAlarm"}, "each function has one"
    named = {name for name in explained if not name.startswith("…")}
    assert named <= ALARMS.keys()
    assert not {one for one in ALARMS.keys() - named if not one.endswith(tuple(families))}


def test_broken_off_jobs_raise_an_alarm() -> None:
    (alarm,) = alarms_on(NAMESPACE, "JobsBrokenOff", service="expire_jobs")
    assert (alarm["Statistic"], alarm["Threshold"]) == ("Sum", 0)


def test_http_5xx_raises_an_alarm() -> None:
    """Lambda does not see such an answer as an error of the function."""
    (alarm,) = alarms_on("AWS/ApiGateway", "5xx", ApiId="<LeadsApi>")
    assert (alarm["Statistic"], alarm["Threshold"]) == ("Sum", 0)


def test_alarms_notify_the_topic_if_there_is_one() -> None:
    silent = of_type(deployed({**PARAMETERS, "AlarmTopic": ""}), "AWS::CloudWatch::Alarm")
    for name, alarm in ALARMS.items():
        assert alarm["AlarmActions"] == [TOPIC], name
        assert "AlarmActions" not in silent[name], name
        assert alarm["TreatMissingData"] == "notBreaching", name
