# syntax=docker/dockerfile:1
FROM python:3.12-slim AS build
WORKDIR /src
RUN python -m venv /opt/remediator
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY pyproject.toml README.md ./
COPY remediator remediator
COPY policies policies
COPY rules rules
COPY chart chart
RUN /opt/remediator/bin/pip install . \
 && /opt/remediator/bin/pip uninstall --yes pip \
 && /opt/remediator/bin/python -m compileall -q /opt/remediator

FROM python:3.12-slim
LABEL org.opencontainers.image.title="remediator" \
      org.opencontainers.image.description="Takes traffic away from a failing Istio canary or mirror." \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/remediator /opt/remediator
ENV PATH=/opt/remediator/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# A number, so that Kubernetes can see that it is not root; nothing is written but to /dev/shm.
USER 65532:65532
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/healthz', timeout=2)"]
# gunicorn with one gthread worker process: the index, the metrics and the watches are one.
ENTRYPOINT ["remediator"]
CMD ["serve"]
