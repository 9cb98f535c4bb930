"""Tenants side by side, and what the owner of a function sets of its limits."""

import json

import boto3
import botocore.config
import pytest

from clients import ROLE, Connection, boto3_client, curl, deploy, invoke, reason_of, source_zip
from node import wait_until

CONFIGURATION = """
[tenant.hasty]
requests-per-second = 1

[tenant.acme]
memory = "1GiB"
concurrency = 50
weight = 3
"""

ANSWER = "def f(event):\n    return {!r}\n"


@pytest.fixture(scope="module")
def node(start_module_node, tmp_path_factory):
    path = tmp_path_factory.mktemp("configuration") / "troupe.conf"
    path.write_text(CONFIGURATION)
    return start_module_node("--config", path)


@pytest.fixture
def source(tmp_path):
    """Writes a function that answers a text, and answers its path."""
    def write(text):
        (tmp_path / "f.py").write_text(ANSWER.format(text))
        return tmp_path / "f.py"
    return write


def succeeded(result):
    assert result.returncode == 0, result.stderr
    return result.stdout


def failed(result, *words):
    assert result.returncode != 0 and result.stdout == ""
    assert len(result.stderr.splitlines()) == 1, result.stderr
    for word in words:
        assert word in result.stderr


def tenant(name):
    return "--header", f"X-Troupe-Tenant: {name}"


def report(node, *options):
    """{function: its sums} of `troupe billing report`."""
    rows = json.loads(succeeded(node.run("billing", "report", "--format", "json", *options)))
    return {row["function"]: row for row in rows}


def boto3_client_of(node, name):
    """boto3's client with the field that says for whom it speaks, as long as requests are not signed."""
    client = boto3.session.Session().client(
        "lambda", endpoint_url=node.endpoint, region_name="us-east-1", aws_access_key_id="test",
        aws_secret_access_key="test", config=botocore.config.Config(retries={"total_max_attempts": 1}))

    def name_tenant(params, **_):
        params["headers"]["X-Troupe-Tenant"] = name
    client.meta.events.register("before-call.lambda.*", name_tenant)
    return client


def test_tenants_have_functions_of_the_same_name(node, source):
    for name in ("red", "blue"):
        succeeded(node.run("deploy", "colour", source(name), "--tenant", name))
    succeeded(node.run("deploy", "only-red", source("red"), "--tenant", "red"))
    for name in ("red", "blue"):
        assert json.loads(succeeded(node.run("invoke", "colour", "--tenant", name))) == name
        assert curl(node, "/run/colour", *tenant(name), data={}).json() == name
        answer = boto3_client_of(node, name).invoke(FunctionName="colour")
        assert json.loads(answer["Payload"].read()) == name
    assert curl(node, "/run/colour", data={}).status == 404
    assert curl(node, "/run/only-red", *tenant("blue"), data={}).status == 404
    listed = {name: [f["FunctionName"] for f in json.loads(succeeded(
        node.run("ls", "--tenant", name, "--format", "json")))] for name in ("red", "blue")}
    assert listed == {"red": ["colour", "only-red"], "blue": ["colour"]}
    succeeded(node.run("rm", "colour", "--tenant", "red"))
    assert curl(node, "/run/colour", *tenant("red"), data={}).status == 404
    assert curl(node, "/run/colour", *tenant("blue"), data={}).json() == "blue"


def test_each_tenant_has_a_bill_of_its_own(node, source):
    for name, count in (("one", 1), ("three", 3)):
        succeeded(node.run("deploy", "billed", source(name), "--tenant", name))
        for _ in range(count):
            assert curl(node, "/run/billed", *tenant(name), data={}).status == 200
    for name, count in (("one", 1), ("three", 3)):
        assert report(node, "--tenant", name)["billed"]["invocations"] == count
        records = json.loads(succeeded(node.run("billing", "records", "--tenant", name, "--format", "json")))
        assert [record["function"] for record in records] == ["billed"] * count
        assert report(node, "--tenant", name, "--db", node.data)["billed"]["invocations"] == count
    assert "billed" not in report(node)
    succeeded(node.run("billing", "verify"))


def test_metrics_tell_tenants_apart(node, source):
    for name in ("left", "right"):
        succeeded(node.run("deploy", "seen", source(name), "--tenant", name))
        curl(node, "/run/seen", *tenant(name), data={})
    text = curl(node, "/metrics").body.decode()
    for name in ("left", "right"):
        assert f'troupe_invocations_total{{tenant="{name}",function="seen",status="ok"}} 1\n' in text


def test_a_tenant_that_asks_too_often_is_told_so_and_others_are_served(node, source):
    for name in ("hasty", "calm"):
        succeeded(node.run("deploy", "quick", source(name), "--tenant", name))
    with Connection(node) as connection:
        answers = []
        for _ in range(20):
            connection.post("/run/quick", b"{}", "X-Troupe-Tenant: hasty")
            answers.append(connection.read_answer())
        for _ in range(20):
            connection.post("/run/quick", b"{}", "X-Troupe-Tenant: calm")
            assert connection.read_answer().json() == "calm"
    refused = [answer for answer in answers if answer.status == 429]
    assert answers[0].status == 200 and {answer.status for answer in answers} == {200, 429}
    for answer in refused:
        assert int(answer.headers["retry-after"]) >= 1
        assert "requests a second" in reason_of(answer)
        assert answer.json()["reason"] == "CallerRateLimitExceeded"
    sums = report(node, "--tenant", "hasty")["quick"]
    assert (sums["throttled"], sums["invocations"]) == (len(refused), len(answers))
    assert report(node, "--tenant", "calm")["quick"]["throttled"] == 0
    # Once it has rested, it is served again.
    wait_until(lambda: curl(node, "/run/quick", *tenant("hasty"), data={}).status == 200, "the rate allows one more")


def test_boto3_reads_the_reason_for_which_it_was_throttled(node, source):
    succeeded(node.run("deploy", "aws", source("hasty"), "--tenant", "hasty"))
    aws = boto3_client_of(node, "hasty")

    def throttled():
        try:
            aws.invoke(FunctionName="aws")
        except aws.exceptions.TooManyRequestsException as error:
            return error.response
        return None

    response = wait_until(throttled, "the rate is used up")
    assert response["Reason"] == "CallerRateLimitExceeded" and response["Type"] == "User"
    assert int(response["ResponseMetadata"]["HTTPHeaders"]["retry-after"]) >= 1


@pytest.mark.parametrize("name", ["Acme", "a b", "-a", "a" * 64])
def test_a_tenant_that_is_no_name_is_refused(node, name):
    answer = curl(node, "/run/quick", *tenant(name), data={})
    assert answer.status == 400 and "X-Troupe-Tenant" in reason_of(answer)
    failed(node.run("ls", "--tenant", name), "tenant")


def test_two_names_of_tenants_are_refused(node):
    assert curl(node, "/run/quick", *tenant("red"), *tenant("blue"), data={}).status == 400


def test_the_configuration_in_force_shows_tenants(node):
    path = node.directory / "t.conf"
    path.write_text(CONFIGURATION)
    rows = json.loads(succeeded(node.run("config", "show", "--config", path, "--format", "json")))
    shown = {row["name"]: (row["value"], row["source"]) for row in rows if row["name"].startswith("tenant.")}
    assert shown["tenant.hasty.requests-per-second"] == (1, "file")
    assert shown["tenant.hasty.weight"] == (1, "default")
    assert shown["tenant.acme.memory"] == ("1GiB", "file")
    path.write_text("[tenant.acme]\nmemry = \"1GiB\"\n")
    for command in (["config", "show"], ["serve"]):
        failed(node.run(*command, "--config", path), "t.conf:2", "tenant.acme.memry", "did you mean tenant.acme.memory?")
    assert "requests-per-second" in succeeded(node.run("serve", "--help"))


def test_reserved_concurrency_through_boto3(node):
    aws = boto3_client(node.endpoint)
    deploy(node, "kept", ANSWER.format("kept"))
    assert invoke(node, "kept")[0] == "kept"
    assert "ReservedConcurrentExecutions" not in aws.get_function_concurrency(FunctionName="kept")
    for count in (7, 0, 1):
        put = aws.put_function_concurrency(FunctionName="kept", ReservedConcurrentExecutions=count)
        assert put["ReservedConcurrentExecutions"] == count
        assert aws.get_function_concurrency(FunctionName="kept")["ReservedConcurrentExecutions"] == count
        assert aws.get_function(FunctionName="kept")["Concurrency"] == {"ReservedConcurrentExecutions": count}
    deleted = aws.delete_function_concurrency(FunctionName="kept")
    assert deleted["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert "ReservedConcurrentExecutions" not in aws.get_function_concurrency(FunctionName="kept")
    assert "Concurrency" not in aws.get_function(FunctionName="kept")
    # The sandbox that was there before has stayed.
    assert invoke(node, "kept")[0] == "kept"
    records = json.loads(succeeded(node.run("billing", "records", "--function", "kept", "--format", "json")))
    assert [record["init_ns"] > 0 for record in records] == [True, False]


def test_more_than_there_is_cannot_be_reserved(node):
    aws = boto3_client(node.endpoint)
    deploy(node, "greedy", ANSWER.format("greedy"))
    with pytest.raises(aws.exceptions.InvalidParameterValueException):
        aws.put_function_concurrency(FunctionName="greedy", ReservedConcurrentExecutions=1000)
    with pytest.raises(aws.exceptions.ResourceNotFoundException):
        aws.put_function_concurrency(FunctionName="nobody", ReservedConcurrentExecutions=1)


def test_ephemeral_storage_through_boto3(node):
    aws = boto3_client(node.endpoint)
    assert deploy(node, "room", ANSWER.format("room"))["EphemeralStorage"] == {"Size": 512}
    changed = aws.update_function_configuration(FunctionName="room", EphemeralStorage={"Size": 1024})
    assert changed["EphemeralStorage"] == {"Size": 1024}
    aws.update_function_configuration(FunctionName="room", Timeout=9)
    assert aws.get_function_configuration(FunctionName="room")["EphemeralStorage"] == {"Size": 1024}
    with pytest.raises(aws.exceptions.InvalidParameterValueException):
        aws.update_function_configuration(FunctionName="room", EphemeralStorage={"Size": 10_241})
    assert aws.create_function(
        FunctionName="roomy", Runtime="python3", Role=ROLE, Handler="f.f", EphemeralStorage={"Size": 10_240},
        Code={"ZipFile": source_zip(ANSWER.format("roomy"))})["EphemeralStorage"] == {"Size": 10_240}


def test_deploy_sets_limits_and_ls_and_show_show_them(node, source):
    def shown():
        return json.loads(succeeded(node.run("show", "limited", "--format", "json")))

    succeeded(node.run("deploy", "limited", source("limited"), "--ephemeral-storage", 600, "--max-concurrency", 9,
                       "--reserved-concurrency", 4, "--network", "egress"))
    function = shown()
    assert function["EphemeralStorage"] == {"Size": 600}
    assert (function["MaximumConcurrency"], function["ReservedConcurrency"], function["Network"]) == (9, 4, "egress")
    row = next(line for line in succeeded(node.run("ls")).splitlines() if line.startswith("limited "))
    assert row.split()[5:9] == ["600", "9", "4", "egress"]
    succeeded(node.run("deploy", "limited", source("limited"), "--max-concurrency", "none", "--network", "none"))
    function = shown()
    assert "MaximumConcurrency" not in function
    assert (function["ReservedConcurrency"], function["Network"]) == (4, "none")


@pytest.mark.parametrize("options", [
    ["--ephemeral-storage", "511"], ["--ephemeral-storage", "10241"], ["--max-concurrency", "some"],
    ["--max-concurrency", "-1"], ["--reserved-concurrency", "100001"], ["--network", "ingress"],
    ["--max-concurrency", "2", "--reserved-concurrency", "3"]], ids=" ".join)
def test_limits_that_make_no_sense_are_refused(node, source, options):
    failed(node.run("deploy", "senseless", source("senseless"), *options))
    assert "senseless" not in succeeded(node.run("ls"))


def test_limits_outlive_the_node(start_node, source):
    node = start_node()
    succeeded(node.run("deploy", "lasting", source("lasting"), "--tenant", "acme", "--network", "egress",
                       "--max-concurrency", 0))
    node.stop()
    node.start().wait_ready()
    shown = json.loads(succeeded(node.run("show", "lasting", "--tenant", "acme", "--format", "json")))
    assert (shown["MaximumConcurrency"], shown["Network"]) == (0, "egress")
