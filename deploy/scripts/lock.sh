#!/bin/sh
# Resolves requirements/*.in into complete, hashed lock files that name no index.
# usage: lock.sh UV
set -eu
cd requirements
compile() {
    "$uv" pip compile --system-certs --universal --python-version 3.11 --generate-hashes --no-header --quiet \
        --no-emit-index-url --no-emit-find-links "$@"
}
case $1 in /*) uv=$1 ;; *) uv=../$1 ;; esac
compile bootstrap.in -o bootstrap.lock
compile runtime.in --overrides overrides-cpu.txt -o cpu.lock
compile gpu.in --overrides overrides-gpu.txt -o gpu.lock
compile dev.in -c cpu.lock --overrides overrides-cpu.txt -o dev.lock
