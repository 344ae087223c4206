#!/usr/bin/env bash
# Docker for a Debian machine without it, as root. Ends only the daemon that it started itself.
set -euo pipefail
state=$(dirname "$0")/../.cache/docker
pid_file=$state/dockerd.pid

answers() { docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

up() {
    if answers; then echo "Docker answers already"; return; fi
    if ! command -v dockerd >/dev/null || ! command -v iptables >/dev/null; then
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends docker.io iptables >/dev/null
    fi
    mkdir -p "$state"
    dockerd >"$state/dockerd.log" 2>&1 &
    echo $! >"$pid_file"
    for _ in $(seq 60); do
        if answers; then echo "Docker daemon started"; return; fi
        sleep 1
    done
    echo "the Docker daemon does not answer after 60 s; the end of $state/dockerd.log:" >&2
    tail -n 20 "$state/dockerd.log" >&2
    exit 1
}

down() {
    [ -f "$pid_file" ] || return 0
    pid=$(cat "$pid_file")
    rm -f "$pid_file"
    # A recorded pid may have been given to another program since: only a dockerd is ended.
    if [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = dockerd ]; then
        kill "$pid"
        for _ in $(seq 30); do [ -d "/proc/$pid" ] || break; sleep 1; done
    fi
}

case "${1:-}" in
    up) up ;;
    down) down ;;
    *) echo "usage: $0 up|down" >&2; exit 2 ;;
esac
