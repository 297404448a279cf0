# The image: Python, the libraries that it is linked with, and remediator. No shell, no pip, no apt. docs/image.md says how it is
# built again bit by bit, and how the pins are renewed.
#
# The digest is that of the list of platforms: it is the same for amd64 and arm64. `make base` prints what the tag is today.
ARG BASE=docker.io/library/python:3.13.15-slim-trixie@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b

FROM ${BASE} AS build
WORKDIR /src
# The order of sets in byte code hangs on the hash seed.
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore \
    PYTHONDONTWRITEBYTECODE=1 PYTHONHASHSEED=0
# Another package index, if need be; what is installed has the same hashes.
ARG PIP_INDEX_URL
COPY release/requirements.lock release/build.lock release/rootfs.py release/
RUN python -m venv --without-pip /opt/remediator \
 && python -m pip --python /opt/remediator/bin/python install --require-hashes --only-binary :all: --no-compile \
      -r release/requirements.lock \
 && python -m venv --without-pip /opt/build \
 && python -m pip --python /opt/build/bin/python install --require-hashes --only-binary :all: --no-compile \
      -r release/build.lock
COPY pyproject.toml README.md ./
COPY remediator remediator
COPY policies policies
COPY rules rules
COPY chart chart
# One for all: what is built from the same commit has the same time. 2020-02-02, as in the wheel, if nobody says.
ARG SOURCE_DATE_EPOCH=1580601600
RUN python -m pip --python /opt/build/bin/python wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
 && python -m pip --python /opt/remediator/bin/python install --no-deps --no-index --no-compile /wheels/*.whl \
 && python release/rootfs.py /opt/remediator /rootfs

FROM scratch
ARG VERSION=""
ARG REVISION=""
ARG CREATED=""
ARG SOURCE=""
LABEL org.opencontainers.image.title="remediator" \
      org.opencontainers.image.description="Takes traffic away from a failing Istio canary or mirror when Prometheus says so." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.source="${SOURCE}"
COPY --from=build /rootfs /
ENV PATH=/opt/remediator/bin \
    LANG=C.UTF-8 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
# A number, so that Kubernetes can see that it is not root. Any other number does as well: nothing belongs to this one, and nothing
# is written but to /dev/shm.
USER 65532:65532
EXPOSE 8080
# For Docker; Kubernetes has probes of its own.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s CMD ["/opt/remediator/bin/python", "-c", "import os, urllib.request; port = os.environ.get('REMEDIATOR_LISTEN', ':8080').rpartition(':')[2]; urllib.request.urlopen(f'http://127.0.0.1:{port}/healthz', timeout=2)"]
# gunicorn with one gthread worker process: the index, the metrics and the watches are one.
ENTRYPOINT ["remediator"]
CMD ["serve"]
