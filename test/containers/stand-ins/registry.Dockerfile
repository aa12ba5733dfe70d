# Stands in for apicurio/apicurio-registry. Context: what setup.sh unpacked.
FROM sluice-stand-in-java
RUN useradd --uid 1001 registry
COPY lib /opt/registry/lib
COPY registry.jar /opt/registry/registry.jar
USER registry
CMD ["java", "-Xmx256m", "-Dquarkus.http.host=0.0.0.0", "-jar", "/opt/registry/registry.jar"]
