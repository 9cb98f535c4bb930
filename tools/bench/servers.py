"""The servers that are measured: a node of ours, and nginx with uWSGI. All listen on 127.0.0.1, keep their files in a
temporary directory, and are stopped by their process id."""

import base64
import contextlib
import datetime
import io
import json
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
import zipfile

import measuring

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "build" / "release" / "troupe"
ECHO = ROOT / "handlers" / "examples" / "echo"
READY_SECONDS_MAX = 30
TENANT_HEADER = "X-Troupe-Tenant"

NGINX_CONF = """
worker_processes auto;
pid {directory}/nginx.pid;
error_log {directory}/error.log warn;
daemon off;
events {{ worker_connections 4096; multi_accept on; }}
http {{
  access_log off;
  keepalive_requests 100000000;
  keepalive_timeout 75s;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  uwsgi_temp_path {directory}/uwsgi;
  fastcgi_temp_path {directory}/fastcgi;
  scgi_temp_path {directory}/scgi;
  client_body_buffer_size 64k;
  upstream handlers {{ server unix:{directory}/uwsgi.sock; keepalive 128; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      include /etc/nginx/uwsgi_params;
      uwsgi_pass handlers;
    }}
  }}
}}
"""

# The same handler as ours, called as a WSGI application.
WSGI_APPLICATION = """
import json
from f import f

def application(environ, start_response):
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    answer = json.dumps(f(json.loads(body or b"{}"))).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))])
    return [answer]
"""


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            raise SystemExit(f"{program} is missing; 'tools/dev setup' installs it")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(url, processes, log, body=None):
    """Waits until `url` answers 200, or says why it does not."""
    deadline = time.monotonic() + READY_SECONDS_MAX
    while True:
        with contextlib.suppress(OSError, urllib.error.URLError):
            with urllib.request.urlopen(url, data=body, timeout=2) as answer:
                return answer.read()
        if any(process.poll() is not None for process in processes) or time.monotonic() > deadline:
            raise SystemExit(f"{url} does not answer: {log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.02)


def start(command, log, **options):
    """Starts a server in a session of its own: Ctrl-C is for the tool, which then stops its servers in order."""
    with log.open("ab") as output:
        return subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=output,
                                stderr=subprocess.STDOUT, start_new_session=True, **options)


def stop(process, number):
    """Stops a process and waits for it, with force when it does not go."""
    if process.poll() is None:
        process.send_signal(number)
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def zipped(source):
    """An archive whose only file is f.py, in base64 as the API wants it."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("f.py", source)
    return base64.b64encode(data.getvalue()).decode()


def call(command):
    """Runs a program to its end and gives what it printed."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        raise SystemExit(f"{command[0]} failed: {done.stderr.strip()}")
    return done.stdout


def records_in(program, directory):
    """The records in the books of a node that may have ended."""
    return json.loads(call([program, "billing", "records", "--db", directory, "--format", "json"]))


def epoch_seconds(text):
    """A time of RFC 3339 as time.time() would have told it."""
    return datetime.datetime.fromisoformat(text).timestamp()


class Troupe:
    """A node with a data directory of its own."""

    name = "troupe"

    def __init__(self, *options, program=PROGRAM, ready="/readyz"):
        """`ready` is what answers 200 once it has started; None: it serves no HTTP, and is not waited for."""
        self.options, self.program, self.port, self.ready = options, pathlib.Path(program), free_port(), ready
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self):
        if not self.program.exists():
            raise SystemExit(f"there is no program at {self.program}: run 'tools/dev build'")
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="troupe-bench-"))
        log = self.directory / "log"
        self.process = start([self.program, "serve", "--node.data-dir", self.directory / "data",
                              "--http.port", self.port, "--log.level", "warn", *self.options], log)
        try:
            if self.ready:
                wait_for(self.url + self.ready, [self.process], log)
        except BaseException:
            self.__exit__()
            raise
        return self

    def ask(self, method, path, document=None, tenant=None):
        """One of the node's own requests; the answer's JSON."""
        headers = {TENANT_HEADER: tenant} if tenant else {}
        data = None if document is None else json.dumps(document).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.loads(answer.read() or b"null")

    def create(self, name, source, memory_mb=128, timeout_s=60, tenant=None):
        """Deploys a function from its source text."""
        self.ask("POST", "/2015-03-31/functions", {
            "FunctionName": name, "Runtime": "python3", "Role": "arn:aws:iam::000000000000:role/none", "Handler": "f.f",
            "Code": {"ZipFile": zipped(source)}, "MemorySize": memory_mb, "Timeout": timeout_s}, tenant)

    def change(self, name, source):
        self.ask("PUT", f"/2015-03-31/functions/{name}/code", {"ZipFile": zipped(source)})

    def remove(self, name):
        self.ask("DELETE", f"/2015-03-31/functions/{name}")

    def records(self, prefix=""):
        """The latest invocations' records, of functions whose names begin so."""
        return [record for record in self.ask("GET", "/v1/invocations?limit=10000")["records"]
                if record["function"].startswith(prefix)]

    def sandboxes(self):
        """{state: number} of the sandboxes that have a function."""
        with urllib.request.urlopen(self.url + "/metrics", timeout=30) as answer:
            text = answer.read().decode()
        counts = re.findall(r'^troupe_sandboxes{state="(\w+)"} (\d+)$', text, re.M)
        return {state: int(count) for state, count in counts}

    def settle(self, quiet_seconds=0.5, seconds_max=30):
        """Waits until nothing runs, and the node makes no processes ahead and buries none: for a while none has come or
        gone."""
        deadline = time.monotonic() + seconds_max
        while self.sandboxes()["busy"] and time.monotonic() < deadline:  # for a client that waits no more
            time.sleep(0.05)
        seen, since = None, time.monotonic()
        while time.monotonic() < min(since + quiet_seconds, deadline):
            now = set(measuring.tree(self.process.pid))
            if now != seen:
                seen, since = now, time.monotonic()
            time.sleep(0.05)

    def pids(self):
        return [self.process.pid]

    def __exit__(self, *_):
        stop(self.process, signal.SIGTERM)
        shutil.rmtree(self.directory)


class NginxUwsgi:
    """nginx before uWSGI workers, which run a handler's f.py."""

    name = "nginx + uWSGI"

    def __init__(self, handler=ECHO / "f.py", workers=2):
        need("nginx", "uwsgi")
        self.handler, self.workers, self.port = pathlib.Path(handler), workers, free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self):
        self.directory, self.processes = pathlib.Path(tempfile.mkdtemp(prefix="troupe-bench-")), []
        self.directory.chmod(0o755)
        shutil.copy(self.handler, self.directory)
        (self.directory / "wsgi.py").write_text(WSGI_APPLICATION)
        (self.directory / "nginx.conf").write_text(NGINX_CONF.format(directory=self.directory, port=self.port))
        log = self.directory / "log"
        try:
            # --lazy-apps: each worker loads the handler itself, as each sandbox does.
            self.processes.append(start(
                ["uwsgi", "--plugin", "python3", "--master", "--processes", self.workers, "--lazy-apps", "--need-app",
                 "--die-on-term", "--disable-logging", "--listen", "1024", "--socket", "uwsgi.sock",
                 "--chmod-socket=666", "--wsgi-file", "wsgi.py", "--pythonpath", "."], log, cwd=self.directory))
            self.processes.append(start(
                ["nginx", "-p", self.directory, "-c", self.directory / "nginx.conf",
                 "-e", self.directory / "error.log"], log))
            wait_for(self.url + "/", self.processes, log, body=b"{}")
        except BaseException:
            self.__exit__()
            raise
        return self

    def pids(self):
        return [process.pid for process in self.processes]

    def __exit__(self, *_):
        for process, number in zip(self.processes[::-1], [signal.SIGQUIT, signal.SIGTERM][-len(self.processes):]):
            stop(process, number)
        shutil.rmtree(self.directory)
