"""A model server of a few lines for the router's tests: `upstream.py VARIANT ALIASES.json PORT [SHADOW_PORT]`.

`/readyz` reports the version that ALIASES.json gives the variant, `/predict` answers who it was, a share of
it set by `/set?fail=0.05` fails with 500, `/counts` tells what arrived by port: [requests, failures].
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from aiohttp import web


class Server:
    def __init__(self, variant: str, aliases: Path, ports: list[int]) -> None:
        self._variant, self._aliases, self._ports = variant, aliases, ports
        self._fail = 0.0
        self._owed = dict.fromkeys(ports, 0.0)
        self._counts = {port: [0, 0] for port in ports}

    async def predict(self, request: web.Request) -> web.Response:
        await request.read()
        assert request.transport is not None
        port = int(request.transport.get_extra_info("sockname")[1])
        self._counts[port][0] += 1
        self._owed[port] += self._fail
        failed = self._owed[port] >= 1 - 1e-9
        self._owed[port] -= failed
        self._counts[port][1] += failed
        return web.json_response({"by": self._variant}, status=500 if failed else 200)

    async def readyz(self, _: web.Request) -> web.Response:
        version = json.loads(self._aliases.read_text()).get(self._variant)
        return web.json_response({"version": version}, status=200 if version else 503)

    async def set(self, request: web.Request) -> web.Response:
        self._fail = float(request.query["fail"])
        return web.json_response({})

    async def counts(self, _: web.Request) -> web.Response:
        return web.json_response([self._counts[port] for port in self._ports])

    async def feedback(self, _: web.Request) -> web.Response:
        return web.json_response({"by": self._variant})

    async def start(self) -> None:
        app = web.Application()
        app.router.add_post("/predict", self.predict)
        app.router.add_post("/feedback", self.feedback)
        for path, answer in (("/readyz", self.readyz), ("/set", self.set), ("/counts", self.counts)):
            app.router.add_get(path, answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        for port in self._ports:
            await web.TCPSite(runner, "127.0.0.1", port).start()


if __name__ == "__main__":
    loop = asyncio.new_event_loop()
    loop.run_until_complete(
        Server(sys.argv[1], Path(sys.argv[2]), [int(port) for port in sys.argv[3:]]).start()
    )
    loop.run_forever()
