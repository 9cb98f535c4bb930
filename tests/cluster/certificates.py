"""Certificates of nodes, made as an operator would with openssl."""

import subprocess


class Authority:
    """Whoever believes it lets in the nodes that it has given a certificate."""

    def __init__(self, directory):
        self.directory = directory
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                     "-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca.pem")

    def openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], cwd=self.directory, check=True, capture_output=True, timeout=30)

    def settings_for(self, name):
        """The options of a node with a certificate for this name."""
        if not (self.directory / f"{name}.pem").exists():
            self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                         "-keyout", f"{name}.key", "-out", f"{name}.csr")
            (self.directory / f"{name}.ext").write_text(
                f"subjectAltName=DNS:{name}\nextendedKeyUsage=serverAuth,clientAuth\n")
            self.openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                         "-days", "2", "-extfile", f"{name}.ext", "-out", f"{name}.pem")
        return ("--cluster.tls-certificate", self.directory / f"{name}.pem", "--cluster.tls-key",
                self.directory / f"{name}.key", "--cluster.tls-ca", self.directory / "ca.pem")
