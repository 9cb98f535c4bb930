"""The clients that users have: curl, boto3, and for what neither does, bytes on a socket."""

import dataclasses
import functools
import io
import json
import pathlib
import re
import subprocess
import tempfile
import textwrap
import zipfile

import boto3
import botocore.config

ROLE = "arn:aws:iam::000000000000:role/none"


@dataclasses.dataclass
class Answer:
    status: int
    headers: dict  # names in lower case
    body: bytes

    def json(self):
        return json.loads(self.body)


def reason_of(answer):
    """The text of one of the node's own errors, in either dialect: one line of JSON."""
    document = answer.json()
    reason = document.get("errorMessage") or document.get("Message")
    assert reason and "\n" not in reason, answer
    return reason


def parse_head(head):
    """(status, headers) of an answer's head without its empty line."""
    first, *lines = head.decode("latin-1").split("\r\n")
    fields = (line.partition(":") for line in lines)
    return int(first.split()[1]), {name.lower(): value.strip() for name, _, value in fields}


def curl(node, path, *options, data=None, timeout=60):
    """Runs curl. `data` is a body to POST: bytes, text, or anything else as JSON."""
    with tempfile.TemporaryDirectory() as directory:
        head, body = pathlib.Path(directory, "head"), pathlib.Path(directory, "body")
        command = ["curl", "--silent", "--show-error", "--max-time", timeout, "--path-as-is", "--dump-header", head,
                   "--output", body, *options]
        if data is not None:
            command += ["--data-binary", "@-"]
            if not isinstance(data, (bytes, str)):
                data = json.dumps(data)
            data = data.encode() if isinstance(data, str) else data
        subprocess.run(node.inside(*command, node.endpoint + path), input=data, check=True, capture_output=True)
        # Of several heads (100 Continue) the last is the answer's.
        last = head.read_bytes().rstrip(b"\r\n").split(b"\r\n\r\n")[-1]
        status, headers = parse_head(last)
        return Answer(status, headers, body.read_bytes() if body.exists() else b"")


class Connection:
    """A TCP connection to the node on which a test says every byte itself."""

    def __init__(self, node, timeout=30):
        self.socket = node.connect(timeout)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def post(self, path, body, *headers):
        lines = [f"POST {path} HTTP/1.1", "Host: test", f"Content-Length: {len(body)}", *headers]
        self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def fill(self):
        """Reads more; False at the end of the stream."""
        data = self.socket.recv(65536)
        self.buffer += data
        return bool(data)

    def read_head(self):
        while b"\r\n\r\n" not in self.buffer:
            assert self.fill(), f"the connection ended within an answer's head: {self.buffer!r}"
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        return parse_head(head)

    def read_answer(self):
        status, headers = self.read_head()
        length = int(headers.get("content-length", 0))
        while len(self.buffer) < length:
            assert self.fill(), "the connection ended within an answer's body"
        body, self.buffer = self.buffer[:length], self.buffer[length:]
        return Answer(status, headers, body)

    def is_closed(self):
        """Whether the node closes the connection without another byte."""
        try:
            return not self.buffer and not self.fill()
        except ConnectionResetError:
            return True


@functools.lru_cache(maxsize=None)
def boto3_client(endpoint):
    """AWS's client for this node; it does not retry, so that a test sees each answer."""
    config = botocore.config.Config(retries={"total_max_attempts": 1}, read_timeout=60, max_pool_connections=64)
    return boto3.session.Session().client(
        "lambda", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="test",
        aws_secret_access_key="test", config=config)


def zip_of(files):
    """A zip archive of {path: text or bytes}."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return data.getvalue()


def source_zip(source):
    """A bundle whose only module is f.py."""
    return zip_of({"f.py": textwrap.dedent(source)})


def metric(node, name):
    """A sample of /metrics, by its name with its labels."""
    found = re.search(rf"^{re.escape(name)} (\d+)$", curl(node, "/metrics").body.decode(), re.MULTILINE)
    return int(found.group(1))


def deploy(node, name, source, handler="f.f", **configuration):
    """Deploys Python source as a function through boto3; an older one of that name is replaced."""
    client = boto3_client(node.endpoint)
    try:
        client.delete_function(FunctionName=name)
    except client.exceptions.ResourceNotFoundException:
        pass
    return client.create_function(
        FunctionName=name, Runtime="python3", Role=ROLE, Handler=handler, Code={"ZipFile": source_zip(source)},
        **configuration)


def invoke(node, name, event=None, **options):
    """Invokes through boto3; answers (payload, the whole answer)."""
    answer = boto3_client(node.endpoint).invoke(FunctionName=name, Payload=json.dumps(event), **options)
    return json.loads(answer["Payload"].read()), answer
