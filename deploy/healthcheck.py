"""End with 0 if the process on this port says that it is alive, else with 1: `python healthcheck.py PORT`.

For container engines that run a command; Kubernetes asks `/healthz` itself. It imports little, since it runs every few
seconds.
"""

import http.client
import sys


def main(port: int) -> int:
    """Ask `/healthz` on loopback, for at most 4 seconds, and return the exit status."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=4)
    try:
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        print(answer.status)
    except (OSError, http.client.HTTPException) as error:
        print(error)
        return 1
    finally:
        connection.close()
    return 0 if answer.status == 200 else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
