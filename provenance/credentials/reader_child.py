"""The child process that lets a C2PA engine look at untrusted bytes. Run as a script; imports nothing of this project.

Standard input: one line of JSON {engine, media_type, trust_pem, settings, cpu_seconds}, then the bytes of the
file. Standard output: one JSON object, {"report": …}, or {"error": …} where the engine could not read the
file.
"""

import io
import json
import resource
import sys
from typing import Any

MEMORY_BYTES = 4 << 30


def _limit(cpu_seconds: int) -> None:
    """Bound what hostile bytes can cost; writing files is not needed at all."""
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 1))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _c2pa(request: dict[str, Any], data: bytes) -> Any:
    """Return {state, results, store} of the reference engine; all None for a file without credentials."""
    import c2pa  # noqa: PLC0415

    context = c2pa.Context.from_dict(request["settings"])
    reader = c2pa.Reader.try_create(request["media_type"], io.BytesIO(data), context=context)
    if reader is None:
        return {"state": None, "results": None, "store": None}
    return {
        "state": reader.get_validation_state(),
        "results": reader.get_validation_results(),
        "store": json.loads(reader.json()),
    }


def _encypher(request: dict[str, Any], data: bytes) -> Any:
    """Return the second verifier's report, made without network, telemetry or bundled trust."""
    import encypher_c2pa  # noqa: PLC0415

    return encypher_c2pa.verify(
        data,
        request["media_type"],
        trust_pem=request["trust_pem"],
        no_default_trust=True,
        online=False,
        telemetry=False,
    )


def main() -> None:
    """Answer one request."""
    request = json.loads(sys.stdin.buffer.readline())
    _limit(request["cpu_seconds"])
    data = sys.stdin.buffer.read()
    try:
        answer = {"report": {"c2pa": _c2pa, "encypher": _encypher}[request["engine"]](request, data)}
    except Exception as error:  # whatever an engine raises is an answer about the file
        answer = {"error": f"{type(error).__name__}: {error}"}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main()
