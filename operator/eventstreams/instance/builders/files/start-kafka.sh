#!/bin/bash
# Runs one Kafka node: formats an empty volume once, then becomes the broker. Mounted into the pod, so that any image
# will do that has bash, java on the PATH and Kafka's jars in /opt/kafka/libs.
#   POD_NAME         ends in the node's number
#   ADVERTISED_HOST  the node's own DNS name
set -euo pipefail

config=/etc/eventstreams/kafka
data=/var/lib/kafka/log
libs=/opt/kafka/libs
class_data=/opt/kafka/kafka.jsa
properties=/tmp/server.properties

# The jars by name, in order: class data is bound to the exact class path. A JVM that it is not made for ignores it.
jars=("$libs"/*.jar)
class_path=$(IFS=:; echo "${jars[*]}")
options=("@$config/jvm.options" "-Dlog4j2.configurationFile=$config/log4j2.yaml" -cp "$class_path")
if [[ -f $class_data ]]; then
  options=("-XX:SharedArchiveFile=$class_data" -Xlog:cds=off -Xlog:cds+dynamic=off "${options[@]}")
fi

# write_properties DIRECTORY: the common settings and this node's own, with its log in DIRECTORY.
write_properties() {
  {
    cat "$config/server.properties"
    echo "node.id=${POD_NAME##*-}"
    echo "advertised.listeners=INTERNAL://$ADVERTISED_HOST:9091,CLIENT://$ADVERTISED_HOST:9093,CONTROLLER://$ADVERTISED_HOST:9090"
    echo "log.dirs=$1"
  } > "$properties"
}

# Formatting beside the final place and renaming makes it all or nothing: a kill in between leaves nothing half done.
if [[ ! -d $data ]]; then
  rm -rf "$data.new"
  write_properties "$data.new"
  java "${options[@]}" kafka.tools.StorageTool format --config "$properties" \
    --cluster-id "$(< "$config/cluster-id")" --initial-controllers "$(< "$config/initial-controllers")"
  mv "$data.new" "$data"
fi

write_properties "$data"
exec java "${options[@]}" kafka.Kafka "$properties"
