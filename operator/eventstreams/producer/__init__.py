"""The REST producer: one HTTPS request in, one record in Kafka, its partition and offset back.

    socket → tls → connection ⇄ framing, request → endpoint → delivery → Kafka
                        ↑                                        │ delivery report
                        └──────────── answers ←──────────────────┘

Inside, `connection` knows HTTP and nothing of Kafka; `endpoint` holds the order of judgement; `delivery` and
`topic_map` know Kafka and nothing of HTTP; `keys` is what keyring_watch or keyring_file learned. No task and no future
is made per request: the delivery report itself writes the answer. Imports api/ and core/ alone.
"""
