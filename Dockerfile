# docker build -t qhw . ; docker run --rm -v "$PWD/runs:/work/runs" qhw
FROM python:3.12-slim

# RDKit draws with X's libraries, which the slim image lacks
RUN apt-get update \
    && apt-get install -y --no-install-recommends libexpat1 libxext6 libxrender1 \
    && rm -rf /var/lib/apt/lists/*

# the CPU build of torch: 2.0 GB in all, 5.8 GB with CUDA; the version of constraints.txt, or pip would replace it below
RUN pip install --no-cache-dir torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu

WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY qhw qhw
COPY backends backends
COPY calibration calibration
RUN pip install --no-cache-dir -c constraints.txt .

RUN useradd --create-home qhw && install -d -o qhw /work/runs
USER qhw
WORKDIR /work
ENTRYPOINT ["qhw"]
CMD ["demo"]
