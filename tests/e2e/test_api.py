"""The AWS Lambda API through AWS's own client."""

import base64
import datetime
import hashlib
import json
import urllib.request

import botocore.exceptions
import pytest

from clients import ROLE, boto3_client, curl, deploy, invoke, source_zip

VERSION_1 = "def f(event):\n    return 1\n"
VERSION_2 = "def f(event):\n    return 2\n"


def test_create_describes_the_function(node, aws):
    archive = source_zip(VERSION_1)
    made = aws.create_function(
        FunctionName="made", Runtime="python3", Role=ROLE, Handler="f.f", Code={"ZipFile": archive}, MemorySize=256,
        Timeout=5, Description="a test", Environment={"Variables": {"A": "b"}})
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert (made["FunctionName"], made["Handler"], made["Version"]) == ("made", "f.f", "$LATEST")
    assert (made["MemorySize"], made["Timeout"], made["Description"]) == (256, 5, "a test")
    assert made["FunctionArn"].endswith(":function:made")
    assert made["Environment"] == {"Variables": {"A": "b"}}
    assert made["CodeSize"] == len(archive)
    assert made["CodeSha256"] == base64.b64encode(hashlib.sha256(archive).digest()).decode()
    assert (made["State"], made["LastUpdateStatus"], made["PackageType"]) == ("Active", "Successful", "Zip")
    modified = datetime.datetime.strptime(made["LastModified"], "%Y-%m-%dT%H:%M:%S.%f%z")
    assert abs(datetime.datetime.now(datetime.timezone.utc) - modified) < datetime.timedelta(minutes=1)

    described = aws.get_function_configuration(FunctionName="made")
    whole = aws.get_function(FunctionName="made")
    for name in ("CodeSha256", "RevisionId", "LastModified", "MemorySize", "Environment", "State", "FunctionArn"):
        assert described[name] == whole["Configuration"][name] == made[name]


def test_the_code_can_be_had_back(node, aws):
    deploy(node, "back", VERSION_1)
    location = aws.get_function(FunctionName="back")["Code"]["Location"]
    assert location.startswith(node.endpoint)
    assert urllib.request.urlopen(location, timeout=10).read() == source_zip(VERSION_1)


def test_awss_waiters_are_satisfied(node, aws):
    deploy(node, "awaited", VERSION_1)
    for waiter in ("function_exists", "function_active_v2", "function_updated_v2"):
        aws.get_waiter(waiter).wait(FunctionName="awaited", WaiterConfig={"Delay": 1, "MaxAttempts": 1})


def test_a_name_is_taken_once(node, aws):
    deploy(node, "taken", VERSION_1)
    with pytest.raises(aws.exceptions.ResourceConflictException):
        aws.create_function(FunctionName="taken", Runtime="python3", Role=ROLE, Handler="f.f",
                            Code={"ZipFile": source_zip(VERSION_2)})
    assert invoke(node, "taken")[0] == 1


def test_new_code_runs_from_its_acknowledgement_on(node, aws):
    deploy(node, "renewed", VERSION_1)
    for archive, result in ((source_zip(VERSION_2), 2), (source_zip(VERSION_1), 1)) * 5:
        updated = aws.update_function_code(FunctionName="renewed", ZipFile=archive)
        assert updated["CodeSha256"] == base64.b64encode(hashlib.sha256(archive).digest()).decode()
        assert invoke(node, "renewed")[0] == result


def test_a_new_configuration_runs_from_its_acknowledgement_on(node, aws):
    deploy(node, "configured", "import os\ndef f(event, context):\n"
                               "    return [os.environ.get('MODE'), int(context.memory_limit_in_mb)]\n"
                               "def g(event):\n    return 'other'\n", MemorySize=128)
    assert invoke(node, "configured")[0] == [None, 128]
    answer = aws.update_function_configuration(FunctionName="configured", MemorySize=192, Timeout=9,
                                               Environment={"Variables": {"MODE": "new"}})
    assert (answer["MemorySize"], answer["Timeout"], answer["Handler"]) == (192, 9, "f.f")
    assert invoke(node, "configured")[0] == ["new", 192]
    aws.update_function_configuration(FunctionName="configured", Handler="f.g")
    assert invoke(node, "configured")[0] == "other"
    assert aws.get_function_configuration(FunctionName="configured")["MemorySize"] == 192


def test_an_update_of_another_revision_is_refused(node, aws):
    old = deploy(node, "raced", VERSION_1)["RevisionId"]
    new = aws.update_function_configuration(FunctionName="raced", Description="x", RevisionId=old)["RevisionId"]
    assert new != old
    with pytest.raises(aws.exceptions.PreconditionFailedException):
        aws.update_function_code(FunctionName="raced", ZipFile=source_zip(VERSION_2), RevisionId=old)
    assert invoke(node, "raced")[0] == 1


def test_what_is_deleted_is_gone(node, aws):
    deploy(node, "shortlived", VERSION_1)
    assert invoke(node, "shortlived")[0] == 1
    assert aws.delete_function(FunctionName="shortlived")["ResponseMetadata"]["HTTPStatusCode"] == 204
    for call in (lambda: aws.get_function(FunctionName="shortlived"),
                 lambda: aws.get_function_configuration(FunctionName="shortlived"),
                 lambda: aws.invoke(FunctionName="shortlived"),
                 lambda: aws.update_function_code(FunctionName="shortlived", ZipFile=source_zip(VERSION_1)),
                 lambda: aws.update_function_configuration(FunctionName="shortlived", Timeout=4),
                 lambda: aws.delete_function(FunctionName="shortlived")):
        with pytest.raises(aws.exceptions.ResourceNotFoundException):
            call()
    assert curl(node, "/run/shortlived").status == 404


def test_the_list_has_every_function_once_in_order_and_in_pages(node, aws):
    for i in range(7):
        deploy(node, f"listed-{i}", VERSION_1)
    pages = aws.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 3})
    names = [function["FunctionName"] for page in pages for function in page["Functions"]]
    assert names == sorted(names) and len(names) == len(set(names))
    assert {f"listed-{i}" for i in range(7)} <= set(names)
    assert len(aws.list_functions(MaxItems=2)["Functions"]) == 2


def test_the_list_of_many_functions_has_pages_of_fifty(start_node):
    node = start_node()
    aws = boto3_client(node.endpoint)
    assert aws.list_functions()["Functions"] == []
    for i in range(60):
        aws.create_function(FunctionName=f"f{i:02}", Runtime="python3", Role=ROLE, Handler="f.f",
                            Code={"ZipFile": source_zip(VERSION_1)})
    first = aws.list_functions()
    assert len(first["Functions"]) == 50
    rest = aws.list_functions(Marker=first["NextMarker"])
    assert [f["FunctionName"] for f in first["Functions"] + rest["Functions"]] == [f"f{i:02}" for i in range(60)]
    assert "NextMarker" not in rest


def test_a_function_may_be_named_as_aws_names_it(node, aws):
    arn = deploy(node, "named", VERSION_1)["FunctionArn"]
    for form in ("named", "named:$LATEST", arn, arn + ":$LATEST", "000000000000:function:named"):
        answer = aws.invoke(FunctionName=form)
        assert json.loads(answer["Payload"].read()) == 1
        assert answer["ExecutedVersion"] == "$LATEST"


def test_a_qualifier_that_is_not_there_is_not_found(node, aws):
    deploy(node, "qualified", VERSION_1)
    assert json.loads(aws.invoke(FunctionName="qualified", Qualifier="$LATEST")["Payload"].read()) == 1
    with pytest.raises(aws.exceptions.ResourceNotFoundException):
        aws.invoke(FunctionName="qualified", Qualifier="7")


@pytest.mark.parametrize("change", [
    {"FunctionName": ""}, {"FunctionName": "a/b"}, {"FunctionName": "sp ace"}, {"FunctionName": "n" * 65},
    {"Handler": "nodot"}, {"Handler": "h." + "x" * 130}, {"Handler": "../f.f"}, {"Runtime": "cobol"},
    {"MemorySize": 10241}, {"Timeout": 901}, {"Timeout": 0}, {"Description": "d" * 257},
    {"Environment": {"Variables": {"1BAD": "x"}}}, {"Environment": {"Variables": {"BIG": "x" * 5000}}},
    {"Code": {}}, {"Code": {"S3Bucket": "abc", "S3Key": "k"}},
], ids=str)
def test_values_out_of_bounds_are_refused(node, change):
    request = {"FunctionName": "bounds", "Runtime": "python3", "Role": ROLE, "Handler": "f.f",
               "Code": {"ZipFile": base64.b64encode(source_zip(VERSION_1)).decode()}, **change}
    answer = curl(node, "/2015-03-31/functions", data=request)
    assert answer.status == 400, answer.body
    assert curl(node, "/2015-03-31/functions/bounds").status == 404


def test_boto3_reports_the_reason_for_a_refusal(node, aws):
    deploy(node, "stays", VERSION_1)
    with pytest.raises(aws.exceptions.InvalidParameterValueException) as caught:
        aws.update_function_configuration(FunctionName="stays", MemorySize=20_000)
    assert "10240" in caught.value.response["Error"]["Message"].replace("'", "").replace(",", "")


def test_an_asynchronous_invocation_is_refused_and_not_run(node, aws):
    deploy(node, "later", VERSION_1)
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        aws.invoke(FunctionName="later", InvocationType="Event", Payload=b"{}")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
