# One image for any function: docker build --build-arg FUNCTION=gateway -t registry.example/hal9/gateway:0.1.0 .
#
# `hal9 images build` makes the same files with no engine, reproducibly, and the other images as well. The base must have
# Python 3.11 and pip; give BASE=name@sha256:… for another one. The digest is the one that public projects pin this tag by: it
# could not be pulled where this was written. A digest is never another image; a wrong one is refused by the registry.
ARG BASE=docker.io/library/python:3.11.11-slim-bookworm@sha256:081075da77b2b55c23c088251026fb69a7b2bf92471e491ff5fd75c192fd38e5

FROM ${BASE} AS build
ARG FUNCTION
ARG VERSION=0.1.0
ARG REVISION=
WORKDIR /src
COPY requirements/run.lock requirements/
RUN ["python3", "-m", "pip", "--disable-pip-version-check", "install", "--no-cache-dir", "--only-binary", ":all:", "--require-hashes", "--requirement", "requirements/run.lock"]
COPY . .
RUN python3 -P -c "import sys; sys.path.insert(0, '/src'); from knative.cli.main import main; main()" \
    images tree "${FUNCTION:?name a function with --build-arg FUNCTION=...}" --out /image --version "${VERSION}" --revision "${REVISION}"

FROM ${BASE}
# Packages of the base's distribution that function.toml names ([image] packages); needs apt-get in the base.
ARG PACKAGES=
RUN ["python3", "-c", "import os, subprocess; names = os.environ.get('PACKAGES', '').split(); [subprocess.run(['apt-get', *words], check=True) for words in (['update'], ['install', '--yes', '--no-install-recommends', *names], ['clean']) if names]"]
COPY --from=build /image/ /
ARG FUNCTION
ARG VERSION=0.1.0
ARG REVISION=
ARG SOURCE=
LABEL org.opencontainers.image.title="hal9-${FUNCTION}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.licenses="Apache-2.0" \
      ai.hal9.function="${FUNCTION}"
ENV PYTHONPATH=/opt/hal9/code:/opt/hal9/packages \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONSAFEPATH=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    HAL9_HOST_ADDRESS=0.0.0.0 \
    HAL9_TOOLCHAINS=/opt/hal9/toolchains
USER 65532:65532
WORKDIR /
EXPOSE 8080
STOPSIGNAL SIGTERM
ENTRYPOINT ["python3", "-m", "knative.host", "/opt/hal9/function", "--port", "8080"]
