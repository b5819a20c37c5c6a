"""The remote shell of rsync: it hands rsync's files and command line to `fab`, which has the login.

`python remote_shell.py SOCKET HOST WORD…`: SOCKET is the number of an inherited socket.
"""

import os
import socket
import sys

if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as link:
        # As ssh does: the shell on the node splits the words again.
        socket.send_fds(link, [" ".join(sys.argv[3:]).encode(errors="surrogateescape")], [0, 1, 2])
        # The files end where `fab` closes its own.
        os.close(0)
        os.close(1)
        sys.exit(int.from_bytes(link.recv(1) or b"\xff"))
