# docker build -t rollcast . && docker run --rm -v "$PWD:/data" rollcast backtest -P sma
FROM python:3.11-slim AS build
RUN apt-get update && apt-get install --yes --no-install-recommends g++ && rm -rf /var/lib/apt/lists/*
COPY . /source
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels /source

FROM python:3.11-slim
COPY --from=build /wheels /wheels
COPY constraints.txt /wheels/
# torch comes with CUDA, gigabytes of it. Without: --build-arg TORCH_INDEX=, the index of CPU builds that pytorch.org names.
ARG TORCH_INDEX
RUN [ -z "$TORCH_INDEX" ] || pip install --no-cache-dir -c /wheels/constraints.txt torch --index-url "$TORCH_INDEX"
RUN pip install --no-cache-dir -c /wheels/constraints.txt /wheels/*.whl && rm -r /wheels
RUN useradd --create-home rollcast
USER rollcast
# Runs are written to the folder runs, prices and the index of trials to the home folder.
WORKDIR /data
ENTRYPOINT ["rollcast"]
CMD ["--help"]
