# The demo in a container: docker compose up, and http://localhost:8000 shows a page to draw on. Any other command runs
# too: docker run --rm fastmlp-demo info

FROM python:3.13-slim AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY fastmlp ./fastmlp
# Without a pip of its own, and without the tests of NumPy and Numba: a tenth of all that is installed.
RUN python -m venv --without-pip /opt/fastmlp \
    && pip --python /opt/fastmlp/bin/python install --no-cache-dir '.[demo]' \
    && find /opt/fastmlp -name tests -type d -prune -exec rm -r {} +

FROM python:3.13-slim
COPY --from=build /opt/fastmlp /opt/fastmlp
RUN useradd --create-home --uid 1000 fastmlp
USER 1000
WORKDIR /home/fastmlp
ENV PATH=/opt/fastmlp/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    NUMBA_CACHE_DIR=/home/fastmlp/.cache/kernels
# Kernels for the processor of this machine: on another one the first start compiles again, and keeps those. The folder is
# for MNIST, which the first start fetches, or for the digits that it draws where it cannot.
RUN fastmlp warmup && mkdir .cache/fastmlp
EXPOSE 8000
HEALTHCHECK --start-period=120s --interval=10s --timeout=5s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/', timeout=4)"]
ENTRYPOINT ["fastmlp"]
CMD ["demo", "--host", "0.0.0.0", "--port", "8000"]
