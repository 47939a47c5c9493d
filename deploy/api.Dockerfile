# The API: the base install, without torch, Qdrant or Pillow, and the pages. Build context: the repository.
FROM node:22-slim AS pages
WORKDIR /src/web
COPY web/package.json web/package-lock.json web/.npmrc ./
RUN npm ci --no-audit --no-fund
COPY web ./
RUN npm run build

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
COPY --from=pages /src/api/static api/static
RUN hatchling build -t wheel -d /wheel

FROM python:3.11-slim
WORKDIR /app
COPY constraints.txt ./
COPY --from=wheel /wheel /wheel
RUN pip install --no-cache-dir -c constraints.txt "$(ls /wheel/*.whl)[otel]" && rm -r /wheel
EXPOSE 8000
CMD ["clipline", "api"]
