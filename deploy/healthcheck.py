"""End with 0 if the process on this port says that it is alive, else with 1: `python healthcheck.py PORT`.

For container engines that run a command; Kubernetes asks `/healthz` itself. It imports little, since it runs every few
seconds. Whether the door speaks TLS (`door.tls`) it finds out by asking.
"""

import http.client
import ssl
import sys


def main(port: int) -> int:
    """Ask `/healthz` on loopback, in plain text or else by TLS, for at most 4 seconds, and return the exit status."""
    try:
        return ask(http.client.HTTPConnection("127.0.0.1", port, timeout=2))
    except (OSError, http.client.HTTPException) as plain:
        try:
            return ask_by_tls(port)
        except (OSError, http.client.HTTPException):
            print(plain)
            return 1


def ask_by_tls(port: int) -> int:
    """Return the exit status by TLS. Raises OSError and HTTPException.

    Its own certificate is for another name than loopback, so none is verified. A door that wants a certificate of its callers
    ends the connection after its own part of the handshake, which a process that hangs does not get to."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=2, context=context)
    connection.connect()
    try:
        return ask(connection)
    except (ssl.SSLError, ConnectionError) as error:
        print(f"alive, and refuses a caller without a certificate: {error}")
        return 0


def ask(connection: http.client.HTTPConnection) -> int:
    """Return the exit status by the answer, and print its status. Raises OSError and HTTPException."""
    try:
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        print(answer.status)
        return 0 if answer.status == 200 else 1
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
