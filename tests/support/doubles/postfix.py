"""A real Postfix on loopback, which passes on what it accepts to another server; needs root and Debian's package."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from embedded.ports import LOOPBACK
from tests.support.services import running
from tests.support.stack import free_port

PROGRAM: Final = Path("/usr/sbin/postfix")
MASTER_PROGRAM: Final = Path("/usr/lib/postfix/sbin/master")
#: The recipient whom it refuses.
NOBODY: Final = "nobody@shop.test"

MAIN: Final = """
compatibility_level = 3.6
queue_directory = {directory}/queue
data_directory = {directory}/data
maillog_file = /dev/stdout
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = postfix.test
mydestination =
mynetworks = 127.0.0.0/8
relayhost = [127.0.0.1]:{next_port}
smtpd_recipient_restrictions =
    check_recipient_access inline:{{ {{ {nobody} = 550 5.1.1 no such user }} }},
    permit_mynetworks, reject
smtpd_tls_security_level = may
smtpd_tls_chain_files = {chain}
"""
MASTER: Final = """
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


def is_available() -> bool:
    """Whether it can be started here."""
    return MASTER_PROGRAM.exists() and os.geteuid() == 0


@contextlib.contextmanager
def postfix(next_port: int, chain: Path) -> Iterator[int]:
    """Run Postfix until the block ends; its port.

    Args:
        next_port: the port on loopback to which it passes on what it accepts.
        chain: key and certificate for STARTTLS (PEM).
    """
    # Not below a directory that only root can enter: Postfix runs as another user.
    directory = Path(tempfile.mkdtemp(prefix="postfix-"))
    try:
        directory.chmod(0o755)
        (directory / "queue").mkdir()
        (directory / "data").mkdir()
        shutil.chown(directory / "data", "postfix")
        port = free_port()
        main = MAIN.format(directory=directory, next_port=next_port, nobody=NOBODY, chain=chain)
        (directory / "main.cf").write_text(main)
        (directory / "master.cf").write_text(MASTER.format(port=port))
        subprocess.run(
            [PROGRAM, "-c", directory, "check"], check=True, capture_output=True
        )  # makes the queue's folders
        # Not `postfix start-fg`: that leaves the server behind when it is terminated.
        with running([str(MASTER_PROGRAM), "-c", str(directory), "-s"], port, directory / "log"):
            yield port
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def url(port: int) -> str:
    """`SMTP_URL` for it, with STARTTLS."""
    return f"smtp://{LOOPBACK}:{port}?tls=starttls"
