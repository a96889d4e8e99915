# One image for web and workers; docker-compose.yml gives each its command.
FROM python:3.13.7-slim-trixie

ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /app

COPY requirements.txt .
RUN pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.txt

# var/ is made here so that a volume mounted on it belongs to the user too.
RUN useradd --uid 1000 --no-create-home postrider && install -d -o postrider /app/var
COPY . .
USER postrider

EXPOSE 8080
CMD ["uvicorn", "api:app", "--host", "0.0.0.0", "--port", "8080", "--timeout-graceful-shutdown", "3", \
     "--no-proxy-headers"]
