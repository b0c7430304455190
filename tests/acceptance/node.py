"""Runs the programs of `tests/postman/package.json`."""

import asyncio
import shutil
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "postman"


async def run(program: str, *arguments: str, within: float = 300) -> str:
    """Run a program by npm's name, installed first where it is not yet, and return its output. Fails the test if npm is not
    there, or the program fails or takes too long."""
    if shutil.which("npm") is None:
        pytest.fail("npm is not installed (on Debian and Ubuntu: apt install npm)")
    if not (FOLDER / "node_modules").exists():
        await _run("npm", "install", "--silent", "--no-package-lock", "--no-audit", "--no-fund", within=within)
    return await _run(str(FOLDER / "node_modules" / ".bin" / program), *arguments, within=within)


async def _run(*command: str, within: float) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, cwd=FOLDER, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        async with asyncio.timeout(within):
            output, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        pytest.fail(f"{Path(command[0]).name} did not end within {within} s")
    if process.returncode:
        pytest.fail(f"{Path(command[0]).name}: exit {process.returncode}\n{output.decode(errors='replace')[-4000:]}")
    return output.decode(errors="replace")
