"""What an API answers besides success."""

from collections.abc import Mapping
from typing import Any


class ApiError(Exception):
    """The API refused a request, or could not answer it: `status`, and the members of its problem document (RFC 9457)."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(status, problem)
        self.status, self.problem = status, problem

    def __str__(self) -> str:
        words = self.problem.get("detail") or self.problem.get("title") or "without a reason"
        return f"the API answered {self.status}: {words}"
