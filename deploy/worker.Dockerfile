# A worker: torch, open_clip and the Qdrant client. Build context: the repository.
FROM python:3.11-slim AS wheel
WORKDIR /src
RUN pip install --no-cache-dir hatchling
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY shared shared
COPY api api
COPY workers workers
COPY client client
COPY cli cli
COPY demo demo
# A worker serves no pages.
RUN mkdir -p api/static && touch api/static/index.html && hatchling build -t wheel -d /wheel

FROM python:3.11-slim
WORKDIR /app
COPY constraints.txt ./
COPY --from=wheel /wheel /wheel
RUN pip install --no-cache-dir -c constraints.txt "$(ls /wheel/*.whl)[worker,otel]" && rm -r /wheel
CMD ["clipline", "worker"]
