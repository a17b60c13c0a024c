# The study in a container: `docker build -t llada-bench . && docker run --gpus all llada-bench`.
# PyPI's torch of this version carries CUDA, so the host needs only NVIDIA's driver and container toolkit.
FROM debian:bookworm-slim
# python3-dev: torch.compile builds its launchers against Python's headers (the captured engine on a GPU).
RUN apt-get update && apt-get install -y --no-install-recommends \
    ca-certificates g++ git latexmk make python3-dev python3-venv texlive-latex-recommended \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /bench
# The packages first: this layer is built again only where the pins change.
COPY Makefile requirements.txt ./
COPY configs/requirements-nodeps.txt configs/
RUN make setup
COPY . .
CMD ["make", "study"]
