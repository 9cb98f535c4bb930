"""Certificates of nodes, as `troupe cluster certs` makes them."""

import subprocess

from node import PROGRAM, command_environment


def options_with(directory, name, trusted=None):
    """Those of a node with the certificate of `name`; believed is the authority of the directory `trusted`, or the same."""
    return ("--cluster.tls-certificate", directory / f"{name}.pem", "--cluster.tls-key", directory / f"{name}.key",
            "--cluster.tls-ca", (trusted or directory) / "ca.pem")


class Authority:
    """Whoever believes it lets in the nodes that it has given a certificate."""

    def __init__(self, directory):
        self.directory = directory

    def make(self, *names):
        subprocess.run([PROGRAM, "cluster", "certs", "--directory", self.directory, *names], check=True,
                       capture_output=True, env=command_environment())

    def settings_for(self, name):
        """The options of a node with a certificate for this name."""
        if not (self.directory / f"{name}.pem").exists():
            self.make(name)
        return options_with(self.directory, name)
