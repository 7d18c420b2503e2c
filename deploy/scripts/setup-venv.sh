#!/bin/sh
# Makes the virtual environment from a hashed lock file; does nothing when it is already as the lock says.
# usage: setup-venv.sh LOCK
set -eu
lock=$1
venv=${ASSENT_VENV:-.venv}
python=${PYTHON:-python3}

"$python" - <<'PY' || { echo "Assent needs Python 3.11 or newer; name one with PYTHON=/path/to/python3.x" >&2; exit 1; }
import sys
sys.exit(sys.version_info < (3, 11))
PY

# The two ONNX Runtime builds must never lie side by side, so changing between them begins anew.
case $lock in *gpu*) family=gpu ;; *) family=cpu ;; esac
if [ -f "$venv/.assent-family" ] && [ "$(cat "$venv/.assent-family")" != "$family" ]; then
    echo "Replacing the $(cat "$venv/.assent-family") environment …"
    rm -rf "$venv"
fi

# dev.lock holds all of cpu.lock in the same versions, so each lock keeps its own stamp.
stamp=$venv/.assent-$(basename "$lock")
wanted=$(cat "$lock" requirements/bootstrap.lock pyproject.toml | sha256sum | cut -d' ' -f1)
[ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] && exit 0

if [ ! -x "$venv/bin/python" ]; then
    if ! "$python" -c 'import ensurepip' 2>/dev/null; then
        # Debian ships venv apart from Python itself.
        if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
            apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qqy python3-venv >/dev/null
        else
            echo "Python's venv module is missing. Run: sudo apt-get install python3-venv" >&2
            exit 1
        fi
    fi
    echo "Making the virtual environment …"
    "$python" -m venv "$venv"
fi

echo "Installing the locked packages (about 1 GB at the first time) …"
"$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.lock
"$venv/bin/uv" pip install --quiet --system-certs --python "$venv/bin/python" --no-deps --require-hashes -r "$lock"
"$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
echo "$family" >"$venv/.assent-family"
echo "$wanted" >"$stamp"
