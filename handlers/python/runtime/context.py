"""The context object of handlers that take (event, context), with the names of AWS Lambda."""
import json
import sys
import time

from troupe_host import log_stream_name

_decode = json.JSONDecoder().decode


class CognitoIdentity:
    """Nobody is identified here; the names are there for handlers that look."""

    __slots__ = ("cognito_identity_id", "cognito_identity_pool_id")

    def __init__(self):
        self.cognito_identity_id = None
        self.cognito_identity_pool_id = None


class Client:
    _names = ("installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name")
    __slots__ = _names

    def __init__(self, fields):
        for name in self._names:
            setattr(self, name, fields.get(name))


class ClientContext:
    """What the caller sent in X-Amz-Client-Context."""

    __slots__ = ("client", "custom", "env")

    def __init__(self, fields):
        client = fields.get("client")
        self.client = Client(client) if isinstance(client, dict) else None
        self.custom = fields.get("custom")
        self.env = fields.get("env")


class Function:
    """What is the same for every invocation in this sandbox."""

    def __init__(self, name, version, memory_mb):
        self.name = name
        self.version = version
        self.memory_mb = str(memory_mb)  # a string of digits on AWS, too
        self.arn = f"arn:aws:lambda:local:000000000000:function:{name}"
        self.log_group_name = f"/aws/lambda/{name}"
        self.renew_log_stream()

    def renew_log_stream(self):
        self.log_stream_name = log_stream_name(self.version)


function = Function("", "", 0)  # the one of this process; set when the sandbox is made


class LambdaContext:
    def __init__(self, request_id, deadline_ms, client_context):
        self.aws_request_id = request_id
        self.log_group_name = function.log_group_name
        self.log_stream_name = function.log_stream_name
        self.function_name = function.name
        self.memory_limit_in_mb = function.memory_mb
        self.function_version = function.version
        self.invoked_function_arn = function.arn
        self.client_context = client_context
        self.identity = CognitoIdentity()
        self._epoch_deadline_time_in_ms = deadline_ms

    def get_remaining_time_in_millis(self):
        return max(self._epoch_deadline_time_in_ms - int(time.time() * 1000), 0)

    def log(self, message):
        sys.stdout.write(str(message))

    def __repr__(self):
        return f"LambdaContext([{','.join(f'{name}={value}' for name, value in vars(self).items())}])"


def make(request_id, deadline_ms, client_context):
    """A context; raises ValueError when the client context is no JSON object."""
    if client_context:
        fields = _decode(client_context)
        if not isinstance(fields, dict):
            raise ValueError("not a JSON object")
        client_context = ClientContext(fields)
    else:
        client_context = None
    return LambdaContext(request_id, deadline_ms, client_context)
