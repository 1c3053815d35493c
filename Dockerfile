# syntax=docker/dockerfile:1

# The binary is built on the machine it is for: docker build --platform picks the target.
FROM oven/bun:1.4.5 AS build
WORKDIR /build
COPY package.json bun.lock bunfig.toml ./
COPY patches patches
RUN bun install --frozen-lockfile
COPY . .
RUN bun run build

# ONNX Runtime needs glibc and libstdc++; this base has both and little else.
FROM debian:bookworm-slim
RUN install --directory --owner=10001 --group=10001 --mode=0700 /data
COPY --from=build /build/dist/sluice /usr/local/bin/sluice
COPY LICENSE /usr/share/doc/sluice/LICENSE

# 0.0.0.0 inside the container: who may reach it is decided where the port is published.
ENV SLUICE_DATA=/data \
    SLUICE_HOST=0.0.0.0 \
    SLUICE_PORT=8400 \
    SLUICE_LOG=json \
    TZ=UTC

USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8400
STOPSIGNAL SIGTERM

# The image has no curl; bash opens the connection itself. /healthz is about the process: whether
# it can predict yet is told by /readyz, and a restart would not help.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["/bin/bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/${SLUICE_PORT:-8400} && printf 'GET /healthz HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' >&3 && read -r -t 4 -u 3 _ status _ && [ \"$status\" = 200 ]"]

ENTRYPOINT ["/usr/local/bin/sluice"]
CMD ["serve"]
