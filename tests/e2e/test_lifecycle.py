"""Starts that cannot work say so in one line; a stop finishes what runs."""

import concurrent.futures
import contextlib
import signal
import socket
import subprocess

import rocks
from clients import Connection, curl, deploy
from node import PROGRAM, command_environment, free_port, wait_until


def start_refused(*options, words=(), environment=None):
    """A start that has to fail: one line on stderr that holds `words`, and an exit code that is not 0."""
    result = subprocess.run([str(part) for part in (PROGRAM, "serve", "--log.level", "error", *options)],
                            capture_output=True, text=True, timeout=60, env=environment or command_environment())
    assert result.returncode > 0, result.stderr
    assert len(result.stderr.splitlines()) == 1, result.stderr
    for word in words:
        assert word in result.stderr
    return result


def test_a_port_in_use(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        start_refused("--node.data-dir", tmp_path / "data", "--http.port", port, words=[str(port)])


def test_a_second_node_on_the_same_data_directory(start_node):
    node = start_node()
    deploy(node, "echo", "def f(event):\n    return event\n")
    start_refused("--node.data-dir", node.data, "--http.port", free_port(), words=["data"])
    assert curl(node, "/run/echo", data=1).json() == 1


def test_an_address_that_is_not_loopback(tmp_path):
    start_refused("--node.data-dir", tmp_path / "data", "--http.address", "0.0.0.0", words=["http.address"])


def test_a_data_directory_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    start_refused("--node.data-dir", tmp_path / "file" / "data", "--http.port", free_port())


def test_a_damaged_database(start_node):
    node = start_node()
    deploy(node, "echo", "def f(event):\n    return event\n")
    node.stop()
    manifest = next(node.data.rglob("MANIFEST-*"))
    manifest.write_bytes(b"\0" * manifest.stat().st_size)
    result = start_refused("--node.data-dir", node.data, "--http.port", node.port, words=["database"])
    assert "damaged" in result.stderr


def test_a_database_of_a_later_version(start_node):
    node = start_node()
    node.stop()
    rocks.put(node.data / "db", "meta", b"schema", (1000).to_bytes(4, "big"))
    start_refused("--node.data-dir", node.data, "--http.port", node.port, words=["later version"])


def test_not_root(tmp_path):
    tmp_path.chmod(0o777)
    result = subprocess.run(
        ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", PROGRAM, "serve", "--log.level", "error",
         "--node.data-dir", tmp_path / "data", "--http.port", str(free_port())],
        capture_output=True, text=True, timeout=60, cwd="/", env=command_environment())
    assert result.returncode > 0
    assert len(result.stderr.splitlines()) == 1, result.stderr


def test_a_stop_finishes_what_runs_and_takes_nothing_new(start_node):
    node = start_node()
    deploy(node, "naps", "import time\ndef f(event):\n    time.sleep(event)\n    return 'finished'\n", Timeout=30)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        running = [pool.submit(curl, node, "/run/naps", data=1.5) for _ in range(4)]
        wait_until(lambda: 'state="busy"} 4' in curl(node, "/metrics").body.decode(), "four invocations run")
        node.signal(signal.SIGTERM)

        def refuses():
            try:
                socket.create_connection(("127.0.0.1", node.port), timeout=5).close()
            except ConnectionRefusedError:
                return True
            except ConnectionResetError:
                return False  # The listener closed while this one waited to be accepted: the next one is refused.

        wait_until(refuses, "the node takes no new connection")
        assert node.process.poll() is None
        assert [answer.result().json() for answer in running] == ["finished"] * 4
    assert node.wait_end() == 0
    node.check_nothing_left()


@contextlib.contextmanager
def a_run_of(node, seconds):
    """A function that runs for so long has been called, and is running."""
    deploy(node, "sleeps", f"import time\ndef f(event):\n    time.sleep({seconds})\n", Timeout=seconds + 30)
    with Connection(node) as connection:
        connection.post("/run/sleeps", b"{}")
        wait_until(lambda: 'state="busy"} 1' in curl(node, "/metrics").body.decode(), "the function runs")
        yield


def test_a_stop_waits_no_longer_than_its_limit(start_node):
    node = start_node("--worker.drain-timeout", "300ms")
    with a_run_of(node, seconds=60):
        node.signal(signal.SIGTERM)
        assert node.wait_end() == 0
    node.check_nothing_left()


def test_a_second_signal_ends_what_runs(start_node):
    node = start_node("--worker.drain-timeout", "15min")
    with a_run_of(node, seconds=600):
        node.signal(signal.SIGTERM)
        wait_until(lambda: "stopping: finishing what runs" in node.log_text(), "the node has heard the first signal")
        node.signal(signal.SIGTERM)
        assert node.wait_end() == 0
    node.check_nothing_left()


def test_a_node_without_blank_sandboxes(start_node):
    node = start_node("--worker.blank-sandboxes", 0)
    deploy(node, "echo", "def f(event):\n    return event\n")
    assert curl(node, "/run/echo", data=1).json() == 1
    node.stop()
    node.check_nothing_left()


def test_idle_connections_do_not_delay_a_stop(start_node):
    node = start_node()
    with Connection(node) as silent, Connection(node) as used:
        used.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert used.read_answer().status == 200
        node.signal(signal.SIGTERM)
        assert node.wait_end() == 0
        assert silent.is_closed() and used.is_closed()


def test_many_starts_and_stops_leave_nothing(start_node):
    node = start_node()
    deploy(node, "echo", "def f(event):\n    return event\n")
    for i in range(5):
        assert curl(node, "/run/echo", data=i).json() == i
        node.stop()
        node.start().wait_ready()
    node.stop()


def test_idle_sandboxes_go(start_node):
    node = start_node("--worker.idle-timeout", "1s")
    deploy(node, "echo", "def f(event):\n    return event\n")
    assert curl(node, "/run/echo", data=1).json() == 1
    metrics = lambda: curl(node, "/metrics").body.decode()
    assert 'state="idle"} 1' in metrics()
    wait_until(lambda: 'state="idle"} 0' in metrics(), "the idle sandbox is gone", 20)
    assert curl(node, "/run/echo", data=2).json() == 2
