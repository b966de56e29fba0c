# Lycatra as an image: docker build -t lycatra-appservice .
# The stage `demo` adds a Synapse and the terminal chat: docker build --target demo .
# The stage `deployer` adds the clients of Docker and Compose, for updates of other services:
# docker build --target deployer --build-arg REQUIREMENTS=extras.txt .

# Both of one family, because an environment points at its interpreter's path. With a digest
# nothing can change under the tag: --build-arg BASE_RUN=python:…@sha256:…
ARG BASE_BUILD=python:3.12.12-slim-bookworm
ARG BASE_RUN=python:3.12.12-slim-bookworm
ARG DOCKER_CLI=docker:29.1.2-cli

# --- pip and the build backend; they stay out of the result ---------------------------------
FROM ${BASE_BUILD} AS tools
WORKDIR /build
COPY requirements/build.txt requirements/
RUN python3 -m venv /opt/tools \
    && /opt/tools/bin/python -m pip install --no-cache-dir --disable-pip-version-check \
        --require-hashes --only-binary :all: -r requirements/build.txt

# --- dependencies first: this layer changes only with the lock file -------------------------
FROM tools AS build
# extras.txt has what restarts by the APIs of Docker and Kubernetes need besides, traces, and charts.
ARG REQUIREMENTS=base.txt
COPY requirements/${REQUIREMENTS} requirements/
RUN python3 -m venv --without-pip /opt/lycatra \
    && /opt/tools/bin/python -m pip --python /opt/lycatra/bin/python install \
        --no-cache-dir --disable-pip-version-check --require-hashes --only-binary :all: \
        -r requirements/${REQUIREMENTS}
COPY pyproject.toml README.md LICENSE CHANGELOG.md example-config.yaml ./
COPY docs docs
COPY lycatra_appservice lycatra_appservice
RUN /opt/tools/bin/python -m pip wheel --no-cache-dir --disable-pip-version-check \
        --no-deps --no-index --no-build-isolation --wheel-dir /dist . \
    && /opt/tools/bin/python -m pip --python /opt/lycatra/bin/python install \
        --no-cache-dir --disable-pip-version-check --no-deps --no-index /dist/*.whl

# --- what the demo needs besides ------------------------------------------------------------
FROM build AS demo-build
COPY requirements/demo.txt requirements/synapse.txt requirements/
RUN /opt/tools/bin/python -m pip --python /opt/lycatra/bin/python install \
        --no-cache-dir --disable-pip-version-check --require-hashes --only-binary :all: \
        -r requirements/demo.txt \
    && python3 -m venv --without-pip /opt/synapse \
    && /opt/tools/bin/python -m pip --python /opt/synapse/bin/python install \
        --no-cache-dir --disable-pip-version-check --require-hashes --only-binary :all: \
        -r requirements/synapse.txt

# --- the image ------------------------------------------------------------------------------
FROM ${BASE_RUN} AS base
# A name for the number, for libraries that look it up.
RUN groupadd --gid 10001 lycatra \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data \
        --shell /usr/sbin/nologin lycatra
# A new named volume takes over owner and mode of the folder it is mounted on, so no container has
# to run as root to make it writable. 991 is Synapse's group in Synapse's own image: it may read
# the registration. /synapse and /database are for docker-compose.yml's profile `full` only.
RUN install -d -o 10001 -g 10001 -m 0755 /config \
    && install -d -o 10001 -g 10001 -m 0700 /data \
    && install -d -o 10001 -g 991 -m 0750 /registration /database \
    && install -d -o 10001 -g 991 -m 0770 /synapse
COPY --from=build --chown=root:root /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build --chown=root:root /opt/lycatra /opt/lycatra

# LYCATRA_DATA_FOLDER is where the database is unless the configuration names another place.
ENV PATH=/opt/lycatra/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    TMPDIR=/tmp \
    LYCATRA_CONFIG=/config/config.yaml \
    LYCATRA_DATA_FOLDER=/data \
    LYCATRA_APPSERVICE__LISTEN__HOST=0.0.0.0

ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="lycatra-appservice" \
      org.opencontainers.image.description="An assistant for the rooms of your own Synapse" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

WORKDIR /config
VOLUME ["/data"]
EXPOSE 8080
USER 10001:10001
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 \
    CMD ["python", "-m", "lycatra_appservice", "health"]
ENTRYPOINT ["python", "-m", "lycatra_appservice"]
CMD ["run"]

FROM base AS demo
COPY --from=demo-build --chown=root:root /opt/lycatra /opt/lycatra
COPY --from=demo-build --chown=root:root /opt/synapse /opt/synapse
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 \
    CMD ["python", "-m", "lycatra_appservice", "health", "-c", "/data/demo/config.yaml"]
CMD ["demo", "--folder", "/data/demo", "--synapse-python", "/opt/synapse/bin/python"]

# --- what updates other services; see docs/DEPLOYMENTS.md and SECURITY.md -------------------
FROM ${DOCKER_CLI} AS docker-cli

FROM base AS deployer
# Programs without dependencies: the client, and Compose where the client looks for it.
COPY --from=docker-cli --chown=root:root /usr/local/bin/docker /usr/local/bin/docker
COPY --from=docker-cli --chown=root:root /usr/local/libexec/docker/cli-plugins/docker-compose \
    /usr/local/libexec/docker/cli-plugins/docker-compose
# The client keeps nothing; without a place for that it complains.
ENV DOCKER_CONFIG=/tmp/docker

# The last stage is what a build without --target makes.
FROM base AS lycatra
