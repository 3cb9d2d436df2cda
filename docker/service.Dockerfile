# The API: no torch, no OpenCV, no PyAV. Build it from the root of the repository:
#   docker build -f docker/service.Dockerfile -t pointaction-service .

FROM python:3.11-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
COPY . .
RUN python -m venv /opt/pointaction && /opt/pointaction/bin/pip install '.[service,s3,telemetry]'

FROM python:3.11-slim-bookworm
COPY --from=build /opt/pointaction /opt/pointaction
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin pointaction \
    && install -d -o pointaction -g pointaction /data /blobs
ENV PATH=/opt/pointaction/bin:$PATH \
    HOME=/tmp \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    POINTACTION_HOST=0.0.0.0 \
    POINTACTION_DATA_DIR=/data \
    POINTACTION_LOG_FORMAT=json
USER 10001:10001
WORKDIR /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/health/live', timeout=3)"]
ENTRYPOINT ["pointaction"]
CMD ["serve"]
