"""The servers that are measured: a node of ours, and nginx with uWSGI. All listen on 127.0.0.1, keep their files in a
temporary directory, and are stopped by their process id."""

import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "build" / "release" / "troupe"
ECHO = ROOT / "handlers" / "examples" / "echo"
READY_SECONDS_MAX = 30

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


def stop(process, number):
    """Stops a process and waits for it, with force when it does not go."""
    if process.poll() is None:
        process.send_signal(number)
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Troupe:
    """A node with a data directory of its own."""

    name = "troupe"

    def __init__(self, *options, program=PROGRAM):
        self.options, self.program, self.port = options, pathlib.Path(program), free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self):
        if not self.program.exists():
            raise SystemExit(f"there is no program at {self.program}: run 'tools/dev build'")
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="troupe-bench-"))
        log = self.directory / "log"
        command = [self.program, "serve", "--node.data-dir", self.directory / "data", "--http.port", self.port,
                   "--log.level", "warn", *self.options]
        self.process = subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL,
                                        stdout=log.open("wb"), stderr=subprocess.STDOUT)
        try:
            wait_for(self.url + "/readyz", [self.process], log)
        except BaseException:
            self.__exit__()
            raise
        return self

    def deploy(self, name, path):
        subprocess.run([str(self.program), "deploy", name, str(path)], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, env={**os.environ, "TROUPE_ENDPOINT": self.url})

    def pids(self):
        return [self.process.pid]

    def __exit__(self, *_):
        stop(self.process, signal.SIGTERM)
        shutil.rmtree(self.directory)


class NginxUwsgi:
    """nginx before two uWSGI workers, which run the echo handler."""

    name = "nginx + uWSGI"

    def __init__(self):
        need("nginx", "uwsgi")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="troupe-bench-"))
        self.directory.chmod(0o755)
        shutil.copy(ECHO / "f.py", self.directory)
        (self.directory / "wsgi.py").write_text(WSGI_APPLICATION)
        (self.directory / "nginx.conf").write_text(NGINX_CONF.format(directory=self.directory, port=self.port))
        log = self.directory / "log"
        output = {"stdin": subprocess.DEVNULL, "stdout": log.open("ab"), "stderr": subprocess.STDOUT}
        self.processes = [
            subprocess.Popen(["uwsgi", "--plugin", "python3", "--master", "--processes", "2", "--need-app", "--die-on-term",
                              "--disable-logging", "--listen", "1024", "--socket", "uwsgi.sock", "--chmod-socket=666",
                              "--wsgi-file", "wsgi.py", "--pythonpath", "."], cwd=self.directory, **output),
            subprocess.Popen(["nginx", "-p", str(self.directory), "-c", str(self.directory / "nginx.conf"),
                              "-e", str(self.directory / "error.log")], **output),
        ]
        try:
            wait_for(self.url + "/", self.processes, log, body=b"{}")
        except BaseException:
            self.__exit__()
            raise
        return self

    def pids(self):
        return [process.pid for process in self.processes]

    def __exit__(self, *_):
        uwsgi, nginx = self.processes
        stop(nginx, signal.SIGQUIT)
        stop(uwsgi, signal.SIGTERM)
        shutil.rmtree(self.directory)
