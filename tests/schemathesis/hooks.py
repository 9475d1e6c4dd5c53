"""What the OpenAPI document has no words for, told to the generator; and the branch that it sits on, kept from its saw."""

import os
from datetime import UTC, datetime, timedelta

import schemathesis
from hypothesis import strategies as st

# A deadline and the end of a key lie in the future, and a job waits for a year at most. JSON Schema knows no present.
AHEAD_MINUTES = st.integers(min_value=60, max_value=300 * 24 * 60)

# The fields whose moments are also taken from what the server has answered, such as when a job was made.
FUTURE = ("deadline", "expires_at")


def moment(minutes: int) -> str:
    ahead = datetime.now(UTC) + timedelta(minutes=minutes)
    return ahead.strftime("%Y-%m-%dT%H:%M:%S.000Z")


schemathesis.openapi.format("date-time", AHEAD_MINUTES.map(moment))

# By these the requests are made: without them all that follows is 401.
OURS = {os.environ["ROBOT"]} | {"key_" + os.environ[name].split("_")[1] for name in ("ADMIN_KEY", "ROBOT_KEY")}

# What a right request needs beyond a right form, so as not to end at 404: a job that its robot runs, or a dead letter.
NOTED = {"path": {"id": os.environ["JOB"], "n": 1}, "headers": {"x-lease-token": os.environ["LEASE_TOKEN"]}}
KNOWN = {
    "put_log": NOTED,
    "put_checkpoint": NOTED,
    "finish_attempt": {
        "path": {"id": os.environ["OTHER_JOB"], "n": 1},
        "body": {"lease_token": os.environ["OTHER_LEASE_TOKEN"]},
    },
    "discard_dead_letter": {"path": {"id": os.environ["DEAD_JOB"]}},
    "resolve_dead_letter": {"path": {"id": os.environ["DEAD_JOB"]}},
    "requeue_dead_letter": {"path": {"id": os.environ["OTHER_DEAD_JOB"]}},
}

# Where the robot is in its session, and in its log.
session = {"epoch": 1, "seq": 2}
log = {"seq": 0}


def operation_of(case) -> str:
    return case.operation.definition.raw.get("operationId")


@schemathesis.hook
def before_call(context, case, kwargs):
    operation = operation_of(case)
    if operation in ("revoke_key", "remove_robot") and (case.path_parameters or {}).get("id") in OURS:
        case.path_parameters = {"id": "rob_gone" if operation == "remove_robot" else "key_gone"}
    # A wrong request is sent as it was made.
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    known = KNOWN.get(operation, {})
    path = {**known.get("path", {}), **(log if operation == "put_log" else {})}
    if path:
        case.path_parameters = {**(case.path_parameters or {}), **path}
    if "headers" in known:
        case.headers = {**(case.headers or {}), **known["headers"]}
    if isinstance(case.body, dict):
        ahead = {name: moment(60) for name in FUTURE if case.body.get(name)}
        case.body = {**case.body, **ahead, **known.get("body", {})}
    # A right sync is of the session that is open, and comes after the one before.
    if operation == "sync":
        session["seq"] += 1
        case.body = {**case.body, **session}


@schemathesis.hook
def after_call(context, case, response):
    operation = operation_of(case)
    if operation == "open_session" and response.status_code == 200:
        session.update(epoch=response.json()["epoch"], seq=0)
    if operation == "put_log" and response.status_code == 204:
        log["seq"] += 1
