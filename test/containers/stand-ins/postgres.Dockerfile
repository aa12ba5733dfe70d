# Stands in for postgres:17. Context: what setup.sh unpacked.
FROM debian:bookworm-slim
COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
RUN apt-get update && apt-get install -y --no-install-recommends postgresql-client-common postgresql-client-15 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 999 --create-home postgres && mkdir -p /var/lib/postgresql/data && chown postgres /var/lib/postgresql/data
COPY native /usr/local/postgres
ENV PATH=/usr/local/postgres/bin:$PATH PGDATA=/var/lib/postgresql/data
COPY postgres-entrypoint.sh /entrypoint.sh
USER postgres
VOLUME /var/lib/postgresql/data
EXPOSE 5432
ENTRYPOINT ["bash", "/entrypoint.sh"]
CMD ["postgres"]
