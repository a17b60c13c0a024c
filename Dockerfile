# The study in a container: `docker build -t llada-bench . && docker run --gpus all --pid=host llada-bench`.
# PyPI's torch of this version carries CUDA 13, so the host needs only NVIDIA's driver (580 or later) and container
# toolkit. Without --pid=host other processes on the card could hide, and no round is `exclusive`, only `consistent`.
FROM debian:bookworm-slim
# python3-dev: torch.compile builds its launchers against Python's headers (the captured engine on a GPU).
RUN apt-get update && apt-get install -y --no-install-recommends \
    ca-certificates g++ git latexmk lmodern make python3-dev python3-venv texlive-latex-recommended \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /bench
# The packages first: this layer is built again only where the pins change.
COPY Makefile requirements.txt ./
COPY configs/requirements-nodeps.txt configs/
RUN make setup
COPY . .
CMD ["make", "study"]
