"""Python's http.client. Reads the lines that test_clients.py wrote, and prints for each the status and body."""

import http.client
import ssl
import sys
from pathlib import Path
from urllib.parse import urlencode, urlsplit

lines = [line.split("\t") for line in Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()]
place = urlsplit(lines[0][0])
connection = http.client.HTTPSConnection(place.netloc, context=ssl.create_default_context(cafile=sys.argv[2]))
for url, secret, content_type, file, key, headers in lines:
    with Path(file).open("rb") as body:
        connection.request(
            "POST",
            f"{urlsplit(url).path}?{urlencode({'key': key, 'headers': headers})}",
            body,
            {
                "Authorization": f"Bearer {secret}",
                "Content-Type": content_type,
                "Content-Length": str(Path(file).stat().st_size),
            },
        )
    answer = connection.getresponse()
    print(answer.status, answer.read().decode(), sep="\t")
