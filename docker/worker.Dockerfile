# A worker, for processors or for NVIDIA GPUs. Build it from the root of the repository:
#   docker build -f docker/worker.Dockerfile --target cpu  -t pointaction-worker .
#   docker build -f docker/worker.Dockerfile --target cuda -t pointaction-worker-cuda .

FROM python:3.11-slim-bookworm AS source
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
COPY . .
RUN python -m venv /opt/pointaction

# pip reads this argument by itself. Name an index that has builds of torch for processors alone;
# without one, this image holds the libraries of CUDA too, several gigabytes for nothing.
FROM source AS build-cpu
ARG PIP_EXTRA_INDEX_URL
RUN /opt/pointaction/bin/pip install '.[library,store,workers,appearance,onnx,s3,telemetry]'

# torch's usual build brings CUDA; the driver comes with the host's container runtime.
FROM source AS build-cuda
RUN /opt/pointaction/bin/pip install '.[library,store,workers,appearance,s3,telemetry]'

FROM python:3.11-slim-bookworm AS worker
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin pointaction \
    && install -d -o pointaction -g pointaction /data /blobs /stores
ENV PATH=/opt/pointaction/bin:$PATH \
    HOME=/tmp \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    POINTACTION_DATA_DIR=/data \
    POINTACTION_LOG_FORMAT=json
USER 10001:10001
WORKDIR /data
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 \
    CMD ["python", "-m", "workers.probe"]
ENTRYPOINT ["pointaction"]
CMD ["worker"]

FROM worker AS cuda
COPY --from=build-cuda /opt/pointaction /opt/pointaction
ENV POINTACTION_DEVICE=cuda \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility

# The last one is what a build without --target makes.
FROM worker AS cpu
COPY --from=build-cpu /opt/pointaction /opt/pointaction
