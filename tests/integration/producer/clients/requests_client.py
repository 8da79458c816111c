"""Python's requests. Reads the lines that test_clients.py wrote, and prints for each the answer's status and body."""

import sys
from pathlib import Path

import requests

with requests.Session() as session:
    for line in Path(sys.argv[1]).read_text(encoding="utf-8").splitlines():
        url, secret, content_type, file, key, headers = line.split("\t")
        with Path(file).open("rb") as body:
            answer = session.post(
                url,
                params={"key": key, "headers": headers},
                headers={"Authorization": f"Bearer {secret}", "Content-Type": content_type},
                data=body,
                verify=sys.argv[2],  # the session's would give way to $REQUESTS_CA_BUNDLE
                timeout=20,
            )
        print(answer.status_code, answer.text, sep="\t")
