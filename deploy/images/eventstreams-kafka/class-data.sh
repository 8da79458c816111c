#!/bin/bash
# Runs in the image's root file system: starts a broker as the operator does (TLS, SCRAM, authorizer, log settings in
# YAML), ends it, and keeps the classes that it loaded in /opt/kafka/kafka.jsa.
set -euo pipefail
ifconfig lo up
jars=(/opt/kafka/libs/*.jar)
class_path=$(IFS=:; echo "${jars[*]}")
cd "$(mktemp -d)"

# A throw-away key on a closed loopback: the password protects nothing.
keytool -genkeypair -alias broker -keyalg EC -groupname secp256r1 -dname CN=localhost -ext san=dns:localhost \
  -storetype PKCS12 -keystore broker.p12 -storepass throwaway 2> /dev/null
cat > server.properties <<'PROPERTIES'
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=localhost:9092
listeners=INTERNAL://localhost:9091,CONTROLLER://localhost:9092,CLIENT://localhost:9093
listener.security.protocol.map=INTERNAL:SSL,CONTROLLER:SSL,CLIENT:SASL_SSL
inter.broker.listener.name=INTERNAL
controller.listener.names=CONTROLLER
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.client.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
ssl.client.auth=required
listener.name.client.ssl.client.auth=none
ssl.keystore.type=PKCS12
ssl.keystore.location=broker.p12
ssl.keystore.password=throwaway
ssl.truststore.type=PKCS12
ssl.truststore.location=broker.p12
ssl.truststore.password=throwaway
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:CN=localhost
log.dirs=data
offsets.topic.replication.factor=1
PROPERTIES
cat > log4j2.yaml <<'LOGGING'
Configuration:
  Appenders: {Console: {name: console, PatternLayout: {pattern: "%d{ISO8601} %p %c{1}: %m%n"}}}
  Loggers: {Root: {level: INFO, AppenderRef: [{ref: console}]}}
LOGGING

java -cp "$class_path" kafka.tools.StorageTool format --standalone --cluster-id MkU3OEVBNTcwNTJENDM2Qk \
  --config server.properties --add-scram 'SCRAM-SHA-512=[name=throwaway,password=throwaway]'
java -Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:ArchiveClassesAtExit=/opt/kafka/kafka.jsa \
  -Dlog4j2.configurationFile=log4j2.yaml -cp "$class_path" kafka.Kafka server.properties &
broker=$!
until (exec 3<> /dev/tcp/localhost/9093) 2> /dev/null; do
  kill -0 "$broker"
  ((SECONDS < 120))
  sleep 0.2
done
kill "$broker"
wait "$broker" || (($? == 143)) # ended by the signal
ls -l /opt/kafka/kafka.jsa
