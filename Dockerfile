# docker build -t rollcast . && docker run --rm -v "$PWD:/work" rollcast backtest -P sma
FROM python:3.11-slim AS build
RUN apt-get update && apt-get install --yes --no-install-recommends g++ && rm -rf /var/lib/apt/lists/*
COPY . /source
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels /source

FROM python:3.11-slim
COPY --from=build /wheels /wheels
COPY constraints.txt /wheels/
# torch without CUDA, which is gigabytes smaller. For a GPU: leave this line out, and run with --gpus all.
RUN pip install --no-cache-dir -c /wheels/constraints.txt torch --index-url https://download.pytorch.org/whl/cpu
RUN pip install --no-cache-dir -c /wheels/constraints.txt /wheels/*.whl && rm -r /wheels
RUN useradd --create-home rollcast
USER rollcast
# Runs are written to /work/runs, prices and the index of trials to the home folder.
WORKDIR /work
ENTRYPOINT ["rollcast"]
CMD ["--help"]
