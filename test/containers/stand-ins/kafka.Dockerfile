# Stands in for apache/kafka. Context: the jars that setup.sh fetched.
FROM sluice-stand-in-java
RUN useradd --uid 1001 appuser && mkdir -p /var/lib/kafka/data && chown appuser /var/lib/kafka/data
COPY libs /opt/kafka/libs
COPY kafka-entrypoint.sh /entrypoint.sh
USER appuser
VOLUME /var/lib/kafka/data
CMD ["bash", "/entrypoint.sh"]
