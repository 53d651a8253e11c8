"""Bodies read with care: bounded in depth before a parser sees them, and no field given twice."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from milestone_escrow.documents.files.hostile import parse_json
from milestone_escrow.oracle.api.problems import Problem


class CarefulRequest(Request):
    """A request whose JSON cannot crash the process; the gate has bounded its size."""

    async def json(self) -> Any:
        if not hasattr(self, "_careful"):
            body = await self.body()
            try:
                self._careful = parse_json(body, limit=len(body))
            except (ValueError, RecursionError):
                raise Problem(400, "the body is not JSON, or is nested too deeply") from None
        return self._careful


class CarefulRoute(APIRoute):
    """A route that reads bodies so."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def careful(request: Request) -> Response:
            return await handle(CarefulRequest(request.scope, request.receive))

        return careful
