#!/bin/bash
# Runs one of Kafka's tools inside a broker's pod, with the broker's own certificate: it may do everything.
#   kafka-tool.sh topics --list
#   kafka-tool.sh console-consumer --topic orders --from-beginning
set -euo pipefail

case ${1:-} in
  acls) class=org.apache.kafka.tools.AclCommand ;;
  configs) class=kafka.admin.ConfigCommand ;;
  console-consumer) class=org.apache.kafka.tools.consumer.ConsoleConsumer ;;
  console-producer) class=org.apache.kafka.tools.ConsoleProducer ;;
  consumer-groups) class=org.apache.kafka.tools.consumer.group.ConsumerGroupCommand ;;
  reassign-partitions) class=org.apache.kafka.tools.reassign.ReassignPartitionsCommand ;;
  topics) class=org.apache.kafka.tools.TopicCommand ;;
  *)
    echo "usage: kafka-tool.sh acls|configs|console-consumer|console-producer|consumer-groups|reassign-partitions|topics ..." >&2
    exit 2
    ;;
esac
shift

jars=(/opt/kafka/libs/*.jar)
class_path=$(IFS=:; echo "${jars[*]}")
exec java -Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData \
  -cp "$class_path" "$class" \
  --bootstrap-server "$ADVERTISED_HOST:9091" --command-config <(
    echo "security.protocol=SSL"
    echo "ssl.keystore.type=PEM"
    echo "ssl.keystore.location=/etc/eventstreams/tls/server.pem"
    echo "ssl.truststore.type=PEM"
    echo "ssl.truststore.location=/etc/eventstreams/ca/ca.crt"
  ) "$@"
