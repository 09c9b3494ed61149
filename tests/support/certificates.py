"""An authority of a test's own, and a certificate of it for a server."""

from __future__ import annotations

import subprocess
from pathlib import Path


def certificates(folder: Path, *names: str) -> None:
    """Write ``ca.pem``, ``server.crt`` and ``server.key`` for a server of these names (``DNS:…``, ``IP:…``)."""

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=folder)

    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "2",
            "-subj", "/CN=f1stream test authority")  # fmt: skip
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "server.key", "-out", "server.csr", "-subj",
            "/CN=f1stream test server")  # fmt: skip
    (folder / "names").write_text(f"subjectAltName={','.join(names)}\n")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
            "-out", "server.crt", "-extfile", "names")  # fmt: skip
