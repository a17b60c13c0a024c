# The study in a container: `docker build -t llada-bench . && docker run --gpus all llada-bench`.
# PyPI's torch of this version carries CUDA, so the host needs only NVIDIA's driver and container toolkit.
FROM python:3.13-slim-bookworm
RUN apt-get update && apt-get install -y --no-install-recommends make git g++ texlive-latex-recommended latexmk \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /bench
COPY requirements.txt ./
COPY configs/requirements-nodeps.txt configs/
RUN pip install --no-cache-dir -r requirements.txt \
    && pip install --no-cache-dir --no-deps -r configs/requirements-nodeps.txt
COPY . .
ENV MLFLOW_DISABLE_TELEMETRY=true
CMD ["make", "study", "PY=python3"]
