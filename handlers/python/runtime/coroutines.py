"""Runs `async def` handlers to their end, on one event loop for the sandbox's life."""
_runner = None


def run(coroutine):
    global _runner
    if _runner is None:
        import asyncio  # 8 MB and tens of milliseconds that only such handlers pay

        _runner = asyncio.Runner()
    return _runner.run(coroutine)
