"""`logging` as handlers know it from AWS Lambda: the root logger writes to the invocation's log."""
import logging
import sys
import time

from troupe_host import request_id


class _Formatter(logging.Formatter):
    converter = time.gmtime

    def __init__(self):
        super().__init__(
            "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s", "%Y-%m-%dT%H:%M:%S"
        )


class _RequestFilter(logging.Filter):
    def filter(self, record):
        record.aws_request_id = request_id()
        return True


def install():
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter())
    handler.addFilter(_RequestFilter())
    logging.getLogger().addHandler(handler)
